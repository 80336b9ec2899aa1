"""THE training loop: horizon → collect → batch → update → publish → record → evaluate → checkpoint.

All that decides the next update is in the engine and in `TrainState`, so a resumed run goes on as if never stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

from sojourn.algorithms.kl import adapted
from sojourn.algorithms.table import check_algorithm, find_algorithm
from sojourn.config import AlgorithmConfig, TrainConfig
from sojourn.engine.protocol import Engine, ResetsReference
from sojourn.envs.protocol import Scenario
from sojourn.errors import ConfigError, NonFiniteError, TooManyFailuresError
from sojourn.horizon import advanced, horizon_at
from sojourn.policy.agents import Agent
from sojourn.record.evaluation import Evaluation
from sojourn.rollout.ahead import AheadCollector
from sojourn.rollout.episodes import derived_seed
from sojourn.rollout.groups import Collection, Collector, GroupPlayer, SyncCollector
from sojourn.rollout.samples import make_batch
from sojourn.rollout.tasks import TaskStream
from sojourn.train.checkpoint import save_checkpoint
from sojourn.train.metrics import Stopwatch, collection_metrics
from sojourn.train.recorder import Recorder
from sojourn.train.state import Best, TrainState
from sojourn.train.update import UpdateResult, UpdateSettings, learning_rate_at, update_policy


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the loop works with; the composition root makes them."""

    config: TrainConfig
    engine: Engine
    scenario: Scenario
    agent: Agent
    recorder: Recorder
    evaluate: Callable[[int], Awaitable[Evaluation]]
    """Evaluates the published policy on the validation panel, given the number of updates done."""
    checkpoints: Path
    stop: asyncio.Event
    """Set it to stop after the update under way, with a checkpoint."""


async def train(parts: Parts, state: TrainState) -> TrainState:
    """Train from `state` until ``config.updates`` updates are done or ``parts.stop`` is set; returns the new state."""
    config, engine, recorder = parts.config, parts.engine, parts.recorder
    check_algorithm(config)
    collector = _collector(parts, state)
    version = await engine.publish() if config.rollout.staleness else None
    is_stopping = False
    async with aclosing(collector):
        while state.update < config.updates and not is_stopping:
            number, watch = state.update, Stopwatch(recorder.progress)
            horizon = horizon_at(config.horizon, number, state.horizon)
            with watch.phase("collect"):
                collection = await _collected(parts, state, collector, horizon)
            with watch.phase("train"):
                batch = make_batch(
                    collection.groups,
                    temperature=config.policy.temperature,
                    mask_horizon_cuts=config.algorithm.horizon_cut == "mask",
                )
                result = await update_policy(engine, batch, _settings(config, state, version))
                await _reset_reference_if_due(config, engine, number)
            with watch.phase("publish"):
                version = await engine.publish()
            metrics = {"horizon": float(horizon), **collection_metrics(collection, batch), **result.metrics}
            state = _advanced(parts, state, collector, metrics, collection, result)
            with watch.phase("evaluate"):
                state, is_best = await _evaluated(parts, state)
            recorder.update(number, metrics, watch, collection)
            is_stopping = parts.stop.is_set()  # read once: a signal after this line is for the next update
            if is_best or is_stopping or _is_due(config.checkpoint.every, state.update, config.updates):
                await save_checkpoint(parts.checkpoints, engine, state, keep=config.checkpoint.keep)
            _tell_nonfinite(parts, state, collection, result)
    return state


def _collector(parts: Parts, state: TrainState) -> Collector:
    """What plays the episodes of a run that goes on from `state`."""
    config = parts.config
    stream = TaskStream(
        parts.scenario.tasks(config.env.split),
        seed=config.seed,
        cursor=state.task_cursor,
        returned=state.pending_tasks,
    )
    player = GroupPlayer(
        scenario=parts.scenario,
        agent=parts.agent,
        config=config.rollout,
        seed=config.seed,
        drops_flat=find_algorithm(config.algorithm.name).is_group_relative,
    )
    if config.rollout.staleness == 0:
        return SyncCollector(player, stream)
    return AheadCollector(player, stream, updates=config.updates)


async def _collected(parts: Parts, state: TrainState, collector: Collector, horizon: int) -> Collection:
    """The episodes of the next update; if too many fail, what was learned so far is saved before the error rises."""
    config = parts.config
    try:
        return await collector.collect(state.update, horizon)
    except TooManyFailuresError as error:
        await save_checkpoint(parts.checkpoints, parts.engine, state, keep=config.checkpoint.keep)
        raise TooManyFailuresError(f"{error}. Saved after update {state.update}; go on with --resume") from error


