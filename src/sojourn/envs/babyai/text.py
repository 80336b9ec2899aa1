"""Observations in words (default style)."""

from __future__ import annotations

from sojourn.envs.babyai.memory import Memory, Seen
from sojourn.envs.babyai.view import Sight, wall_ahead


def describe(memory: Memory) -> str:
    """What is in view and in hand, in two short lines."""
    things = "; ".join(_thing(seen, sight) for seen, sight in memory.visible())
    lines = [f"You see: {things}." if things else "You see nothing but walls and floor."]
    wall = wall_ahead(memory.sights)
    carried = memory.carried()
    ahead = "" if wall is None else f"There is a wall {steps(wall)} ahead. "
    lines.append(f"{ahead}You carry {carried.name if carried else 'nothing'}.")
    return "\n".join(lines)


def steps(number: int) -> str:
    """``1 step``, ``3 steps``."""
    return f"{number} step{'s' * (number != 1)}"


def _thing(seen: Seen, sight: Sight) -> str:
    state = f" ({door_state(seen)})" if seen.is_door else ""
    places = [f"{steps(sight.ahead)} ahead"] if sight.ahead else []
    if sight.right:
        places.append(f"{steps(abs(sight.right))} {'right' if sight.right > 0 else 'left'}")
    return f"{seen.name}{state}, {' and '.join(places)}"


def door_state(door: Seen) -> str:
    """``open``, ``closed`` or ``locked``."""
    return "open" if door.is_open else "locked" if door.is_locked else "closed"
