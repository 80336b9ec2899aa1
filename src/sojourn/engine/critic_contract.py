"""The contract of engines that have a critic and whose reference can be moved; beside `sojourn.engine.contract`.

Inherit `CriticContract` in a test module; `make_engine` must give the same weights every time, and a critic.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

import numpy as np
import torch

from sojourn.engine.contract import PROMPT, cotangents_of, expect, plain_row, push
from sojourn.engine.protocol import AdamParams, Engine, FloatArray, FusesValues, ResetsReference, Row, TrainsCritic

ROWS = (plain_row([*PROMPT, 2, 6, 9], 3), plain_row([3, 1, 8, 10, 5], 2), plain_row([7, 11, 12, 13, 14, 15], 4))
"""No trained token follows another's: even a critic that sees one token back can fit them all."""
TARGETS_N = np.linspace(-1.0, 1.0, 9, dtype=np.float32)
Values = Callable[[Engine], Awaitable[FloatArray]]


class SquaredError:
    """Half the squared error to `TARGETS_N`, summed."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._ends = np.cumsum([0, *(row.num_trained for row in rows)])

    def __call__(self, rows: Sequence[int], values_N: torch.Tensor) -> torch.Tensor:
        """See `sojourn.engine.protocol.ValueLoss`."""
        index = np.concatenate([np.arange(self._ends[r], self._ends[r + 1]) for r in rows])
        target_N = torch.from_numpy(TARGETS_N[index]).to(values_N.device)
        return 0.5 * (values_N - target_N).square().sum()


class CriticContract:
    """Inherit and override `make_engine`; every ``test_`` method is one promise."""

    learning_rate = 0.05
    """Of the critic, large enough to fit nine numbers in a few dozen steps."""

    def make_engine(self) -> Engine:
        """A fresh engine with a critic and always the same weights."""
        raise NotImplementedError

    def run(self, check: Callable[[Engine, TrainsCritic], Awaitable[None]]) -> None:
        """Run `check` on a fresh engine, seen as both, and close it."""

        async def main() -> None:
            engine = self.make_engine()
            try:
                expect(isinstance(engine, TrainsCritic), "an engine that trains a critic")
                await check(engine, cast(TrainsCritic, engine))
            finally:
                await engine.close()

        asyncio.run(main())

    async def fit(self, critic: TrainsCritic, steps: int) -> None:
        """`steps` steps towards the targets, in two-step form."""
        for _ in range(steps):
            values_N = await critic.forward_values(ROWS)
            await critic.backward_values(ROWS, values_N - TARGETS_N)
            await critic.step_critic(AdamParams(learning_rate=self.learning_rate))

    def test_it_says_that_it_has_a_critic(self) -> None:
        async def check(engine: Engine, critic: TrainsCritic) -> None:
            info = engine.info()
            expect("critic" in info.roles and "values" in info.outputs, f"a critic in {info.roles}, {info.outputs}")

        self.run(check)

    def test_a_value_depends_on_what_precedes_its_token_only(self) -> None:
        async def check(engine: Engine, critic: TrainsCritic) -> None:
            await self.fit(critic, 3)
            values_N = await critic.forward_values(ROWS)
            expect(values_N.shape == (9,), f"one value a masked token, got {values_N.shape}")
            other = plain_row([*PROMPT, 2, 6, 5], 3)  # differs from the first row in its last token
            again_N = await critic.forward_values([other])
            same = bool(np.allclose(again_N, values_N[:3], atol=1e-5))
            expect(same, f"the last token's own id to change no value, got {again_N}, {values_N[:3]}")

        self.run(check)

    def test_it_fits_its_targets(self) -> None:
        async def check(engine: Engine, critic: TrainsCritic) -> None:
            before = float(np.square(await critic.forward_values(ROWS) - TARGETS_N).mean())
            await self.fit(critic, 40)
            after = float(np.square(await critic.forward_values(ROWS) - TARGETS_N).mean())
            expect(after < 0.5 * before, f"an error of less than half of {before} after 40 steps, got {after}")

        self.run(check)

    def test_the_fused_gradient_is_that_of_two_steps(self) -> None:
        results: list[FloatArray] = []

        def after(is_fused: bool) -> Callable[[Engine, TrainsCritic], Awaitable[None]]:
            async def check(engine: Engine, critic: TrainsCritic) -> None:
                if is_fused and isinstance(engine, FusesValues):
                    await engine.forward_backward_values(ROWS, SquaredError(ROWS))
                else:
                    await critic.backward_values(ROWS, await critic.forward_values(ROWS) - TARGETS_N)
                await critic.step_critic(AdamParams(learning_rate=self.learning_rate, eps=1.0))
                results.append(await critic.forward_values(ROWS))

            return check

        self.run(after(True))
        self.run(after(False))
        expect(bool(np.allclose(results[0], results[1], atol=1e-5)), f"equal values after the step, got {results}")

    def test_a_step_of_the_critic_leaves_the_policy_alone(self) -> None:
        async def check(engine: Engine, critic: TrainsCritic) -> None:
            before = (await engine.forward(ROWS)).logprobs_N
            await self.fit(critic, 3)
            engine.zero_grad()
            expect(bool((before == (await engine.forward(ROWS)).logprobs_N).all()), "the same log-probs")

        self.run(check)

    def test_critic_and_reference_are_in_a_checkpoint(self) -> None:
        async def check(engine: Engine, critic: TrainsCritic) -> None:
            await self.fit(critic, 2)
            await push(engine, ROWS, 1.0, AdamParams(learning_rate=0.05))
            expect(isinstance(engine, ResetsReference), "a reference that can be reset")
            await cast(ResetsReference, engine).reset_reference()
            await push(engine, ROWS, 1.0, AdamParams(learning_rate=0.05))
            with tempfile.TemporaryDirectory() as folder:
                uri = await engine.save(folder)
                await self.fit(critic, 1)
                values_N = await critic.forward_values(ROWS)
                reference_N = (await engine.forward(ROWS, "reference")).logprobs_N

                async def resumed(other: Engine, other_critic: TrainsCritic) -> None:
                    await other.load(uri)
                    again_N = (await other.forward(ROWS, "reference")).logprobs_N
                    expect(bool((again_N == reference_N).all()), "the reference that was reset")
                    await self.fit(other_critic, 1)
                    got_N = await other_critic.forward_values(ROWS)
                    expect(bool((got_N == values_N).all()), f"values {values_N} after the next step, got {got_N}")

                other = self.make_engine()
                try:
                    await resumed(other, cast(TrainsCritic, other))
                finally:
                    await other.close()

        self.run(check)

    def test_a_reset_reference_is_the_policy_of_that_moment(self) -> None:
        async def check(engine: Engine, critic: TrainsCritic) -> None:
            initial_N = (await engine.forward(ROWS, "reference")).logprobs_N
            await push(engine, ROWS, 1.0, AdamParams(learning_rate=0.05))
            policy_N = (await engine.forward(ROWS)).logprobs_N
            await cast(ResetsReference, engine).reset_reference()
            reference_N = (await engine.forward(ROWS, "reference")).logprobs_N
            expect(bool(np.allclose(reference_N, policy_N, atol=1e-5)), "the policy's log-probs from the reference")
            expect(not np.allclose(reference_N, initial_N, atol=1e-4), "another reference than the initial one")
            await engine.backward(ROWS, cotangents_of(ROWS))
            await engine.optim_step(AdamParams(learning_rate=0.05))
            moved_N = (await engine.forward(ROWS, "reference")).logprobs_N
            expect(bool((moved_N == reference_N).all()), "a reference that training leaves alone")
            expect(not np.allclose((await engine.forward(ROWS)).logprobs_N, policy_N, atol=1e-4), "a trained policy")

        self.run(check)
