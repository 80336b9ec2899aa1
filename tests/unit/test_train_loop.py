"""The training loop as a whole, on an environment of buttons and a policy of one table: real parts, milliseconds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from tests.toys import COLOURS, Buttons, ButtonsEnv

from sojourn.config import TrainConfig, make_config
from sojourn.engine.protocol import AdamParams, OptimStats, Row, RowLoss, TokenOutputs
from sojourn.engine.table_engine import TableEngine
from sojourn.envs.faulty import Faulty, FaultyEnv
from sojourn.envs.protocol import Env, Scenario
from sojourn.errors import NonFiniteError, TooManyFailuresError
from sojourn.evaluate.panel import evaluate_panel
from sojourn.policy.agents import Commands, Plan
from sojourn.record.evaluation import Evaluation
from sojourn.record.metrics import MetricsWriter, read_metrics
from sojourn.record.progress import NullProgress
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import TrajectoryWriter, read_trajectories
from sojourn.rollout.episodes import limits_of
from sojourn.train.checkpoint import find_checkpoint, list_checkpoints
from sojourn.train.loop import Parts, train
from sojourn.train.recorder import Recorder
from sojourn.train.state import TrainState
from sojourn.types import Decision, Sampler, SamplingParams, StepResult, Task

NUM_COLOURS = len(COLOURS)
UNFILTERED = {"tasks_per_update": 6, "group_size": 4, "filter_zero_variance": False}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class TokenAgent:
    """Reads one token (the button to press next) and writes one (the button it presses)."""

    instructions = "tokens"

    def __init__(self, sampler: Sampler, temperature: float = 1.0) -> None:
        self.sampler = sampler
        self.temperature = temperature

    def begin(self, *, session_id: str, seed: int, oracle: Plan | None = None) -> TokenSession:
        return TokenSession(self, seed)


class TokenSession:
    def __init__(self, agent: TokenAgent, seed: int) -> None:
        self._agent = agent
        self._seed = seed
        self._context: tuple[int, ...] = ()
        self._next = 0

    async def act(self, observation: str, commands: Commands | None) -> Decision:
        wanted = observation.split("Left: ")[-1]
        named = [(wanted.find(colour), n) for n, colour in enumerate(COLOURS) if colour in wanted]
        self._next = min(named)[1] if named else self._next  # what was not understood changed nothing
        prompt = (NUM_COLOURS + self._next,)
        params = SamplingParams(
            max_new_tokens=1, temperature=self._agent.temperature, seed=self._seed + len(self._context)
        )
        completion = await self._agent.sampler.sample((*self._context, *prompt), params)
        self._context += (*prompt, *completion.token_ids)
        (token,) = completion.token_ids
        action = f"press {COLOURS[token]}" if token < NUM_COLOURS else None
        return Decision(
            prompt_ids=prompt, completion=completion, text=action or "?", action=action, error="not a button"
        )

    def close(self) -> None:
        """Nothing is held."""


def config(**changes: Any) -> TrainConfig:
    tree: dict[str, Any] = {
        "name": "toy",
        "updates": 6,
        "seed": 1,
        "env": {"name": "tests.toys:Buttons"},
        "horizon": {"kind": "stepwise", "stages": [2, 4], "every": 3},
        "rollout": {"tasks_per_update": 6, "group_size": 4, "max_attempts": 1},
        "algorithm": {"name": "rloo"},
        "optim": {"learning_rate": 0.2},
        "evaluate": {"every": 2, "horizon": 5},
        "checkpoint": {"every": 2, "keep": 2},
    }
    return make_config(tree | changes)


@dataclass
class Loop:
    """A loop with all its parts, on one directory."""

    config: TrainConfig
    run: RunDir
    engine: TableEngine
    scenario: Scenario
    stop: asyncio.Event

    def go(self, state: TrainState | None = None) -> TrainState:
        return asyncio.run(self._go(state or TrainState()))

    async def _go(self, state: TrainState) -> TrainState:
        recorder = Recorder(
            config=self.config.record,
            metrics=MetricsWriter(self.run),
            trajectories=TrajectoryWriter(self.run.trajectories),
            nonfinite=TrajectoryWriter(self.run.nonfinite),
            progress=NullProgress(),
        )
        recorder.metrics.truncate(state.update)
        parts = Parts(
            config=self.config,
            engine=self.engine,
            scenario=self.scenario,
            agent=TokenAgent(self.engine),
            recorder=recorder,
            evaluate=self.evaluate,
            checkpoints=self.run.checkpoints,
            stop=self.stop,
        )
        try:
            return await train(parts, state)
        finally:
            recorder.metrics.close()

    async def evaluate(self, update: int) -> Evaluation:
        evaluation, _ = await evaluate_panel(
            self.scenario,
            self.scenario.panel("validation"),
            TokenAgent(self.engine, temperature=0.0),
            agent_name="policy",
            horizon=self.config.evaluate.horizon,
            seed=0,
            limits=limits_of(self.config.rollout),
            update=update,
        )
        return evaluation

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return read_metrics(self.run.metrics)


@pytest.fixture
def loop(tmp_path: Path) -> Callable[..., Loop]:
    """Makes loops; those with one `name` share a directory."""

    def make(
        engine: TableEngine | None = None, scenario: Scenario | None = None, name: str = "run", **changes: Any
    ) -> Loop:
        chosen = config(**changes)
        path = tmp_path / name
        run = RunDir.open(path) if path.exists() else RunDir.create(path, chosen)
        run.close()
        return Loop(
            config=chosen,
            run=run,
            engine=engine or TableEngine(2 * NUM_COLOURS),
            scenario=scenario or Buttons(lengths=(1, 2)),
            stop=asyncio.Event(),
        )

    return make


def test_the_policy_learns_and_the_best_evaluation_is_remembered(loop: Callable[..., Loop]) -> None:
    one = loop(updates=25, optim={"learning_rate": 0.4}, evaluate={"every": 25, "horizon": 5})
    state = one.go()
    assert state.update == 25
    assert one.metrics[0]["train/success"] < 0.4
    assert np.mean([row["train/success"] for row in one.metrics[-5:]]) > 0.9
    assert state.best is not None
    assert state.best.success == 1.0


def test_every_update_is_recorded_with_its_horizon_and_its_episodes(loop: Callable[..., Loop]) -> None:
    one = loop(rollout=UNFILTERED)
    state = one.go()
    assert [row["update"] for row in one.metrics] == list(range(6))
    assert [row["horizon"] for row in one.metrics] == [2, 2, 2, 4, 4, 4]
    assert state.task_cursor == 6 * 6
    played = [recorded.trajectory for recorded in read_trajectories(one.run.trajectories)]
    assert state.num_episodes == len(played) == 6 * 24
    assert state.num_turns == sum(t.num_turns for t in played)
    assert state.num_action_tokens == sum(t.num_action_tokens for t in played)
    assert all(t.num_turns <= t.horizon for t in played)


def test_an_episode_is_sampled_by_the_weights_of_the_update_before(loop: Callable[..., Loop]) -> None:
    one = loop()
    one.go()
    versions: dict[int, set[int]] = {}
    for recorded in read_trajectories(one.run.trajectories):
        assert recorded.update is not None
        for turn in recorded.trajectory.turns:
            versions.setdefault(recorded.update, set()).add(turn.decision.completion.policy_version)
    assert all(len(of_update) == 1 for of_update in versions.values())
    in_order = [versions[update].copy().pop() for update in range(6)]
    assert in_order == sorted(set(in_order))
    assert in_order[0] == 0


def test_k_and_n_updates_are_k_then_a_new_process_then_n(loop: Callable[..., Loop]) -> None:
    success = {"horizon": {"kind": "success", "stages": [2, 4], "threshold": 0.2, "window": 2}}
    whole, first = loop(name="whole", **success), loop(name="parts", **success)
    end = whole.go()
    first.stop.set()
    state = first.go()
    while state.update < 6:
        follower = loop(TableEngine(2 * NUM_COLOURS), name="parts", **success)
        follower.stop.set()
        saved = find_checkpoint(follower.run.checkpoints, "last")
        asyncio.run(follower.engine.load(saved.engine_uri))
        state = follower.go(saved.state())
    assert state == end
    for name in ("metrics", "trajectories", "evaluations"):
        assert getattr(whole.run, name).read_bytes() == getattr(follower.run, name).read_bytes()
    assert (follower.engine._table_VV == whole.engine._table_VV).all()


def test_a_stop_that_was_asked_for_ends_the_update_under_way_with_a_checkpoint(loop: Callable[..., Loop]) -> None:
    one = loop(checkpoint={"every": 0})
    one.stop.set()
    assert one.go().update == 1
    assert [c.update for c in list_checkpoints(one.run.checkpoints)] == [1]


def test_checkpoints_come_when_due_at_the_best_and_at_the_end(loop: Callable[..., Loop]) -> None:
    one = loop(updates=5, checkpoint={"every": 2, "keep": 9}, evaluate={"every": 3, "horizon": 5})
    state = one.go()
    saved = {c.update: c.state() for c in list_checkpoints(one.run.checkpoints)}
    assert {2, 4, 5} <= saved.keys() <= {2, 3, 4, 5}
    assert state.best is not None
    assert saved[5] == state
    assert state.best.update in saved


def test_nothing_is_evaluated_or_saved_but_at_the_end_when_told_so(loop: Callable[..., Loop]) -> None:
    one = loop(
        updates=3, checkpoint={"every": 0}, evaluate={"every": 0, "horizon": 5}, record={"trajectories_every": 2}
    )
    one.go()
    assert [c.update for c in list_checkpoints(one.run.checkpoints)] == [3]
    assert len(one.run.evaluations.read_text().splitlines()) == 1
    assert {recorded.update for recorded in read_trajectories(one.run.trajectories)} == {0, 2}


class NotANumber(TableEngine):
    """Its gradient is NaN from the `healthy`-th step on."""

    def __init__(self, healthy: int) -> None:
        super().__init__(2 * NUM_COLOURS)
        self.healthy = healthy

    async def forward_backward(self, rows: Sequence[Row], loss: RowLoss) -> TokenOutputs:
        outputs = await super().forward_backward(rows, loss)
        self.healthy -= 1
        if self.healthy < 0:
            assert self._table_VV.grad is not None
            self._table_VV.grad.fill_(torch.nan)
        return outputs


def test_updates_that_are_not_finite_are_skipped_and_stop_the_run_in_the_end(loop: Callable[..., Loop]) -> None:
    one = loop(NotANumber(healthy=2), rollout=UNFILTERED, optim={"learning_rate": 0.2, "max_nonfinite_updates": 2})
    with pytest.raises(NonFiniteError, match=r"2 updates in a row .* skipped; tasks in the last one: .*\(seed \d+\)"):
        one.go()
    assert torch.isfinite(one.engine._table_VV).all()
    assert len(one.metrics) == 4
    dumped = list(read_trajectories(one.run.nonfinite))
    assert {record.update for record in dumped} == {2, 3}
    assert all(record.trajectory.turns for record in dumped)
    assert all(np.isfinite(row.get("optim/grad_norm", 0.0)) for row in one.metrics)


class SometimesNot(NotANumber):
    """Every second step has a gradient that is NaN."""

    async def optim_step(self, params: AdamParams) -> OptimStats:
        self.healthy = 1 - min(max(self.healthy, 0), 1)
        return await super().optim_step(params)


def test_a_finite_update_forgives_the_ones_before_it(loop: Callable[..., Loop]) -> None:
    one = loop(SometimesNot(healthy=1), rollout=UNFILTERED, optim={"learning_rate": 0.2, "max_nonfinite_updates": 2})
    assert one.go().update == 6


class Unreliable(Buttons):
    """Environments that do not even start, in turns with sound ones."""

    def __init__(self, period: int) -> None:
        super().__init__(lengths=(1, 2))
        self.period = period
        self.made: list[ButtonsEnv] = []

    def make(self) -> Env:
        env = ButtonsEnv() if len(self.made) % self.period else Failing()
        self.made.append(env)
        return env


class Failing(ButtonsEnv):
    async def reset(self, task: Task) -> StepResult:
        raise ConnectionError("the other side has gone")


def test_failures_are_counted_recorded_and_never_trained_on(loop: Callable[..., Loop]) -> None:
    scenario = Unreliable(period=4)
    one = loop(scenario=scenario, updates=2, rollout={"tasks_per_update": 6, "group_size": 4, "max_attempts": 1})
    state = one.go()
    assert [row["train/failed_episodes"] for row in one.metrics] == [6, 6]
    assert [row["stop/env_error"] for row in one.metrics] == [6, 6]
    assert [row["train/episodes"] for row in one.metrics] == [18, 18]
    assert state.num_episodes == 36
    written = [json.loads(line)["error"] for line in one.run.trajectories.read_text().splitlines()]
    assert sum("the other side has gone" in (error or "") for error in written) == 12
    assert all(env.is_closed for env in scenario.made)


def test_a_run_whose_environment_is_down_stops_and_says_why(loop: Callable[..., Loop]) -> None:
    one = loop(scenario=Unreliable(period=1))
    with pytest.raises(TooManyFailuresError, match=r"the other side has gone.*Saved after update 0"):
        one.go()
    assert one.metrics == []
    assert [c.update for c in list_checkpoints(one.run.checkpoints)] == [0]


class DownLater(Buttons):
    """Works for a while, then no environment does."""

    def __init__(self, healthy: int) -> None:
        super().__init__(lengths=(1, 2))
        self.healthy = healthy

    def make(self) -> Env:
        self.healthy -= 1
        return super().make() if self.healthy >= 0 else FaultyEnv(ButtonsEnv(), Random(0), (1, 0, 0), (0, 0, 1))


def test_what_was_learned_before_the_environment_went_down_is_kept(loop: Callable[..., Loop]) -> None:
    cut = loop(scenario=DownLater(healthy=3 * 24 + 30), rollout=UNFILTERED, evaluate={"every": 0, "horizon": 5})
    with pytest.raises(TooManyFailuresError, match="Saved after update 4"):
        cut.go()
    whole = loop(name="whole", rollout=UNFILTERED, evaluate={"every": 0, "horizon": 5})
    whole.go()
    last = find_checkpoint(cut.run.checkpoints, "last")
    again = loop(rollout=UNFILTERED, evaluate={"every": 0, "horizon": 5})
    asyncio.run(again.engine.load(last.engine_uri))
    again.go(last.state())
    assert torch.equal(again.engine._table_VV, whole.engine._table_VV)


@pytest.mark.parametrize("p_error", [0.0, 0.05])
def test_with_faults_no_update_is_lost_and_no_false_zero_enters(loop: Callable[..., Loop], p_error: float) -> None:
    """At 5 % of resets and steps: every update is complete, every return is its rewards', success is as without."""
    options = {"name": "tests.toys:Buttons", "options": {"lengths": [1, 2]}, "p_error": p_error}
    one = loop(
        scenario=Faulty(**options),
        updates=12,
        rollout={**UNFILTERED, "max_attempts": 6, "retry_backoff_s": 0.0},
    )
    one.go()
    assert [row["train/episodes"] for row in one.metrics] == [24] * 12
    assert (sum(row["train/failed_episodes"] for row in one.metrics) > 0) == (p_error > 0)
    for record in read_trajectories(one.run.trajectories):
        episode = record.trajectory
        assert episode.stop_reason.is_failure == (episode.error is not None)
        if not episode.stop_reason.is_failure:
            assert episode.return_ == float(episode.is_success)
    assert sum(row["train/success"] for row in one.metrics[-3:]) / 3 > 0.7


