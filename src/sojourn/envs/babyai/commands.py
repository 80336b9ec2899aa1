"""Commands of the default style: words to low-level plans, over what the agent has seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sojourn.envs.babyai.memory import Memory, Seen
from sojourn.envs.babyai.paths import Paths, Poses
from sojourn.envs.babyai.simulator import Low

MAX_FORWARD = 20
"""Most steps that one ``move forward N`` takes."""

_NAME = re.compile(
    r"(?:the |an? )?(?:(?:open|closed|locked) )?"
    r"(?P<color>red|green|blue|purple|yellow|grey) (?:(?:open|closed|locked) )?(?P<type>ball|box|key|door)"
    r"(?: (?P<number>[0-9]{1,4}))?"
)
_FORWARD = re.compile(r"(?:move|go) forward(?: ([0-9]{1,4})(?: steps?)?)?")
_TURNS = {"turn left": Low.LEFT, "turn right": Low.RIGHT}
_DROPS = ("drop", "put down")
_VERBS = {
    "go to": "go_to",
    "pick up": "pick_up",
    "pickup": "pick_up",
    "toggle and go through": "go_through",
    "go through": "go_through",
    "open": "open",
    "close": "close",
    "toggle": "toggle",
    "drop next to": "drop_next_to",
    "put down next to": "drop_next_to",
}
_FORMS = (
    "turn left, turn right, move forward, move forward N, go to NAME, pick up NAME, drop, drop next to NAME, "
    "open NAME, close NAME or go through NAME"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command can't be carried out."""

    text: str


Plan = list[Low]


