"""``sojourn envs``: what there is to play in."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from sojourn.cli.scenarios import FOREIGN
from sojourn.envs.catalog import SHIPPED, load_scenario
from sojourn.envs.protocol import Panel, Scenario
from sojourn.errors import ConfigError, MissingDependencyError

_UNBUILT = "  its corpus is made at first use, in some minutes; sojourn search build atlas makes it now"


def envs(options: argparse.Namespace) -> int:
    """Print one block per shipped environment; what is missing for one is said with the command that repairs it."""
    for name in SHIPPED:
        try:
            lines = [_UNBUILT] if name == "search" and not _has_atlas() else list(_block(load_scenario(name)))
        except (MissingDependencyError, ConfigError) as error:  # no option was given: it is the machine's settings
            lines = [f"  {error}"]
        print(name, *lines, "", sep="\n")
    print('Any other: env.name = "module:Factory" in a configuration, or sojourn play --env module:Factory;')
    print(f"http://HOST:PORT of a sojourn serve; foreign services: {', '.join(FOREIGN)}.")
    return 0


def _has_atlas() -> bool:
    from sojourn.envs.search.sources import is_at_hand  # pydantic and more, for one name of all

    return is_at_hand("atlas")


def _block(scenario: Scenario) -> Iterator[str]:
    panels = {split: scenario.panel(split) for split in scenario.splits}
    yield f"  id {scenario.env_id}"
    yield f"  {'split':<12}{'tasks':>12}{'panel':>8}  panel SHA-256"
    for split, panel in panels.items():
        yield f"  {split:<12}{len(scenario.tasks(split)):>12,}{len(panel.tasks):>8,}  {panel.sha256[:12]}"
    categories = sorted({category for panel in panels.values() for category in _categories(panel)})
    yield f"  categories: {', '.join(categories) or 'none'}"


def _categories(panel: Panel) -> set[str]:
    return {task.category for task in panel.tasks if task.category is not None}
