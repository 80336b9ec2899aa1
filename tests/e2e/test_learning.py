"""benchmarks/learning.py from end to end, on a plan of two runs that learn within seconds."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
from benchmarks._learning_page import page
from tests.e2e.runs import HERE, ROOT

PATIENCE_S = 500.0


class Experiment:
    """The plan in a folder of its own, and what the script made of it."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "SOJOURN_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
        for name in ("learning.toml", "learning.plan.toml"):
            shutil.copy(HERE / name, folder / name)

    def replace(self, old: str, new: str) -> None:
        """Change the plan."""
        plan = self.folder / "learning.plan.toml"
        assert old in plan.read_text()
        plan.write_text(plan.read_text().replace(old, new))

    def run(self) -> tuple[int, str]:
        """The script, as a user calls it: exit code and output."""
        flags = ["--seeds", "7", "--jobs", "2", "--out", "runs", "--results", "results"]
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "learning.py"), "learning.plan.toml", *flags],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            told, _ = process.communicate(timeout=PATIENCE_S)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)  # its runs too
            process.communicate()
            raise
        return process.returncode, told

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.folder / "results" / "learning_learning.json").read_text())

    def metrics(self, name: str) -> list[dict[str, Any]]:
        """What a run itself recorded."""
        lines = (self.folder / "runs" / "learning" / name / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Experiment:
    experiment = Experiment(tmp_path_factory.mktemp("learning"), cache)
    code, told = experiment.run()
    assert code == 0, told
    assert told.count(": done") == 2
    return experiment


def steps_so_far(metrics: list[dict[str, Any]]) -> list[int]:
    """Environment steps up to and including each update."""
    return list(accumulate(round(row["train/episodes"] * row["train/turns"]) for row in metrics))


def test_the_result_compares_at_equal_environment_steps_and_the_page_tells_it(first: Experiment):
    result = first.result
    assert [(row["algorithm"], row["schedule"]) for row in result["runs"]] == [("rloo", "fixed"), ("rloo", "growing")]
    assert result["missing"] == []
    for row in result["runs"]:
        steps = steps_so_far(first.metrics(f"rloo-{row['schedule']}-seed7"))
        assert row["curve"]["environment_steps"] == steps
        update = row["at_budget"]["update"]
        assert steps[update - 2] < result["environment_steps"] <= steps[update - 1]
        assert row["at_budget"]["environment_steps"] == steps[update - 1]
        assert row["process"]["processor_s"] > 1.0
    growing = result["runs"][1]["curve"]
    assert growing["horizon"] == [1, 1, *[2] * 13]
    assert max(growing["turns"][:2]) == 1.0
    for row, summary in zip(result["runs"], result["summaries"], strict=True):
        success = row["curve"]["success"]
        assert sum(success[-3:]) > sum(success[:3]) + 0.3, success
        assert 0 < summary["steps_to_target"] < row["environment_steps"]
        assert summary["num_collapsed"] == 0
    without_command = {key: value for key, value in result.items() if key != "command"}
    assert str(first.folder) not in json.dumps(without_command)
    picture = first.folder / "results" / "learning_learning.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    (first.folder / "results" / "learning_schedules.json").write_text(json.dumps(result))
    text = page(first.folder / "results")
    assert "| `rloo` | growing |" in text
    assert "Not measured yet: `python benchmarks/learning.py algorithms`" in text


def test_what_is_complete_is_kept_and_more_updates_go_on(first: Experiment):
    before = first.result["runs"]
    first.replace("updates = 15", "updates = 16")
    code, told = first.run()
    assert code == 0, told
    assert "rloo-fixed-seed7: was there" in told
    assert "rloo-growing-seed7: done" in told
    fixed, growing = first.result["runs"]
    assert fixed == before[0]
    assert growing["updates"] == 16
    for name, values in growing["curve"].items():
        assert values[:15] == before[1]["curve"][name]
    assert growing["process"]["processor_s"] > before[1]["process"]["processor_s"]


def test_a_run_that_does_not_reach_the_budget_is_missing(first: Experiment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.chdir(first.folder)
    learning = importlib.import_module("learning")
    plan = replace(learning.Plan.read("learning.plan.toml"), environment_steps=60_000)
    runs = list(learning.variants(plan, [7], Path("runs/learning"), 2))
    assert learning.collect(plan, runs)["missing"] == ["rloo-fixed-seed7", "rloo-growing-seed7"]
