"""Web navigation in a real Chromium: the expert does a task on every site, and all at once in one browser."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import cache

import pytest
from tests.webbrowsers import why_no_chromium

from sojourn.envs.web.scenario import Web
from sojourn.envs.web.sites.hosts import HOSTS
from sojourn.policy.scripted import OracleAgent
from sojourn.rollout.episode import EpisodeLimits
from sojourn.rollout.episodes import EpisodeOutcome, EpisodeSpec, run_episodes

ERRANDS = {
    "shop": "shop-buy",
    "admin": "cms-comment",
    "forum": "forum-submit",
    "code": "code-new-issue",
    "wiki": "wiki-new-article",
    "map": "map-save",
    "home": "home-note",
}
"""Site -> a template that changes it."""
HORIZON = 40

_REASON = why_no_chromium()
pytestmark = pytest.mark.skipif(_REASON is not None, reason=_REASON or "")


@pytest.fixture(scope="module", autouse=True)
def _no_browser_is_left() -> Iterator[None]:
    yield
    from sojourn.envs.web.browser.chromium import close_chromium

    close_chromium()


@cache
def scenario() -> Web:
    return Web(browser="chromium", templates=tuple(ERRANDS.values()))


def spec_of(template: str) -> EpisodeSpec:
    """The first task of a template."""
    task = next(task for task in scenario().tasks("train") if task.task_id.startswith(f"{template}/"))
    return EpisodeSpec(task=task, seed=0, session_id=template)


def played(specs: Sequence[EpisodeSpec]) -> list[EpisodeOutcome]:
    """The expert's episodes, all at once, by the same loop that collects for training."""
    return asyncio.run(
        run_episodes(scenario(), OracleAgent(), specs, horizon=HORIZON, limits=EpisodeLimits(), max_live=len(specs))
    )


def test_there_is_a_task_for_every_site() -> None:
    assert ERRANDS.keys() == HOSTS.keys()


@pytest.mark.parametrize("site", ERRANDS)
def test_an_expert_does_an_errand_on_every_site(site: str) -> None:
    (outcome,) = played([spec_of(ERRANDS[site])])
    trajectory = outcome.trajectory
    assert trajectory is not None
    assert trajectory.is_success, trajectory.turns[-1]
    assert trajectory.return_ == 1.0
    assert trajectory.first is not None
    assert f"\nURL: http://{HOSTS[site]}/" in trajectory.first.observation


def test_errands_on_all_sites_at_once_change_nothing_of_each_other() -> None:
    outcomes = played([spec_of(template) for template in ERRANDS.values()])
    # an episode succeeds only if the rows that were asked for changed, and no others
    assert [outcome.trajectory is not None and outcome.trajectory.is_success for outcome in outcomes] == [True] * 7
