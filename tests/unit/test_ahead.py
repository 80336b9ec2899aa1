"""Episodes that run ahead of training: how old they may be, what becomes of late groups, how tokens are weighed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.toys import Buttons, ButtonsEnv
from tests.unit.engine_models import tiny_model
from tests.unit.test_train_loop import NUM_COLOURS, Loop, Unreliable, config

from sojourn.algorithms.losses.table import find_loss
from sojourn.config import AlgorithmConfig, RolloutConfig
from sojourn.engine.contract import cotangents_of, plain_row
from sojourn.engine.protocol import AdamParams, Row, RowLoss, TokenOutputs
from sojourn.engine.table_engine import TableEngine
from sojourn.engine.torch_engine import TorchEngine
from sojourn.envs.protocol import Env
from sojourn.errors import TooManyFailuresError
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import read_trajectories
from sojourn.rollout.ahead import AheadCollector
from sojourn.rollout.groups import GroupPlayer
from sojourn.rollout.tasks import TaskStream
from sojourn.train.checkpoint import find_checkpoint
from sojourn.train.policy_loss import PolicyLoss
from sojourn.types import StepResult, StopReason, Task, Trajectory, TrajectoryGroup

UNFILTERED = {"tasks_per_update": 6, "group_size": 4, "filter_zero_variance": False}
TASKS = [Task(env_id="stub-v1", task_id=str(n), split="train", seed=0) for n in range(1000)]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def loop(tmp_path: Path) -> Callable[..., Loop]:
    def make(
        scenario: Buttons | None = None, engine: TableEngine | None = None, name: str = "run", **changes: Any
    ) -> Loop:
        path = tmp_path / name
        chosen = config(**changes)
        run = RunDir.open(path) if path.exists() else RunDir.create(path, chosen)
        run.close()
        return Loop(
            config=chosen,
            run=run,
            engine=SlowToTrain(2 * NUM_COLOURS),
            scenario=scenario or Buttons(lengths=(1, 2)),
            stop=asyncio.Event(),
        )

    return make


class SlowToTrain(TableEngine):
    """Lets the event loop run while it trains, as an engine of another process or thread does."""

    async def forward_backward(self, rows: Sequence[Row], loss: RowLoss) -> TokenOutputs:
        await asyncio.sleep(0.01)
        return await super().forward_backward(rows, loss)


class Uneven(Buttons):
    """Every seventh environment takes much longer over a step."""

    def __init__(self, slow_s: float = 0.05) -> None:
        super().__init__(lengths=(1, 2))
        self.slow_s = slow_s
        self.made: list[ButtonsEnv] = []

    def make(self) -> Env:
        env = ButtonsEnv()
        self.made.append(env)
        pause, step = (self.slow_s if len(self.made) % 7 == 0 else 0.001), env.step

        async def slow(action: str) -> StepResult:
            await asyncio.sleep(pause)
            return await step(action)

        env.step = slow  # type: ignore[method-assign]
        return env


class Stub(GroupPlayer):
    """Groups that end when the test says so; what collector run ahead *of* is not in it."""

    def __init__(self, options: RolloutConfig) -> None:
        super().__init__(scenario=Buttons(), agent=None, config=options, seed=0)  # type: ignore[arg-type]
        object.__setattr__(self, "ends", {})

    async def play(self, drawn: Sequence[Task], **_: Any) -> list[TrajectoryGroup]:
        (task,) = drawn
        ends: dict[str, asyncio.Event] = self.ends  # type: ignore[attr-defined]
        await ends.setdefault(task.task_id, asyncio.Event()).wait()
        members = [
            Trajectory(task=task, first=None, turns=(), stop_reason=StopReason.HORIZON, horizon=n, seed=n)
            for n in (1, 2)
        ]
        return [TrajectoryGroup(task=task, trajectories=tuple(members), failed=())]


async def handed_out(staleness: int, mode: str, size: int, updates: int, order: Sequence[int]) -> dict[str, Any]:
    """Collect `updates` times; whenever collecting waits, the playing group that `order` picks next ends."""
    options = RolloutConfig.model_validate(
        {"tasks_per_update": size, "staleness": staleness, "partial_groups": mode, "filter_zero_variance": False}
    )
    player, stream = Stub(options), TaskStream(TASKS, seed=0)
    collector = AheadCollector(player, stream, updates=updates)
    picks, found = iter(order), {"taken": [], "begun": {}, "metrics": []}
    ends: dict[str, asyncio.Event] = player.ends  # type: ignore[attr-defined]
    for update in range(updates):
        collecting = asyncio.ensure_future(collector.collect(update, 5))
        while True:
            for _ in range(5):
                await asyncio.sleep(0)
            for task_id in ends:
                found["begun"].setdefault(task_id, update)
            if collecting.done():
                break
            playing = [name for name, end in ends.items() if not end.is_set()]
            ends[playing[next(picks, 0) % len(playing)]].set()
        collection = collecting.result()
        found["taken"].append([group.task.task_id for group in collection.groups])
        found["metrics"].append(collection.metrics)
    found["pending"] = [TASKS.index(stream.at(p)) for p in collector.pending]
    await collector.aclose()
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.integers(1, 4), st.lists(st.integers(0, 20), max_size=60))
def test_whoever_ends_first_no_group_is_trained_on_late_or_twice_or_never(k: int, size: int, order: list[int]) -> None:
    found = asyncio.run(handed_out(k, "wait", size, 6, order))
    taken = [(update, task) for update, tasks in enumerate(found["taken"]) for task in tasks]
    assert [len(tasks) for tasks in found["taken"]] == [size] * 6
    assert len({task for _, task in taken}) == len(taken)
    assert all(0 <= update - found["begun"][task] <= k for update, task in taken)
    assert found["pending"] == []  # none was begun that no update of the run could use
    assert {task for _, task in taken} == set(found["begun"])


@pytest.mark.parametrize("mode", ["refill", "drop"])
def test_a_group_that_is_late_is_played_afresh_or_dropped(mode: str) -> None:
    never_the_oldest = [1] * 40  # of those that are being played
    found = asyncio.run(handed_out(1, mode, 2, 4, never_the_oldest))
    first = next(iter(found["begun"]))
    late = sum(row[f"queue/{'refilled' if mode == 'refill' else 'dropped'}"] for row in found["metrics"])
    other = sum(row[f"queue/{'dropped' if mode == 'refill' else 'refilled'}"] for row in found["metrics"])
    assert late >= 1
    assert other == 0
    assert all(row["queue/age_max"] <= 1 for row in found["metrics"])
    was_trained = any(first in tasks for tasks in found["taken"])
    assert mode == "refill" or not was_trained


def test_without_staleness_it_is_the_synchronous_loop_bit_for_bit(
    loop: Callable[..., Loop], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = loop(name="plain", rollout=UNFILTERED)
    end = plain.go()
    ahead = loop(name="ahead", rollout=UNFILTERED)
    monkeypatch.setattr("sojourn.train.loop.SyncCollector", lambda player, s: AheadCollector(player, s, updates=6))
    assert ahead.go() == end
    rows = ahead.metrics
    extra = [{key: row.pop(key) for key in list(row) if key.startswith("queue/")} for row in rows]
    assert rows == plain.metrics
    assert all(set(row.values()) == {0.0} for row in extra)
    assert plain.run.trajectories.read_bytes() == ahead.run.trajectories.read_bytes()
    assert (plain.engine._table_VV == ahead.engine._table_VV).all()


@pytest.mark.parametrize("staleness", [1, 3])
def test_tokens_are_at_most_that_many_updates_old_and_some_are(loop: Callable[..., Loop], staleness: int) -> None:
    one = loop(Uneven(), updates=8, rollout={**UNFILTERED, "staleness": staleness})
    state = one.go()
    assert state.update == 8
    ages = []
    for recorded in read_trajectories(one.run.trajectories):
        assert recorded.update is not None
        versions = [turn.decision.completion.policy_version for turn in recorded.trajectory.turns]
        ages += [recorded.update - (version - 1) for version in versions]  # version 1 is published before update 0
    assert max(ages) == max(row["queue/age_max"] for row in one.metrics) == staleness
    assert min(ages) == 0
    assert any(row["ratio/stale_share"] > 0.0 for row in one.metrics[1:])
    assert all(row["train/episodes"] == 24 for row in one.metrics)


def test_it_learns_from_old_episodes(loop: Callable[..., Loop]) -> None:
    one = loop(Uneven(0.01), updates=25, optim={"learning_rate": 0.4}, rollout={**UNFILTERED, "staleness": 2})
    one.go()
    assert one.metrics[0]["train/success"] < 0.4
    assert np.mean([row["train/success"] for row in one.metrics[-5:]]) > 0.9


def test_a_resumed_run_plays_what_was_begun_and_not_trained_on(loop: Callable[..., Loop]) -> None:
    options = {"updates": 5, "rollout": {**UNFILTERED, "staleness": 2}}
    first = loop(Uneven(), **options)
    first.stop.set()
    state = first.go()
    assert len(state.pending_tasks) == 12
    follower = loop(Uneven(), **options)
    saved = find_checkpoint(follower.run.checkpoints, "last")
    asyncio.run(follower.engine.load(saved.engine_uri))
    assert saved.state() == state
    end = follower.go(saved.state())
    stream = TaskStream(first.scenario.tasks("train"), seed=1)
    expected = sorted(stream.at(position).task_id for position in range(end.task_cursor))
    trained = [recorded.trajectory.task.task_id for recorded in read_trajectories(follower.run.trajectories)]
    assert end.pending_tasks == ()
    assert sorted(trained) == sorted(expected * 4)


def test_everything_is_closed_at_the_end_and_after_a_failure(loop: Callable[..., Loop]) -> None:
    scenario = Uneven()
    loop(scenario, updates=3, rollout={**UNFILTERED, "staleness": 2, "partial_groups": "drop"}).go()
    assert all(env.is_closed for env in scenario.made)
    down = Unreliable(period=1)
    with pytest.raises(TooManyFailuresError, match=r"go on with --resume"):
        loop(down, name="down", rollout={**UNFILTERED, "staleness": 1, "max_attempts": 1}).go()
    assert all(env.is_closed for env in down.made)


def test_failures_never_enter_baseline_gradient_or_denominator(loop: Callable[..., Loop]) -> None:
    scenario = Unreliable(period=5)
    one = loop(scenario, rollout={**UNFILTERED, "staleness": 1, "max_attempts": 1})
    one.go()
    failed = sum(row["train/failed_episodes"] for row in one.metrics)
    assert failed > 20
    assert sum(row["train/episodes"] for row in one.metrics) == 6 * 24 - failed


def test_only_tokens_of_older_weights_are_weighed() -> None:
    old_N = torch.tensor([-1.0, -1.0, -1.0, -1.0])
    sampler_N = torch.tensor([-1.0, -2.0, -3.0, -0.5])
    is_stale_N = torch.tensor([False, True, True, True])
    loss = PolicyLoss(
        loss=find_loss("ppo_clip"),
        algorithm=AlgorithmConfig(importance_cap=2.0),
        entropy_coef=0.0,
        kl_coef=0.0,
        offsets=[0, 4],
        weight_N=torch.full((4,), 0.25),
        advantage_N=torch.ones(4),
        old_logprobs_N=old_N,
        sampler_logprobs_N=torch.where(is_stale_N, sampler_N, sampler_N + 7.0),  # a fresh one's plays no part
        is_stale_N=is_stale_N,
        reference_logprobs_N=None,
    )
    logprobs_N = old_N.clone().requires_grad_()
    loss([0], logprobs_N, torch.zeros(4)).backward()
    weights = [1.0, 2.0, 2.0, np.exp(-0.5)]  # e^1 and e^2 are capped at 2
    assert logprobs_N.grad is not None
    torch.testing.assert_close(logprobs_N.grad, -0.25 * torch.tensor(weights, dtype=torch.float32))
    assert loss.sums["ratio/stale_share"] == 0.75
    assert loss.sums["ratio/sampler_capped_share"] == 0.5


def test_an_engine_that_trains_in_a_thread_is_the_same_engine_and_leaves_the_loop_free() -> None:
    rows = [plain_row(range(3, 3 + size), size // 2) for size in (12, 30, 17)] * 8

    async def trained(in_thread: bool) -> tuple[dict[str, torch.Tensor], int]:
        engine = TorchEngine(tiny_model("llama"), max_tokens_per_microbatch=64, in_thread=in_thread)
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.ensure_future(tick())
        await engine.forward(rows)
        await engine.backward(rows, cotangents_of(rows))
        await engine.optim_step(AdamParams(learning_rate=0.01))
        ticking.cancel()
        weights = {name: p.detach().clone() for name, p in engine._model.named_parameters()}
        await engine.close()
        return weights, ticks

    plain, no_ticks = asyncio.run(trained(False))
    threaded, ticks = asyncio.run(trained(True))
    assert all(torch.equal(plain[name], threaded[name]) for name in plain)
    assert no_ticks == 0
    assert ticks > 10
