"""One completion being sampled: what is drawn, what is forced, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from sojourn.engine.draw import Draw
from sojourn.engine.slots import Slot
from sojourn.errors import ContextFullError, SamplerError
from sojourn.types import Completion, FinishReason, SamplingParams


@dataclass(kw_only=True, slots=True, eq=False)
class Request:
    """The state of one `sample` call."""

    prompt: list[int]
    params: SamplingParams
    session: str
    max_new_tokens: int
    """The caller's limit, or what the context leaves, whichever is less."""
    done: asyncio.Future[Completion]
    slot: Slot | None = None
    leader: Request | None = None
    """A request with the same beginning whose prefill this one waits for."""
    shared: int = 0
    """Length of that beginning."""
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    allowed: list[tuple[int, ...] | None] = field(default_factory=list)
    confined_to: tuple[int, ...] | None = None
    """What the next drawn token is confined to."""
    finish_reason: FinishReason | None = None

    @classmethod
    def create(
        cls, prompt_ids: Sequence[int], params: SamplingParams, session: str, max_length: int, vocab_size: int
    ) -> Request:
        """Checks the call. Raises `ValueError` for bad input and `ContextFullError` when no token can follow."""
        prompt = [int(token) for token in prompt_ids]
        if not prompt:
            raise ValueError("expected at least one prompt id")
        if min(prompt) < 0 or max(prompt) >= vocab_size:
            raise ValueError(f"prompt ids must be in [0, {vocab_size}), got {min(prompt)} to {max(prompt)}")
        if params.max_new_tokens < 1 or params.temperature < 0:
            raise ValueError(
                "expected max_new_tokens >= 1 and temperature >= 0, "
                f"got {params.max_new_tokens} and {params.temperature}"
            )
        room = max_length - len(prompt)
        if room < 1:
            raise ContextFullError(f"a prompt of {len(prompt)} tokens leaves no room in a context of {max_length}")
        return cls(
            prompt=prompt,
            params=params,
            session=session,
            max_new_tokens=min(params.max_new_tokens, room),
            done=asyncio.get_running_loop().create_future(),
        )

    @property
    def num_ids(self) -> int:
        """Length of the whole sequence so far."""
        return len(self.prompt) + len(self.token_ids)

    @property
    def num_pending(self) -> int:
        """Tokens of the sequence that are not in its slot."""
        return self.num_ids - (len(self.slot.ids) if self.slot is not None else 0)

    @property
    def is_new(self) -> bool:
        """Whether nothing has been drawn or forced yet."""
        return not self.token_ids and self.finish_reason is None

    def known_ids(self) -> list[int]:
        """The whole sequence so far."""
        return self.prompt + self.token_ids

    def ids_between(self, start: int, stop: int) -> list[int]:
        """Ids `start` to `stop` of the whole sequence."""
        size = len(self.prompt)
        return self.prompt[start:stop] + self.token_ids[max(0, start - size) : max(0, stop - size)]

    def draw(self) -> Draw:
        """What to draw next."""
        return Draw(
            temperature=self.params.temperature,
            seed=self.params.seed,
            position=len(self.token_ids),
            allowed=self.confined_to,
        )

    def append(self, token: int, logprob: float) -> None:
        """Take a drawn token, then whatever is forced after it."""
        self._take(token, logprob, self.confined_to)
        if self.finish_reason is None:
            self.advance()

    def advance(self) -> None:
        """Append forced tokens until the model is needed or the completion is over."""
        constraint = self.params.constraint
        while self.finish_reason is None:
            allowed = None if constraint is None else constraint.allowed(tuple(self.token_ids))
            self.confined_to = None if allowed is None else tuple(allowed)
            if self.confined_to == ():
                self.finish_reason = "stop"
            elif len(self.token_ids) >= self.max_new_tokens:
                self.finish_reason = "length"
            elif self.confined_to is not None and len(self.confined_to) == 1:
                self._take(self.confined_to[0], 0.0, self.confined_to)
            else:
                return

    def _take(self, token: int, logprob: float, allowed: tuple[int, ...] | None) -> None:
        self.token_ids.append(token)
        self.logprobs.append(logprob)
        self.allowed.append(allowed)
        if token in self.params.stop_ids:
            self.finish_reason = "stop"

    def finish(self, policy_version: int) -> None:
        """Hand the completion over; nothing happens if the caller has gone or was told of a failure."""
        if self.done.done():
            return
        assert self.finish_reason is not None
        self.done.set_result(
            Completion(
                token_ids=tuple(self.token_ids),
                logprobs=tuple(self.logprobs),
                finish_reason=self.finish_reason,
                policy_version=policy_version,
                allowed=tuple(self.allowed) if self.params.constraint is not None else None,
            )
        )

    def fail(self, error: Exception) -> None:
        """Tell the caller, as a `SamplerError` caused by `error`."""
        if self.done.done():
            return
        failure = error if isinstance(error, SamplerError) else SamplerError(f"sampling failed: {error!r}")
        if failure is not error:
            failure.__cause__ = error
        self.done.set_exception(failure)
