"""One episode of deep search: look passages up until the question can be answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Any

from sojourn.envs.search.actions import EXPECTED, Action, Refusal, parse_action
from sojourn.envs.search.commands import Listing, Sight
from sojourn.envs.search.neutralise import neutral
from sojourn.envs.search.normalize import Marks, Normalizer, mark
from sojourn.envs.search.observation import information, shown_passages
from sojourn.envs.search.records import Passage, Question, Retriever
from sojourn.envs.search.reward import Found, RewardTerms
from sojourn.errors import EnvError
from sojourn.types import NO_INFO, StepResult, Task

Resolve = Callable[[Task], Question]
"""Task -> its question; raises `DataError` for a task of another environment."""

THE_END = "Your answer has been taken. The episode is over."
"""Whether it was right is not said: an answer is not a question to an oracle."""


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class EpisodeRules:
    """What is the same in all episodes of a scenario."""

    k: int
    """Passages that a search shows at most."""
    max_answers: int
    """The answer that ends the episode, and alone is marked; those before it are only noted."""
    max_observation_words: int
    max_steps: int | None
    terms: RewardTerms
    normalizer: Normalizer
    listing: Listing


class SearchEnv:
    """An episode: each turn one search or one answer; the last answer allowed ends it.

    Nothing that an agent sees before the end hangs on the accepted answers: `Question.answers` and the gold path are
    read for rewards and, at the end, for `StepResult.info`. A failing retriever raises `EnvError`.
    """

    _question: Question
    _found: Found
    _sight: Sight

    def __init__(self, resolve: Resolve, retriever: Retriever, rules: EpisodeRules) -> None:
        self._resolve = resolve
        self._retriever = retriever
        self._rules = rules
        self._state = _State.NEW
        self._num_steps = self._num_searches = self._num_answers = self._num_invalid = 0

    async def reset(self, task: Task) -> StepResult:
        """Start: the question."""
        if self._state is not _State.NEW:
            raise EnvError(f"reset of an environment that is {self._state.name.lower()}; an episode is used once")
        question = self._question = self._resolve(task)
        self._found = Found(question, self._rules.normalizer)
        self._sight = Sight(neutral(question.text))
        self._state = _State.LIVE
        return StepResult(observation=self._opening(question), success=False)

    async def step(self, action: str) -> StepResult:
        """Search, or answer."""
        if self._state is not _State.LIVE:
            raise EnvError(f"step of an environment that is {self._state.name.lower()}, expected a live episode")
        result = await self._act(action)
        self._num_steps += 1
        is_cut = self._num_steps == self._rules.max_steps and not result.terminated
        if is_cut or result.terminated:
            self._state = _State.OVER
        if not is_cut:
            return result
        return StepResult(
            observation=result.observation,
            reward=result.reward,
            truncated=True,
            success=False,
            info={**result.info, **self._tally()},
        )

    async def close(self) -> None:
        """End the episode; the retriever stays open, for it serves the others too."""
        self._state = _State.CLOSED

    async def admissible_commands(self) -> Sequence[str]:
        """Searches and answers made of what is on the screen; see `commands`."""
        return self._sight.commands(self._rules.listing) if self._state is _State.LIVE else ()

    @property
    def question(self) -> Question:
        """With its gold; for oracles, never for an agent."""
        if self._state in (_State.NEW, _State.CLOSED):
            raise EnvError("search: no episode is open (reset first, and not after close)")
        return self._question

    @property
    def num_searches(self) -> int:
        """How often something was searched for."""
        return self._num_searches

    def _opening(self, question: Question) -> str:
        return f"Question: {neutral(question.text)}"

    async def _act(self, reply: str) -> StepResult:
        try:
            action = parse_action(reply)
        except Refusal as refusal:
            return self._refused(str(refusal), refusal.reason)
        info = MappingProxyType({"dropped_chars": action.num_dropped}) if action.num_dropped else NO_INFO
        return await self._searched(action, info) if action.verb == "search" else self._answered(action, info)

    def _refused(self, text: str, reason: str) -> StepResult:
        self._num_invalid += 1
        return StepResult(observation=text, success=False, info={"invalid": True, "reason": reason})

    async def _searched(self, action: Action, info: Any) -> StepResult:
        passages = await self._look_up(action.text)
        shown = shown_passages(passages, self._rules.max_observation_words)
        self._sight.add(action.text, shown)
        growth = self._found.add(passages)
        return StepResult(
            observation=information(shown), reward=self._rules.terms.retrieval * growth, success=False, info=info
        )

    async def _look_up(self, query: str) -> list[Passage]:
        """The passages of the best hits. Raises `EnvError` when the retriever fails, or does not answer the query."""
        found = await self._retriever.search([query], self._rules.k)
        if len(found) != 1:
            raise EnvError(f"search: one query got {len(found)} answers from {self._retriever.identity}")
        self._num_searches += 1
        return [hit.passage for hit in found[0][: self._rules.k]]

    def _answered(self, action: Action, info: Any) -> StepResult:
        self._num_answers += 1
        left = self._rules.max_answers - self._num_answers
        if left > 0:
            noted = f"Your answer has been noted. {left} more may follow; the last one counts. {EXPECTED}"
            return StepResult(observation=noted, success=False, info=info)
        marks = mark(action.text, self._question.answers, self._rules.normalizer)
        return self._ended(action.text, marks, info)

    def _ended(self, answer: str, marks: Marks, info: Any) -> StepResult:
        return StepResult(
            observation=THE_END,
            reward=self._rules.terms.of_answer(marks, has_searched=self._num_searches > 0),
            terminated=True,
            success=marks.em,
            info={**info, "answer": answer, "em": marks.em, "f1": marks.f1, **self._tally()},
        )

    def _tally(self) -> dict[str, Any]:
        """What is told of an episode once it is over."""
        counts = {"num_searches": self._num_searches, "num_invalid": self._num_invalid}
        return {**counts, "found_share": self._found.share}
