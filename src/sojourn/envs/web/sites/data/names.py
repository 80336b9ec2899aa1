"""Names that the sites share: of people, cities, streets; and draws that never repeat one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TypeVar

T = TypeVar("T")

_FOLDER = Path(__file__).parent


def lines(name: str) -> tuple[str, ...]:
    """The lines of a vocabulary in this folder."""
    return tuple((_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())


def words(name: str) -> tuple[str, ...]:
    """The words of a vocabulary in this folder."""
    return tuple((_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split())


FIRST_NAMES = words("first_names")
LAST_NAMES = words("last_names")
CITIES = words("cities")
STREETS = lines("streets")


def full_names(rng: Random, taken: set[str] | None = None) -> Iterator[str]:
    """Endless different full names; those in `taken` are left out, and those given are put into it."""
    seen = taken if taken is not None else set()
    while True:
        name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
        if name not in seen:
            seen.add(name)
            yield name


def shuffled(rng: Random, values: Sequence[T]) -> list[T]:
    """The values in another order; the sequence given stays as it is."""
    return rng.sample(values, len(values))
