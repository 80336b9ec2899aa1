"""AgentGym's style: its words and its faults, and the two of them that are not kept."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip("minigrid")

from sojourn.envs.babyai import BabyAI
from sojourn.envs.babyai.agentgym_style import AgentGymStyle
from sojourn.envs.babyai.levels import LEVELS
from sojourn.envs.babyai.outcome import Status
from sojourn.envs.babyai.simulator import Simulator
from sojourn.types import Task


def episode(level: int, seed: int) -> AgentGymStyle:
    return AgentGymStyle(Simulator(LEVELS[level - 1], seed))


def without_actions(text: str) -> str:
    return text.split("\nAvailable actions: ")[0]


def test_golden_first_observation() -> None:
    assert episode(14, 0).start() == (
        "Your goal: open a door in front of you\n"
        "In front of you in this room, you can see several objects: "
        "There is a grey closed door 1 4 steps in front of you and 2 steps to your left.  "
        "There is a purple closed door 1 3 steps in front of you and 3 steps to your right.  "
        "The room has walls around you. You are facing a wall 4 steps away. You are not carrying anything.\n"
        'Available actions: ["turn left", "turn right", "move forward", '
        '"toggle and go through grey closed door 1", "toggle and go through purple closed door 1", '
        '"go to grey closed door 1", "go to purple closed door 1", "check available actions"]'
    )


def test_golden_turns_around_a_box_that_cannot_be_opened() -> None:
    style = episode(26, 0)
    start = (
        "In front of you in this room, you can see several objects: "
        "The room has walls around you. You are facing a wall 4 steps away. You are not carrying anything."
    )
    assert without_actions(style.start()) == "Your goal: open the door\n" + start
    style.act("turn right")
    assert style.act("go to yellow box 1").text == (
        "In front of you in this room, you can see several objects: "
        "There is a yellow box 1 right in front of you 1 steps away.  "
        "The room has walls around you. You are facing a box 1 steps away. You are not carrying anything.\n"
        'Available actions: ["turn left", "turn right", "pickup yellow box 1", "go to yellow box 1", '
        '"check available actions"]'
    )
    assert without_actions(style.act("open yellow box 1").text) == (
        "The action is not recognized. Please check valid actions."
    )
    assert without_actions(style.act("move forward").text) == (
        "There is a barrier in front of you, you can't move forward."
    )
    assert without_actions(style.act("Check, please").text) == (
        "You can take the following actions: turn left, turn right, pickup yellow box 1, go to yellow box 1, "
        "check available actions"
    )
    assert without_actions(style.act("pickup yellow box 1").text).endswith("You are carrying a yellow box.")


def test_golden_reasons() -> None:
    style = episode(14, 0)
    reasons = {
        "drop": "You cannot drop the object, as you are not carrying anything.",
        "go through grey closed door 1": (
            "You cannot go through grey closed door 1, as it is closed. You should toggle it first."
        ),
        "": "No change in state.",
        "pick up red ball 1": "The action is not recognized. Please check valid actions.",
    }
    for action, reason in reasons.items():
        outcome = style.act(action)
        assert (without_actions(outcome.text), outcome.is_invalid) == (reason, True)


def test_the_order_words_of_a_mission_are_lost() -> None:
    assert "Your goal: open the yellow door, and open the green door\n" in episode(16, 1).start()
    assert "Your goal: open the purple door and open the red door\n" in episode(16, 0).start()


def test_a_broken_order_is_called_completed_and_goes_on() -> None:
    outcome = episode(16, 0).act("toggle and go through grey closed door 1")
    assert "\n The task is completed.\n" not in outcome.text  # the last low-level step was the one through the door
    style = episode(16, 0)
    style.act("go to grey closed door 1")
    outcome = style.act("toggle")
    assert "\n The task is completed.\n" in outcome.text
    assert outcome.status is Status.RUNNING


def test_numbers_change_with_distance() -> None:
    style = episode(5, 0)
    assert "green key 2 4 steps in front of you and 2 steps to your right" in style.start()
    assert "green key 1 right in front of you 1 steps away" in style.act("go to green key 2").text


def test_success_ends_the_episode_and_is_paid_once_with_minigrids_reward() -> None:
    async def play() -> None:
        scenario = BabyAI(style="agentgym")
        env = scenario.make()
        await env.reset(Task(env_id=scenario.env_id, task_id="4", split="test", seed=0))
        result = await env.step("go to green key 2")
        assert (result.reward, result.success, result.terminated) == (0.915625, True, True)

    asyncio.run(play())


def test_the_levels_limit_is_ignored() -> None:
    style = episode(4, 0)  # 16 low-level steps
    statuses = {style.act("turn left").status for _ in range(15)} | {style.act("turn right").status for _ in range(15)}
    assert Status.OUT_OF_STEPS not in statuses


def test_listed_actions_are_accepted() -> None:
    for level in (1, 11, 12, 27, 39):
        for action in episode(level, 2).admissible_commands():
            assert not episode(level, 2).act(action).is_invalid
