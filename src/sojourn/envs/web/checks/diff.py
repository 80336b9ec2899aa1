"""What an episode changed: its database against the template that it was restored from, table by table."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sojourn.envs.web.checks.pages import suspects

Row = Mapping[str, Any]
"""Column -> value."""

ALL = "*"
"""In a table's list of columns that may change: any of them, and rows may come and go."""


@dataclass(frozen=True, kw_only=True)
class TableChange:
    """The rows of one table that are not as they were."""

    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    updated: tuple[tuple[Row, Row], ...]
    """Before and after, of the rows with the same key."""


def changes(connection: sqlite3.Connection, template: bytes, ignored: Collection[str] = ()) -> dict[str, TableChange]:
    """Table -> what is different from `template`; tables without difference, and those `ignored`, are left out."""
    connection.commit()
    possible = suspects(connection, template)
    tables = [name for (name,) in connection.execute(_TABLES) if name not in ignored]
    tables = [name for name in tables if possible is None or name in possible]
    if not tables:
        return {}
    connection.execute("ATTACH ':memory:' AS template")
    try:
        connection.deserialize(template, name="template")
        found = {}
        for table in tables:
            after = _rows(connection, "main", "template", table)
            before = _rows(connection, "template", "main", table)
            if after or before:
                found[table] = _paired(before, after, _key(connection, table))
        return found
    finally:
        connection.execute("DETACH template")


_TABLES = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"


def _rows(connection: sqlite3.Connection, here: str, there: str, table: str) -> list[Row]:
    """The rows of a table that the other database does not hold, compared to the letter whatever the collation."""
    info = connection.execute(f'PRAGMA main.table_info("{table}")').fetchall()
    names = [row[1] for row in info]
    if any(row[5] for row in info):  # look each row up by its primary key
        order = sorted(info, key=lambda row: not row[5])
        same = " AND ".join(f'b."{row[1]}" IS a."{row[1]}"{"" if row[5] else " COLLATE BINARY"}' for row in order)
        exact = " AND ".join(f'b."{row[1]}" IS a."{row[1]}" COLLATE BINARY' for row in info if row[5])
        sql = (
            f'SELECT * FROM {here}."{table}" a WHERE NOT EXISTS'
            f' (SELECT 1 FROM {there}."{table}" b WHERE {same} AND {exact})'
        )
    else:
        columns = ", ".join(f'"{name}" COLLATE BINARY AS "{name}"' for name in names)
        sql = f'SELECT {columns} FROM {here}."{table}" EXCEPT SELECT {columns} FROM {there}."{table}"'
    return [dict(zip(names, row, strict=True)) for row in connection.execute(sql)]


def _key(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    """The primary key's columns; for a table without one, the columns of its first unique index."""
    info = connection.execute(f'PRAGMA main.table_info("{table}")').fetchall()
    key = tuple(row[1] for row in sorted(info, key=lambda row: row[5]) if row[5])
    if key:
        return key
    for index in connection.execute(f'PRAGMA main.index_list("{table}")').fetchall():
        if index[2]:
            return tuple(row[2] for row in connection.execute(f'PRAGMA main.index_info("{index[1]}")'))
    return ()


def _paired(before: Sequence[Row], after: Sequence[Row], key: Sequence[str]) -> TableChange:
    old = {tuple(row[column] for column in key): row for row in before} if key else {}
    added, updated = [], []
    for row in after:
        was = old.pop(tuple(row[column] for column in key), None) if key else None
        if was is None:
            added.append(row)
        else:
            updated.append((was, row))
    return TableChange(added=tuple(added), removed=tuple(old.values() if key else before), updated=tuple(updated))