class Commands:
    """What can be told to the agent, given its memory. Everything is worked out when asked, from the present state."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def plan(self, command: str) -> Plan | Refusal:
        """The low-level actions for `command`, never none of them; or why there are none."""
        words = " ".join(command.lower().split()).strip(" .!\"'`")
        if words in _TURNS:
            return [_TURNS[words]]
        if forward := _FORWARD.fullmatch(words):
            return self._forward(int(forward[1] or 1))
        if words in _DROPS:
            return self._drop()
        if words == "toggle":
            front = self._memory.in_front()
            return Refusal("There is no door or box right in front of you.") if front is None else self._toggle(front)
        return self._with_name(words)

    def _with_name(self, words: str) -> Plan | Refusal:
        for verb, method in _VERBS.items():
            if words.startswith(verb + " "):
                seen = self._find(words.removeprefix(verb + " "))
                if isinstance(seen, Refusal):
                    return seen
                act: Callable[[Seen], Plan | Refusal] = getattr(self, f"_{method}")
                return act(seen)
        return Refusal(f"That is no command. Use {_FORMS}.")

    def _find(self, words: str) -> Seen | Refusal:
        match = _NAME.fullmatch(words)
        if match is None:
            return Refusal("Name a thing by colour, kind and number, such as red ball 1.")
        kind = f"{match['color']} {match['type']}"
        alike = [seen for seen in self._memory.things() if seen.kind == kind]
        found = [seen for seen in alike if match["number"] is None or seen.number == int(match["number"])]
        if len(found) == 1:
            return found[0]
        if found:
            return Refusal(f"Which one? You have seen {', '.join(seen.name for seen in found)}.")
        carried = self._memory.carried()
        if carried is not None and carried.kind == kind and match["number"] in (None, str(carried.number)):
            return Refusal(f"You carry {carried.name}.")
        others = f" You have seen {', '.join(seen.name for seen in alike)}." if alike else ""
        return Refusal(f"You have seen no {match[0].removeprefix('the ')}.{others}")

    def _forward(self, number: int) -> Plan | Refusal:
        if number < 1:
            return Refusal("Move forward at least 1 step.")
        if not self._free_ahead(1):
            return Refusal("The way forward is blocked.")
        return [Low.FORWARD] * min(number, MAX_FORWARD)

    def _free_ahead(self, most: int) -> int:
        simulator, free = self._memory.simulator, self._memory.paths.free
        step = simulator.front_cell - simulator.cell
        number = 0
        while number < most and free >> simulator.cell + step * (number + 1) & 1:
            number += 1
        return number

    def _way(self, goal: Poses) -> Plan | None:
        simulator = self._memory.simulator
        return self._memory.paths.way(simulator.cell, simulator.heading, goal)

    def _facing(self, seen: Seen, *then: Low) -> Plan | Refusal:
        way = self._way(self._memory.paths.facing(1 << seen.cell))
        return Refusal(f"You know no free way to {seen.name}.") if way is None else [*way, *then]

    def _go_to(self, seen: Seen) -> Plan | Refusal:
        plan = self._facing(seen)
        return plan if plan else [Low.DONE]  # already there: only the mission is checked

    def _pick_up(self, seen: Seen) -> Plan | Refusal:
        carried = self._memory.carried()
        if seen.is_door:
            return Refusal("A door can't be picked up.")
        if carried is not None:
            return Refusal(f"You already carry {carried.name}; drop it first.")
        return self._facing(seen, Low.PICKUP)

    def _open(self, seen: Seen) -> Plan | Refusal:
        refusal = Refusal(f"{seen.name} is open already.") if seen.is_open else self._why_shut(seen)
        return refusal or self._facing(seen, Low.TOGGLE)

    def _why_shut(self, seen: Seen) -> Refusal | None:
        if not (seen.is_door or seen.is_box):
            return Refusal("Only doors and boxes can be opened.")
        if self._lacks_key(seen):
            return Refusal(f"{seen.name} is locked; carry the {seen.thing.color} key to open it.")
        return None

    def _lacks_key(self, seen: Seen) -> bool:
        key = self._memory.simulator.carrying
        return seen.is_locked and (key is None or key.type != "key" or key.color != seen.thing.color)

    def _close(self, seen: Seen) -> Plan | Refusal:
        if not seen.is_open:
            return Refusal(f"{seen.name} is {'closed already' if seen.is_door else 'no open door'}.")
        return self._facing(seen, Low.TOGGLE)

    def _toggle(self, seen: Seen) -> Plan | Refusal:
        return self._close(seen) if seen.is_open else self._open(seen)

    def _go_through(self, seen: Seen) -> Plan | Refusal:
        if not seen.is_door:
            return Refusal("Only doors can be gone through.")
        if not seen.is_open:
            return self._why_shut(seen) or self._facing(seen, Low.TOGGLE, Low.FORWARD, Low.FORWARD)
        if seen.cell == self._memory.simulator.cell:
            return Refusal(f"You stand in {seen.name}; move forward.")
        way = self._way((1 << seen.cell,) * 4)
        return Refusal(f"You know no free way to {seen.name}.") if way is None else [*way, Low.FORWARD]

    def _drop(self) -> Plan | Refusal:
        if self._memory.carried() is None:
            return Refusal("You carry nothing.")
        if not self._memory.floor >> self._memory.simulator.front_cell & 1:
            return Refusal("The floor in front of you is not free.")
        return [Low.DROP]

    def _drop_next_to(self, seen: Seen) -> Plan | Refusal:
        if self._memory.carried() is None:
            return Refusal("You carry nothing.")
        paths = self._memory.paths
        way = self._way(paths.facing(paths.neighbours(1 << seen.cell) & self._memory.floor))
        return Refusal(f"You know no free place next to {seen.name}.") if way is None else [*way, Low.DROP]

    def admissible(self) -> tuple[str, ...]:
        """Commands that can be carried out now, moves first, then thing by thing in order of first sight."""
        commands = ["turn left", "turn right"]
        free = self._free_ahead(MAX_FORWARD)
        commands += ["move forward"] if free else []
        commands += [f"move forward {number}" for number in (free,) if free > 1]
        carried, front = self._memory.carried(), self._memory.in_front()
        paths = self._memory.paths
        reached = paths.reachable(self._memory.simulator.cell)
        for seen in self._memory.things():
            commands += self._for_thing(seen, carried is not None, paths, reached)
        if carried is not None and isinstance(self._drop(), list):
            commands.append("drop")
        if front is not None and front.is_open:
            commands.append(f"close {front.name}")
        return tuple(commands)

    def _for_thing(self, seen: Seen, is_carrying: bool, paths: Paths, reached: int) -> list[str]:
        around = paths.neighbours(1 << seen.cell)
        verbs: list[str] = []
        if around & reached:
            verbs.append("go to")
            if not seen.is_door and not is_carrying:
                verbs.append("pick up")
            if (seen.is_door or seen.is_box) and not seen.is_open and not self._lacks_key(seen):
                verbs += ["open", "go through"] if seen.is_door else ["open"]
        if seen.is_open and reached >> seen.cell & 1 and seen.cell != self._memory.simulator.cell:
            verbs.append("go through")
        if is_carrying and paths.neighbours(around & self._memory.floor) & reached:
            verbs.append("drop next to")
        return [f"{verb} {seen.name}" for verb in verbs]
