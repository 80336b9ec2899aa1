"""THE contract suite of engines: what every back end, ours or yours, has to pass.

Inherit `EngineContract` in a test module (it needs pytest only to be collected)::

    class TestMyEngine(EngineContract):
        def make_engine(self):
            return MyEngine(...)

Each check raises `ContractViolation`, whose text says what was expected. `make_engine` must give the same weights every
time; nothing but the protocol is used.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any

import numpy as np
import torch

from sojourn.engine.protocol import AdamParams, Engine, FusesBackward, OptimStats, Row, TokenOutputs
from sojourn.errors import ContextFullError, DataError, SamplerError
from sojourn.types import Completion, Constraint, SamplingParams

PROMPT = (3, 1, 4, 1, 5)
STEP = AdamParams(learning_rate=0.05)
LINEAR = AdamParams(learning_rate=0.05, eps=1.0)
"""With a large eps a step is nearly proportional to the gradient, so equal gradients can be told from the weights."""


class ContractViolation(AssertionError):  # noqa: N818 (named for what it reports)
    """An engine does not keep the contract."""


class Choices:
    """A constraint: one of a few token sequences (a sequence must not begin another)."""

    def __init__(self, choices: Sequence[Sequence[int]]) -> None:
        self._choices = [tuple(choice) for choice in choices]

    def allowed(self, generated: Sequence[int]) -> Sequence[int] | None:
        """See `sojourn.types.Constraint`."""
        size = len(generated)
        ids = {c[size] for c in self._choices if c[:size] == tuple(generated) and len(c) > size}
        return sorted(ids)


CHOICES = Choices([(7, 8, 9, 10), (7, 8, 11), (12, 13), (14, 9)])


class EngineContract:
    """Inherit and override `make_engine`; every ``test_`` method is one promise."""

    tolerance = 1e-4
    """Largest difference between two computations of the same log-probability."""

    def make_engine(self) -> Engine:
        """A fresh engine with always the same weights."""
        raise NotImplementedError

    def run(self, check: Callable[[Engine], Awaitable[None]]) -> None:
        """Run `check` on a fresh engine and close it."""

        async def main() -> None:
            engine = self.make_engine()
            try:
                await check(engine)
            finally:
                await engine.close()
                await engine.close()  # twice is fine

        asyncio.run(main())

    def test_info_is_complete(self) -> None:
        async def check(engine: Engine) -> None:
            info = engine.info()
            expect("logprobs" in info.outputs, "log-probs among the outputs")
            expect("policy" in info.roles, "the policy among the roles")
            expect(info.max_length > 1 and info.vocab_size > 16, "a length and a vocabulary of some size")

        self.run(check)

    def test_sampled_logprobs_are_the_forward_ones(self) -> None:
        async def check(engine: Engine) -> None:
            for temperature, constraint in itertools.product((1.0, 0.7), (None, CHOICES)):
                completions = await sample_many(engine, 4, temperature=temperature, constraint=constraint)
                rows = [row_of(PROMPT, c, temperature) for c in completions]
                outputs = await engine.forward(rows)
                sampled = np.concatenate([c.logprobs for c in completions])
                self.close_to(outputs.logprobs_N, sampled, f"log-probs at temperature {temperature}, {constraint}")
                expect(bool((outputs.entropy_N >= -1e-6).all()), "entropies of at least 0")

        self.run(check)

    def test_greedy_takes_the_most_likely_token(self) -> None:
        async def check(engine: Engine) -> None:
            greedy = await engine.sample(PROMPT, SamplingParams(max_new_tokens=3, temperature=0.0))
            again = await engine.sample(PROMPT, SamplingParams(max_new_tokens=3, temperature=0.0, seed=5))
            expect(greedy == again, "the same greedy completion whatever the seed")
            expect(greedy.logprobs == (0.0,) * 3, "log-prob 0 at temperature 0: there is no other choice")
            size = min(engine.info().vocab_size, 512)
            rows = [plain_row([*PROMPT, token], 1) for token in range(size)]
            best = int((await engine.forward(rows)).logprobs_N.argmax())
            expect(greedy.token_ids[0] == best, f"the greedy token to be {best}, got {greedy.token_ids[0]}")

        self.run(check)

    def test_stop_ids_end_the_completion(self) -> None:
        async def check(engine: Engine) -> None:
            free = await engine.sample(PROMPT, SamplingParams(max_new_tokens=6, seed=3))
            stop = free.token_ids[2]
            cut = await engine.sample(PROMPT, SamplingParams(max_new_tokens=6, seed=3, stop_ids=(stop,)))
            end = free.token_ids.index(stop) + 1
            expect(cut.token_ids == free.token_ids[:end], "the completion up to and with the stop id")
            expect(cut.finish_reason == "stop" and free.finish_reason == "length", "the finish reason")

        self.run(check)

    def test_a_draw_depends_on_its_seed_alone(self) -> None:
        async def check(engine: Engine) -> None:
            alone = [(await sample_many(engine, 1, first_seed=seed))[0] for seed in range(6)]
            together = await sample_many(engine, 6)
            expect([c.token_ids for c in alone] == [c.token_ids for c in together], "the same tokens in any company")
            expect(len({c.token_ids for c in together}) > 1, "different tokens for different seeds")

        self.run(check)

    def test_forced_tokens_cost_nothing_and_a_complete_constraint_stops(self) -> None:
        async def check(engine: Engine) -> None:
            only = Choices([(7, 8, 9)])
            completion = await engine.sample(PROMPT, SamplingParams(max_new_tokens=9, constraint=only))
            expect(completion.token_ids == (7, 8, 9), "the only sequence there is")
            expect(completion.logprobs == (0.0,) * 3 and completion.finish_reason == "stop", "log-prob 0 and a stop")
            expect(completion.allowed == ((7,), (8,), (9,)), "the allowed sets, one per token")
            for completion in await sample_many(engine, 8, constraint=CHOICES):
                expect(completion.finish_reason == "stop", "every choice to be complete")
                expect(completion.allowed is not None, "the allowed sets of a confined completion")
            cut = await engine.sample(PROMPT, SamplingParams(max_new_tokens=2, constraint=only))
            expect(cut.token_ids == (7, 8) and cut.finish_reason == "length", "a cut at the limit, forced or not")

        self.run(check)

    def test_the_context_can_be_full(self) -> None:
        async def check(engine: Engine) -> None:
            limit = engine.info().max_length
            prompt = [1] * (limit - 2)
            cut = await engine.sample(prompt, SamplingParams(max_new_tokens=9))
            expect(len(cut.token_ids) == 2 and cut.finish_reason == "length", "a completion clipped to the context")
            await expect_raises(ContextFullError, engine.sample([1] * limit, SamplingParams(max_new_tokens=1)))

        self.run(check)

    def test_bad_input_is_refused(self) -> None:
        async def check(engine: Engine) -> None:
            size = engine.info().vocab_size
            await expect_raises(ValueError, engine.sample([], SamplingParams(max_new_tokens=1)))
            await expect_raises(ValueError, engine.sample([size], SamplingParams(max_new_tokens=1)))
            await expect_raises(ValueError, engine.sample(PROMPT, SamplingParams(max_new_tokens=0)))
            wrong = TokenOutputs(logprobs_N=np.ones(3, np.float32), entropy_N=np.ones(3, np.float32))
            await expect_raises(ValueError, engine.backward([plain_row(PROMPT, 2)], wrong))

        self.run(check)

    def test_unpublished_weights_are_never_sampled(self) -> None:
        async def check(engine: Engine) -> None:
            before = await sample_many(engine, 4)
            rows = [row_of(PROMPT, c) for c in before]
            await push(engine, rows, 1.0, STEP)
            unpublished = await sample_many(engine, 4)
            tokens = [c.token_ids for c in before]
            expect([c.token_ids for c in unpublished] == tokens, "the same completions until a publish")
            gaps = [np.subtract(a.logprobs, b.logprobs) for a, b in zip(before, unpublished, strict=True)]
            self.close_to(np.concatenate(gaps), 0.0, "log-probs of unpublished weights")
            version = await engine.publish()
            after = await sample_many(engine, 4)
            expect(version == before[0].policy_version + 1, "the next version")
            expect({c.policy_version for c in after} == {version}, f"version {version} on every completion")
            sampled = np.concatenate([c.logprobs for c in after])
            outputs = await engine.forward([row_of(PROMPT, c) for c in after])
            self.close_to(outputs.logprobs_N, sampled, "log-probs after a publish")

        self.run(check)

    def test_the_reference_stays_put(self) -> None:
        async def check(engine: Engine) -> None:
            if "reference" not in engine.info().roles:
                return
            rows = [plain_row(range(1, 9), 4)]
            first = await engine.forward(rows)
            await push(engine, rows, 1.0, STEP)
            reference, policy = await engine.forward(rows, "reference"), await engine.forward(rows)
            self.close_to(reference.logprobs_N, first.logprobs_N, "the reference's log-probs after a step")
            expect(bool(np.abs(policy.logprobs_N - first.logprobs_N).max() > self.tolerance), "the policy to move")

        self.run(check)

    def test_gradients_add_up_across_calls(self) -> None:
        rows = [plain_row(range(1, 2 + size), size - 1) for size in (3, 9, 5, 7)]

        async def split(engine: Engine) -> None:
            for row in rows:
                await engine.backward([row], cotangents_of([row]))

        async def whole(engine: Engine) -> None:
            await engine.backward(rows, cotangents_of(rows))

        self._same_step(rows, split, whole)

    def test_the_fused_pass_is_the_two_step_path(self) -> None:
        batch = [plain_row(range(2, 3 + size), size - 1, temperature=0.7) for size in (3, 8, 5)]

        def loss(rows: Sequence[int], logprobs_N: torch.Tensor, entropy_N: torch.Tensor) -> torch.Tensor:
            weights = [float(i + 1) for i in rows for _ in range(batch[i].num_trained)]
            return (torch.tensor(weights) * logprobs_N.exp() + 0.3 * entropy_N).sum()

        async def fused(engine: Engine) -> None:
            if isinstance(engine, FusesBackward):
                await engine.forward_backward(batch, loss)
            else:
                await by_hand(engine)

        async def by_hand(engine: Engine) -> None:
            outputs = await engine.forward(batch)
            logprobs_N = torch.tensor(outputs.logprobs_N, requires_grad=True)
            entropy_N = torch.tensor(outputs.entropy_N, requires_grad=True)
            torch.autograd.backward(loss(range(len(batch)), logprobs_N, entropy_N))
            assert logprobs_N.grad is not None
            assert entropy_N.grad is not None
            grads = TokenOutputs(logprobs_N=logprobs_N.grad.numpy(), entropy_N=entropy_N.grad.numpy())
            await engine.backward(batch, grads)

        self._same_step(batch, fused, by_hand)

    def test_zero_grad_throws_the_gradient_away(self) -> None:
        async def check(engine: Engine) -> None:
            rows = [plain_row(PROMPT, 3)]
            first = await engine.forward(rows)
            await engine.backward(rows, cotangents_of(rows))
            engine.zero_grad()
            await engine.optim_step(STEP)
            self.close_to((await engine.forward(rows)).logprobs_N, first.logprobs_N, "weights without a gradient", 0.0)

        self.run(check)

    def test_a_gradient_that_is_not_finite_changes_nothing(self) -> None:
        async def check(engine: Engine) -> None:
            rows = [plain_row(PROMPT, 3)]
            await push(engine, rows, 0.1, STEP)
            first = await engine.forward(rows)
            bad = TokenOutputs(logprobs_N=np.array([1.0, np.nan, 0.0], np.float32), entropy_N=np.zeros(3, np.float32))
            await engine.backward(rows, bad)
            stats = await engine.optim_step(STEP)
            expect(not stats.is_applied, "is_applied False for a gradient with a NaN")
            self.close_to((await engine.forward(rows)).logprobs_N, first.logprobs_N, "unchanged weights", 0.0)
            expect((await push(engine, rows, 0.1, STEP)).is_applied, "the next, finite step to be applied")

        self.run(check)

    def test_load_is_equality_optimizer_included(self) -> None:
        rows = [plain_row(range(1, 9), 5)]

        async def check(engine: Engine) -> None:
            with tempfile.TemporaryDirectory() as folder:
                for scale in (1.0, -0.5):
                    await push(engine, rows, scale, STEP)
                await engine.publish()
                uri = await engine.save(f"{folder}/state")
                version = (await engine.sample(PROMPT, SamplingParams(max_new_tokens=1))).policy_version
                for scale in (0.3, 0.7):
                    await push(engine, rows, scale, STEP)
                straight = await engine.forward(rows)
                other = self.make_engine()
                await other.load(uri)
                loaded = await other.sample(PROMPT, SamplingParams(max_new_tokens=1))
                expect(loaded.policy_version == version, "the version that was saved")
                for scale in (0.3, 0.7):
                    await push(other, rows, scale, STEP)
                resumed = await other.forward(rows)
                await other.close()
                expect(bool((resumed.logprobs_N == straight.logprobs_N).all()), "the same bits after a resume")
                await expect_raises(DataError, engine.load(folder))

        self.run(check)

    def test_many_sessions_at_once_are_what_one_after_the_other_gives(self) -> None:
        async def episode(engine: Engine, index: int) -> list[Completion]:
            context, completions = [*PROMPT, index // 4], []
            for turn in range(5):
                params = SamplingParams(max_new_tokens=3 + index % 3, seed=100 * index + turn)
                completion = await engine.sample(context, params, session=f"episode-{index}")
                completions.append(completion)
                context += [*completion.token_ids, *range(2, 2 + index % 5), turn]
            engine.release(f"episode-{index}")
            return completions

        async def check(engine: Engine) -> None:
            together = await asyncio.gather(*[episode(engine, index) for index in range(16)])
            for index in (0, 5, 15):
                alone = await episode(engine, index)
                expect([c.token_ids for c in alone] == [c.token_ids for c in together[index]], "the same episode alone")
                gaps = [np.subtract(a.logprobs, b.logprobs) for a, b in zip(alone, together[index], strict=True)]
                self.close_to(np.concatenate(gaps), 0.0, "log-probs in company")
            engine.release("never seen")

        self.run(check)

    def test_a_cancelled_call_leaves_the_others_alone(self) -> None:
        async def check(engine: Engine) -> None:
            expected = await sample_many(engine, 3)
            doomed = asyncio.ensure_future(engine.sample(PROMPT, SamplingParams(max_new_tokens=50), "doomed"))
            calls = asyncio.ensure_future(sample_many(engine, 3))
            await asyncio.sleep(0)
            doomed.cancel()
            got = await calls
            expect([c.token_ids for c in got] == [c.token_ids for c in expected], "the others' completions")
            expect(doomed.cancelled() or doomed.done(), "the cancelled call to end")

        self.run(check)

    def test_a_failing_constraint_fails_its_own_call_only(self) -> None:
        class Broken:
            def allowed(self, generated: Sequence[int]) -> Sequence[int] | None:
                if generated:
                    raise RuntimeError("no idea")
                return None

        async def check(engine: Engine) -> None:
            broken = engine.sample(PROMPT, SamplingParams(max_new_tokens=4, constraint=Broken()))
            results = await asyncio.gather(broken, *await_each(engine, 2), return_exceptions=True)
            expect(isinstance(results[0], SamplerError), f"a SamplerError, got {results[0]!r}")
            expect(all(isinstance(result, Completion) for result in results[1:]), "the others' completions")

        self.run(check)

    def test_reinforce_raises_the_reward(self) -> None:
        async def check(engine: Engine) -> None:
            def reward(completion: Completion) -> float:
                return sum(token < engine.info().vocab_size // 4 for token in completion.token_ids) / 3

            means = []
            for update in range(15):
                completions = await sample_many(engine, 24, first_seed=1000 * update, size=3)
                returns = np.array([reward(c) for c in completions], dtype=np.float32)
                rows = [row_of(PROMPT, c) for c in completions]
                advantages_N = (np.repeat(returns - returns.mean(), 3) / 24).astype(np.float32)
                zeros = np.zeros_like(advantages_N)
                await engine.backward(rows, TokenOutputs(logprobs_N=-advantages_N, entropy_N=zeros))
                await engine.optim_step(AdamParams(learning_rate=self.learning_rate))
                await engine.publish()
                means.append(float(returns.mean()))
            expect(np.mean(means[-3:]) > np.mean(means[:3]) + 0.2, f"the mean reward to rise by 0.2, got {means}")

        self.run(check)

    learning_rate = 0.01
    """Of the REINFORCE check; the engine must learn its toy in 15 updates with it."""

    def close_to(self, got: object, expected: object, what: str, tolerance: float | None = None) -> None:
        """Raise unless two arrays agree within `tolerance` (default: the engine's)."""
        gap = float(np.abs(np.asarray(got, np.float64) - np.asarray(expected, np.float64)).max())
        limit = self.tolerance if tolerance is None else tolerance
        expect(gap <= limit, f"{what}: to agree within {limit}, differ by {gap}")

    def _same_step(
        self,
        rows: Sequence[Row],
        one: Callable[[Engine], Awaitable[None]],
        other: Callable[[Engine], Awaitable[None]],
    ) -> None:
        """The two ways of taking a gradient must lead to the same weights."""
        norms, results = [], []

        def step_after(differentiate: Callable[[Engine], Awaitable[None]]) -> Callable[[Engine], Awaitable[None]]:
            async def check(engine: Engine) -> None:
                await differentiate(engine)
                norms.append((await engine.optim_step(LINEAR)).grad_norm)
                results.append((await engine.forward(rows)).logprobs_N)

            return check

        self.run(step_after(one))
        self.run(step_after(other))
        expect(abs(norms[0] - norms[1]) <= 1e-5 * abs(norms[0]), f"equal gradient norms, got {norms}")
        self.close_to(results[0], results[1], "log-probs after the step")


def expect(condition: bool, expectation: str) -> None:
    """Raise `ContractViolation` unless `condition`."""
    if not condition:
        raise ContractViolation(f"expected {expectation}")


async def expect_raises(kind: type[Exception], call: Awaitable[object]) -> None:
    """Raise `ContractViolation` unless `call` raises `kind`."""
    try:
        await call
    except kind:
        return
    raise ContractViolation(f"expected {kind.__name__}, nothing was raised")


def plain_row(ids: Sequence[int], num_trained: int, temperature: float = 1.0) -> Row:
    """A row whose last `num_trained` tokens are trained."""
    token_ids = np.array(list(ids), dtype=np.int64)
    mask = np.arange(len(token_ids)) >= len(token_ids) - num_trained
    return Row(token_ids=token_ids, mask=mask, temperature=temperature)


def row_of(prompt: Sequence[int], completion: Completion, temperature: float = 1.0) -> Row:
    """The row of one completion, all its tokens trained."""
    ids = [*prompt, *completion.token_ids]
    mask = np.arange(len(ids)) >= len(prompt)
    return Row(token_ids=np.array(ids, dtype=np.int64), mask=mask, allowed=completion.allowed, temperature=temperature)


def cotangents_of(rows: Sequence[Row]) -> TokenOutputs:
    """Some cotangents that depend on the token's place in its row alone."""
    parts = [np.arange(1, row.num_trained + 1, dtype=np.float32) for row in rows]
    flat_N = np.concatenate(parts)
    return TokenOutputs(logprobs_N=flat_N / np.float32(10), entropy_N=-flat_N / np.float32(20))


async def push(engine: Engine, rows: Sequence[Row], scale: float, params: AdamParams) -> OptimStats:
    """One step up or down the log-probabilities of `rows`."""
    size = sum(row.num_trained for row in rows)
    down = TokenOutputs(logprobs_N=np.full(size, -scale, np.float32), entropy_N=np.zeros(size, np.float32))
    await engine.backward(rows, down)
    return await engine.optim_step(params)


def await_each(
    engine: Engine,
    count: int,
    *,
    first_seed: int = 0,
    size: int = 5,
    temperature: float = 1.0,
    constraint: Constraint | None = None,
) -> list[Coroutine[Any, Any, Completion]]:
    """`count` sample calls that differ in the seed alone."""
    return [
        engine.sample(
            PROMPT,
            SamplingParams(
                max_new_tokens=size, temperature=temperature, seed=first_seed + index, constraint=constraint
            ),
        )
        for index in range(count)
    ]


async def sample_many(
    engine: Engine,
    count: int,
    *,
    first_seed: int = 0,
    size: int = 5,
    temperature: float = 1.0,
    constraint: Constraint | None = None,
) -> list[Completion]:
    """The completions of `await_each`, in order."""
    calls = await_each(engine, count, first_seed=first_seed, size=size, temperature=temperature, constraint=constraint)
    return list(await asyncio.gather(*calls))
