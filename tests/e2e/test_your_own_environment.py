"""docs/your_own_environment.md is executed: its file, its checks, its training, its service."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.contract.served_process import serving

PAGE = Path(__file__).resolve().parents[2] / "docs" / "your_own_environment.md"
MAX_LINES = 25


def block(language: str) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return str(found[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("own")
    (made / "my_env.py").write_text(block("python"))
    (made / "train.toml").write_text(block("toml"))
    return made


def sojourn(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SOJOURN_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", "-m", "sojourn.cli", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_environment_is_25_lines_with_everything():
    lines = [line for line in block("python").splitlines() if line.strip()]
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= 120


def test_check_env_is_green(folder: Path):
    done = sojourn(folder, "check-env", "my_env:scenario")
    assert done.returncode == 0, done.stdout + done.stderr


def test_check_env_is_not_green_when_the_environment_is_wrong(folder: Path):
    text = block("python").replace("TASKS[task.seed * 7 % 60]", "TASKS[TASKS.insert(0, TASKS.pop()) or task.seed]")
    (folder / "my_wrong_env.py").write_text(text)
    done = sojourn(folder, "check-env", "my_wrong_env:scenario")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "replay" in " ".join(done.stdout.split())


def test_training_raises_success_on_tasks_that_were_not_trained_on(folder: Path):
    done = sojourn(folder, "train", "train.toml", "--updates", "10", "--out", "runs")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (folder / "runs" / "hunt" / "evaluations.jsonl").read_text().splitlines()]
    rates = {
        row["update"]: row["overall"]["success_rate"]
        for row in rows
        if row["agent"] == "policy" and row["panel"] == "hunt-v1/validation"
    }
    assert rates[10] >= rates[0] + 0.2


def test_it_is_served_and_trained_on_over_the_service(folder: Path):
    with serving(["sojourn.cli", "serve", "my_env:scenario", "--port", "0", "--workers", "1"], cwd=folder) as url:
        named = ("--env.name", url, "--name", "hunt-served", "--out", "runs")
        done = sojourn(folder, "train", "train.toml", *named, "--updates", "1", "--evaluate.repeats", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = (folder / "runs" / "hunt-served" / "metrics.jsonl").read_text().splitlines()
    metrics = json.loads(line)
    assert (metrics["train/episodes"], metrics["train/failed_episodes"]) == (128, 0)
