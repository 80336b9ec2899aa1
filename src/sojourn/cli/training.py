"""`sojourn train`: composes a run, plays the baselines, trains, and writes the report. Also loads what a run left."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sojourn.algorithms.table import check_algorithm
from sojourn.cli.assemble import Assembly, assemble, make_engine, model_folder
from sojourn.cli.live import make_progress
from sojourn.cli.scenarios import open_scenario
from sojourn.config import EvaluateConfig, TrainConfig
from sojourn.envs.protocol import Panel, Scenario
from sojourn.errors import ConfigError, DataError
from sojourn.evaluate.panel import evaluate_panel, first_tasks
from sojourn.evaluate.report import write_report
from sojourn.horizon import unreachable_warning
from sojourn.policy.agents import Agent
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.record.evaluation import Evaluation, read_evaluations
from sojourn.record.metrics import MetricsWriter
from sojourn.record.progress import Progress
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import TrajectoryWriter
from sojourn.rollout.episodes import limits_of
from sojourn.train.checkpoint import find_checkpoint, list_checkpoints
from sojourn.train.loop import Parts, train
from sojourn.train.recorder import Recorder
from sojourn.train.state import TrainState


def run_training(config: TrainConfig, *, resume: bool) -> int:
    """Train as `config` says, from the start or from the run's last checkpoint; returns the exit code."""
    check_algorithm(config)
    run = RunDir.open(config.run_dir, for_writing=True) if resume else RunDir.create(config.run_dir, config)
    with run, _logging_to(run.log):
        if resume:
            run.write_config(config)
            run.note_start()
        progress = make_progress()
        try:
            return asyncio.run(_run(config, run, progress))
        finally:
            progress.end()


async def _run(config: TrainConfig, run: RunDir, progress: Progress) -> int:
    progress.message(f"run directory: {run.path}")
    warning = unreachable_warning(config.horizon, config.updates)
    if warning is not None:
        progress.message(f"warning: {warning}")
    progress.phase("prepare")
    parts = await assemble(config)
    state = await _restored(run, parts)
    recorder = Recorder(
        config=config.record,
        metrics=MetricsWriter(run, trackers=config.record.trackers),
        trajectories=TrajectoryWriter(run.trajectories),
        nonfinite=TrajectoryWriter(run.nonfinite, with_allowed=True),
        progress=progress,
    )
    recorder.metrics.truncate(state.update)
    stop = asyncio.Event()
    try:
        progress.begin(config.name, config.updates, state.update)
        if state.update == 0:
            await _baselines(parts, recorder)
        with _stop_on_interrupt(stop, progress):
            state = await train(_loop_parts(parts, run, recorder, stop), state)
        if state.update < config.updates:
            progress.message(f"stopped after update {state.update}; go on with: sojourn train … --resume")
            return 130
        await _final(parts, run, recorder, state)
        write_report(run)
        progress.message(f"report: {run.report}")
        return 0
    finally:
        recorder.metrics.close()
        recorder.trajectories.close()
        await parts.engine.close()


async def _restored(run: RunDir, parts: Assembly) -> TrainState:
    """The state of the last checkpoint, with the engine at it; a run without one starts anew."""
    checkpoints = list_checkpoints(run.checkpoints)
    if not checkpoints:
        return TrainState()
    state = checkpoints[-1].state()
    await parts.engine.load(checkpoints[-1].engine_uri)
    return state


def _loop_parts(parts: Assembly, run: RunDir, recorder: Recorder, stop: asyncio.Event) -> Parts:
    config = parts.config
    panel = _panel(parts, config.evaluate.split, config.evaluate.max_tasks)
    return Parts(
        config=config,
        engine=parts.engine,
        scenario=parts.scenario,
        agent=parts.agent(config.policy.temperature),
        recorder=recorder,
        evaluate=_policy_evaluator(parts, panel),
        checkpoints=run.checkpoints,
        stop=stop,
    )


def _panel(parts: Assembly, split: str, max_tasks: int | None = None) -> Panel:
    return first_tasks(parts.scenario.panel(split), max_tasks)


def _policy_evaluator(parts: Assembly, panel: Panel) -> Callable[[int], Awaitable[Evaluation]]:
    agent = parts.agent(parts.config.evaluate.temperature)

    async def evaluate(update: int) -> Evaluation:
        return await _evaluate(parts, panel, agent, "policy", update)

    return evaluate


