"""AgentGym's style: its observations and action names word for word, with its faults, to compare with its numbers.

Kept: order words lost from the mission, numbers that change from turn to turn, detours, boxes that can't be opened,
"go to" a thing in front that is never checked, a success in the middle of a plan that is overlooked, no step limit,
a broken order announced as "completed". Not kept: success ends the episode and is paid once (there it is denied when
it comes late, and then paid again on every later call).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.envs.babyai.outcome import Outcome, Status
from sojourn.envs.babyai.simulator import Low, LowResult, Simulator
from sojourn.envs.babyai.view import Sight, look

INSTRUCTIONS = (
    "You walk through rooms and see only what lies ahead of you. Reach the goal, one command a turn. Commands: "
    "turn left; turn right; move forward; go to <obj> <id>; pickup <obj> <id>; drop; go through <door> <id> for an "
    "open door; toggle and go through <door> <id> for a closed one, or a locked one whose key you carry; toggle; "
    "check available actions. Every observation ends with the actions that are available."
)

Cell = tuple[int, int]  # (ahead, right), relative to the agent
_STEPS: tuple[Cell, ...] = ((1, 0), (0, 1), (-1, 0), (0, -1))  # forward for each heading, relative to the agent's own
_OBSTACLES = frozenset({"wall", "box", "lava", "ball", "key"})
_UNKNOWN = "The action is not recognized. Please check valid actions."


@dataclass(frozen=True, kw_only=True, slots=True)
class _Thing:
    name: str
    type: str
    at: Cell

    @property
    def is_ahead(self) -> bool:
        return self.at[1] == 0


class AgentGymStyle:
    """One episode in AgentGym's words."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._observe()

    def _observe(self) -> None:
        sights = look(self._simulator)
        self._image = self._image_of(sights)
        self._things = _things(sights)
        self._table = ActionTable(self._things, self._simulator)

    def start(self) -> str:
        """The goal, the view and the available actions."""
        goal = self._simulator.mission.replace("then", "and").replace("after you", "and")
        return f"Your goal: {goal}\n{self._describe()}{self._listed()}"

    def act(self, action: str) -> Outcome:
        """Carry out `action`; the low-level plan stops at the first action that leaves the view as it was."""
        words = action.lower().strip()
        if "check" in words:
            actions = ", ".join(self._table.plans)
            return Outcome(text=f"You can take the following actions: {actions}{self._listed()}")
        plan = self._table.plans.get(words)
        if plan is None:
            text = "No change in state." if words == "" else self._table.errors.get(words, _UNKNOWN)
            return Outcome(text=text + self._listed(), is_invalid=True)
        if not plan:
            return Outcome(text="No change in state." + self._listed())
        result = self._execute(plan)
        self._observe()
        closing = "\n The task is completed." if result.terminated else ""
        return Outcome(
            text=self._describe() + closing + self._listed(),
            status=Status.SUCCESS if result.success else Status.RUNNING,
            time_reward=result.reward,
        )

    def _execute(self, plan: Sequence[Low]) -> LowResult:
        for low in plan:
            result = self._simulator.step(low)
            image = self._image_of(look(self._simulator))
            if image == self._image:
                break
            self._image = image
        return result

    def _image_of(self, sights: list[Sight]) -> tuple[object, ...]:
        carrying = self._simulator.carrying
        things = tuple((s.ahead, s.right, None if s.thing is None else s.thing.encode()) for s in sights)
        return (*things, None if carrying is None else carrying.encode())

    def admissible_commands(self) -> Sequence[str]:
        """The available actions, in the order they are listed."""
        return tuple(self._table.plans)

    def _listed(self) -> str:
        return "\nAvailable actions: [" + ", ".join(f'"{action}"' for action in self._table.plans) + "]"

    def _describe(self) -> str:
        text = "You cannot see any objects within sight."
        if self._things:
            text = "In front of you in this room, you can see several objects: "
            numbers: Counter[str] = Counter()
            for thing in self._things:
                if thing.type != "wall":
                    numbers[thing.name] += 1
                    text += f"There is a {thing.name} {numbers[thing.name]} {_place(thing.at)} "
        text += "The room has walls around you. "
        barrier = _barrier(self._things)
        if barrier is not None:
            text += f"You are facing a {barrier.type} {barrier.at[0]} steps away. "
        carrying = self._simulator.carrying
        held = "not carrying anything" if carrying is None else f"carrying a {carrying.color} {carrying.type}"
        return f"{text}You are {held}."


def _things(sights: list[Sight]) -> list[_Thing]:
    things = []
    for sight in sorted(sights, key=lambda s: (s.distance, -s.ahead, s.right)):
        thing = sight.thing
        if thing is None or thing.type == "floor":
            continue
        name = f"{thing.color} {thing.type}"
        if thing.type == "door":
            state = "open" if thing.is_open else "locked" if thing.is_locked else "closed"
            name = f"{thing.color} {state} door"
        things.append(_Thing(name=name, type=thing.type, at=(sight.ahead, sight.right)))
    return things


def _place(at: Cell) -> str:
    ahead, right = at
    if right == 0:
        return f"right in front of you {ahead} steps away. "
    return f"{ahead} steps in front of you and {abs(right)} steps to your {'right' if right > 0 else 'left'}. "


def _barrier(things: list[_Thing]) -> _Thing | None:
    return next((thing for thing in things if thing.is_ahead and thing.type in ("wall", "box")), None)


