"""Which sequence is kept in which slot: sessions, shared prefixes, eviction. No tensors here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MIN_SHARED = 8  # a shorter common prefix is cheaper computed than copied


@dataclass(kw_only=True, slots=True, eq=False)
class Slot:
    """One sequence's place in the cache."""

    index: int
    ids: list[int] = field(default_factory=list)
    """Tokens whose keys and values the slot holds."""
    session: str = ""
    """Who will come back for it; empty if nobody."""
    is_busy: bool = False
    """A request is being decoded in it."""
    last_used: int = 0


class SlotTable:
    """Hands out slots: lowest free one first (neighbours are served in one call), then the longest unused session's."""

    def __init__(self, max_slots: int) -> None:
        self.max_slots = max_slots
        self.slots: list[Slot] = []
        self._sessions: dict[str, Slot] = {}
        self._clock = 0

    def of_session(self, session: str) -> Slot | None:
        """The idle slot that holds `session`'s earlier turns, if there is one."""
        slot = self._sessions.get(session)
        return slot if slot is not None and not slot.is_busy else None

    def acquire(self, session: str, limit: int, preferred: Slot | None = None) -> Slot | None:
        """A slot for a new sequence, now busy: `preferred` if it is free. None when `limit` exist and all are busy."""
        free_slots = [slot for slot in self.slots if not slot.is_busy and not slot.session]
        free = preferred if preferred in free_slots else next(iter(free_slots), None)
        if free is None and len(self.slots) < min(limit, self.max_slots):
            free = Slot(index=len(self.slots))
            self.slots.append(free)
        if free is None:
            idle = [slot for slot in self.slots if not slot.is_busy]
            if not idle:
                return None
            free = min(idle, key=lambda slot: slot.last_used)
            self._sessions.pop(free.session, None)
            free.session = ""
        if session and session not in self._sessions:
            self._sessions[session] = free
            free.session = session
        self.occupy(free)
        return free

    def occupy(self, slot: Slot) -> None:
        """Mark `slot` busy."""
        self._clock += 1
        slot.is_busy, slot.last_used = True, self._clock

    def vacate(self, slot: Slot) -> None:
        """The request in `slot` is over; what it holds stays for its session, or for anyone with the same prefix."""
        slot.is_busy = False

    def release(self, session: str) -> None:
        """Nobody will come back for `session`; unknown ones are fine."""
        slot = self._sessions.pop(session, None)
        if slot is not None:
            slot.session = ""

    def forget(self) -> None:
        """Everything held is void (the weights changed)."""
        for slot in self.slots:
            slot.ids = []

    def best_prefix(self, ids: Sequence[int]) -> tuple[Slot | None, int]:
        """The slot that holds the longest prefix of `ids`, and that length; (None, 0) when none is worth copying."""
        best, best_length = None, MIN_SHARED - 1
        for slot in self.slots:
            if len(slot.ids) > best_length:
                length = common_prefix(slot.ids, ids)
                if length > best_length:
                    best, best_length = slot, length
        return (best, best_length) if best is not None else (None, 0)


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    low, high = 0, min(len(left), len(right))
    while low < high:  # by halves: comparing slices is a hundred times faster than comparing ids one by one
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
