"""All questions of an atlas: candidates are drawn, checked, and kept until every split has what it wants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from sojourn.envs.search.chance import digest
from sojourn.envs.search.questions.checks import (
    Candidates,
    Finder,
    HopFinder,
    hides_answers,
    is_unique,
    missed_at_once,
)
from sojourn.envs.search.questions.drawing import candidates
from sojourn.envs.search.questions.graph import FactTable, Graph, Path
from sojourn.envs.search.questions.plain_text import folded
from sojourn.envs.search.questions.report import QuestionChecks, Tally
from sojourn.envs.search.questions.splits import HOPS, SPLITS, Division, Sizes, divide
from sojourn.envs.search.questions.wording import Answers, question_text
from sojourn.envs.search.records import Hop, Question

MIN_CHUNK, MAX_CHUNK = 20, 500
"""Of candidates that are drawn at a time: twice as many as are missing, within these bounds."""
MAX_FRUITLESS = 30_000
"""So many candidates on end of which none is kept mean that there is nothing more to keep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A question with the path that it was made from."""

    question: Question
    path: Path


class Generator:
    """Makes the questions of one table of facts that one finder can answer."""

    def __init__(self, facts: FactTable, finder: Finder, sizes: Sizes) -> None:
        self.graph = Graph(facts)
        self.division: Division = divide(self.graph)
        self._facts, self._finder, self._sizes = facts, finder, sizes
        self._answers = Answers(self.graph)
        self._meant = Candidates(facts)
        self._hops = HopFinder(facts, finder)

    def cell(self, split: str, hops: int, progress: Callable[[int], None]) -> tuple[list[Made], Tally]:
        """The questions of a split with `hops` hops, at most as many as are wanted; `progress` is told of new ones."""
        tally = Tally(split=split, hops=hops)
        paths = candidates(self.graph, self.division, split, hops)
        kept: list[Made] = []
        times: Counter[str] = Counter()
        fruitless = 0
        while len(kept) < self._sizes.wanted(split, hops) and fruitless < MAX_FRUITLESS:
            missing = self._sizes.wanted(split, hops) - len(kept)
            drawn = list(islice(paths, max(MIN_CHUNK, min(MAX_CHUNK, 2 * missing))))
            if not drawn:
                break
            before = len(kept)
            self._keep(self._checked(drawn, split, times, tally), kept, times, tally)
            fruitless = 0 if len(kept) > before else fruitless + len(drawn)
            progress(len(kept) - before)
        return kept, tally

    def _keep(self, passed: Sequence[Made], kept: list[Made], times: Counter[str], tally: Tally) -> None:
        for made in passed:
            if self._is_capped(made.question.answers[0], times, tally):
                tally.capped += 1
            elif len(kept) < self._sizes.wanted(tally.split, tally.hops):
                times[folded(made.question.answers[0])] += 1
                kept.append(made)

    def _is_capped(self, answer: str, times: Counter[str], tally: Tally) -> bool:
        return times[folded(answer)] >= self._sizes.per_answer(tally.split, tally.hops)

    def _checked(self, paths: Sequence[Path], split: str, times: Counter[str], tally: Tally) -> list[Made]:
        """Those that pass the four checks; the dear ones come last."""
        made: list[Made] = []
        for path in paths:
            tally.drawn += 1
            answers = self._answers.of(path.facts[-1])
            if self._is_capped(answers[0], times, tally):
                tally.capped += 1
            elif not is_unique(path, self._facts, self._meant):
                tally.not_unique += 1
            elif not hides_answers(text := question_text(path), answers):
                tally.answer_in_question += 1
            elif (hops := self._hops.hops(path)) is None:
                tally.hop_not_found += 1
            else:
                made.append(Made(question=_question(path, text, answers, hops, split), path=path))
        texts = [row.question.text for row in made]
        is_missed = missed_at_once(texts, [row.question.answers for row in made], self._finder)
        tally.found_at_once += is_missed.count(False)
        return [row for row, missed in zip(made, is_missed, strict=True) if missed]


def _question(path: Path, text: str, answers: tuple[str, ...], hops: tuple[Hop, ...], split: str) -> Question:
    return Question(
        question_id=f"{path.num_hops}/{digest('question', path.key)}",
        text=text,
        answers=answers,
        hops=hops,
        split=split,
        category=f"{path.num_hops} hops",
    )


def generate(
    facts: FactTable, finder: Finder, sizes: Sizes, *, atlas: str, progress: Callable[[int], None]
) -> tuple[list[Made], QuestionChecks]:
    """All questions by split, then by hops; `progress` is told how many are new. The two tests are the same for
    every hop count: as many as the scarcest has.
    """
    generator = Generator(facts, finder, sizes)
    cells: dict[tuple[str, int], list[Made]] = {}
    tallies: list[Tally] = []
    for split in SPLITS:
        for hops in HOPS:
            cells[split, hops], tally = generator.cell(split, hops, progress)
            tallies.append(tally)
    for split in ("test", "test-ood"):
        scarcest = min(len(cells[split, hops]) for hops in HOPS)
        for hops in HOPS:
            cells[split, hops] = cells[split, hops][:scarcest]
    done = tuple(_finished(tally, cells[tally.split, tally.hops]) for tally in tallies)
    return [made for rows in cells.values() for made in rows], QuestionChecks(atlas=atlas, tallies=done)


def _finished(tally: Tally, kept: Sequence[Made]) -> Tally:
    passed = tally.drawn - tally.capped - tally.not_unique - tally.answer_in_question
    passed -= tally.hop_not_found + tally.found_at_once
    return replace(
        tally,
        kept=len(kept),
        surplus=passed - len(kept),
        answers=len({folded(made.question.answers[0]) for made in kept}),
        starts=len({made.path.start.country for made in kept}),
    )


def num_wanted(sizes: Sizes) -> int:
    """How many questions all splits want together."""
    return sum(sizes.wanted(split, hops) for split in SPLITS for hops in HOPS)