class ActionTable:
    """AgentGym's dictionary of available actions for one observation, and its reasons for those that are not."""

    def __init__(self, things: list[_Thing], simulator: Simulator) -> None:
        self.plans: dict[str, list[Low]] = {"turn left": [Low.LEFT], "turn right": [Low.RIGHT]}
        self.errors: dict[str, str] = {}
        self._things = [thing for thing in things if thing.type != "wall"]
        self._carrying = simulator.carrying
        self._facing, self._arriving = _ways(things, simulator.heading)
        barrier = _barrier(things)
        if barrier is None or barrier.at[0] > 1:
            self.plans["move forward"] = [Low.FORWARD]
        else:
            self.errors["move forward"] = "There is a barrier in front of you, you can't move forward."
        if self._carrying is None:
            self._add_numbered("pickup", ("door", "goal"), [Low.PICKUP])
        self._add_drop(things)
        self._add_doors()
        self._add_goal()
        self._add_numbered("go to", ("goal",), [])
        self.plans["check available actions"] = []

    def _add_numbered(self, verb: str, without: tuple[str, ...], then: list[Low]) -> None:
        numbers: Counter[str] = Counter()  # counts reachable things only: AgentGym's numbers, not the observation's
        for thing in self._things:
            if thing.type in without:
                continue
            way = self._facing.get(thing.at)
            command = f"{verb} {thing.name} {numbers[thing.name] + 1}"
            if way is None:
                self.errors[command] = f"You cannot {command}, as there is no path leading to it."
            else:
                numbers[thing.name] += 1
                self.plans[command] = way + then

    def _add_drop(self, things: list[_Thing]) -> None:
        if self._carrying is None:
            self.errors["drop"] = "You cannot drop the object, as you are not carrying anything."
        elif any(thing.at == (1, 0) and thing.type in _OBSTACLES for thing in things):
            self.errors["drop"] = "You cannot drop the object, as there is already an object in front of you."
        else:
            self.plans["drop"] = [Low.DROP]

    def _add_doors(self) -> None:
        numbers: Counter[str] = Counter()
        for door in (thing for thing in self._things if thing.type == "door"):
            numbers[door.name] += 1
            name = f"{door.name} {numbers[door.name]}"
            if "open" in door.name:
                self._add_open_door(door, name)
            else:
                self._add_shut_door(door, name, numbers)

    def _add_open_door(self, door: _Thing, name: str) -> None:
        way = self._arriving.get(door.at)
        if way is None:
            self.errors[f"go through {name}"] = f"You cannot go through {name}, as there is no path leading to it."
        else:
            self.plans[f"go through {name}"] = way

    def _add_shut_door(self, door: _Thing, name: str, numbers: Counter[str]) -> None:
        command = f"toggle and go through {name}"
        way = self._facing.get(door.at)
        if "closed" in door.name:
            self.errors[f"go through {name}"] = (
                f"You cannot go through {name}, as it is closed. You should toggle it first."
            )
        elif self._carrying is None or self._carrying.type != "key":
            self.errors[command] = f"You cannot {command}, as you are not carrying a key."
            return
        elif self._carrying.color != door.name.split()[0]:
            why = "the color of the key you are carrying does not match the color of door"
            self.errors[command] = f"You cannot {command}, as {why}."
            return
        if way is None:  # AgentGym prints its whole table of counts here, where the number belongs
            named = f"You cannot toggle and go through {door.name} {dict(numbers)}"
            self.errors[command] = f"{named}, as there is no path leading to it."
            return
        self.plans[command] = [*way, Low.TOGGLE, Low.FORWARD]
        if not way:
            self.plans["toggle"] = [Low.TOGGLE]

    def _add_goal(self) -> None:
        for goal in (thing for thing in self._things if thing.type == "goal"):
            way = self._arriving.get(goal.at)
            if way is None:
                self.errors["go to goal"] = "You cannot go to the goal, as there is no path leading to it."
            else:
                self.plans["go to goal"] = way


def _ways(things: list[_Thing], heading: int) -> tuple[dict[Cell, list[Low]], dict[Cell, list[Low]]]:
    """AgentGym's ways to face, and to arrive at, each cell.

    Its search looks at a box that is one cell too large on some sides (which, depends on the absolute heading), takes
    what it does not see for free and closed doors for open, and lets a later visit replace the way to a pose that is
    still waiting in the queue, so that ways are not always shortest.
    """
    lowest_ahead, highest_right = -1 if heading in (0, 1) else 0, 4 if heading in (1, 2) else 3
    blocked = {thing.at for thing in things if thing.type in _OBSTACLES}
    wanted = {thing.at for thing in things if thing.type != "wall"}
    start = (0, 0, 0)
    came: dict[tuple[int, int, int], tuple[tuple[int, int, int], Low]] = {}
    queue, done = deque([start]), set()
    facing: dict[Cell, list[Low]] = {}
    arriving: dict[Cell, list[Low]] = {}
    while queue and wanted:
        pose = queue.popleft()
        done.add(pose)
        ahead, right, d = pose
        front = (ahead + _STEPS[d][0], right + _STEPS[d][1])
        if front in wanted and front not in facing:
            facing[front] = _trace(came, pose)
        if (ahead, right) in wanted and (ahead, right) not in arriving:
            arriving[ahead, right] = _trace(came, pose)
        inside = lowest_ahead <= front[0] <= 6 and -3 <= front[1] <= highest_right and front not in blocked
        for low, new in (
            (Low.FORWARD, (*front, d) if inside else None),
            (Low.LEFT, (ahead, right, (d - 1) % 4)),
            (Low.RIGHT, (ahead, right, (d + 1) % 4)),
        ):
            if new is not None and new not in done:
                queue.append(new)
                came[new] = (pose, low)
    return facing, arriving


def _trace(came: dict[tuple[int, int, int], tuple[tuple[int, int, int], Low]], pose: tuple[int, int, int]) -> list[Low]:
    way: list[Low] = []
    while pose != (0, 0, 0):
        pose, low = came[pose]
        way.append(low)
    way.reverse()
    return way
