"""The golden run: twenty-five updates of a tiny policy on buttons, on one CPU thread, against committed numbers.

``buttons.json`` holds loss, gradient norm and success of the first updates, and what they were measured on. With the
same PyTorch and the same kind of CPU all of them must agree. Elsewhere a sum may be rounded in another order, and one
token drawn differently changes all that follows: there only the first updates are compared, and less closely.

To accept a change of numbers, say why in the commit, and regenerate them::

    SOJOURN_WRITE_GOLDEN=1 python -m pytest tests/golden
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from sojourn.cli import main
from sojourn.record.metrics import read_metrics

HERE = Path(__file__).parent
GOLDEN = HERE / "buttons.json"
NUM_GOLDEN = 15
NUM_ANYWHERE = 2
NAMES = ("loss/policy", "loss/entropy", "optim/grad_norm", "train/success", "train/turns", "train/trained_tokens")


def machine() -> dict[str, str]:
    """What decides in which order floats are added."""
    return {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The metrics of the golden run."""
    folder = tmp_path_factory.mktemp("golden")
    threads = torch.get_num_threads()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOJOURN_CACHE", str(folder / "cache"))
        assert main(["train", str(HERE / "buttons.toml"), "--out", str(folder), "--name", "golden"]) == 0
    torch.set_num_threads(threads)
    return read_metrics(folder / "golden" / "metrics.jsonl")


def test_the_first_updates_are_what_they_always_were(metrics: list[dict[str, Any]]) -> None:
    updates = [{name: row[name] for name in NAMES} for row in metrics[:NUM_GOLDEN]]
    if os.environ.get("SOJOURN_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps({"measured_on": machine(), "updates": updates}, indent=1) + "\n")
    golden = json.loads(GOLDEN.read_text())
    is_same = golden["measured_on"] == machine()
    number, tolerance = (NUM_GOLDEN, 1e-3) if is_same else (NUM_ANYWHERE, 2e-2)
    for update, (row, expected) in enumerate(zip(updates[:number], golden["updates"], strict=False)):
        for name in NAMES:
            assert row[name] == pytest.approx(expected[name], rel=tolerance, abs=tolerance / 10), f"{name} of {update}"


def test_the_tiny_policy_learns_the_task(metrics: list[dict[str, Any]]) -> None:
    success = [row["train/success"] for row in metrics]
    assert success[0] < 0.4
    assert max(sum(success[n : n + 5]) / 5 for n in range(len(success) - 4)) >= 0.9


def test_sampler_and_trainer_have_the_same_policy_in_every_update(metrics: list[dict[str, Any]]) -> None:
    assert max(abs(row.get("ratio/sampler_kl", 0.0)) for row in metrics) < 1e-6