async def _evaluate(parts: Assembly, panel: Panel, agent: Agent, name: str, update: int | None) -> Evaluation:
    config = parts.config
    evaluation, _ = await evaluate_panel(
        parts.scenario,
        panel,
        agent,
        agent_name=name,
        update=update,
        horizon=config.evaluate.horizon,
        repeats=config.evaluate.repeats,
        seed=config.evaluate.seed,
        temperature=config.evaluate.temperature if update is not None else None,
        limits=limits_of(config.rollout),
        max_attempts=config.rollout.max_attempts,
        max_live=config.rollout.max_live_episodes,
    )
    return evaluation


async def _baselines(parts: Assembly, recorder: Recorder) -> None:
    """Random, oracle and the untrained policy on the final panel; the untrained policy on the validation panel."""
    evaluate = parts.config.evaluate
    final = _panel(parts, evaluate.final_split)
    recorder.progress.phase("evaluate")
    for name, agent in (("random", RandomAgent()), ("oracle", OracleAgent())):
        try:
            recorder.evaluation(await _evaluate(parts, final, agent, name, None))
        except ConfigError as error:  # an environment need not list commands or have an oracle
            recorder.progress.message(f"no {name} baseline: {error}")
    for panel in (final, _panel(parts, evaluate.split, evaluate.max_tasks)):
        recorder.evaluation(await _policy_evaluator(parts, panel)(0))


async def _final(parts: Assembly, run: RunDir, recorder: Recorder, state: TrainState) -> None:
    """The last and the best weights on the final panel; what a run that was killed in here had done is not repeated."""
    recorder.progress.phase("evaluate")
    final = _panel(parts, parts.config.evaluate.final_split)
    updates = [state.update]
    if state.best is not None and state.best.update != state.update:
        updates.append(state.best.update)
    for update in updates:
        if _is_recorded(run, parts.config.evaluate, final, update):
            continue
        if update != state.update:
            await parts.engine.load(find_checkpoint(run.checkpoints, str(update)).engine_uri)
        recorder.evaluation(await _policy_evaluator(parts, final)(update))


def _is_recorded(run: RunDir, config: EvaluateConfig, panel: Panel, update: int) -> bool:
    """Whether the policy after `update` updates was evaluated on `panel`, under the same limits, already."""
    wanted = (update, panel.sha256, config.horizon, config.repeats, config.seed, config.temperature)
    return any(
        (e.update, e.panel_sha256, e.horizon, e.repeats, e.seed, e.temperature) == wanted
        for e in read_evaluations(run.evaluations)
        if e.agent == "policy"
    )


@contextmanager
def _stop_on_interrupt(stop: asyncio.Event, progress: Progress) -> Iterator[None]:
    """The first Ctrl-C (or SIGTERM) stops after the update under way, the second at once.

    Plain signal handlers, not the event loop's: those would wait until the engine has done computing.
    """
    loop = asyncio.get_running_loop()
    at_once: dict[signal.Signals, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}

    def ask(number: int, frame: object) -> None:
        stop.set()
        for interrupt, handler in at_once.items():
            signal.signal(interrupt, handler)
        text = "stopping after this update, with a checkpoint; press Ctrl-C again to stop at once"
        loop.call_soon_threadsafe(progress.message, text)  # not here: it may have interrupted another message

    before = {number: signal.signal(number, ask) for number in at_once}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Sojourn's log messages go to the run's log file."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("sojourn")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def load_policy(run_dir: Path, checkpoint: str, scenario: Scenario) -> tuple[Agent, Callable[[], Awaitable[None]]]:
    """The policy of a run at `checkpoint` (``best``, ``last`` or an update number) as an agent of `scenario`, which
    need not be the run's, and its close.
    """
    run = RunDir.open(run_dir)
    found = find_checkpoint(run.checkpoints, checkpoint)

    async def make() -> Assembly:
        parts = await assemble(run.config())
        await parts.engine.load(found.engine_uri)
        return parts

    parts = asyncio.run(make())
    return parts.agent(parts.config.evaluate.temperature, scenario), parts.engine.close


def export_run(run_dir: Path, checkpoint: str, out: Path) -> None:
    """Write the policy of a run as a plain Hugging Face folder; raises `DataError` if `out` holds anything."""
    if out.exists() and any(out.iterdir()):
        raise DataError(f"{out} is not empty: give a new folder")
    run = RunDir.open(run_dir)
    config, found = run.config(), find_checkpoint(run.checkpoints, checkpoint)

    async def export() -> None:
        folder = await model_folder(config, open_scenario(config.env.name, config.env.options))
        engine = make_engine(config, folder)
        await engine.load(found.engine_uri)
        engine.export(str(out))
        await engine.close()

    asyncio.run(export())
