"""One update of the policy: what it minimises, over what, in which steps, and what it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tests.unit.engine_models import tiny_model

from sojourn.config import AlgorithmConfig, OptimConfig
from sojourn.engine.protocol import AdamParams, Engine, FusesBackward, OptimStats, Row, RowLoss, TokenOutputs
from sojourn.engine.table_engine import TableEngine
from sojourn.engine.torch_engine import TorchEngine
from sojourn.rollout.samples import Batch, make_batch
from sojourn.train.update import UpdateResult, UpdateSettings, learning_rate_at, update_policy
from sojourn.types import (
    Completion,
    Decision,
    SamplingParams,
    StepResult,
    StopReason,
    Task,
    Trajectory,
    TrajectoryGroup,
    Turn,
)

VOCAB = 8
TASK = Task(env_id="bandit-v1", task_id="0", split="train", seed=0)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """A second thread costs a tiny model more than it gives, far more on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TwoStep:
    """An engine that takes the loss's gradient as cotangents only, and remembers what it was given."""

    def __init__(self, inner: TableEngine) -> None:
        self._inner = inner
        self.calls: list[list[tuple[int, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        if name == "forward_backward":
            raise AttributeError(name)
        return getattr(self._inner, name)

    async def backward(self, rows: Sequence[Row], cotangents: TokenOutputs) -> None:
        self.calls.append([tuple(row.token_ids.tolist()) for row in rows])
        await self._inner.backward(rows, cotangents)


def episode(*turns: Sequence[int], reward: float = 0.0, logprobs: float = -1.0) -> Trajectory:
    """An episode in which token 0 was read and `turns` were sampled, with the reward at its end."""
    made = []
    for number, ids in enumerate(turns):
        completion = Completion(
            token_ids=tuple(ids), logprobs=(logprobs,) * len(ids), finish_reason="stop", policy_version=0
        )
        is_last = number == len(turns) - 1
        result = StepResult(observation="", reward=reward if is_last else 0.0, terminated=is_last)
        made.append(Turn(decision=Decision(prompt_ids=(0,), completion=completion, text="", action="x"), result=result))
    return Trajectory(
        task=TASK,
        first=StepResult(observation=""),
        turns=tuple(made),
        stop_reason=StopReason.TERMINATED,
        horizon=9,
        seed=0,
    )


def batch_of(*groups: Sequence[Trajectory]) -> Batch:
    return make_batch([TrajectoryGroup(task=TASK, trajectories=tuple(group)) for group in groups], temperature=1.0)


def mixed(seed: int = 0, num_groups: int = 3) -> Batch:
    """Groups of four episodes of one to three turns and one to three tokens."""
    rng = np.random.default_rng(seed)

    def drawn() -> Trajectory:
        turns = [rng.integers(1, VOCAB, size=rng.integers(1, 4)).tolist() for _ in range(rng.integers(1, 4))]
        return episode(*turns, reward=float(rng.integers(0, 3)))

    return batch_of(*([drawn() for _ in range(4)] for _ in range(num_groups)))


def update(
    engine: Engine,
    batch: Batch,
    algorithm: AlgorithmConfig | None = None,
    optim: OptimConfig | None = None,
    *,
    learning_rate: float = 0.1,
    entropy: float | None = None,
    seed: int = 0,
    **settings: Any,
) -> UpdateResult:
    return asyncio.run(
        update_policy(
            engine,
            batch,
            UpdateSettings(
                algorithm=algorithm or AlgorithmConfig(name="rloo"),
                optim=optim or OptimConfig(),
                learning_rate=learning_rate,
                entropy=entropy,
                seed=seed,
                kl_coef=0.0 if algorithm is None else algorithm.kl_coef,
                **settings,
            ),
        )
    )


def logprobs(engine: Engine, batch: Batch) -> np.ndarray:
    return asyncio.run(engine.forward(batch.rows)).logprobs_N


EVERYTHING = AlgorithmConfig(name="grpo", kl_coef=0.3, entropy_coef=0.2, loss_mean="sequence", clip_high=0.3)


def test_the_fused_and_the_two_step_gradient_are_one() -> None:
    fused, two_step = TableEngine(VOCAB, seed=1), TwoStep(TableEngine(VOCAB, seed=1))
    assert isinstance(fused, FusesBackward)
    assert not isinstance(two_step, FusesBackward)
    batch, steps = mixed(), OptimConfig(epochs=2, minibatches=2)
    first, second = update(fused, batch, EVERYTHING, steps), update(two_step, batch, EVERYTHING, steps)
    np.testing.assert_allclose(logprobs(fused, batch), logprobs(two_step, batch), atol=1e-6)
    assert first.metrics.keys() == second.metrics.keys()
    for name, value in first.metrics.items():
        assert value == pytest.approx(second.metrics[name], abs=1e-6), name


def test_every_epoch_is_another_partition_of_the_rows_that_train_a_token() -> None:
    silent = episode([])
    batch = batch_of([episode([1], [k], reward=k) for k in range(1, 7)] + [silent])
    engine = TwoStep(TableEngine(VOCAB))
    result = update(engine, batch, optim=OptimConfig(epochs=3, minibatches=2), seed=7)
    assert result.num_steps == len(engine.calls) == 6
    everything = sorted(tuple(row.token_ids.tolist()) for row in batch.rows if row.num_trained)
    epochs = [engine.calls[k : k + 2] for k in (0, 2, 4)]
    assert all(sorted(row for part in epoch for row in part) == everything for epoch in epochs)
    assert len({tuple(map(tuple, epoch)) for epoch in epochs}) > 1
    again = TwoStep(TableEngine(VOCAB))
    update(again, batch, optim=OptimConfig(epochs=3, minibatches=2), seed=7)
    assert again.calls == engine.calls


def test_more_minibatches_than_rows_take_no_empty_step() -> None:
    batch = batch_of([episode([1], reward=1.0), episode([2])])
    assert update(TableEngine(VOCAB), batch, optim=OptimConfig(minibatches=5)).num_steps == 2


@pytest.mark.parametrize(("mean", "expected"), [("token", 0.5), ("sequence", 0.0)])
def test_the_mean_is_over_what_its_name_says(mean: Any, expected: float) -> None:
    """One token with advantage 1, three with -1: the loss is -(1 - 3)/4, or the mean of -1 and 1."""
    batch = batch_of([episode([1], reward=1.0), episode([2, 3, 4])])
    result = update(TableEngine(VOCAB), batch, AlgorithmConfig(name="rloo", loss_mean=mean))
    assert result.metrics["loss/policy"] == pytest.approx(expected, abs=1e-6)


def test_the_gradient_is_that_of_reinforce_by_hand() -> None:
    """With V equally likely tokens, d(-A log p)/d(logit) is A (1/V - [token]); two tokens, weights 1/2."""
    batch = batch_of([episode([1], reward=1.0), episode([2])])
    result = update(TableEngine(4), batch, optim=OptimConfig(max_grad_norm=None))
    by_hand = np.zeros(4)
    for token, advantage in ((1, 1.0), (2, -1.0)):
        by_hand += 0.5 * advantage * (0.25 - np.eye(4)[token])
    assert result.metrics["optim/grad_norm"] == pytest.approx(np.linalg.norm(by_hand), rel=1e-5)


def test_better_than_the_others_is_made_likelier_and_worse_less_likely() -> None:
    batch = batch_of(
        [episode([1], reward=1.0), episode([2])], [episode([3, 4], reward=0.2), episode([5, 6], reward=0.9)]
    )
    engine = TableEngine(VOCAB, seed=3)
    before = logprobs(engine, batch)
    assert update(engine, batch, learning_rate=1e-3).num_steps == 1
    assert (np.sign(logprobs(engine, batch) - before)[[0, 1, 2, 4]] == [1, -1, -1, 1]).all()


def play(engine: Engine, rewards: Sequence[float], *, group: int, seed: int) -> Batch:
    """A group of one-token episodes, token k worth ``rewards[k]``."""

    async def one(number: int) -> Trajectory:
        params = SamplingParams(max_new_tokens=1, seed=seed * 1000 + number)
        completion = await engine.sample((0,), params)
        played = episode(list(completion.token_ids), reward=rewards[completion.token_ids[0]])
        turn = replace(played.turns[0], decision=replace(played.turns[0].decision, completion=completion))
        return replace(played, turns=(turn,))

    async def every() -> list[Trajectory]:
        return list(await asyncio.gather(*(one(number) for number in range(group))))

    return batch_of(asyncio.run(every()))


@pytest.mark.parametrize("name", ["grpo", "rloo"])
@pytest.mark.parametrize("old", ["recompute", "sampler"])
def test_both_algorithms_find_the_best_arm_of_a_bandit(name: str, old: Any) -> None:
    engine, rewards = TableEngine(VOCAB), [0.1, 0.2, 0.9, 0.3, 0.1, 0.5, 0.0, 0.4]
    optim = OptimConfig(epochs=2, minibatches=2, old_logprobs=old)
    returns = []
    for number in range(16):
        batch = play(engine, rewards, group=12, seed=number)
        returns.append(float(batch.return_R.mean()))
        update(engine, batch, AlgorithmConfig(name=name), optim, learning_rate=0.2, seed=number)
        asyncio.run(engine.publish())
    assert returns[0] < 0.6
    assert returns[-1] > 0.8


def test_sampler_and_trainer_agree_so_either_may_be_the_old_policy() -> None:
    results = []
    for old in ("sampler", "recompute"):
        engine = TableEngine(VOCAB, seed=2)
        batch = play(engine, [float(k) for k in range(VOCAB)], group=12, seed=0)
        results.append(update(engine, batch, optim=OptimConfig(old_logprobs=old)).metrics)
    assert abs(results[0]["ratio/sampler_kl"]) < 1e-6
    for name, value in results[0].items():
        assert value == pytest.approx(results[1][name], rel=1e-4, abs=1e-6), name


def test_a_sampler_that_disagrees_is_measured() -> None:
    batch = batch_of([episode([1], reward=1.0, logprobs=-5.0), episode([2], logprobs=-5.0)])
    assert update(TableEngine(VOCAB), batch).metrics["ratio/sampler_kl"] > 0.5


def test_later_epochs_are_clipped_and_say_how_much() -> None:
    batch = batch_of([episode([1], reward=1.0), episode([2])])
    one = update(TableEngine(VOCAB), batch, learning_rate=1.0)
    two = update(TableEngine(VOCAB), batch, optim=OptimConfig(epochs=2), learning_rate=1.0)
    assert one.metrics["ratio/clipped_share"] == one.metrics["ratio/old_kl"] == 0.0
    assert two.metrics["ratio/clipped_share"] == 0.5  # mean of two steps: nothing, then everything
    assert two.metrics["ratio/old_kl"] > 0.1


def test_the_kl_pulls_the_policy_back_to_where_it_began() -> None:
    engine, batch = TableEngine(VOCAB, seed=5), batch_of([episode([1], reward=1.0), episode([2])])
    for _ in range(10):
        update(engine, batch, learning_rate=0.2)
    pulled = AlgorithmConfig(name="rloo", kl_coef=1.0)
    equal = batch_of([episode([1]), episode([2])])
    away = [update(engine, equal, pulled, learning_rate=0.1).metrics["loss/kl"] for _ in range(40)]
    assert away[0] > 0.1
    assert away[-1] < 0.1 * away[0]
    assert "loss/kl" not in update(engine, equal).metrics


@pytest.mark.parametrize(
    ("floor", "entropy", "coef"),
    [(0.5, 0.4, 0.1), (0.5, 0.6, 0.0), (0.5, None, 0.0), (0.0, 0.6, 0.1), (0.0, None, 0.1)],
)
def test_the_entropy_bonus_acts_below_its_floor_only(floor: float, entropy: float | None, coef: float) -> None:
    engine, batch = TableEngine(VOCAB, seed=1, scale=3.0), batch_of([episode([1]), episode([2])])
    algorithm = AlgorithmConfig(name="rloo", entropy_coef=0.1, entropy_floor=floor)
    first = update(engine, batch, algorithm, entropy=entropy, learning_rate=0.5)
    assert first.metrics["optim/entropy_coef"] == coef
    assert first.entropy == first.metrics["loss/entropy"]
    after = update(engine, batch, algorithm, entropy=entropy)
    assert (after.metrics["loss/entropy"] > first.metrics["loss/entropy"]) == (coef > 0)


def test_a_loss_that_is_not_finite_changes_nothing_and_names_its_row() -> None:
    engine, batch = TableEngine(VOCAB, seed=1), mixed()
    start = logprobs(engine, batch)
    broken = batch.sampler_logprobs_N.copy()
    broken[batch.row_N == 5] = np.nan
    result = update(engine, replace(batch, sampler_logprobs_N=broken), optim=OptimConfig(old_logprobs="sampler"))
    assert (result.num_steps, result.nonfinite_rows) == (0, (5,))
    assert (logprobs(engine, batch) == start).all()
    untouched = TableEngine(VOCAB, seed=1)  # nothing of the bad gradient is left either
    update(engine, batch)
    update(untouched, batch)
    assert (logprobs(engine, batch) == logprobs(untouched, batch)).all()


def test_a_row_is_named_by_its_place_in_the_batch_in_any_minibatch() -> None:
    batch = mixed(num_groups=4)
    broken = batch.sampler_logprobs_N.copy()
    broken[batch.row_N == 11] = np.inf
    optim = OptimConfig(old_logprobs="sampler", minibatches=4)
    result = update(TwoStep(TableEngine(VOCAB)), replace(batch, sampler_logprobs_N=broken), optim=optim)
    assert result.nonfinite_rows in ((11,), ())  # exp(-inf) is 0: the clip may make it a finite loss
    broken[batch.row_N == 11] = np.nan
    result = update(TwoStep(TableEngine(VOCAB)), replace(batch, sampler_logprobs_N=broken), optim=optim)
    assert result.nonfinite_rows == (11,)


class BrokenGradient(TableEngine):
    """A finite loss whose gradient is not."""

    async def forward_backward(self, rows: Sequence[Row], loss: RowLoss) -> TokenOutputs:
        outputs = await super().forward_backward(rows, loss)
        gradient = self._table_VV.grad
        assert gradient is not None
        gradient[0, 0] = torch.inf
        return outputs


def test_a_gradient_that_is_not_finite_is_not_applied_and_the_step_s_rows_are_named() -> None:
    engine, batch = BrokenGradient(VOCAB, seed=1), mixed()
    start = logprobs(engine, batch)
    result = update(engine, batch)
    assert (result.num_steps, result.nonfinite_rows) == (0, tuple(range(batch.num_rows)))
    assert (logprobs(engine, batch) == start).all()


def test_the_entropy_of_a_skipped_update_is_the_last_one_s() -> None:
    assert update(BrokenGradient(VOCAB), mixed(), entropy=0.25).entropy == 0.25


class NoStep(TableEngine):
    async def optim_step(self, params: AdamParams) -> OptimStats:
        raise AssertionError("there is nothing to step on")


@pytest.mark.parametrize("batch", [batch_of(), batch_of([episode([]), episode([])])], ids=["no rows", "no tokens"])
def test_without_a_trained_token_there_is_no_step(batch: Batch) -> None:
    result = update(NoStep(VOCAB), batch, entropy=0.5)
    assert (result.num_steps, result.metrics, result.entropy) == (0, {}, 0.5)


@pytest.mark.parametrize("algorithm", [EVERYTHING, AlgorithmConfig(name="rloo")], ids=["everything", "rloo"])
def test_the_size_of_a_microbatch_never_changes_the_update(algorithm: AlgorithmConfig) -> None:
    batch, results = mixed(seed=4), []
    for max_tokens in (10**6, 20, 1):
        engine = TorchEngine(tiny_model(), max_tokens_per_microbatch=max_tokens)
        metrics = update(engine, batch, algorithm, learning_rate=1e-3).metrics
        results.append((metrics, logprobs(engine, batch)))
    for metrics, after in results[1:]:
        for name, value in metrics.items():
            assert value == pytest.approx(results[0][0][name], rel=1e-4, abs=1e-6), name
        np.testing.assert_allclose(after, results[0][1], atol=2e-4)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, [1.0, 1.0, 1.0, 1.0]),
        ({"warmup_updates": 2}, [1 / 3, 2 / 3, 1.0, 1.0]),
        ({"decay": "linear", "final_fraction": 0.2}, [1.0, 0.8, 0.6, 0.4]),
        ({"decay": "cosine", "final_fraction": 0.0}, [1.0, 0.853553, 0.5, 0.146447]),
        ({"decay": "linear", "final_fraction": 0.0, "warmup_updates": 1}, [0.5, 1.0, 2 / 3, 1 / 3]),
        ({"decay": "none", "final_fraction": 0.0}, [1.0, 1.0, 1.0, 1.0]),
        ({"decay": "linear", "final_fraction": 0.5, "warmup_updates": 9}, [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_the_learning_rate_warms_up_and_decays_as_configured(config: dict[str, Any], expected: list[float]) -> None:
    optim = OptimConfig(learning_rate=2.0, **config)
    assert [learning_rate_at(optim, n, 4) for n in range(4)] == pytest.approx([2.0 * x for x in expected], rel=1e-5)


def test_the_learning_rate_given_is_the_one_used() -> None:
    batch = batch_of([episode([1], reward=1.0), episode([2])])
    small, large = TableEngine(VOCAB), TableEngine(VOCAB)
    moved = [np.abs(logprobs(e, batch) - update_and(e, batch, rate)) for e, rate in ((small, 1e-4), (large, 1e-2))]
    assert moved[1].max() == pytest.approx(100 * moved[0].max(), rel=0.05)


def update_and(engine: Engine, batch: Batch, rate: float) -> np.ndarray:
    assert update(engine, batch, learning_rate=rate).metrics["optim/learning_rate"] == rate
    return logprobs(engine, batch)
