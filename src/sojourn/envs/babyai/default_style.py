"""The default style: short observations, stable names, and commands that reach whatever has been seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sojourn.envs.babyai.commands import Commands, Plan, Refusal
from sojourn.envs.babyai.memory import Memory
from sojourn.envs.babyai.outcome import Outcome, Status
from sojourn.envs.babyai.simulator import Low, LowResult, Simulator
from sojourn.envs.babyai.text import describe

INSTRUCTIONS = (
    "You walk through rooms and see only what lies ahead of you. Reach the goal, one command a turn; where it says "
    "'then' or 'after', keep that order. Commands: turn left; turn right; move forward; move forward N; go to NAME; "
    "pick up NAME; drop; drop next to NAME; open NAME; close NAME; go through NAME. A NAME such as red ball 1 stays "
    "with its thing; all things seen can be named. You carry one thing at a time. A locked door needs the key "
    "of its colour."
)

_CLOSING = {
    Status.RUNNING: "",
    Status.SUCCESS: "\nThe goal is reached.",
    Status.FAILED: "\nThe goal can no longer be reached.",
    Status.OUT_OF_STEPS: "\nThe time is up.",
}


class DefaultStyle:
    """One episode in the default style."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.memory = Memory(simulator)
        """What the agent has seen."""
        self.commands = Commands(self.memory)
        """What it can be told to do."""

    def start(self) -> str:
        """The goal and what is in view."""
        return f"Your goal: {self._simulator.mission}\n{describe(self.memory)}"

    def act(self, action: str) -> Outcome:
        """Carry out `action` until it is done, the episode ends, or the way is blocked."""
        plan = self.commands.plan(action)
        if isinstance(plan, Refusal):
            return Outcome(text=plan.text, is_invalid=True)
        result = self._execute(plan)
        self.memory.look()
        status = _status(result)
        return Outcome(
            text=describe(self.memory) + _CLOSING[status],
            status=status,
            time_reward=result.reward,
        )

    def _execute(self, plan: Plan) -> LowResult:
        for low in plan:
            before = self._simulator.cell
            result = self._simulator.step(low)
            if _status(result) is not Status.RUNNING or (low is Low.FORWARD and self._simulator.cell == before):
                break
        return result

    def admissible_commands(self) -> Sequence[str]:
        """Commands that can be carried out now."""
        return self.commands.admissible()


class ReminderStyle(DefaultStyle):
    """The default style with the goal as the last line of every observation, not as the first line of the first.

    The goal is then always just before the answer: a small model, or a long episode, need not look far back for it.
    """

    def start(self) -> str:
        """What is in view, and the goal."""
        return f"{describe(self.memory)}\n{self._goal()}"

    def act(self, action: str) -> Outcome:
        """As the default style, with the goal after it while the episode goes on."""
        outcome = super().act(action)
        if outcome.status is not Status.RUNNING:
            return outcome
        return replace(outcome, text=f"{outcome.text}\n{self._goal()}")

    def _goal(self) -> str:
        return f"Your goal: {self._simulator.mission}"


def _status(result: LowResult) -> Status:
    if result.success:
        return Status.SUCCESS
    if result.failed:
        return Status.FAILED
    return Status.OUT_OF_STEPS if result.out_of_steps else Status.RUNNING
