"""Training over a service is training in process: the same trajectories for the same seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.services import serving
from tests.unit.samples_of_record import config

from sojourn.cli.training import run_training
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import read_trajectories
from sojourn.types import Trajectory

TINY = {"hidden_size": 16, "num_heads": 2, "num_layers": 1, "num_episodes": 20, "vocab_size": 200}
OPTIONS = ["--options", "textcraft.depths=[1]"]


def trained(folder: Path, env: dict[str, Any]) -> list[Trajectory]:
    """The trajectories of a run of two updates, evaluations included."""
    tree = config(
        updates=2,
        out=str(folder),
        env=env,
        policy={"base": TINY, "action_format": "bare", "constraint": "admissible", "max_new_tokens": 24},
        rollout={"tasks_per_update": 3, "group_size": 3, "filter_zero_variance": False},
        evaluate={"horizon": 3, "max_tasks": 4},
        horizon={"kind": "fixed", "turns": 4},
    )
    assert run_training(tree, resume=False) == 0
    run = RunDir.open(tree.run_dir)
    return [recorded.trajectory for recorded in read_trajectories(run.trajectories)]


def logprobs(trajectories: Sequence[Trajectory]) -> list[float]:
    return [p for one in trajectories for turn in one.turns for p in turn.decision.completion.logprobs]


def content(trajectory: Trajectory) -> dict[str, Any]:
    """All that is not a clock or a log-prob (which batches of another make-up round otherwise)."""
    return {
        "task": trajectory.task,
        "first": trajectory.first,
        "stop": trajectory.stop_reason,
        "seed": trajectory.seed,
        "instructions": trajectory.instructions,
        "turns": [
            (t.decision.prompt_ids, t.decision.completion.token_ids, t.decision.action, t.result)
            for t in trajectory.turns
        ],
    }


def test_training_over_the_service_gives_the_trajectories_of_training_in_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "cache"))
    here = trained(tmp_path / "here", {"name": "textcraft", "options": {"depths": [1]}})
    assert len(here) >= 18
    assert any(trajectory.num_turns > 1 for trajectory in here)
    with serving(tmp_path, "textcraft", *OPTIONS) as service:
        for number, is_batched in enumerate((True, False)):
            env = {"name": service.url, "options": {"batch": is_batched}}
            there = trained(tmp_path / f"there{number}", env)
            assert [content(trajectory) for trajectory in there] == [content(trajectory) for trajectory in here]
            pairs = zip(logprobs(here), logprobs(there), strict=True)
            assert all(math.isclose(p, q, abs_tol=1e-4) for p, q in pairs)
        assert service.num_open() == 0
