"""Training runs as the benchmarks need them: made in a process of their own unless they are there, and summed up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sojourn.cli.assemble import assemble
from sojourn.config import TrainConfig, load_config
from sojourn.envs.catalog import load_scenario
from sojourn.errors import ConfigError
from sojourn.evaluate.history import History
from sojourn.evaluate.panel import evaluate_panel
from sojourn.policy.agents import Agent
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.record.evaluation import Evaluation
from sojourn.record.run_dir import RunDir
from sojourn.rollout.episodes import limits_of
from sojourn.train.checkpoint import find_checkpoint


def arguments(name: str, seed: int, out: Path, jobs: int) -> list[str]:
    """What every run is told besides its file; the seed is that of the run and of the base policy's weights."""
    threads = ["--threads", "1"] if jobs > 1 else []
    return ["--name", name, "--seed", str(seed), "--policy.base.seed", str(seed), "--out", str(out), *threads]


def complete_run(file: Path, flags: Sequence[str]) -> Path:
    """The directory of the finished run of configuration `file` with `flags`: made, or gone on with, if need be.

    A run that was interrupted goes on; so does one that is to take more updates, at a constant learning rate. Beside
    it lie ``<name>.log`` and ``<name>.usage.json`` (what its processes took). Raises `ConfigError` if a run of another
    configuration is in its place.
    """
    config = load_config(file, flags)
    path = config.run_dir
    if is_complete(path, config):
        return path
    config.out.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "sojourn.cli", "train", str(file), *flags]
    if RunDir(path).config_json.exists():
        if not _may_go_on(RunDir(path).config(), config):
            raise ConfigError(f"{path} holds a run of another configuration: remove it, or name another --out")
        command.append("--resume")
        RunDir(path).report.unlink(missing_ok=True)  # of fewer updates; it says that a run is complete
    started = time.perf_counter()
    with path.with_name(f"{path.name}.log").open("a", encoding="utf-8") as log:
        # a thread that waits for others must not hold a core that another run needs
        process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "OMP_WAIT_POLICY": "PASSIVE"})
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    _note_usage(path, time.perf_counter() - started, used.ru_utime + used.ru_stime)
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    return path


def _note_usage(path: Path, wall_s: float, processor_s: float) -> None:
    before = usage(path)
    total = {"wall_s": before["wall_s"] + wall_s, "processor_s": before["processor_s"] + processor_s}
    _usage_file(path).write_text(json.dumps(total) + "\n", encoding="utf-8")


def usage(path: Path) -> dict[str, float]:
    """Seconds that the processes of a run took, start-up and evaluations included; zeros where nobody measured."""
    file = _usage_file(path)
    found: dict[str, float] = {"wall_s": 0.0, "processor_s": 0.0}
    return found | (json.loads(file.read_text(encoding="utf-8")) if file.exists() else {})


def _usage_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.usage.json")


def is_complete(path: Path, config: TrainConfig) -> bool:
    """Whether a finished run of just this configuration is there."""
    run = RunDir(path)
    return run.report.exists() and _is_same(run.config(), config)


def _may_go_on(there: TrainConfig, wanted: TrainConfig) -> bool:
    """Whether `there` is a part of `wanted`: the same, or with fewer updates where nothing depends on their number."""
    is_part = there.updates <= wanted.updates and wanted.optim.decay == "none"
    longer = there.model_copy(update={"updates": wanted.updates})
    return _is_same(there, wanted) or (is_part and _is_same(longer, wanted))


def _is_same(one: TrainConfig, other: TrainConfig) -> bool:
    ignored = {"threads", "name", "out"}  # decide the speed and the place, not what is trained
    return one.model_dump(exclude=ignored) == other.model_dump(exclude=ignored)


def steps_of(row: Mapping[str, Any]) -> int:
    """Environment steps of one update, from its line of metrics."""
    return round(row["train/episodes"] * row["train/turns"])


def final_evaluations(history: History) -> list[Evaluation]:
    """Those on the panel for the report: baselines, and the policy before and after training."""
    split = history.config.evaluate.final_split
    return [e for e in history.evaluations if e.panel.split("/")[1].startswith(split)]


async def evaluate_checkpoint(
    history: History,
    which: str,
    *,
    env: str | None = None,
    options: Mapping[str, Any] | None = None,
    baselines: bool = False,
) -> dict[str, Evaluation]:
    """The policy of a checkpoint on the final panel, as the run itself evaluates; `env` and `options` make another
    environment.

    With `baselines` random play and the oracle too.
    """
    config = history.config
    scenario = load_scenario(env or config.env.name, config.env.options if options is None else options)
    parts = await assemble(config)
    checkpoint = find_checkpoint(history.run.checkpoints, which)
    await parts.engine.load(checkpoint.engine_uri)
    agents: dict[str, Agent] = {"policy": parts.agent(config.evaluate.temperature, scenario)}
    if baselines:
        agents |= {"random": RandomAgent(), "oracle": OracleAgent()}
    found = {}
    for name, agent in agents.items():
        found[name], _ = await evaluate_panel(
            scenario,
            scenario.panel(config.evaluate.final_split),
            agent,
            agent_name=name,
            update=checkpoint.update if name == "policy" else None,
            horizon=config.evaluate.horizon,
            repeats=config.evaluate.repeats,
            seed=config.evaluate.seed,
            temperature=config.evaluate.temperature if name == "policy" else None,
            limits=limits_of(config.rollout),
        )
    await parts.engine.close()
    return found
