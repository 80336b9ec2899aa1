"""What changed between two texts, line by line, in a time that no text can stretch."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

MAX_COMPARED = 200
"""Lines that are compared for what stayed in between; longer stretches count as replaced as a whole."""


def line_changes(before: str, after: str) -> list[tuple[str, str]]:
    """``Removed`` or ``Added`` and the line, in the order of the text; blank lines are left out."""
    old, new = before.split("\n"), after.split("\n")
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    old, new = old[start : len(old) - end], new[start : len(new) - end]
    return [(kind, line) for kind, line in _changes(old, new) if line.strip()]


def _changes(old: list[str], new: list[str]) -> Iterator[tuple[str, str]]:
    stretches = [(0, len(old), 0, len(new))]
    if max(len(old), len(new)) <= MAX_COMPARED:
        found = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        stretches = [bounds for tag, *bounds in found if tag != "equal"]  # type: ignore[misc]
    for old_start, old_end, new_start, new_end in stretches:
        yield from (("Removed", line) for line in old[old_start:old_end])
        yield from (("Added", line) for line in new[new_start:new_end])
