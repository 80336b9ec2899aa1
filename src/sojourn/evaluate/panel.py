"""Evaluation of any agent on a fixed panel of tasks; random play, oracle and language model go the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.envs.protocol import Panel, Scenario
from sojourn.errors import ConfigError
from sojourn.evaluate.intervals import bootstrap_over_tasks, wilson
from sojourn.policy.agents import Agent
from sojourn.record.evaluation import Evaluation, Interval, Summary
from sojourn.rollout.episode import EpisodeLimits
from sojourn.rollout.episodes import EpisodeOutcome, EpisodeSpec, Retries, derived_seed, run_episodes
from sojourn.types import Task, Trajectory


@dataclass(frozen=True, kw_only=True, slots=True)
class _Played:
    """What came of all episodes of one task."""

    task: Task
    outcomes: tuple[EpisodeOutcome, ...]

    @property
    def trajectories(self) -> list[Trajectory]:
        return [o.trajectory for o in self.outcomes if o.trajectory is not None]


def first_tasks(panel: Panel, max_tasks: int | None) -> Panel:
    """The first `max_tasks` tasks of `panel` as a panel of their own; None keeps all."""
    if max_tasks is None or max_tasks >= len(panel.tasks):
        return panel
    return Panel(name=f"{panel.name}[:{max_tasks}]", tasks=panel.tasks[:max_tasks])


async def evaluate_panel(
    scenario: Scenario,
    panel: Panel,
    agent: Agent,
    *,
    agent_name: str,
    horizon: int,
    seed: int,
    limits: EpisodeLimits,
    repeats: int = 1,
    temperature: float | None = None,
    update: int | None = None,
    max_attempts: int = 1,
    max_live: int = 512,
) -> tuple[Evaluation, list[Trajectory]]:
    """Play every task of `panel` `repeats` times and sum up; also all trajectories in panel order, failed ones too.

    The seed of an episode depends on `seed`, its task and its repeat alone: every agent meets the same draws.
    """
    if not panel.tasks:
        raise ConfigError(f"panel {panel.name} has no tasks (do env.options leave any?)")
    specs = [
        EpisodeSpec(
            task=task,
            seed=derived_seed(seed, task.task_id, repeat),
            session_id=f"{panel.name}/{agent_name}/{update}/{number}.{repeat}",
        )
        for number, task in enumerate(panel.tasks)
        for repeat in range(repeats)
    ]
    outcomes = await run_episodes(
        scenario,
        agent,
        specs,
        horizon=horizon,
        limits=limits,
        retries=Retries(max_attempts=max_attempts),
        max_live=max_live,
    )
    played = [
        _Played(task=task, outcomes=tuple(outcomes[k * repeats : (k + 1) * repeats]))
        for k, task in enumerate(panel.tasks)
    ]
    evaluation = Evaluation(
        agent=agent_name,
        update=update,
        env_id=scenario.env_id,
        panel=panel.name,
        panel_sha256=panel.sha256,
        horizon=horizon,
        repeats=repeats,
        seed=seed,
        temperature=temperature,
        interval_method="wilson" if repeats == 1 else "bootstrap over tasks",
        overall=_summary(played, repeats, seed),
        categories=_by_category(played, repeats, seed),
    )
    return evaluation, [t for o in outcomes for t in (*o.failed, o.trajectory) if t is not None]


def _by_category(played: Sequence[_Played], repeats: int, seed: int) -> dict[str, Summary]:
    names = sorted({p.task.category for p in played if p.task.category is not None})
    return {name: _summary([p for p in played if p.task.category == name], repeats, seed) for name in names}


def _summary(played: Sequence[_Played], repeats: int, seed: int) -> Summary:
    trajectories = [t for p in played for t in p.trajectories]
    turns = [turn for t in trajectories for turn in t.turns]
    num_failed = sum(o.trajectory is None for p in played for o in p.outcomes)
    return Summary(
        num_tasks=sum(bool(p.trajectories) for p in played),
        num_episodes=len(trajectories),
        num_failed=num_failed,
        success_rate=_mean([t.is_success for t in trajectories]),
        interval=_interval(played, repeats, seed) if trajectories else None,
        mean_return=_mean([t.return_ for t in trajectories]),
        mean_turns=_mean([t.num_turns for t in trajectories]),
        unparsable_share=_mean([not turn.is_parsed for turn in turns]),
        stop_reasons=dict(sorted(Counter(_stop_reason(o) for p in played for o in p.outcomes).items())),
    )


def _interval(played: Sequence[_Played], repeats: int, seed: int) -> Interval:
    successes = [sum(t.is_success for t in p.trajectories) for p in played]
    episodes = [len(p.trajectories) for p in played]
    if repeats == 1:
        return wilson(sum(successes), sum(episodes))
    return bootstrap_over_tasks(successes, episodes, seed)


def _stop_reason(outcome: EpisodeOutcome) -> str:
    last = outcome.trajectory if outcome.trajectory is not None else outcome.failed[-1]
    return last.stop_reason.value


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
