"""The web environment keeps the contract, in either browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.webproblems import shop_tasks

from sojourn.envs.contract import EnvContract
from sojourn.envs.protocol import Scenario

pytest.importorskip("playwright")

from sojourn.envs.web.browser.chromium import close_chromium


@pytest.fixture(scope="module", autouse=True)
def _no_browser_is_left() -> Iterator[None]:
    yield
    close_chromium()


class TestInTheTextBrowser(EnvContract):
    tasks_per_split = 2
    memory_episodes = 60
    oracle_is_admissible = False  # an answer need not be among the listed ones

    def make_scenario(self) -> Scenario:
        return shop_tasks()


@pytest.mark.slow
class TestInChromium(EnvContract):
    tasks_per_split = 1
    memory_episodes = 10
    oracle_is_admissible = False

    def make_scenario(self) -> Scenario:
        return shop_tasks(browser="chromium", max_commands=8)
