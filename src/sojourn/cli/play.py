"""``sojourn play``: an environment as the agent meets it, played by hand or watched."""

from __future__ import annotations

import argparse
import asyncio

from sojourn.cli.options import read_options
from sojourn.cli.source import Source, make_agent, open_source
from sojourn.config import TrainConfig
from sojourn.envs.protocol import Scenario
from sojourn.errors import ConfigError, unknown_name
from sojourn.policy.agents import Agent, Commands, Plan
from sojourn.rollout.episode import EpisodeLimits, run_episode
from sojourn.rollout.episodes import limits_of
from sojourn.types import EMPTY_COMPLETION, Decision, Task, Trajectory

_NO_LIMIT = 10**9
_HELP = "Type an action, or its number; ? lists the commands, hint asks the oracle, quit leaves."


class QuitError(Exception):
    """The player left."""


class HumanAgent:
    """Asks a person at the terminal."""

    instructions = ""

    def begin(self, *, session_id: str, seed: int, oracle: Plan | None = None) -> HumanSession:
        """Start an episode."""
        return HumanSession(oracle)


class HumanSession:
    """One episode of a person."""

    def __init__(self, oracle: Plan | None) -> None:
        self._oracle = oracle

    async def act(self, observation: str, commands: Commands | None) -> Decision:
        """Show the observation and wait for an action; raises `QuitError` when there is none to come."""
        print(f"\n{observation}")
        while True:
            action = await self._answer(self._read(), commands)
            if action is not None:
                return Decision(prompt_ids=(), completion=EMPTY_COMPLETION, text=action, action=action)

    def _read(self) -> str:
        try:
            return input("> ").strip()
        except EOFError as error:
            raise QuitError from error

    async def _answer(self, typed: str, commands: Commands | None) -> str | None:
        """The action that was typed; None if it was a question, now answered."""
        listed = list(await commands()) if commands is not None else []
        if typed == "quit":
            raise QuitError
        if typed == "?":
            print("\n".join(f"{n:4d}  {text}" for n, text in enumerate(listed, 1)) or "(no list of commands)")
        elif typed == "hint":
            print((await self._oracle() if self._oracle else None) or "(the oracle has no plan)")
        elif typed == "":
            print(_HELP)
        elif typed.isdecimal() and 1 <= int(typed) <= len(listed):
            return listed[int(typed) - 1]
        else:
            return typed
        return None

    def close(self) -> None:
        """Nothing is held."""


def play(options: argparse.Namespace) -> int:
    """Play one task and say how it ended."""
    source = open_source(options.source, options.env, read_options(options.options))
    task = _task(source, options)
    horizon = options.horizon or (source.config.evaluate.horizon if source.config else _NO_LIMIT)
    print(f"{task.env_id}, {task.split}, task {task.task_id}\n\n{source.scenario.instructions}")
    if options.agent == "human":
        print(f"\n{_HELP}")
        # a person may think for as long as she likes
        limits = EpisodeLimits(reset_timeout_s=_NO_LIMIT, step_timeout_s=_NO_LIMIT, sample_timeout_s=_NO_LIMIT)
        try:
            trajectory = asyncio.run(_episode(source.scenario, HumanAgent(), task, horizon, limits, options.seed))
        except QuitError:
            return 0
        print(f"\n{trajectory.turns[-1].result.observation}" if trajectory.turns else "")
    else:
        trajectory = _watched(source, options, task, min(horizon, 1000))
        _tell(trajectory)
    print(f"\n{ending(trajectory)}")
    return 0


def _watched(source: Source, options: argparse.Namespace, task: Task, horizon: int) -> Trajectory:
    agent, close = make_agent(options.agent, source, options.checkpoint)

    async def run() -> Trajectory:
        try:
            return await _episode(source.scenario, agent, task, horizon, _limits(source.config), options.seed)
        finally:
            await close()

    return asyncio.run(run())


def _limits(config: TrainConfig | None) -> EpisodeLimits:
    return EpisodeLimits() if config is None else limits_of(config.rollout)


async def _episode(
    scenario: Scenario, agent: Agent, task: Task, horizon: int, limits: EpisodeLimits, seed: int
) -> Trajectory:
    env = scenario.make()
    session = agent.begin(session_id="play", seed=seed, oracle=lambda: scenario.oracle(env).next_action())
    return await run_episode(
        env, session, task, horizon=horizon, limits=limits, seed=seed, instructions=agent.instructions
    )


def _task(source: Source, options: argparse.Namespace) -> Task:
    split = options.split or (source.config.evaluate.final_split if source.config else "test")
    if split not in source.scenario.splits:
        raise unknown_name("split", split, source.scenario.splits)
    if options.task is None:
        return source.scenario.panel(split).tasks[0]
    for task in source.scenario.tasks(split):
        if task.task_id == options.task:
            return task
    raise ConfigError(f"no task {options.task!r} in split {split!r} of {source.scenario.env_id}")


def _tell(trajectory: Trajectory) -> None:
    """The whole episode: what was seen, what was written, what came back."""
    if trajectory.first is not None:
        print(f"\n{trajectory.first.observation}")
    for number, turn in enumerate(trajectory.turns, 1):
        print(f"\n[turn {number}] {turn.decision.text}\n\n{turn.result.observation}")


def ending(trajectory: Trajectory) -> str:
    """One line on how an episode ended."""
    solved = "solved" if trajectory.is_success else "not solved"
    error = f" ({trajectory.error})" if trajectory.error else ""
    return (
        f"{solved}: {trajectory.stop_reason.value}{error} after {trajectory.num_turns} turns, "
        f"return {trajectory.return_:g}"
    )
