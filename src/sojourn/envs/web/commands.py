"""The actions that make sense on a page, few enough for a small policy to choose from."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sojourn.envs.web.actions import Action, Click, GoBack, Scroll, Select, Stop, Type, render
from sojourn.envs.web.browser.aims import options_of
from sojourn.envs.web.browser.protocol import Observation
from sojourn.envs.web.tree import Line, Node, words

_CLICKED = frozenset({"link", "button", "checkbox", "radio", "DisclosureTriangle", "tab", "menuitem"})
_ANSWERS = frozenset({"StaticText", "heading", "link", "cell", "rowheader", "LayoutTableCell"})
_WORD = re.compile(r"[a-z0-9]+")
_ANSWER_VALUE = re.compile(r"\$\d[\d,]*\.\d\d|\d[\d,]*(?:\.\d+)?(?: ?(?:km|mi|min|h|%|g|kg))?|\d{4}-\d\d-\d\d")
_MAX_OPTIONS = 12
MAX_ANSWERS = 12
"""Answers that are listed at most, unless the options say otherwise."""
_COMMON = words("the a an of to in on at for and or is are was what which how my me i it this that with")


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """What is listed on a page, for a policy that chooses."""

    commands: tuple[str, ...]
    """In document order, then those that are always there."""
    lines: tuple[int, ...]
    """Ids of the lines that they act on or answer with, ascending."""


def listed(
    seen: Observation,
    intent: str,
    texts: Sequence[str],
    *,
    limit: int,
    max_answers: int = MAX_ANSWERS,
    whole_page: bool = False,
) -> Listing:
    """At most `limit` actions on what is shown, or on the whole page.

    Where there are more, those stay whose names have most words in common with the intent. `texts` is what may be
    typed; answers are values on the page, `max_answers` of them at most.
    """
    wanted = _words(intent)
    lines = list(enumerate(seen.tree.lines, 1)) if whole_page else _shown(seen)
    answers = _answers(lines, max_answers)
    always: list[Action] = [GoBack()]
    if len(seen.tree.lines) > seen.max_lines and not whole_page:
        always += [Scroll(down=True), Scroll(down=False)]
    always += [Stop(), Stop(answer="N/A"), *(Stop(answer=answer) for answer in answers)]
    ranked: list[tuple[int, int, str, int]] = []
    for number, line in lines:
        context = _nearness(line.name, wanted)
        for action, bonus in _actions(number, line.node, texts, wanted):
            ranked.append((-(context + bonus), len(ranked), render(action), number))
    chosen = sorted(sorted(ranked)[: max(0, limit - len(always))], key=lambda entry: entry[1])
    commands = tuple(dict.fromkeys([*(command for _, _, command, _ in chosen), *map(render, always)]))[:limit]
    return Listing(commands=commands, lines=tuple(sorted({*answers.values(), *(entry[3] for entry in chosen)})))


def _shown(seen: Observation) -> list[tuple[int, Line]]:
    lines = seen.tree.lines[seen.top : seen.top + seen.max_lines]
    return list(enumerate(lines, seen.top + 1))


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower())) - _COMMON


def _nearness(name: str, wanted: frozenset[str]) -> int:
    """How many words a name has in common with the intent, and one more if it has no others."""
    found = _words(name)
    return len(found & wanted) + (bool(found) and found <= wanted)


def _actions(number: int, node: Node, texts: Sequence[str], wanted: frozenset[str]) -> Iterator[tuple[Action, int]]:
    """Actions on one node, and how much more likely they are than others."""
    if node.is_disabled or node.ref is None:
        return
    if node.role in _CLICKED:
        yield Click(node=number), 2 if node.role == "button" else 0
    elif node.is_text_field and not node.is_readonly:
        for text in texts:
            yield Type(node=number, text=text, enter=node.role == "searchbox"), 3
    elif node.role in ("combobox", "listbox"):
        options = list(dict.fromkeys(option.name for option in options_of(node)))
        matching = [name for name in options if _words(name) & wanted] if len(options) > _MAX_OPTIONS else options
        for name in matching[:_MAX_OPTIONS]:
            if name.strip():
                yield Select(node=number, option=name), 1 + _nearness(name, wanted)


def _answers(lines: Sequence[tuple[int, Line]], limit: int) -> dict[str, int]:
    """The first values on the page, each with the id of its line."""
    found: dict[str, int] = {}
    for number, line in lines:
        if line.node.role in _ANSWERS:
            for match in _ANSWER_VALUE.finditer(line.name):
                if len(found) < limit:
                    found.setdefault(match[0], number)
    return found
