"""Facts and their entities: collected while passages are written, kept in one small file, looked up by subject."""

from __future__ import annotations

import gc
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sojourn.envs.search.atlas.names import unaccented
from sojourn.envs.search.atlas.world import Value
from sojourn.envs.search.records import Entity, Fact
from sojourn.errors import DataError

FILE: Final = "facts.json.z"
EntityRow = list[Any]
"""Id, kind, name, aliases."""
FactRow = list[Any]
"""Relation, value, target, aliases, passage id."""


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without garbage collection, which would visit half a million new lists again and again for nothing."""
    is_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_on:
            gc.enable()


class FactCollector:
    """Takes facts as passages are written. The first passage that states a fact is its passage."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self._rows: dict[str, dict[str, FactRow]] = {}

    def add_entity(self, entity: Entity) -> None:
        """Make `entity` known; a second one of the same id adds its names to the first."""
        known = self.entities.get(entity.entity_id)
        if known is not None:
            names = dict.fromkeys([*known.aliases, entity.name, *entity.aliases])
            aliases = tuple(name for name in names if name != known.name)
            entity = Entity(entity_id=known.entity_id, kind=known.kind, name=known.name, aliases=aliases)
        self.entities[entity.entity_id] = entity

    def add(self, fact: Fact) -> None:
        """Take a fact, unless an earlier passage states it. Raises `DataError` if an earlier one states another."""
        rows = self._rows.setdefault(fact.subject, {})
        known = rows.get(fact.relation)
        if known is None:
            rows[fact.relation] = [fact.relation, fact.value, fact.target, list(fact.aliases), fact.passage_id]
        elif (known[1], known[2]) != (fact.value, fact.target):
            raise DataError(f"{fact.subject} has two values of {fact.relation}: {known[1]!r} and {fact.value!r}")

    def state(self, subject: str, relation: str, value: Value, passage_id: str) -> None:
        """`add` the fact that `subject` has this value in `relation`."""
        self.add(
            Fact(
                subject=subject,
                relation=relation,
                value=value.text,
                target=value.target,
                aliases=value.aliases,
                passage_id=passage_id,
            )
        )

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def relations(self) -> dict[str, int]:
        """How many facts each relation has, by name."""
        return dict(sorted(Counter(relation for rows in self._rows.values() for relation in rows).items()))

    def save(self, folder: Path) -> None:
        """Write everything to `folder`; facts about, or with a target that is, no known entity are an error."""
        targets = {row[2] for rows in self._rows.values() for row in rows.values() if row[2] is not None}
        strangers = sorted((self._rows.keys() | targets) - self.entities.keys())
        if strangers:
            raise DataError(f"facts name entities that are not known: {', '.join(strangers[:5])}")
        tree = {
            "entities": [[e.entity_id, e.kind, e.name, e.aliases] for e in self.entities.values()],
            "facts": {subject: list(rows.values()) for subject, rows in self._rows.items()},
        }
        text = json.dumps(tree, ensure_ascii=False, separators=(",", ":"))
        (folder / FILE).write_bytes(zlib.compress(text.encode(), 6))


class Entities(Mapping[str, Entity]):
    """Entities by id; each is made when it is asked for."""

    def __init__(self, rows: Sequence[EntityRow]) -> None:
        """Of id, kind, name and aliases."""
        self._rows = {row[0]: row for row in rows}

    def __getitem__(self, entity_id: str) -> Entity:
        row = self._rows[entity_id]
        return Entity(entity_id=row[0], kind=row[1], name=row[2], aliases=tuple(row[3]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Facts:
    """All facts of an atlas.

    A fact may be answered with its value's other names, with any name of the entity it names, with or without accents.
    """

    def __init__(self, entities: Sequence[EntityRow], facts: Mapping[str, Sequence[FactRow]]) -> None:
        """Of rows as `FactCollector` saves them."""
        self.entities: Mapping[str, Entity] = Entities(entities)
        self._rows = facts
        self._inverses: dict[str, dict[str, list[str]]] = {}

    @classmethod
    def load(cls, folder: Path) -> Facts:
        """The facts in `folder`. Raises `DataError` for a file that is damaged or missing."""
        path = folder / FILE
        try:
            with _no_collection():
                tree = json.loads(zlib.decompress(path.read_bytes()))
                return cls(tree["entities"], tree["facts"])
        except (OSError, zlib.error, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} does not hold the facts of an atlas ({error}): remove {folder}") from error

    def _fact(self, subject: str, row: FactRow) -> Fact:
        relation, value, target, own, passage_id = row
        aliases = dict.fromkeys(own)
        if target is not None:
            entity = self.entities[target]
            aliases |= dict.fromkeys((entity.name, *entity.aliases))
        aliases |= dict.fromkeys(unaccented(text) for text in (value, *aliases))
        aliases.pop(value, None)
        return Fact(
            subject=subject,
            relation=relation,
            value=value,
            target=target,
            aliases=tuple(aliases),
            passage_id=passage_id,
        )

    def get(self, subject: str, relation: str) -> Fact | None:
        """The fact of `subject`; None if it has no such relation."""
        row = next((row for row in self._rows.get(subject, ()) if row[0] == relation), None)
        return None if row is None else self._fact(subject, row)

    def of(self, subject: str) -> Sequence[Fact]:
        """All facts of `subject`, in the order of their passages; none for an unknown one."""
        return [self._fact(subject, row) for row in self._rows.get(subject, ())]

    def subjects(self, relation: str, value_or_target: str) -> Sequence[str]:
        """Who has this value, or this entity, in `relation`: one id where the inverse is unique too."""
        if relation not in self._inverses:
            inverse: dict[str, list[str]] = {}
            for subject, rows in self._rows.items():
                for row in rows:
                    if row[0] == relation:
                        for key in {row[1], row[2]} - {None}:
                            inverse.setdefault(key, []).append(subject)
            self._inverses[relation] = inverse
        return self._inverses[relation].get(value_or_target, [])

    def relations(self) -> Sequence[str]:
        """Relations that some fact has, sorted."""
        return sorted({row[0] for rows in self._rows.values() for row in rows})

    def __iter__(self) -> Iterator[Fact]:
        for subject, rows in self._rows.items():
            for row in rows:
                yield self._fact(subject, row)

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))
