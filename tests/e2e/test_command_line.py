"""The whole command line on a finished run: what `train` leaves, and what every other command makes of it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tests.e2e.runs import EQUAL_FILES, HERE, ROOT, Runs, checkpoints
from tests.toys import Buttons
from transformers import AutoModelForCausalLM, AutoTokenizer

from sojourn.cli.assemble import Assembly, assemble
from sojourn.engine.pretrained import quiet_transformers
from sojourn.errors import DataError
from sojourn.record.evaluation import Evaluation, read_evaluations
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import read_trajectories
from sojourn.train.checkpoint import find_checkpoint, list_checkpoints
from sojourn.types import Message, SamplingParams


@pytest.fixture
def run(straight: Runs, runs: Runs) -> Path:
    """A copy of the finished run, to do anything with."""
    return Path(shutil.copytree(straight.done("buttons"), runs.path("buttons")))


def said(runs: Runs, *arguments: str, code: int = 0) -> str:
    """What a command prints; it must end with `code`, and without a traceback."""
    command = runs.command(*arguments)
    before = len(command.text())
    assert command.wait() == code, command.text()
    text = command.text()[before:]
    assert "Traceback" not in text
    return text


def test_a_run_leaves_its_report_its_curves_and_its_record(run: Path) -> None:
    report = (run / "report.md").read_text()
    assert "plot.png" in report
    for agent in ("random", "oracle"):
        assert agent in report
    assert (run / "plot.png").read_bytes().startswith(b"\x89PNG")
    curves = EventAccumulator(str(run / "tensorboard")).Reload()
    assert [event.step for event in curves.Scalars("train/success")] == list(range(12))
    assert [event.step for event in curves.Scalars("evaluate/buttons-v1/validation/success")][1:] == list(
        range(2, 14, 2)
    )
    assert sum(1 for _ in read_trajectories(run / "trajectories.jsonl")) == 12 * 6 * 4
    agents = [(e.agent, e.update, e.panel) for e in read_evaluations(run / "evaluations.jsonl")]
    assert agents[:3] == [
        ("random", None, "buttons-v1/test"),
        ("oracle", None, "buttons-v1/test"),
        ("policy", 0, "buttons-v1/test"),
    ]
    assert ("policy", 12, "buttons-v1/test") in agents


def test_the_newest_checkpoints_and_the_best_are_kept(run: Path) -> None:
    best = list_checkpoints(run / "checkpoints")[-1].state().best
    assert best is not None
    measured = {
        e.update: e.overall.success_rate for e in read_evaluations(run / "evaluations.jsonl") if "valid" in e.panel
    }
    assert best.success == measured[best.update] == max(rate or 0.0 for update, rate in measured.items() if update)
    assert checkpoints(run) == [f"update-{n:06d}" for n in sorted({best.update, 11, 12})]


def test_a_second_run_into_the_same_directory_is_refused_and_changes_nothing(run: Path, runs: Runs) -> None:
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    refused = said(runs, "train", str(HERE / "buttons.toml"), "--out", str(runs.folder), code=2)
    assert "already holds a run: add --resume" in refused
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != "lock"} == {
        path: time for path, time in before.items() if path.name != "lock"
    }


def test_a_resume_of_a_finished_run_changes_no_record(run: Path, runs: Runs) -> None:
    before = [(run / name).read_bytes() for name in EQUAL_FILES]
    said(runs, "train", str(HERE / "buttons.toml"), "--out", str(runs.folder), "--resume")
    assert [(run / name).read_bytes() for name in EQUAL_FILES] == before


@pytest.mark.parametrize("which", ["best", "last", "11"])
def test_evaluate_measures_any_checkpoint_as_the_run_itself_did(which: str, run: Path, runs: Runs) -> None:
    update = find_checkpoint(run / "checkpoints", which).update
    recorded = [e for e in read_evaluations(run / "evaluations.jsonl") if (e.agent, e.update) == ("policy", update)]
    text = said(runs, "evaluate", str(run), "--checkpoint", which)
    assert f"policy@{update} on buttons-v1/test" in text
    added = read_evaluations(run / "evaluations.jsonl")[-1]
    assert (added.agent, added.update) == (f"policy@{update}", update)
    for evaluation in recorded:
        if evaluation.panel == added.panel:
            assert added.overall == evaluation.overall


def test_evaluate_takes_a_trained_policy_to_another_environment(run: Path, runs: Runs) -> None:
    out, where = runs.folder / "elsewhere.json", ["--env", "tests.toys:Buttons", "--options", "lengths=[1]"]
    said(runs, "evaluate", str(run), *where, "--split", "train", "--out", str(out))
    alone = Buttons(lengths=[1]).panel("train")
    evaluation = Evaluation.from_json(json.loads(out.read_text()))
    assert (evaluation.panel_sha256, evaluation.overall.num_tasks) == (alone.sha256, len(alone.tasks))
    assert evaluation.agent.startswith("policy@")
    watched = said(runs, "play", str(run), "--agent", "policy", *where)
    assert "Press green." in watched
    assert "[turn 1] press" in watched


def test_an_agent_is_watched_at_play(run: Path, runs: Runs) -> None:
    assert "solved: terminated" in said(runs, "play", str(run), "--agent", "oracle", "--task", "red-green")
    watched = said(runs, "play", str(run), "--agent", "policy", "--task", "red-green", "--seed", "1")
    assert "[turn 1] press" in watched


def test_plot_and_report_are_made_anew(run: Path, runs: Runs) -> None:
    for name in ("report.md", "plot.png"):
        (run / name).unlink()
    said(runs, "plot", str(run))
    assert (run / "plot.png").stat().st_size > 1000
    said(runs, "report", str(run))
    assert (run / "report.md").exists()


def test_an_exported_policy_generates_what_the_engine_does(
    run: Path, runs: Runs, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = runs.folder / "exported"
    said(runs, "export", str(run), str(out))
    with quiet_transformers():
        model, tokenizer = AutoModelForCausalLM.from_pretrained(out), AutoTokenizer.from_pretrained(out)
    monkeypatch.setenv("SOJOURN_CACHE", str(cache))
    expected: list[list[int]] = []
    prompts: list[tuple[int, ...]] = []

    async def greedy() -> None:
        parts = await assemble(RunDir.open(run).config())
        await parts.engine.load(find_checkpoint(run / "checkpoints", "best").engine_uri)
        for text in ("Press red.", "Press blue, then green.", "Nothing to do."):
            prompts.append(parts.renderer.opening([Message(role="user", content=text)]))
            params = SamplingParams(max_new_tokens=20, temperature=0.0, stop_ids=parts.renderer.stop_ids)
            expected.append(list((await parts.engine.sample(prompts[-1], params)).token_ids))
        await parts.engine.close()

    asyncio.run(greedy())
    for prompt, ids in zip(prompts, expected, strict=True):
        prompt_BT = torch.tensor([prompt])
        mask_BT = torch.ones_like(prompt_BT)
        generated = model.generate(prompt_BT, attention_mask=mask_BT, max_new_tokens=20, do_sample=False)
        assert generated[0, len(prompt) :].tolist() == ids
    assert tokenizer.chat_template
    assert "is not empty" in said(runs, "export", str(run), str(out), code=2)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def garble(file: Path) -> None:
    file.write_bytes(b"not what it was" * 100)


@pytest.mark.parametrize("damage", [cut, empty, garble])
def test_a_damaged_checkpoint_is_named_whatever_is_damaged(
    damage: Callable[[Path], None], run: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_CACHE", str(cache))
    checkpoint = find_checkpoint(run / "checkpoints", "last")
    files = [checkpoint.path / "state.json", *(checkpoint.path / "engine").glob("*.safetensors")]
    files += [checkpoint.path / "engine" / "engine.json"]

    async def load(parts: Assembly) -> None:
        checkpoint.state()
        await parts.engine.load(checkpoint.engine_uri)

    async def load_all() -> None:
        parts = await assemble(RunDir.open(run).config())
        for file in files:
            whole = file.read_bytes()
            damage(file)
            with pytest.raises(DataError, match=str(file if file.name == "state.json" else file.parent)):
                await load(parts)
            file.write_bytes(whole)
        await parts.engine.load(checkpoint.engine_uri)
        await parts.engine.close()

    asyncio.run(load_all())


def test_a_damaged_checkpoint_stops_a_resume_with_one_line(run: Path, runs: Runs) -> None:
    cut(run / "checkpoints" / "update-000012" / "state.json")
    told = said(runs, "train", str(HERE / "buttons.toml"), "--out", str(runs.folder), "--resume", code=2)
    assert "update-000012/state.json: not a readable checkpoint" in told.splitlines()[-1]


FULL_DISK = """
mount -t tmpfs -o size=1m none {out} || exit 99
{sojourn} train {toml} --out {out} --checkpoint.keep 9; echo "code $?"
ls -A {out}/buttons/checkpoints
mount -o remount,size=32m {out}
{sojourn} train {toml} --out {out} --checkpoint.keep 9 --resume; echo "code $?"
"""


def test_a_full_disk_is_said_in_one_line_and_costs_no_checkpoint(runs: Runs) -> None:
    script = FULL_DISK.format(sojourn=f"{sys.executable} -m sojourn.cli", toml=HERE / "buttons.toml", out=runs.folder)
    env = os.environ | {"SOJOURN_CACHE": str(runs.cache), "PYTHONPATH": os.fspath(ROOT)}
    command = ["unshare", "--map-root-user", "--mount", "bash", "-c", script]
    try:
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs unshare, to mount a small disk")
    if done.returncode in (1, 99) and "code" not in done.stdout:
        pytest.skip(f"may not mount a small disk here: {done.stderr}")
    _, second = done.stdout.split("code 2\n")
    assert "Traceback" not in done.stderr
    assert "sojourn: the disk is full" in done.stderr
    assert "free some space and use --resume" in done.stderr
    assert second.splitlines()[0] == "update-000001"
    assert ".writing" not in second
    assert second.endswith("code 0\n")


def test_two_processes_that_make_the_same_base_policy_at_once_share_one(runs: Runs) -> None:
    runs.cache = runs.folder / "empty cache"
    flags = ["evaluate", str(HERE / "buttons.toml"), "--max-tasks", "1", "--horizon", "1", "--out"]
    both = [runs.command(*flags, str(runs.folder / f"{n}.json")) for n in range(2)]
    assert [command.wait() for command in both] == [0, 0], both[0].text()
    assert (runs.folder / "0.json").read_text() == (runs.folder / "1.json").read_text()
    (folder,) = (runs.cache / "base").iterdir()
    assert (folder / "model.safetensors").exists()
