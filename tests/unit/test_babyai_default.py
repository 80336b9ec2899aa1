"""BabyAI's default style: what is seen, what can be told, and the faults of the reference that are mended."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("minigrid")

from minigrid.core.world_object import Ball, Box, Door, Key, Wall, WorldObj

from sojourn.envs.babyai.commands import Refusal
from sojourn.envs.babyai.default_style import DefaultStyle
from sojourn.envs.babyai.levels import LEVELS
from sojourn.envs.babyai.outcome import Outcome, Status
from sojourn.envs.babyai.paths import Paths
from sojourn.envs.babyai.simulator import DELTAS, Low, Simulator
from sojourn.envs.babyai.view import look

EAST, SOUTH, WEST, NORTH = range(4)


def room(
    things: dict[tuple[int, int], WorldObj] | None = None, at: tuple[int, int] = (1, 3), heading: int = EAST
) -> DefaultStyle:
    """A room with free cells (1..6, 1..6), its red ball (the goal) out of the way at (6, 6), and `things`."""
    simulator = Simulator(LEVELS[2], 0)
    level = simulator.level
    ball = next(cell for cell in simulator.cells if cell is not None and cell.type == "ball")
    level.grid.grid = [cell if cell is not None and cell.type == "wall" else None for cell in simulator.cells]
    level.put_obj(ball, 6, 6)
    level.agent_pos, level.agent_dir = at, heading
    for (x, y), thing in (things or {}).items():
        level.put_obj(thing, x, y)
    level.instrs.reset_verifier(level)
    return DefaultStyle(simulator)


def episode(level: int, seed: int) -> DefaultStyle:
    return DefaultStyle(Simulator(LEVELS[level - 1], seed))


def tell(style: DefaultStyle, *commands: str) -> Outcome:
    for command in commands:
        outcome = style.act(command)
        assert not outcome.is_invalid, (command, outcome.text)
    return outcome


def refusal(style: DefaultStyle, command: str) -> str:
    steps = style.memory.simulator.level.step_count
    outcome = style.act(command)
    assert outcome.is_invalid
    assert style.memory.simulator.level.step_count == steps
    return outcome.text


# What the agent sees


@pytest.mark.parametrize("level", [1, 12, 24, 33, 39])
def test_the_view_is_minigrids(level: int) -> None:
    simulator = Simulator(LEVELS[level - 1], 7)
    rng = simulator.level.np_random
    for _ in range(40):
        simulator.step(Low(int(rng.choice([0, 1, 2, 2, 2, 5]))))
        grid, mask = simulator.level.gen_obs_grid()
        theirs = {(6 - j, i - 3): grid.get(i, j) for i in range(7) for j in range(7) if mask[i, j] and (i, j) != (3, 6)}
        assert {(s.ahead, s.right): s.thing for s in look(simulator)} == theirs


def test_an_observation_says_what_where_and_what_is_carried() -> None:
    style = room({(3, 3): Box("grey"), (2, 4): Key("blue"), (1, 1): Ball("green"), (7, 3): Door("red", is_locked=True)})
    assert style.start() == (
        "Your goal: go to the red ball\n"
        "You see: green ball 1, 2 steps left; blue key 1, 1 step ahead and 1 step right; grey box 1, 2 steps ahead; "
        "red door 1 (locked), 6 steps ahead; red ball 1, 5 steps ahead and 3 steps right.\n"
        "You carry nothing."
    )
    assert tell(style, "pick up blue key 1").text.endswith("You carry blue key 1.")


def test_an_empty_room_is_said_to_be_empty() -> None:
    assert (
        room(heading=NORTH)
        .start()
        .endswith("You see nothing but walls and floor.\nThere is a wall 3 steps ahead. You carry nothing.")
    )


# The faults of the reference, mended


def test_fault_1_pick_up_in_two_spellings_and_drop() -> None:
    for spelling in ("pick up blue key 1", "pickup blue key 1", "Pick up the blue key 1."):
        style = room({(3, 3): Key("blue")})
        assert "You carry blue key 1." in tell(style, spelling).text
        assert "You carry nothing." in tell(style, "drop").text


def test_fault_2_a_late_success_ends_the_episode_and_nothing_grows() -> None:
    style = room()
    style.memory.simulator.level.step_count = 60  # of 64: minigrid's reward is far below a half
    style.memory.simulator.level.agent_pos = (5, 6)
    style.memory.look()
    outcome = tell(style, "go to red ball 1")
    assert (outcome.status, outcome.time_reward < 0.5) == (Status.SUCCESS, True)


def test_fault_3_the_levels_own_limit_ends_the_episode() -> None:
    style = room()
    style.memory.simulator.level.step_count = 62
    assert tell(style, "turn left").status is Status.RUNNING
    outcome = tell(style, "turn left")
    assert (outcome.status, outcome.time_reward) == (Status.OUT_OF_STEPS, 0.0)
    assert outcome.text.endswith("The time is up.")


def test_fault_4_order_words_stay_and_order_counts() -> None:
    assert "open the yellow door, then open the green door" in episode(16, 1).start()
    assert "open the purple door after you open the red door" in episode(16, 0).start()
    assert tell(episode(16, 0), "open grey door 1").status is Status.FAILED
    style = episode(16, 0)
    assert tell(style, "open red door 1").status is Status.RUNNING  # minigrid would call this lost
    assert "can no longer be reached" in tell(style, "open grey door 1").text


def test_fault_5_boxes_can_be_opened_and_doors_closed() -> None:
    style = room({(3, 3): Box("yellow", contains=Key("blue")), (7, 4): Door("red")})
    assert "blue key 1, 1 step ahead" in tell(style, "open yellow box 1").text
    assert "no yellow box" in refusal(style, "go to yellow box 1")
    assert "red door 1 (open), 1 step ahead" in tell(style, "open red door 1").text
    assert "close red door 1" in style.admissible_commands()
    assert "red door 1 (closed), 1 step ahead" in tell(style, "close red door 1").text


def test_fault_6_go_to_what_is_in_front_checks_the_goal() -> None:
    style = room(at=(5, 6))
    assert "red ball 1, 1 step ahead;" not in style.start()
    assert tell(style, "go to red ball 1").status is Status.SUCCESS
    assert style.memory.simulator.level.step_count == 1


def test_fault_7_numbers_stay_and_name_the_same_thing_in_every_command() -> None:
    style = room({(2, 3): Key("blue"), (5, 3): Key("blue")})
    assert "blue key 1, 1 step ahead; blue key 2, 4 steps ahead" in style.start()
    tell(style, "go to blue key 2", "turn left", "turn left")
    assert "blue key 2, 1 step" in tell(style, "go to blue key 2").text
    tell(style, "pick up blue key 2", "drop")
    assert style.memory.in_front() is not None
    assert style.memory.in_front().name == "blue key 2"  # type: ignore[union-attr]


def test_fault_7_what_cannot_be_reached_keeps_its_number_too() -> None:
    style = room({(1, 1): Key("blue"), (2, 1): Box("grey"), (1, 2): Box("grey"), (1, 5): Key("blue")}, heading=NORTH)
    tell(style, "turn left", "turn left")
    assert "You know no free way to blue key 1." in refusal(style, "pick up blue key 1")
    assert "You carry blue key 2." in tell(style, "pick up blue key 2").text


def test_fault_8_ways_are_shortest_and_avoid_what_is_in_the_way() -> None:
    style = room({(2, 3): Ball("blue"), (4, 3): Key("grey")})
    plan = style.commands.plan("go to grey key 1")
    assert isinstance(plan, list)
    assert len(plan) == 7  # left, 1 step, right, 3 steps, right


def test_fault_9_commands_are_listed_only_when_asked_for() -> None:
    style = room()
    assert "turn left" not in style.start()
    assert style.admissible_commands()[:3] == ("turn left", "turn right", "move forward")


def test_fault_10_two_episodes_side_by_side_do_not_touch() -> None:
    alone = [tell(episode(12, 3), *["turn left"] * n).text for n in (1, 2, 3)]
    first, second = episode(12, 3), episode(12, 4)
    together = []
    for _ in range(3):
        together.append(tell(first, "turn left").text)
        tell(second, "turn right")
    assert together == alone


# Commands


def two_rooms(door: Door) -> DefaultStyle:
    """A wall at x = 4 with `door` in it at (4, 3), the agent at (1, 3) looking at it, a red key at (1, 1)."""
    wall: dict[tuple[int, int], WorldObj] = {(4, y): Wall() for y in range(1, 7)}
    return room(wall | {(4, 3): door, (1, 1): Key("red")})


def test_a_door_is_opened_and_passed_to_the_cell_behind_it_and_back() -> None:
    style = two_rooms(Door("red"))
    tell(style, "toggle and go through red closed door 1")
    assert style.memory.simulator.position == (5, 3)
    assert "go through red door 1" in style.admissible_commands()
    tell(style, "go through red door 1")
    assert style.memory.simulator.position == (3, 3)
    tell(style, "go through the red open door")
    assert style.memory.simulator.position == (5, 3)


def test_the_cell_behind_a_door_may_be_taken() -> None:
    style = two_rooms(Door("red"))
    style.memory.simulator.level.put_obj(Ball("blue"), 5, 3)
    assert "blue ball 1, 1 step ahead" in tell(style, "go through red door 1").text
    assert style.memory.simulator.position == (4, 3)
    assert refusal(style, "go through red door 1") == "You stand in red door 1; move forward."


def test_a_locked_door_wants_its_key() -> None:
    style = two_rooms(Door("red", is_locked=True))
    for command in ("open red door 1", "go through red door 1", "toggle red door 1"):
        assert "is locked; carry the red key to open it." in refusal(style, command)
    assert "open red door 1" not in style.admissible_commands()
    tell(style, "pick up red key 1")
    assert "open red door 1" in style.admissible_commands()
    tell(style, "go through red locked door 1")
    assert style.memory.simulator.position == (5, 3)


def test_move_forward_stops_where_the_way_ends() -> None:
    style = room({(5, 3): Ball("blue")})
    assert style.admissible_commands()[3] == "move forward 3"
    assert "blue ball 1, 1 step ahead" in tell(style, "move forward 9").text
    assert refusal(style, "move forward") == "The way forward is blocked."
    assert refusal(style, "move forward 0") == "Move forward at least 1 step."


def test_things_are_put_down_next_to_others() -> None:
    style = room({(4, 3): Ball("blue"), (2, 3): Key("grey")})
    tell(style, "pick up grey key 1", "drop next to blue ball 1")
    ball, key = style.memory.things()[1], style.memory.things()[0]
    distance = abs(ball.cell - key.cell)
    assert distance in (1, style.memory.simulator.width)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("dance", "That is no command"),
        ("", "That is no command"),
        ("go to", "That is no command"),
        ("go to goal", "Name a thing"),
        ("go to red door 7", "You have seen no red door 7. You have seen red door 1."),
        ("go to blue key", "Which one? You have seen blue key 1, blue key 2."),
        ("pick up red door 1", "can't be picked up"),
        ("open blue key 1", "Only doors and boxes"),
        ("go through grey box 1", "Only doors"),
        ("close red door 1", "closed already"),
        ("drop", "You carry nothing."),
        ("drop next to grey box 1", "You carry nothing."),
        ("toggle", "no door or box right in front"),
        ("open red door 1", "carry the red key"),
    ],
)
def test_a_command_that_makes_no_sense_gets_a_reason(command: str, reason: str) -> None:
    things: dict[tuple[int, int], WorldObj] = {
        (4, 2): Key("blue"),
        (4, 4): Key("blue"),
        (3, 3): Box("grey"),
        (7, 3): Door("red", is_locked=True),
    }
    assert reason in refusal(room(things), command)


def test_one_thing_is_carried_at_a_time() -> None:
    style = room({(4, 2): Key("blue"), (4, 4): Key("blue")})
    tell(style, "pick up blue key 1")
    assert refusal(style, "pick up blue key 2") == "You already carry blue key 1; drop it first."
    assert refusal(style, "go to blue key 1") == "You carry blue key 1."
    assert "pick up blue key 2" not in style.admissible_commands()


def test_nothing_out_of_sight_is_given_away() -> None:
    style = room({(1, 5): Key("blue")}, heading=NORTH)
    assert "You have seen no blue key 1." in refusal(style, "go to blue key 1")
    assert not any("blue" in command for command in style.admissible_commands())


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([2, 5, 11, 12, 17, 18, 22, 23, 24, 26, 39]), st.integers(0, 50), st.data())
def test_every_listed_command_is_carried_out(level: int, seed: int, data: st.DataObject) -> None:
    style = episode(level, seed)
    for _ in range(8):
        commands = style.admissible_commands()
        assert len(set(commands)) == len(commands)
        assert not [command for command in commands if isinstance(style.commands.plan(command), Refusal)]
        outcome = style.act(data.draw(st.sampled_from(commands)))
        assert not outcome.is_invalid
        if outcome.status is not Status.RUNNING:
            break


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(["go to", "pick up", "open", "close", "toggle", "drop next to", "go through", "red", "door"])
        | st.sampled_from(["ball", "1", "2", "0", "99999", "closed", "move forward", "drop", "check"])
        | st.text(max_size=8),
        max_size=5,
    )
)
def test_no_words_break_it(words: list[str]) -> None:
    outcome = room({(3, 3): Ball("red"), (7, 3): Door("red")}).act(" ".join(words))
    assert outcome.text
    assert len(outcome.text) < 600


# Ways


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(0, 48), max_size=25), st.integers(0, 48), st.integers(0, 3), st.integers(0, 48))
def test_a_way_is_as_short_as_a_plain_search_finds(walls: set[int], start: int, heading: int, goal: int) -> None:
    width = 9
    free = {(i // 7 + 1) * width + i % 7 + 1 for i in range(49) if i not in walls}
    start, goal = ((i // 7 + 1) * width + i % 7 + 1 for i in (start, goal))
    free.add(start)
    paths = Paths(width, sum(1 << cell for cell in free))
    steps = [dx + dy * width for dx, dy in DELTAS]
    distance, queue = {(start, heading): 0}, deque([(start, heading)])
    while queue:
        cell, d = queue.popleft()
        for pose in ((cell + steps[d], d), (cell, (d + 1) % 4), (cell, (d - 1) % 4)):
            if pose[0] in free and pose not in distance:
                distance[pose] = distance[cell, d] + 1
                queue.append(pose)
    expected = [n for (cell, d), n in distance.items() if cell + steps[d] == goal]
    way = paths.way(start, heading, paths.facing(1 << goal))
    assert (None if way is None else len(way)) == (min(expected) if expected else None)
    assert paths.reachable(start) == sum(1 << cell for cell in {cell for cell, _ in distance})
    if way is not None:
        cell, d = start, heading
        for low in way:
            cell, d = (cell + steps[d], d) if low is Low.FORWARD else (cell, (d + (1 if low is Low.RIGHT else -1)) % 4)
            assert cell in free
        assert cell + steps[d] == goal


def test_walls_hide_what_is_behind_them() -> None:
    style = room({(2, y): Wall() for y in range(1, 7)} | {(3, 3): Key("blue")})
    assert "blue" not in style.start()
