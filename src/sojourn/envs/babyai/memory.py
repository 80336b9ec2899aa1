"""What the agent has seen so far: free cells, and things under numbers that they keep for the whole episode."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from sojourn.envs.babyai.paths import Paths
from sojourn.envs.babyai.simulator import Simulator
from sojourn.envs.babyai.view import Sight, look


@dataclass(slots=True)
class Seen:
    """A thing once seen. minigrid's object tells it from its likes; nothing is read from it that was not in sight."""

    kind: str
    """Colour and type, such as ``red ball``."""
    number: int
    """1 for the first of its kind in order of first sight."""
    thing: Any
    cell: int
    """Where it was seen last."""

    @property
    def name(self) -> str:
        """How it is called in observations and commands."""
        return f"{self.kind} {self.number}"

    @property
    def is_door(self) -> bool:
        return bool(self.thing.type == "door")

    @property
    def is_box(self) -> bool:
        return bool(self.thing.type == "box")

    @property
    def is_open(self) -> bool:
        return self.is_door and bool(self.thing.is_open)

    @property
    def is_locked(self) -> bool:
        return self.is_door and bool(self.thing.is_locked)


class Memory:
    """The agent's knowledge of one episode."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.sights: list[Sight] = []
        """What is visible now."""
        self._by_thing: dict[int, Seen] = {}  # by id(): every thing outlives the episode, because Seen holds it
        self._counts: Counter[str] = Counter()
        self._floor = 0  # known cells without a thing (bit = cell number)
        self.known = 0
        """Cells ever in view, as bits."""
        self.look()

    def look(self) -> None:
        """Take in the present view."""
        self.sights = look(self.simulator)
        floor = known = 0
        news: list[Sight] = []
        for sight in self.sights:
            bit = 1 << sight.cell
            known |= bit
            if sight.thing is None:
                floor |= bit
            elif sight.thing.type != "wall":
                news.append(sight)
        here = 1 << self.simulator.cell
        self.known |= known | here
        self._floor = (self._floor & ~known) | floor
        if self.simulator.cells[self.simulator.cell] is None:
            self._floor |= here
        for sight in sorted(news, key=lambda sight: sight.distance):
            self._note(sight.thing, sight.cell)
        if self.simulator.carrying is not None:
            self._note(self.simulator.carrying, -1)

    def _note(self, thing: Any, cell: int) -> None:
        seen = self._by_thing.get(id(thing))
        if seen is None:
            kind = f"{thing.color} {thing.type}"
            self._counts[kind] += 1
            self._by_thing[id(thing)] = Seen(kind=kind, number=self._counts[kind], thing=thing, cell=cell)
        else:
            seen.cell = cell

    @property
    def floor(self) -> int:
        """Known cells on which something can be put down, as bits."""
        return self._floor

    @property
    def paths(self) -> Paths:
        """The ways over what is known, open doors included (a door left open behind the agent is known to be open)."""
        doorways = sum(1 << seen.cell for seen in self.things() if seen.is_open)
        return Paths(self.simulator.width, self._floor | doorways)

    def things(self) -> list[Seen]:
        """All things seen that still lie somewhere, in order of first sight (only the agent moves things)."""
        cells = self.simulator.cells
        return [seen for seen in self._by_thing.values() if seen.cell >= 0 and cells[seen.cell] is seen.thing]

    def visible(self) -> list[tuple[Seen, Sight]]:
        """The things in view, nearest first."""
        pairs = [
            (self._by_thing[id(sight.thing)], sight)
            for sight in self.sights
            if sight.thing is not None and sight.thing.type != "wall"
        ]
        return sorted(pairs, key=lambda pair: pair[1].distance)

    def carried(self) -> Seen | None:
        """What the agent carries."""
        carrying = self.simulator.carrying
        return None if carrying is None else self._by_thing[id(carrying)]

    def in_front(self) -> Seen | None:
        """The thing one step ahead, walls aside."""
        thing = self.simulator.cells[self.simulator.front_cell]
        return None if thing is None else self._by_thing.get(id(thing))
