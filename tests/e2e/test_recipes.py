"""Every recipe that runs without a download is trained for one small update, from the shipped file, to its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sojourn.cli.entry import main
from sojourn.config import load_config
from sojourn.envs.catalog import load_scenario
from sojourn.envs.protocol import Panel
from sojourn.record.evaluation import read_evaluations
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import read_trajectories

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))
DOWNLOADED = "qwen2.5-7b"
"""Recipes for a model that no package holds: they are read, not run, by tests/unit/test_docs.py."""
SMALL = {
    "updates": 1,
    "rollout.tasks_per_update": 2,
    "rollout.group_size": 2,
    "rollout.max_refills": 0,
    "optim.minibatches": 1,
    "policy.base.num_episodes": 4,
    "evaluate.every": 0,
    "evaluate.horizon": 4,
}
PANEL_TASKS = 2


@pytest.mark.parametrize(
    "recipe", [path for path in RECIPES if path.stem != DOWNLOADED], ids=lambda path: str(path.relative_to(ROOT))
)
def test_a_recipe_trains_and_reports(
    recipe: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_CACHE", str(cache))
    flags = [part for key, value in SMALL.items() for part in (f"--{key}", str(value))]
    config = load_config(recipe, flags)
    scenario: Any = type(load_scenario(config.env.name, config.env.options))
    whole = scenario.panel

    def first_tasks(self: Any, split: str) -> Panel:
        panel: Panel = whole(self, split)
        return Panel(name=panel.name, tasks=panel.tasks[:PANEL_TASKS])

    monkeypatch.setattr(scenario, "panel", first_tasks)
    assert main(["train", str(recipe), "--out", str(tmp_path), *flags]) == 0
    run = RunDir(tmp_path / config.name)
    assert "## Result" in run.report.read_text(encoding="utf-8")
    agents = [(e.agent, e.update) for e in read_evaluations(run.evaluations)]
    assert agents[:2] == [("random", None), ("oracle", None)]
    assert agents[-1] == ("policy", 1)
    # besides them, the attempts that faults.toml made to fail
    recorded = read_trajectories(run.trajectories)
    assert sum(record.trajectory.error is None for record in recorded) == 4
