"""The wiki's markup, a small part of MediaWiki's: infobox, headings, lists, bold, links, categories.

::

    {{Infobox
    | Population = 12,345
    }}
    '''Ashcombe''' is a town in [[North Veld]].

    == History ==
    * founded in 1203
    [[Category:Towns of Veldmark]]

Whatever is not markup is text; it is escaped, never passed through.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from markupsafe import Markup, escape

_INLINE = re.compile(r"\[\[([^\[\]|]{1,200})(?:\|([^\[\]]{1,200}))?\]\]|'''(.{1,200}?)'''")
_CATEGORY = re.compile(r"\[\[Category:([^\[\]|\n]{1,120})\]\]")
_HEADING = re.compile(r"(={2,3}) *([^=\n].{0,198}?) *\1")
_FACT = re.compile(r"\| *([^=|\n]{1,80}?) *= *(.*)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """An article's text, taken apart."""

    facts: tuple[tuple[str, str], ...]
    """Names and values (markup) of the infobox, in order."""
    blocks: tuple[tuple[str, tuple[str, ...]], ...]
    """Kind (``h2``, ``h3``, ``ul``, ``p``) and the lines of each part of the body."""
    categories: tuple[str, ...]

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(lines[0] for kind, lines in self.blocks if kind == "h2")


def parse(text: str) -> Parsed:
    """Take a text apart; every text is valid."""
    categories = tuple(dict.fromkeys(name.strip() for name in _CATEGORY.findall(text) if name.strip()))
    facts: list[tuple[str, str]] = []
    blocks: list[tuple[str, list[str]]] = []
    is_in_box, is_open = False, False
    for line in _CATEGORY.sub("", text).split("\n"):
        line = line.strip()
        if line == "{{Infobox" or (is_in_box and line == "}}"):
            is_in_box, is_open = line != "}}", False
        elif is_in_box:
            if fact := _FACT.fullmatch(line):
                facts.append((fact[1], fact[2]))
        elif heading := _HEADING.fullmatch(line):
            blocks.append(("h2" if len(heading[1]) == 2 else "h3", [heading[2]]))
            is_open = False
        elif not line:
            is_open = False
        else:
            kind = "ul" if line.startswith("*") else "p"
            content = line.lstrip("* ") if kind == "ul" else line
            if is_open and blocks[-1][0] == kind:
                blocks[-1][1].append(content)
            else:
                blocks.append((kind, [content]))
            is_open = True
    fixed = tuple((kind, tuple(lines)) for kind, lines in blocks)
    return Parsed(facts=tuple(facts), blocks=fixed, categories=categories)


def title_path(title: str) -> str:
    """The part of an address that names an article: blanks become underscores."""
    return quote(title.replace(" ", "_"), safe="")


def anchor(heading: str) -> str:
    """The id of a section."""
    return re.sub(r"[^A-Za-z0-9]+", "-", heading).strip("-") or "section"


def inline(text: str) -> Markup:
    """A line as HTML: links, bold and escaped text."""
    pieces: list[str] = []
    end = 0
    for match in _INLINE.finditer(text):
        pieces.append(str(escape(text[end : match.start()])))
        if match[3] is not None:
            pieces.append(f"<b>{escape(match[3])}</b>")
        else:
            pieces.append(f'<a href="/wiki/{title_path(match[1].strip())}">{escape(match[2] or match[1])}</a>')
        end = match.end()
    pieces.append(str(escape(text[end:])))
    return Markup("".join(pieces))


def plain(text: str) -> str:
    """A line without its markup: what a reader sees."""
    return _INLINE.sub(lambda match: match[3] or match[2] or match[1], text)


_BLOCKS: dict[str, Callable[[tuple[str, ...]], str]] = {
    "h2": lambda lines: f'<h2 id="{anchor(lines[0])}">{inline(lines[0])}</h2>',
    "h3": lambda lines: f"<h3>{inline(lines[0])}</h3>",
    "ul": lambda lines: f"<ul>{''.join(f'<li>{inline(line)}</li>' for line in lines)}</ul>",
    "p": lambda lines: f"<p>{inline(' '.join(lines))}</p>",
}


def body_html(parsed: Parsed) -> Markup:
    """The article's body, without infobox and categories."""
    return Markup("\n".join(_BLOCKS[kind](lines) for kind, lines in parsed.blocks))
