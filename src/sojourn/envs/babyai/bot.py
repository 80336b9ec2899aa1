"""minigrid's BabyAI bot, kept from searching for ever, asked for a whole plan from the present state."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from minigrid.envs.babyai.core.verifier import ObjDesc, PutNextInstr
from minigrid.utils.baby_ai_bot import BabyAIBot, GoNextToSubgoal

from sojourn.envs.babyai.simulator import Low, Simulator

MAX_SUBGOALS = 100
"""New subgoals for one action, after which the bot counts as lost: it can push the same ones on its stack for ever."""
MAX_PLAN = 500
"""Low-level actions after which a plan counts as lost."""

World = tuple[object, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What decides how an episode goes on, comparable between a level and its copy."""

    cell: int
    heading: int
    front: int
    """Number of the cell in front."""
    world: World
    """All things that can be moved or opened, and what is carried."""
    progress: object
    """Which parts of the mission are fulfilled."""

    @property
    def pose(self) -> tuple[int, int]:
        return self.cell, self.heading


class LostError(Exception):
    """The bot goes round in circles."""


class _Subgoals(list[Any]):
    """The bot's stack, counting what is pushed between two actions."""

    pushed = 0

    def append(self, subgoal: Any) -> None:
        self.pushed += 1
        if self.pushed > MAX_SUBGOALS:
            raise LostError(f"{MAX_SUBGOALS} subgoals without an action")
        super().append(subgoal)


class _Bot(BabyAIBot):  # type: ignore[misc]  # minigrid is untyped
    """The bot, which also can start in the middle of a mission or with the thing to move already in hand."""

    stack: list[Any]
    last: Low | None = None
    """What to do once all subgoals are reached, if not to declare the mission done."""

    def __init__(self, level: Any, known: int) -> None:
        super().__init__(level)
        for cell in range(level.width * level.height):
            if known >> cell & 1:
                self.vis_mask[cell % level.width, cell // level.width] = True

    def replan(self, action_taken: Any = None) -> Any:
        self.stack = _Subgoals(self.stack)
        return super().replan(action_taken)

    def _shortest_path(self, accept_fn: Any, try_with_blockers: bool = False) -> Any:
        accept = accept_fn
        if accept_fn.__name__ == "unopened_door":  # a door to explore behind: never the one whose key is being sought

            def accept(position: Any, cell: Any) -> bool:
                return bool(accept_fn(position, cell)) and all(goal.datum is not cell for goal in self.stack)

        return super()._shortest_path(accept, try_with_blockers)

    def _process_instr(self, instr: Any) -> None:
        if hasattr(instr, "instr_a"):
            self._process_parts(instr)
            return
        super()._process_instr(instr)
        carrying = self.mission.carrying
        if isinstance(instr, PutNextInstr) and any(thing is carrying for thing in instr.desc_move.obj_set):
            del self.stack[-2:]  # finding and picking up what is in hand

    def _process_parts(self, instr: Any) -> None:
        parts = [(instr.a_done, instr.instr_a), (instr.b_done, instr.instr_b)]
        if type(instr).__name__ != "AfterInstr":
            parts.reverse()  # the stack is worked off from its end
        for done, part in parts:
            if done != "success":
                self._process_instr(part)


def plan_from(simulator: Simulator, known: int) -> tuple[list[Low], list[State]]:
    """Low-level actions that fulfil the mission, and the states before and after each; no actions if the bot is lost.

    Works on copies. The bot starts with the cells `known` and sees the rest only as it comes into view. Where it is
    lost because a key lies in a box, the plan is to open the nearest box.
    """
    for make in (_Bot, _box_opener):
        twin = copy.deepcopy(simulator)
        try:
            actions, states = _run(twin, make(twin.level, known))
        except Exception:  # other people's code, which gives up with whatever error it runs into
            continue
        if actions or not _key_is_hidden(simulator):
            return actions, states
    return [], []


def _run(twin: Simulator, bot: _Bot) -> tuple[list[Low], list[State]]:
    actions: list[Low] = []
    states = [state_of(twin)]
    while len(actions) < MAX_PLAN:
        action = bot.replan()
        low = Low(int(action)) if bot.stack or bot.last is None else bot.last
        result = twin.step(low)
        actions.append(low)
        states.append(state_of(twin))
        if result.success or not bot.stack:
            return actions, states
        if result.failed or result.out_of_steps:
            break
    return [], states[:1]


def _key_is_hidden(twin: Simulator) -> bool:
    things = [thing for thing in (*twin.cells, twin.carrying) if thing is not None]
    keys = {thing.color for thing in things if thing.type == "key"}
    return any(thing.type == "door" and thing.is_locked and thing.color not in keys for thing in things)


def _box_opener(level: Any, known: int) -> _Bot:
    """A bot that walks to the nearest box and opens it, which minigrid's can't."""
    bot = _Bot(level, known)
    box = ObjDesc("box")
    box.find_matching_objs(level)
    bot.stack = [GoNextToSubgoal(bot, box)]
    bot.last = Low.TOGGLE
    return bot


def state_of(simulator: Simulator) -> State:
    """The present state."""
    things = [
        (cell, thing.encode())
        for cell, thing in enumerate(simulator.cells)
        if thing is not None and thing.type != "wall"
    ]
    carrying = simulator.carrying
    return State(
        cell=simulator.cell,
        heading=simulator.heading,
        front=simulator.front_cell,
        world=(*things, None if carrying is None else carrying.encode()),
        progress=_progress(simulator.level.instrs),
    )


def _progress(instr: Any) -> object:
    if not hasattr(instr, "instr_a"):
        return None
    return instr.a_done, instr.b_done, _progress(instr.instr_a), _progress(instr.instr_b)
