"""What an episode of deep search pays. The answer dominates: see `RewardTerms`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from sojourn.envs.search.normalize import Marks, Normalizer
from sojourn.envs.search.records import Passage, Question
from sojourn.errors import ConfigError, unknown_name

Metric = Literal["em", "f1"]
MAX_SIDE_TERMS = 0.5
"""What `retrieval` and `no_search_penalty` may be together."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RewardTerms:
    """The reward of an episode: the answer's, plus what was found on the way, minus what was not looked up.

    With a sum of side terms of at most `MAX_SIDE_TERMS`, an episode with a right answer and none of the side terms
    earned returns at least ``1 - no_search_penalty`` and one with a worthless answer at most ``retrieval``: right
    answers are worth more by half a point whatever else happened.
    """

    metric: Metric = "em"
    """``em``: 1 or 0; ``f1``: the share of words, in [0, 1]."""
    retrieval: float = 0.0
    """Paid in equal parts, each once, as the passages of the gold path come up."""
    no_search_penalty: float = 0.0
    """Taken from the answer's reward when nothing was searched for."""

    def __post_init__(self) -> None:
        if self.metric not in get_args(Metric):
            raise unknown_name("metric of search", self.metric, get_args(Metric))
        for name, value in (("retrieval_reward", self.retrieval), ("no_search_penalty", self.no_search_penalty)):
            if not 0.0 <= value <= MAX_SIDE_TERMS:
                raise ConfigError(f"search: {name} must be in [0, {MAX_SIDE_TERMS}], got {value}")
        total = self.retrieval + self.no_search_penalty
        if total > MAX_SIDE_TERMS:
            raise ConfigError(
                f"search: retrieval_reward + no_search_penalty must be <= {MAX_SIDE_TERMS}, so that the answer "
                f"dominates, got {total:g}"
            )

    def of_answer(self, marks: Marks, *, has_searched: bool) -> float:
        """What the answer that ends the episode pays."""
        worth = float(marks.em) if self.metric == "em" else marks.f1
        return worth if has_searched else worth - self.no_search_penalty


class Found:
    """How much of what a question needs has come up in an episode.

    That is its gold passages; where no gold path is known, one passage that holds an accepted answer (a weaker sign,
    which short answers such as ``yes`` give by accident).
    """

    __slots__ = ("_accepted", "_needed", "_num_needed", "_rule")

    def __init__(self, question: Question, rule: Normalizer) -> None:
        self._needed = {hop.passage_id for hop in question.hops}
        self._num_needed = len(self._needed) or 1
        self._accepted = () if self._needed else tuple(map(rule.normal, question.answers))
        self._rule = rule

    @property
    def share(self) -> float:
        """What has come up of it, in [0, 1]."""
        return 1.0 - (len(self._needed) + bool(self._accepted)) / self._num_needed

    def add(self, passages: Iterable[Passage]) -> float:
        """Count these passages; returns by how much `share` grew."""
        before = self.share
        for passage in passages:
            self._needed.discard(passage.passage_id)
            if self._accepted and self._holds_answer(passage):
                self._accepted = ()
        return self.share - before

    def _holds_answer(self, passage: Passage) -> bool:
        text = f" {self._rule.normal(f'{passage.title} {passage.text}')} "
        return any(f" {answer} " in text for answer in self._accepted if answer)
