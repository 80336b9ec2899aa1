"""docs/your_own_algorithm.md is executed: its module, with its settings, trains."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from tests.unit.samples_of_record import config
from tests.unit.test_docs import BUTTONS, ROOT, blocks

from sojourn.cli.training import run_training
from sojourn.record.run_dir import RunDir


def test_the_algorithm_of_the_documentation_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page = ROOT / "docs" / "your_own_algorithm.md"
    (module,), (settings,) = blocks(page, "python"), blocks(page, "toml")
    assert len(module.splitlines()) <= 40
    (tmp_path / "my_credit.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "cache"))
    tree = config(
        updates=10,
        out=str(tmp_path),
        env={"name": "tests.toys:Buttons", "options": {"lengths": [1]}},
        policy={"base": BUTTONS, "action_format": "bare", "constraint": "admissible", "max_new_tokens": 8},
        horizon={"kind": "fixed", "turns": 2},
        rollout={"tasks_per_update": 6, "group_size": 8},
        optim={"learning_rate": 1e-2, "minibatches": 2},
        evaluate={"horizon": 2, "repeats": 10},
        **tomllib.loads(settings),
    )
    assert run_training(tree, resume=False) == 0
    lines = [json.loads(line) for line in RunDir.open(tree.run_dir).metrics.read_text().splitlines()]
    success = [line["train/success"] for line in lines]
    assert sum(success[-3:]) > sum(success[:3]) + 0.3, success
