"""The sampler `hf`: every live episode in one batched decode loop over an unmodified transformers model.

Continuous batching: at each step every request contributes the tokens that are not in its slot yet (a whole prompt, an
observation, forced tokens, or just the last drawn one), the model runs once over all of them, and one token is drawn
for each. The loop runs on the caller's event loop and yields between steps, so that episodes whose turn just ended can
step their environment and queue the next turn: the batches, and so every bit of the result, are a function of the
program alone.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from sojourn.engine.decoder import SlotDecoder
from sojourn.engine.devices import sampler_threads
from sojourn.engine.draw import draw_tokens
from sojourn.engine.kv_cache import Segment
from sojourn.engine.request import Request
from sojourn.engine.slots import MIN_SHARED, Slot, SlotTable, common_prefix
from sojourn.errors import SamplerError
from sojourn.types import Completion, SamplingParams

_YIELDS = 8  # event loop rounds an episode gets to come back after its turn (3 suffice without wait_for)


class HFSampler:
    """Token ids in, token ids and log-probabilities out (`sojourn.types.Sampler`), with a slot per live episode."""

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        dtype: torch.dtype = torch.float32,
        max_length: int,
        max_slots: int = 64,
        max_tokens_per_step: int = 4096,
        max_cache_bytes: int | None = None,
    ) -> None:
        """Copies `model` in `dtype`. `max_tokens_per_step` bounds the activations of a step, `max_cache_bytes` the
        keys and values (None: half of what is free). Raises `ConfigError` for a model it cannot run.
        """
        self.decoder = SlotDecoder(model, dtype)
        self.max_length = max_length
        self.max_tokens_per_step = max_tokens_per_step
        self.version = 0
        self.num_prefilled = 0
        """Tokens run through the model so far (those found in the cache are not)."""
        self.num_drawn = 0
        """Tokens drawn from the model so far."""
        self._max_cache_bytes = max_cache_bytes or _free_bytes(self.decoder.device) // 2
        self._table = SlotTable(max_slots)
        self._queue: deque[Request] = deque()
        self._active: list[Request] = []
        self._loop_task: asyncio.Task[None] | None = None
        self._num_holds = 0
        self._drained: asyncio.Future[None] | None = None

    async def sample(self, prompt_ids: Sequence[int], params: SamplingParams, session: str = "") -> Completion:
        """See `sojourn.types.Sampler`. Raises `ContextFullError`, `SamplerError`, or `ValueError` for bad input."""
        request = Request.create(prompt_ids, params, session, self.max_length, self.decoder.vocab_size)
        self._queue.append(request)
        self._start()
        try:
            return await request.done
        finally:
            self._remove(request)

    def release(self, session: str) -> None:
        """Give up what is kept for `session`."""
        self._table.release(session)

    async def publish(self, weights: Mapping[str, Tensor], version: int) -> None:
        """Replace weights by name. What is being decoded ends first, what is queued waits: no completion is mixed."""
        self._num_holds += 1
        try:
            while self._active:
                if self._drained is None:
                    self._drained = asyncio.get_running_loop().create_future()
                await asyncio.shield(self._drained)
            self.decoder.update(weights)
            # A fresh table, not an emptied one: what was sampled before must leave no trace in later batches.
            self._table = SlotTable(self._table.max_slots)
            self.version = version
        finally:
            self._num_holds -= 1
            if self._queue:
                self._start()

    def close(self) -> None:
        """Stop the loop, fail what waits, free the cache."""
        if self._loop_task is not None and not self._loop_task.done():
            self._loop_task.cancel()
        self._fail_all(SamplerError("the sampler was closed"))
        self._forget()

    def _start(self) -> None:
        if self._loop_task is None or self._loop_task.done():
            self._loop_task = asyncio.get_running_loop().create_task(self._decode_loop())

    async def _decode_loop(self) -> None:
        try:
            await _rest(_YIELDS)
            while self._active or (self._queue and not self._num_holds):
                self._admit()
                with sampler_threads(self.decoder.device, self.decoder.num_parameters):
                    has_ended = self._step()
                # Whoever got a completion may come back with the next turn before the next batch is formed.
                await _rest(_YIELDS if has_ended else 1)
        except asyncio.CancelledError:
            self._fail_all(SamplerError("the sampler was stopped"))
            raise
        except Exception as error:
            self._fail_all(error)
            self._forget()  # half a step may be in the cache
        finally:
            self._wake_publisher()

    def _admit(self) -> None:
        while self._queue and not self._num_holds:
            request = self._queue[0]
            try:
                if request.is_new:
                    request.advance()
            except Exception as error:  # of the caller's constraint: nobody else's problem
                self._queue.popleft()
                request.fail(error)
                continue
            if request.finish_reason is None and not self._seat(request):
                return
            self._queue.popleft()
            if request.finish_reason is None:
                self._active.append(request)
            else:
                request.finish(self.version)

    def _seat(self, request: Request) -> bool:
        """Give the request a slot and what of its sequence is in the cache already; False when all are taken."""
        known = request.known_ids()
        slot = self._table.of_session(request.session)
        is_continued = slot is not None and bool(slot.ids) and slot.ids == known[: len(slot.ids)]
        source, length = (None, 0) if is_continued else self._table.best_prefix(known)
        if slot is None:
            slot = self._table.acquire(request.session, self._slot_limit(), source)
        else:
            self._table.occupy(slot)
        if slot is None:
            return False
        request.slot = slot
        # One token at least is run, for its logits.
        own = min(common_prefix(slot.ids, known), len(known) - 1)
        length = min(length, len(known) - 1)
        del slot.ids[own:]
        if source is not None and source is not slot and length >= own + MIN_SHARED:
            self._copy(source, slot, length)
        self._follow(request, known)
        return True

    def _copy(self, source: Slot, target: Slot, length: int) -> None:
        self.decoder.cache.copy_prefix(source.index, target.index, length)
        target.ids[:] = source.ids[:length]

    def _follow(self, request: Request, known: list[int]) -> None:
        """If a request that is being prefilled begins alike, wait for it instead of computing the same twice."""
        assert request.slot is not None
        best = len(request.slot.ids) + MIN_SHARED - 1
        for other in self._active:
            if other.leader is None and other.num_pending > 1:
                length = common_prefix(other.known_ids(), known)
                if length > best:
                    request.leader, request.shared, best = other, length, length

    def _slot_limit(self) -> int:
        longest = max(len(request.prompt) + request.max_new_tokens for request in [*self._active, *self._queue])
        return max(1, self._max_cache_bytes // self.decoder.cache_bytes(longest))

    def _step(self) -> bool:
        """Run the model once and draw a token for every request that has all its context; whether one ended."""
        chosen = self._choose()
        if not chosen:
            return True
        segments = [segment for _, segment in chosen]
        logits_NV = self.decoder.step(segments, len(self._table.slots))
        for request, segment in chosen:
            assert request.slot is not None
            request.slot.ids.extend(segment.ids)
            self.num_prefilled += len(segment.ids)
        ready = [(request, row) for row, (request, _) in enumerate(chosen) if not request.num_pending]
        ready += self._settle_followers(dict(ready))
        if not ready:
            return False
        rows = [row for _, row in ready]
        is_all = rows == list(range(len(segments)))
        picked = logits_NV if is_all else logits_NV[torch.tensor(rows, device=logits_NV.device)]
        tokens, logprobs = draw_tokens(picked, [request.draw() for request, _ in ready])
        self.num_drawn += len(tokens)
        for (request, _), token, logprob in zip(ready, tokens, logprobs, strict=True):
            try:
                request.append(token, logprob)
            except Exception as error:  # of the caller's constraint
                request.fail(error)
        ended = [request for request in self._active if request.finish_reason or request.done.done()]
        for request in ended:
            request.finish(self.version)
            self._remove(request)
        return bool(ended)

    def _choose(self) -> list[tuple[Request, Segment]]:
        """What goes into the next step, in slot order: short pieces first, long ones cut to what the budget leaves."""
        budget = self.max_tokens_per_step
        chosen = []
        waiting = [request for request in self._active if request.leader is None]
        for request in sorted(waiting, key=lambda request: request.num_pending):
            size = min(request.num_pending, budget)
            if size:
                assert request.slot is not None
                start = len(request.slot.ids)
                ids = request.ids_between(start, start + size)
                chosen.append((request, Segment(slot=request.slot.index, start=start, ids=ids)))
                budget -= size
        return sorted(chosen, key=lambda item: item[1].slot)

    def _settle_followers(self, rows: Mapping[Request, int]) -> list[tuple[Request, int]]:
        """Hand prefills on to those who waited; returns those who need no token of their own, with their row."""
        done = []
        for request in self._active:
            leader = request.leader
            if leader is None or leader.slot is None or len(leader.slot.ids) < request.shared:
                continue
            is_same = request.shared == request.num_ids == leader.num_ids and leader in rows
            self._take_over(request, leader.slot, 0 if is_same else 1)
            if is_same:
                done.append((request, rows[leader]))
        return done

    def _take_over(self, request: Request, source: Slot, num_left: int) -> None:
        assert request.slot is not None
        length = min(request.shared, len(source.ids), request.num_ids - num_left)
        if length > len(request.slot.ids):
            self._copy(source, request.slot, length)
        request.leader = None

    def _remove(self, request: Request) -> None:
        """Take an ended, failed or cancelled request out; may be called twice."""
        if request in self._queue:
            self._queue.remove(request)
        if request not in self._active:
            return
        self._active.remove(request)
        assert request.slot is not None
        for other in self._active:
            if other.leader is request:  # cancelled before its prefill was complete
                self._take_over(other, request.slot, 1)
        self._table.vacate(request.slot)
        self._wake_publisher()

    def _fail_all(self, error: Exception) -> None:
        """Everybody who waits gets a `SamplerError`."""
        waiting = [*self._active, *self._queue]
        self._active.clear()
        self._queue.clear()
        for request in waiting:
            request.fail(error)
            if request.slot is not None:
                self._table.vacate(request.slot)

    def _forget(self) -> None:
        self._table.forget()
        self.decoder.cache.clear()

    def _wake_publisher(self) -> None:
        if self._drained is not None and not self._active:
            if not self._drained.done():
                self._drained.set_result(None)
            self._drained = None


async def _rest(rounds: int) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


def _free_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):  # not on every system
        return 4 << 30
