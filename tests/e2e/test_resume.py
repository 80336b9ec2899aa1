"""Promises 6 and 7: resume is equality, and the same seed is the same run, by real processes that are really killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.e2e.processes import Fault, die, die_in_the_line, interrupt, interrupt_twice
from tests.e2e.runs import HERE, ROOT, Runs, assert_equal, checkpoints

KILLED = -9

STEP = "tests.toys:ButtonsEnv.step"
LINE = "sojourn.record.jsonl:LineWriter.append"
DEATHS = {
    "in the baselines": Fault(target=STEP, call=20, act=die),
    "before an optimiser step": Fault(target="sojourn.engine.optimizer:Optimizer.step", call=5, act=die),
    "while collecting": Fault(target=STEP, call=30, act=die),
    "before publishing": Fault(target="sojourn.engine.hf_sampler:HFSampler.publish", call=3, act=die),
    "in a line of the record": Fault(target=LINE, call=40, act=die_in_the_line),
    "between weights and optimiser": Fault(target="sojourn.engine.optimizer:Optimizer.state", call=2, act=die),
    "before the checkpoint has its name": Fault(target="sojourn.train.checkpoint:_flush", call=2, act=die),
    "before old checkpoints are deleted": Fault(target="sojourn.train.checkpoint:_prune", call=2, act=die),
    "in the last evaluation": Fault(target="sojourn.train.recorder:Recorder.evaluation", call=4, act=die),
    "before the report": Fault(target="sojourn.cli.training:write_report", call=1, act=die),
}
"""Where a process dies; each is another process of one run, in this order, and most live for an update or two."""


def resumed(runs: Runs, name: str, *flags: str) -> Path:
    """The run, brought to its end."""
    last = runs.start(name, "--resume", *flags)
    assert last.wait() == 0, last.text()
    return runs.path(name)


def test_a_run_killed_at_many_points_ends_equal_to_one_that_was_not(runs: Runs, straight: Runs) -> None:
    for number, (where, fault) in enumerate(DEATHS.items()):
        died = runs.start("buttons", *(["--resume"] if number else []), faults=[fault])
        assert died.wait() == KILLED, f"{where}:\n{died.text()}"
    assert_equal(resumed(runs, "buttons"), straight.done("buttons"))


def test_a_run_on_babyai_killed_from_outside_ends_equal(runs: Runs, straight: Runs) -> None:
    whole = straight.done("babyai")
    for number in range(2):
        under_way = runs.start("babyai", *(["--resume"] if number else []))
        under_way.wait_until(lambda number=number: runs.num_updates("babyai") > number)
        under_way.signal(signal.SIGKILL)
        assert under_way.wait() == KILLED, under_way.text()
    assert_equal(resumed(runs, "babyai"), whole)


KL = ("--algorithm.kl_coef", "0.1")
STATEFUL = {
    "a critic of its own": (
        "--algorithm.name",
        "ppo",
        "--critic.learning_rate",
        "1e-3",
        "--critic.warmup_updates",
        "2",
    ),
    "a shared critic": ("--algorithm.name", "ppo_turn", "--critic.kind", "shared"),
    "an adaptive KL": (*KL, "--algorithm.kl_target", "0.01", "--algorithm.kl_in", "reward"),
    "a reference that moves": (*KL, "--algorithm.reference_reset_every", "2"),
    "LoRA": ("--policy.lora.rank", "4", *KL),
}
"""What has state beside the policy's weights."""


@pytest.mark.parametrize("flags", STATEFUL.values(), ids=STATEFUL)
def test_whatever_has_state_is_restored(flags: tuple[str, ...], runs: Runs, straight: Runs) -> None:
    flags = (*flags, "--updates", "5")
    whole = straight.start("buttons", *flags, "--name", "whole")
    assert whole.wait() == 0, whole.text()
    died = runs.start("buttons", *flags)
    died.wait_until(lambda: runs.num_updates("buttons") >= 3)
    died.signal(signal.SIGKILL)
    assert died.wait() == KILLED, died.text()
    assert_equal(resumed(runs, "buttons", *flags), straight.path("whole"))
    shutil.rmtree(straight.path("whole"))