def test_without_any_signal_the_weights_stay_and_the_run_goes_on(loop: Callable[..., Loop]) -> None:
    """A horizon of one turn and tasks of two buttons: every return is 0, every group is left out."""
    one = loop(scenario=Buttons(lengths=(2,)), updates=2, horizon={"kind": "fixed", "turns": 1})
    one.go()
    assert [row["train/groups_zero_variance"] for row in one.metrics] == [6, 6]
    assert [row["train/trained_tokens"] for row in one.metrics] == [0, 0]
    assert not one.engine._table_VV.any()


def test_episodes_cut_by_the_horizon_can_be_left_out_of_the_gradient(loop: Callable[..., Loop]) -> None:
    def trained(cut: str) -> float:
        one = loop(name=cut, updates=1, algorithm={"name": "rloo", "horizon_cut": cut})
        one.go()
        assert one.metrics[0]["stop/horizon"] > 0
        return float(one.metrics[0]["train/trained_tokens"])

    assert 0 < trained("mask") < trained("as_is")


def test_the_state_holds_the_schedule_of_the_learning_rate(loop: Callable[..., Loop]) -> None:
    one = loop(optim={"learning_rate": 0.1, "decay": "linear", "final_fraction": 0.0, "warmup_updates": 1})
    one.go(replace(TrainState(), update=4))
    rates = [row["optim/learning_rate"] for row in one.metrics if "optim/learning_rate" in row]
    assert rates == pytest.approx([0.1 * 2 / 5, 0.1 * 1 / 5])
