"""Random play, oracle and any other agent are measured the same way; failures are left out and counted."""

import asyncio
from typing import Any

import pytest
from tests.toys import Buttons

from sojourn.envs.protocol import Panel
from sojourn.errors import ConfigError
from sojourn.evaluate.intervals import bootstrap_over_tasks, wilson
from sojourn.evaluate.panel import evaluate_panel, first_tasks
from sojourn.policy.agents import Agent
from sojourn.policy.scripted import OracleAgent, RandomAgent, ReplayAgent
from sojourn.record.evaluation import Evaluation
from sojourn.rollout.episode import EpisodeLimits
from sojourn.types import Trajectory


def measure(
    agent: Agent, scenario: Buttons | None = None, panel: Panel | None = None, **changes: Any
) -> tuple[Evaluation, list[Trajectory]]:
    scenario = scenario or Buttons()
    options = {"agent_name": "x", "horizon": 6, "seed": 1, "limits": EpisodeLimits()} | changes
    return asyncio.run(evaluate_panel(scenario, panel or scenario.panel("test"), agent, **options))


def test_the_oracle_solves_everything() -> None:
    evaluation, trajectories = measure(OracleAgent(), agent_name="oracle")
    overall = evaluation.overall
    assert (overall.success_rate, overall.mean_return, overall.unparsable_share) == (1.0, 1.0, 0.0)
    assert overall.num_tasks == overall.num_episodes == len(trajectories) == len(Buttons().panel("test").tasks)
    assert overall.interval == wilson(overall.num_tasks, overall.num_tasks)
    assert overall.stop_reasons == {"terminated": overall.num_tasks}
    assert evaluation.panel_sha256 == Buttons().panel("test").sha256
    assert (evaluation.agent, evaluation.update, evaluation.interval_method) == ("oracle", None, "wilson")


def test_categories_add_up_to_the_whole() -> None:
    evaluation, _ = measure(RandomAgent())
    parts = evaluation.categories
    assert list(parts) == ["one", "three", "two"]
    assert sum(p.num_episodes for p in parts.values()) == evaluation.overall.num_episodes
    solved = sum(round((p.success_rate or 0) * p.num_episodes) for p in parts.values())
    assert solved == round((evaluation.overall.success_rate or 0) * evaluation.overall.num_episodes)


def test_same_seed_same_evaluation_and_other_seed_another_draw() -> None:
    assert measure(RandomAgent())[0] == measure(RandomAgent())[0]
    turns = [[t.num_turns for t in measure(RandomAgent(), seed=seed)[1]] for seed in (1, 2)]
    assert turns[0] != turns[1]


def test_an_episode_does_not_depend_on_the_rest_of_the_panel() -> None:
    scenario = Buttons()
    whole, part = (
        measure(RandomAgent(), panel=p)[1] for p in (scenario.panel("test"), first_tasks(scenario.panel("test"), 3))
    )
    assert [t.seed for t in whole[:3]] == [t.seed for t in part]
    assert [t.num_turns for t in whole[:3]] == [t.num_turns for t in part]


def test_repeats_differ_and_are_bootstrapped_over_tasks() -> None:
    evaluation, trajectories = measure(RandomAgent(), repeats=3)
    assert evaluation.overall.num_episodes == 3 * evaluation.overall.num_tasks
    assert len({t.seed for t in trajectories}) == len(trajectories)
    solved = [sum(t.is_success for t in trajectories[k : k + 3]) for k in range(0, len(trajectories), 3)]
    assert evaluation.overall.interval == bootstrap_over_tasks(solved, [3] * len(solved), seed=1)
    assert evaluation.interval_method == "bootstrap over tasks"


def test_failed_episodes_are_in_no_rate_but_counted_and_returned() -> None:
    broken = Buttons().panel("test").tasks[0].task_id
    evaluation, trajectories = measure(OracleAgent(), Buttons(broken=[broken]), max_attempts=2)
    overall = evaluation.overall
    assert (overall.num_failed, overall.success_rate) == (1, 1.0)
    assert overall.num_tasks == overall.num_episodes == len(Buttons().panel("test").tasks) - 1
    assert overall.stop_reasons["env_error"] == 1
    assert [t.task.task_id for t in trajectories[:2]] == [broken, broken]


def test_where_everything_fails_nothing_is_measured() -> None:
    names = [task.task_id for task in Buttons().panel("test").tasks]
    overall = measure(OracleAgent(), Buttons(broken=names))[0].overall
    assert (overall.success_rate, overall.interval, overall.mean_turns, overall.num_tasks) == (None, None, None, 0)


def test_unparsable_turns_are_counted() -> None:
    overall = measure(ReplayAgent(["press red"]), horizon=2)[0].overall
    assert overall.unparsable_share is not None
    assert 0 < overall.unparsable_share <= 0.5


def test_an_empty_panel_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no tasks"):
        measure(OracleAgent(), panel=Panel(name="empty", tasks=()))


def test_a_cut_panel_has_its_own_name_and_hash() -> None:
    panel = Buttons().panel("test")
    assert first_tasks(panel, None) is panel
    assert first_tasks(panel, 10_000) is panel
    assert first_tasks(panel, 2).name == "buttons-v1/test[:2]"
    assert first_tasks(panel, 2).sha256 != panel.sha256
