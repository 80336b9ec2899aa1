"""An expert for one episode: the bot's low-level plan, told in the longest commands that follow it."""

from __future__ import annotations

from dataclasses import replace
from itertools import takewhile

from sojourn.envs.babyai.bot import State, plan_from, state_of
from sojourn.envs.babyai.commands import Refusal
from sojourn.envs.babyai.default_style import DefaultStyle
from sojourn.envs.babyai.env import BabyAIEnv
from sojourn.envs.babyai.simulator import DELTAS, Low

_MOVES = (Low.LEFT, Low.RIGHT, Low.FORWARD)
_WORDS = {Low.LEFT: "turn left", Low.RIGHT: "turn right", Low.FORWARD: "move forward", Low.DROP: "drop"}


class BabyAIOracle:
    """The next command of a plan from wherever the episode is; the plan uses only what the agent could know."""

    def __init__(self, env: BabyAIEnv) -> None:
        self._env = env
        self._actions: list[Low] = []
        self._states: list[State] = []
        self._at = 0

    async def next_action(self) -> str | None:
        """The command that gets furthest along the plan; None when the bot knows no way."""
        style = self._env.style
        assert isinstance(style, DefaultStyle)
        now = state_of(self._env.simulator)
        if not self._rejoin(style, now):
            self._actions, self._states = plan_from(self._env.simulator, style.memory.known)
            self._at = 0
        if not self._actions:
            return None
        command, reached = self._best(style)
        self._at = reached
        return command

    def _rejoin(self, style: DefaultStyle, now: State) -> bool:
        """Whether the plan still leads on from `now`, if need be after a walk to one of its next poses."""
        if self._at >= len(self._actions):
            return False
        expected = self._states[self._at]
        if now == expected:
            return True
        if (now.world, now.progress) != (expected.world, expected.progress):
            return False
        last = self._next_deed(self._at) or self._at
        for index in range(last, self._at - 1, -1):
            cell, heading = self._states[index].pose
            goal = [0, 0, 0, 0]
            goal[heading] = 1 << cell
            way = style.memory.paths.way(now.cell, now.heading, (goal[0], goal[1], goal[2], goal[3]))
            if way is not None and self._is_quiet(self._at, index + 1):
                self._actions[:index] = way
                self._states[:index] = self._states_along(now, way)
                self._at = 0
                return True
        return False

    def _states_along(self, now: State, way: list[Low]) -> list[State]:
        poses = [self._walk(now.pose, way[:count]) for count in range(len(way))]
        return [replace(now, cell=pose[0], heading=pose[1], front=self._front(pose)) for pose in poses]

    def _next_deed(self, since: int) -> int | None:
        """Index of the next action that is no move."""
        return next((i for i in range(since, len(self._actions)) if self._actions[i] not in _MOVES), None)

    def _best(self, style: DefaultStyle) -> tuple[str, int]:
        """The command and the index of the plan that it leads to (or would, from another side)."""
        best, reached = self._single(style), self._at + 1
        is_exact = True
        for command in style.admissible_commands():
            plan = style.commands.plan(command)
            if isinstance(plan, Refusal):
                continue
            end, exact = self._follow(plan)
            if (end, exact) > (reached, is_exact):
                best, reached, is_exact = command, end, exact
        return best, reached

    def _single(self, style: DefaultStyle) -> str:
        """The next low-level action as a command."""
        low = self._actions[self._at]
        if low in _WORDS:
            return _WORDS[low]
        front = style.memory.in_front()
        if front is None:
            return "turn left"  # the bot is done but the mission is not; looking around is all that is left
        verb = {Low.PICKUP: "pick up", Low.DONE: "go to"}.get(low, "close" if front.is_open else "open")
        return f"{verb} {front.name}"

    def _follow(self, plan: list[Low]) -> tuple[int, bool]:
        """Index of the plan's state that `plan` leads to (its own index if to none), and whether exactly there."""
        start = self._states[self._at]
        moves = list(takewhile(_MOVES.__contains__, plan))
        pose = self._walk(start.pose, moves)
        if len(moves) == len(plan):
            return self._meet(self._at, pose)
        deed = self._next_deed(self._at)
        if deed is None or self._actions[deed] is not plan[len(moves)] or not self._is_quiet(self._at, deed):
            return self._at, False
        if self._front(pose) != self._states[deed].front:
            return self._at, False
        exact = pose == self._states[deed].pose
        rest = plan[len(moves) + 1 :]
        if not rest or deed + 1 == len(self._actions):
            return deed + 1, exact
        end, met = self._meet(deed + 1, self._walk(pose, rest))
        return (end, met) if end > deed + 1 else (self._at, False)

    def _meet(self, since: int, pose: tuple[int, int]) -> tuple[int, bool]:
        """The last state after `since`, with only moves in between, that has this pose; or faces its goal likewise."""
        found = (since, False)
        for index in range(since + 1, len(self._states)):
            if self._actions[index - 1] not in _MOVES or not self._is_quiet(since, index):
                break
            state = self._states[index]
            if state.pose == pose:
                found = (index, True)
            is_goal = index == len(self._actions) or state.progress != self._states[since].progress
            if is_goal and state.front == self._front(pose) and state.pose != pose:
                found = (index, False)
        return found

    def _is_quiet(self, since: int, until: int) -> bool:
        """Whether no part of the mission is fulfilled strictly between two states of the plan."""
        before = self._states[since].progress
        return all(self._states[i].progress == before for i in range(since + 1, until))

    def _walk(self, pose: tuple[int, int], moves: list[Low]) -> tuple[int, int]:
        cell, heading = pose
        for low in moves:
            if low is Low.FORWARD:
                cell = self._front((cell, heading))
            else:
                heading = (heading + (1 if low is Low.RIGHT else -1)) % 4
        return cell, heading

    def _front(self, pose: tuple[int, int]) -> int:
        (dx, dy), width = DELTAS[pose[1]], self._env.simulator.width
        return pose[0] + dx + dy * width
