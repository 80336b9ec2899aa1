"""WebArena's tasks as records: what the data set says of each, in both of its definitions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sojourn.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Program:
    """One of the first data set's checks of a page's content."""

    url: str
    """Where to look: an address, ``last`` (where the agent ended), or ``func:…``."""
    locator: str
    """A JavaScript expression, ``func:…``, or nothing for the whole page."""
    required: Mapping[str, Any]
    """``exact_match`` -> text, or ``must_include`` -> texts."""
    preparations: tuple[str, ...] = ()
    """JavaScript to run before."""


@dataclass(frozen=True, kw_only=True)
class Original:
    """A task as WebArena first defined it."""

    intent: str
    kinds: tuple[str, ...]
    """Which of string_match, url_match and program_html have to hold; all of them."""
    answers: Mapping[str, Any]
    """``exact_match`` -> text, ``must_include`` -> texts, ``fuzzy_match`` -> texts or ``N/A``."""
    url: str
    """The address to end at; alternatives are between `` |OR| ``."""
    programs: tuple[Program, ...]
    note: str
    """Why a task that can't be done can't be done."""

    @property
    def needs_judge(self) -> bool:
        """Whether a language model has to compare the answer."""
        return "string_match" in self.kinds and "fuzzy_match" in self.answers


@dataclass(frozen=True, kw_only=True)
class OfficialTask:
    """One of the 812."""

    number: int
    sites: tuple[str, ...]
    start_urls: tuple[str, ...]
    """With the data set's placeholders."""
    intent: str
    """As webarena-verified words it."""
    kind: str
    """RETRIEVE, MUTATE or NAVIGATE."""
    item: str | None
    """Type of one datum of the answer; None where none is asked for."""
    original: Original


def official_task(raw: Mapping[str, Any]) -> OfficialTask:
    """The record of a task as `Verified.tasks` gives it. Raises `DataError` for another shape."""
    try:
        (answer,) = (part for part in raw["eval"] if part["evaluator"] == "AgentResponseEvaluator")
        return OfficialTask(
            number=int(raw["task_id"]),
            sites=tuple(raw["sites"]),
            start_urls=tuple(raw["start_urls"]),
            intent=raw["intent"],
            kind=answer["expected"]["task_type"].upper(),
            item=answer["results_schema"].get("items", {}).get("type"),
            original=_original(raw["original"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"expected a task of webarena-verified 1.2.3, got {str(raw)[:200]}: {error!r}") from error


def _original(raw: Mapping[str, Any]) -> Original:
    checks = raw["eval"]
    return Original(
        intent=raw["intent"],
        kinds=tuple(checks["eval_types"]),
        answers=checks["reference_answers"] or {},
        url=checks["reference_url"] or "",
        programs=tuple(
            Program(
                url=program["url"],
                locator=program["locator"],
                required=program["required_contents"],
                preparations=tuple(program.get("prep_actions", ())),
            )
            for program in checks["program_html"]
        ),
        note=checks.get("string_note") or "",
    )
