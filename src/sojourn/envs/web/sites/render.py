"""Pages: one jinja2 environment for the process, with everything escaped, and the formats all sites share."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.compiler import CodeGenerator
from markupsafe import Markup, escape

_FOLDER = Path(__file__).parent
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def money(cents: int) -> str:
    """``$1,234.50`` for 123450 cents."""
    sign = "-" if cents < 0 else ""
    return f"{sign}${abs(cents) // 100:,}.{abs(cents) % 100:02d}"


def amount(cents: int) -> str:
    """``1234.50`` for 123450 cents: what an input holds."""
    return f"{cents // 100}.{cents % 100:02d}"


def day(stamp: str) -> str:
    """``Jun 15, 2024`` for a ``YYYY-MM-DD…`` stamp."""
    return f"{_MONTHS[int(stamp[5:7]) - 1]} {int(stamp[8:10])}, {stamp[:4]}" if stamp else ""


def moment(stamp: str) -> str:
    """``Jun 15, 2024 12:00`` for a ``YYYY-MM-DD HH:MM:SS`` stamp."""
    return f"{day(stamp)} {stamp[11:16]}" if stamp else ""


def path_part(text: object) -> str:
    """`text` quoted as one part of a path."""
    return quote(str(text), safe="")


def paragraphs(text: str) -> Markup:
    """Text with blank lines as ``<p>`` elements, single line ends as ``<br>``; everything escaped."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    parts = [Markup("<br>").join(escape(line) for line in block.strip().split("\n")) for block in blocks]
    return Markup("").join(Markup("<p>{}</p>").format(part) for part in parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Paging:
    """Which part of a list a page shows."""

    page: int
    """From 1."""
    per_page: int
    total: int

    @property
    def num_pages(self) -> int:
        return max(1, -(-self.total // self.per_page))

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.per_page

    @property
    def first(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.offset + self.per_page, self.total)

    def numbers(self) -> list[int | None]:
        """Pages to link: the first, the last and the neighbours; None where some are left out."""
        shown = sorted({1, self.num_pages, *range(max(1, self.page - 2), min(self.num_pages, self.page + 2) + 1)})
        numbers: list[int | None] = []
        for number in shown:
            if numbers and numbers[-1] is not None and number > numbers[-1] + 1:
                numbers.append(None)
            numbers.append(number)
        return numbers


def escaped(value: object) -> str:
    """`value` as text in which nothing is HTML, as markupsafe writes it; a `Markup` only if something had to change."""
    if type(value) is str:
        is_plain = not ("&" in value or "<" in value or ">" in value or '"' in value or "'" in value)
        return value if is_plain else escape(value)
    return str(value) if type(value) is int else escape(value)


class _Generator(CodeGenerator):
    """Templates that escape by `escaped`: the pieces are joined at once, and a `Markup` of each costs a third more."""

    def write(self, x: str) -> None:
        super().write("environment.escaped(" if x == "escape(" else x)


class _Environment(Environment):
    """One that knows rows of SQLite: ``row.name`` is a column, found without an exception on the way."""

    code_generator_class = _Generator
    escaped = staticmethod(escaped)

    def getattr(self, obj: Any, attribute: str) -> Any:
        if type(obj) is sqlite3.Row:
            try:
                return obj[attribute]
            except IndexError:
                pass  # one of a row's own methods
        return super().getattr(obj, attribute)


@cache
def environment() -> Environment:
    """The environment of all sites; a template is compiled once a process."""
    made = _Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    made.filters |= {
        "money": money,
        "amount": amount,
        "day": day,
        "moment": moment,
        "path_part": path_part,
        "paragraphs": paragraphs,
    }
    return made


def render_template(name: str, values: Mapping[str, Any]) -> str:
    """The page that template `name` (relative to ``sites/``) makes of `values`."""
    return environment().get_template(name).render(values)
