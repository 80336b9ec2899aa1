"""WebArena's first checks, written anew from their published definitions (arXiv 2307.13854 and its evaluators).

A string check compares the answer, a URL check the address where the agent ended, a program check what a locator finds
on a page. A task's reward is 1 if all of its checks hold, else 0.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs, urlparse

from sojourn.envs.web.webarena.sites import Sites
from sojourn.envs.web.webarena.tasks import Original, Program
from sojourn.errors import DataError, EnvError

OR = " |OR| "
IMPOSSIBLE = "N/A"
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s]")


class Page(Protocol):
    """What the checks need of a browser's page; Playwright's has it."""

    @property
    def url(self) -> str:
        """The address shown."""

    async def goto(self, url: str) -> Any:
        """Open `url` and wait until it has loaded."""

    async def content(self) -> str:
        """The page as HTML."""

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript function, called on the page."""


class Judge(Protocol):
    """Compares texts by meaning; raises `EnvError` when it can't."""

    async def is_same(self, question: str, reference: str, answer: str) -> bool:
        """Whether `answer` says what `reference` says."""

    async def is_reason(self, task: str, reason: str, answer: str) -> bool:
        """Whether `answer` says that `task` can't be done, for `reason`."""


Helper = Callable[..., Awaitable[str]]


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an episode ended, and what it takes to judge it."""

    answer: str
    page: Page
    sites: Sites
    judge: Judge | None = None
    helpers: Mapping[str, Helper]
    """Name of a ``func:`` -> what computes it."""


async def original_reward(task: Original, ending: Ending) -> float:
    """1 if all checks of `task` hold, else 0. Raises `DataError` where a judge is needed and there is none."""
    checks = {"string_match": string_check, "url_match": url_check, "program_html": program_check}
    # the address first: program checks open other pages
    for kind in sorted(task.kinds, key=("url_match", "string_match", "program_html").index):
        if not await checks[kind](task, ending):
            return 0.0
    return 1.0


# --------------------------------------------------------------------------------------------------------- strings


def cleaned(text: str) -> str:
    """`text` without blanks and one pair of quotes around it, in small letters."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    return text.lower()


def is_equal(reference: str, text: str) -> bool:
    """Whether both are the same once cleaned."""
    return cleaned(reference) == cleaned(text)


def includes(reference: str, text: str, *, as_token: bool = False) -> bool:
    """Whether `text` has `reference` in it; with `as_token`, a single character has to stand alone (0 is not in 10)."""
    wanted, given = cleaned(reference), cleaned(text)
    if as_token and len(wanted) == 1:
        return wanted in _TOKEN.findall(given)
    return wanted in given


async def string_check(task: Original, ending: Ending) -> bool:
    """Whether the answer is right by every reference of the task."""
    for kind, reference in task.answers.items():
        if kind == "exact_match":
            holds = is_equal(reference, ending.answer)
        elif kind == "must_include":
            holds = all(includes(text, ending.answer, as_token=len(reference) == 1) for text in reference)
        elif kind == "fuzzy_match":
            holds = await _judged(task, reference, ending)
        else:
            raise DataError(f"expected exact_match, must_include or fuzzy_match, got {kind!r}")
        if not holds:
            return False
    return True


async def _judged(task: Original, reference: str | Sequence[str], ending: Ending) -> bool:
    if ending.judge is None:
        raise DataError(f"{task.intent!r} is judged by a language model, and none is configured")
    if reference == IMPOSSIBLE:
        if is_equal(IMPOSSIBLE, ending.answer):
            return True
        return await ending.judge.is_reason(task.intent, task.note, ending.answer)
    for text in reference:
        if not await ending.judge.is_same(task.intent, text, ending.answer):
            return False
    return True


# ------------------------------------------------------------------------------------------------------- addresses


async def url_check(task: Original, ending: Ending) -> bool:
    """Whether the agent ended at (one of) the task's addresses, with the queries that they name."""
    references = [ending.sites.filled(url).rstrip("/") for url in task.url.split(OR)]
    path, query = _split(ending.page.url.rstrip("/"))
    wanted: dict[str, set[str]] = defaultdict(set)
    paths = []
    for reference in references:
        reference_path, reference_query = _split(reference)
        paths.append(reference_path)
        for name, values in reference_query.items():
            wanted[name].update(values)
    is_there = any(reference in path for reference in paths)
    return is_there and all(values & set(query.get(name, ())) for name, values in wanted.items())


def _split(url: str) -> tuple[str, dict[str, list[str]]]:
    parts = urlparse(url)
    return parts.netloc + parts.path, parse_qs(parts.query)


# -------------------------------------------------------------------------------------------------------- programs

_CALL = re.compile(r"func:(\w+)\((.*)\)", re.DOTALL)
_ARGUMENT = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)")\s*(?:,|$)""")


async def program_check(task: Original, ending: Ending) -> bool:
    """Whether every program of the task finds what it requires."""
    last = ending.page.url
    for program in task.programs:
        found = html.unescape(await _found(program, ending, last))
        if not _satisfies(found, program.required):
            return False
    return True


def _satisfies(found: str, required: Mapping[str, Any]) -> bool:
    if "exact_match" in required:
        return is_equal(required["exact_match"], found)
    if "must_include" in required:
        return all(any(includes(text, found) for text in texts.split(OR)) for texts in required["must_include"])
    raise DataError(f"expected exact_match or must_include, got {sorted(required)}")


async def _found(program: Program, ending: Ending, last: str) -> str:
    page = ending.page
    url = program.url
    if url.startswith("func:"):
        url = await _called(url, ending, last)
    if url != "last":
        try:
            await page.goto(ending.sites.filled(url))
        except Exception as error:
            raise EnvError(f"a check can't open {ending.sites.shown(ending.sites.filled(url))}: {error}") from error
    if not program.locator.strip():
        return await page.content()
    if program.locator.startswith("func:"):
        return await _called(program.locator, ending, last)
    if not program.locator.startswith(("document.", "[...document.")):
        raise DataError(f"expected no locator, func: or an expression on document, got {program.locator!r}")
    for preparation in program.preparations:
        await _value(page, preparation)
    return await _value(page, program.locator)


async def _value(page: Page, expression: str) -> str:
    """What `expression` gives on the page; nothing where it fails, as on a page that lacks the element."""
    value = await page.evaluate(
        f"() => {{ try {{ return String(({expression}) ?? '') }} catch (error) {{ return '' }} }}"
    )
    return str(value)


async def _called(text: str, ending: Ending, last: str) -> str:
    """The value of ``func:name(arguments)``, by our own helpers: nothing of the data set is run as Python."""
    match = _CALL.fullmatch(text.strip())
    if match is None or match[1] not in ending.helpers:
        raise DataError(f"unknown check {text!r}; known: {', '.join(sorted(ending.helpers))}")
    arguments = match[2].replace("__last_url__", last).replace("__page__,", "")
    given = [single or double for single, double in _ARGUMENT.findall(arguments)]
    return await ending.helpers[match[1]](ending.page, *given)
