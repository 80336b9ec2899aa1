"""A generated article before it is text: facts, lead, sections, categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Draft:
    """What an article says."""

    title: str
    facts: tuple[tuple[str, str], ...]
    lead: str
    sections: tuple[tuple[str, str], ...]
    categories: tuple[str, ...]

    @property
    def text(self) -> str:
        box = "\n".join(["{{Infobox", *(f"| {name} = {value}" for name, value in self.facts), "}}"])
        parts = [f"{box}\n{self.lead}", *(f"== {heading} ==\n{body}" for heading, body in self.sections)]
        return "\n\n".join([*parts, "\n".join(f"[[Category:{name}]]" for name in self.categories)])

    def fact(self, name: str) -> str:
        """The value of a fact; raises `KeyError` for one that the article has not."""
        return dict(self.facts)[name]

    def with_fact(self, name: str, value: str) -> Draft:
        """The same article with another value for one fact."""
        return replace(self, facts=tuple((key, value if key == name else old) for key, old in self.facts))

    def with_sections(self, count: int) -> Draft:
        """The same article with its first sections only."""
        return replace(self, sections=self.sections[:count])


def link(title: str, shown: str = "") -> str:
    """Markup of a link."""
    return f"[[{title}|{shown}]]" if shown and shown != title else f"[[{title}]]"


def listed(titles: Sequence[str]) -> str:
    """Links as an enumeration: ``A, B and C``."""
    links = [link(title) for title in titles]
    return links[0] if len(links) == 1 else f"{', '.join(links[:-1])} and {links[-1]}"


def bullets(titles: Sequence[str]) -> str:
    """Links as a list."""
    return "\n".join(f"* {link(title)}" for title in titles)


def number(value: int) -> str:
    """``12,345`` for 12345."""
    return f"{value:,}"