def _settings(config: TrainConfig, state: TrainState, version: int | None) -> UpdateSettings:
    """Of the update that begins at `state`."""
    kl_coef = config.algorithm.kl_coef if state.kl_coef is None else state.kl_coef
    return UpdateSettings(
        algorithm=config.algorithm,
        optim=config.optim,
        critic=config.critic,
        learning_rate=learning_rate_at(config.optim, state.update, config.updates),
        seed=derived_seed(config.seed, "update", state.update),
        kl_coef=kl_coef,
        entropy=state.entropy,
        version=version,
        trains_policy=not (
            find_algorithm(config.algorithm.name).needs_critic and state.update < config.critic.warmup_updates
        ),
    )


def _next_kl_coef(config: AlgorithmConfig, state: TrainState, metrics: dict[str, float]) -> float | None:
    """The KL coefficient after an update, where it adapts."""
    measured = metrics.get("loss/kl", metrics.get("kl/reward"))
    if config.kl_target is None or measured is None:
        return state.kl_coef
    coef = config.kl_coef if state.kl_coef is None else state.kl_coef
    return adapted(coef, measured, target=config.kl_target, updates=config.kl_adapt_updates)


def _advanced(
    parts: Parts,
    state: TrainState,
    collector: Collector,
    metrics: dict[str, float],
    collection: Collection,
    result: UpdateResult,
) -> TrainState:
    """The state after one more update."""
    trajectories = [t for group in collection.all_groups for t in group.trajectories]
    return replace(
        state,
        update=state.update + 1,
        task_cursor=collector.stream.cursor,
        pending_tasks=collector.pending,
        horizon=advanced(parts.config.horizon, state.horizon, metrics["train/success"]),
        entropy=result.entropy,
        kl_coef=_next_kl_coef(parts.config.algorithm, state, metrics),
        num_episodes=state.num_episodes + len(trajectories),
        num_turns=state.num_turns + sum(t.num_turns for t in trajectories),
        num_action_tokens=state.num_action_tokens + sum(t.num_action_tokens for t in trajectories),
        nonfinite_updates=state.nonfinite_updates + 1 if result.nonfinite_rows else 0,
    )


async def _evaluated(parts: Parts, state: TrainState) -> tuple[TrainState, bool]:
    """Evaluate if this update is due; says whether it is the best so far."""
    config = parts.config
    if not _is_due(config.evaluate.every, state.update, config.updates):
        return state, False
    evaluation = await parts.evaluate(state.update)
    parts.recorder.evaluation(evaluation)
    if config.rollout.staleness == 0:
        await parts.engine.publish()  # forgets the contexts: a resumed sampler has none, and must agree bit for bit
    success = evaluation.overall.success_rate
    if success is None or (state.best is not None and success <= state.best.success):
        return state, False
    return replace(state, best=Best(update=state.update, success=success)), True


async def _reset_reference_if_due(config: TrainConfig, engine: Engine, update: int) -> None:
    every = config.algorithm.reference_reset_every
    if every and (update + 1) % every == 0:
        if not isinstance(engine, ResetsReference):
            raise ConfigError("algorithm.reference_reset_every needs an engine whose reference can be reset")
        await engine.reset_reference()


def _is_due(every: int, update: int, updates: int) -> bool:
    return update == updates or (every > 0 and update % every == 0)


def _tell_nonfinite(parts: Parts, state: TrainState, collection: Collection, result: UpdateResult) -> None:
    """Record the episodes that made the update not finite; `NonFiniteError` after too many such updates in a row."""
    if not result.nonfinite_rows:
        return
    trajectories = [t for group in collection.groups for t in group.trajectories]
    bad = [trajectories[r] for r in result.nonfinite_rows]
    parts.recorder.skipped(state.update - 1, bad)
    if state.nonfinite_updates < parts.config.optim.max_nonfinite_updates:
        return
    names = ", ".join(f"{t.task.task_id} (seed {t.seed})" for t in bad[:5])
    raise NonFiniteError(
        f"{state.nonfinite_updates} updates in a row had a loss or gradient that is not finite and were skipped; "
        f"tasks in the last one: {names}"
    )