def test_the_same_seed_is_the_same_run_whatever_the_hash_seed(runs: Runs, straight: Runs) -> None:
    command = [sys.executable, "-m", "sojourn.cli", "train", str(HERE / "buttons.toml"), "--out", str(runs.folder)]
    # a cache of its own: the base policy, too, must come out the same
    own = {"PYTHONHASHSEED": "77", "SOJOURN_CACHE": str(runs.folder / "cache"), "PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run(command, env=os.environ | own, cwd=runs.folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert_equal(runs.path("buttons"), straight.done("buttons"))


def test_another_seed_is_another_run(runs: Runs, straight: Runs) -> None:
    other = runs.start("buttons", "--seed", "4", "--updates", "1")
    assert other.wait() == 0, other.text()
    first = [
        path.joinpath("trajectories.jsonl").read_text() for path in (runs.path("buttons"), straight.done("buttons"))
    ]
    assert not first[1].startswith(first[0])


def test_a_finished_run_may_go_further_than_was_planned(runs: Runs, straight: Runs) -> None:
    short = runs.start("buttons", "--updates", "5")
    assert short.wait() == 0, short.text()
    run = resumed(runs, "buttons")
    assert (run / "metrics.jsonl").read_bytes() == (straight.done("buttons") / "metrics.jsonl").read_bytes()


INTERRUPTS = {"Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


@pytest.mark.parametrize("number", INTERRUPTS.values(), ids=INTERRUPTS)
def test_the_first_interrupt_ends_the_update_under_way_with_a_checkpoint(
    number: signal.Signals, runs: Runs, straight: Runs
) -> None:
    under_way = runs.start("buttons", "--checkpoint.every", "0")
    under_way.wait_until(lambda: runs.num_updates("buttons") >= 3)
    under_way.signal(number)
    assert under_way.wait() == 130, under_way.text()
    assert "stopping after this update" in under_way.text()
    last = runs.num_updates("buttons")
    assert f"stopped after update {last}" in under_way.text()
    assert checkpoints(runs.path("buttons"))[-1] == f"update-{last:06d}"
    assert_equal(resumed(runs, "buttons"), straight.done("buttons"))


def test_a_signal_that_comes_while_the_process_computes_ends_that_very_update(runs: Runs) -> None:
    """The event loop is blocked by the optimiser step: the signal is answered before another update begins."""
    interrupted = Fault(target="sojourn.engine.optimizer:Optimizer.step", call=6, act=interrupt)
    stopped = runs.start("buttons", faults=[interrupted])
    assert stopped.wait() == 130, stopped.text()
    assert runs.num_updates("buttons") == 2
    assert checkpoints(runs.path("buttons"))[-1] == "update-000002"


IMPATIENT = {
    "while collecting": Fault(target="sojourn.rollout.tasks:TaskStream.draw", call=2, act=interrupt_twice),
    "in an optimiser step": Fault(target="sojourn.engine.optimizer:Optimizer.step", call=6, act=interrupt_twice),
    "while writing a checkpoint": Fault(target="sojourn.train.checkpoint:_flush", call=2, act=interrupt_twice),
}


@pytest.mark.parametrize("fault", IMPATIENT.values(), ids=IMPATIENT)
def test_the_second_interrupt_ends_at_once_and_leaves_the_earlier_checkpoints(
    fault: Fault, runs: Runs, straight: Runs
) -> None:
    stopped = runs.start("buttons", faults=[fault])
    assert stopped.wait() == 130, stopped.text()
    assert "Traceback" not in stopped.text()
    assert checkpoints(runs.path("buttons")) == ["update-000001"]
    assert_equal(resumed(runs, "buttons"), straight.done("buttons"))
