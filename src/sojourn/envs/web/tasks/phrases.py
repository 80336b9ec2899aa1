"""Texts that errands ask to be written, as tables that the SQL of a template can join."""

from __future__ import annotations

from collections.abc import Sequence


def table(*rows: Sequence[object] | str, columns: Sequence[str] = ("text",)) -> str:
    """A subquery with the column ``n`` (0, 1, ...) and `columns`, a row for each of `rows`."""
    selects = []
    for number, row in enumerate(rows):
        values = [row] if isinstance(row, str) else list(row)
        if len(values) != len(columns):
            raise ValueError(f"expected {len(columns)} values for {columns}, got {values}")
        named = ", ".join(f"{_literal(value)} AS {name}" for value, name in zip(values, columns, strict=True))
        selects.append(f"SELECT {number} AS n, {named}")
    return f"({' UNION ALL '.join(selects)})"


def _literal(value: object) -> str:
    return str(value) if isinstance(value, int) else "'" + str(value).replace("'", "''") + "'"


MONTHS = table(
    *(
        (f"{number:02}", name)
        for number, name in enumerate(
            (
                "January",
                "February",
                "March",
                "April",
                "May",
                "June",
                "July",
                "August",
                "September",
                "October",
                "November",
                "December",
            ),
            1,
        )
    ),
    columns=("number", "name"),
)
"""``number`` (two digits) and ``name`` of the months."""
