"""What a command plays in and with: a run, a configuration, or just an environment; and the agent that was named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sojourn.cli.scenarios import open_scenario
from sojourn.config import TrainConfig, load_config
from sojourn.envs.protocol import Scenario
from sojourn.errors import ConfigError
from sojourn.policy.agents import Agent
from sojourn.policy.scripted import OracleAgent, RandomAgent
from sojourn.record.run_dir import RunDir

Close = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the environment and its settings come from."""

    scenario: Scenario
    config: TrainConfig | None = None
    run: RunDir | None = None


def open_source(path: Path | None, env: str | None = None, options: Mapping[str, Any] | None = None) -> Source:
    """The run or configuration at `path`, its environment replaced by the one called `env` where that is given; or just
    that environment.

    `options` are those of `env`; a run or configuration says its own.
    """
    if path is None and env is None:
        raise ConfigError("expected a run or configuration, or --env NAME, or both")
    if options and env is None:
        raise ConfigError(f"--options: expected with --env only, for {path} says the environment's options itself")
    if path is None:
        assert env is not None
        return Source(scenario=open_scenario(env, options))
    run = RunDir.open(path) if path.is_dir() else None
    config = run.config() if run is not None else load_config(path)
    scenario = open_scenario(config.env.name, config.env.options) if env is None else open_scenario(env, options)
    return Source(scenario=scenario, config=config, run=run)


def make_agent(name: str, source: Source, checkpoint: str) -> tuple[Agent, Close]:
    """The agent called `name` and what closes it; ``policy`` is the run's, or a configuration's untrained one."""
    if name == "random":
        return RandomAgent(), _nothing
    if name == "oracle":
        return OracleAgent(), _nothing
    if source.config is None:
        raise ConfigError("the agent 'policy' needs a run or a configuration, not just an environment")
    if source.run is None:
        return _untrained(source.config, source.scenario)
    from sojourn.cli.training import load_policy  # loads torch and transformers: seconds

    return load_policy(source.run.path, checkpoint, source.scenario)


def _untrained(config: TrainConfig, scenario: Scenario) -> tuple[Agent, Close]:
    from sojourn.cli.assemble import assemble  # loads torch and transformers: seconds

    parts = asyncio.run(assemble(config))
    return parts.agent(config.evaluate.temperature, scenario), parts.engine.close


async def _nothing() -> None:
    """Scripted agents hold nothing."""
