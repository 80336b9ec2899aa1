"""The light commands, run on the toy environment: envs, play, evaluate, plot, report, doctor."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.toys import Buttons
from tests.unit.samples_of_record import config, write_run

from sojourn.cli import main
from sojourn.cli.doctor import CHECKS, Check, Status
from sojourn.record.evaluation import Evaluation, read_evaluations
from sojourn.record.run_dir import RunDir
from sojourn.record.trajectories import read_trajectories

TOML = """
updates = 3
[env]
name = "tests.toys:Buttons"
[horizon]
kind = "fixed"
turns = 4
"""


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.toml"
    path.write_text(TOML)
    return path


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    answers: Iterator[str] = iter(lines)

    def ask(prompt: str) -> str:
        try:
            return next(answers)
        except StopIteration as error:
            raise EOFError from error

    monkeypatch.setattr("builtins.input", ask)


def play_by_hand(monkeypatch: pytest.MonkeyPatch, *lines: str) -> int:
    typed(monkeypatch, *lines)
    return main(["play", "--env", "tests.toys:Buttons", "--task", "red-green"])


def test_envs_lists_every_shipped_environment(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envs"]) == 0
    out = capsys.readouterr().out
    for name in ("textcraft", "textcraft-procedural", "babyai"):
        assert f"\n{name}\n" in f"\n{out}"


def test_an_episode_is_played_by_hand(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert play_by_hand(monkeypatch, "?", "hint", "", "dance", "1", "press green") == 0
    out = capsys.readouterr().out
    assert "   2  press green" in out
    assert "Unknown command." in out
    assert "Type an action" in out
    assert out.endswith("solved: terminated after 3 turns, return 1\n")


@pytest.mark.parametrize("lines", [["quit"], []])
def test_a_player_may_leave(
    lines: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play_by_hand(monkeypatch, *lines) == 0
    assert "solved" not in capsys.readouterr().out


def test_agents_are_watched(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", str(config_file), "--agent", "oracle"]) == 0
    assert "[turn 1] press" in capsys.readouterr().out
    assert main(["play", "--env", "tests.toys:Buttons", "--agent", "random", "--horizon", "1", "--split", "train"]) == 0
    assert "after 1 turns" in capsys.readouterr().out


def test_an_environment_is_played_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    for length in (1, 3):
        options = ["--options", f"lengths=[{length}]"]
        assert main(["play", "--env", "tests.toys:Buttons", *options, "--agent", "oracle"]) == 0
        assert f"after {length} turns" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["play"], "expected a run or configuration, or --env NAME"),
        (["play", "--env", "tests.toys:Buttons", "--split", "tset"], "did you mean 'test'"),
        (["play", "--env", "tests.toys:Buttons", "--task", "pink"], "no task 'pink'"),
        (["play", "--env", "tests.toys:Buttons", "--options", "lengths"], "expected KEY=VALUE, got 'lengths'"),
        (["play", "--env", "tests.toys:Buttons", "--options", "lengths=[1]", "lengths=[2]"], "lengths is given twice"),
        (["play", "--env", "tests.toys:Buttons", "--options", "wings=2"], "refused options {'wings': 2}"),
        (["play", "run", "--options", "lengths=[1]"], "expected with --env only"),
        (["play", "--env", "tests.toys:Buttons", "--agent", "policy"], "needs a run or a configuration"),
        (["evaluate", ".", "--agent", "random"], "not a run"),
        (["report", "nowhere"], "not a run"),
    ],
)
def test_wrong_choices_are_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_evaluate_prints_a_table_and_writes_what_is_asked_for(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, lines = tmp_path / "e.json", tmp_path / "t.jsonl"
    flags = ["--agent", "oracle", "--split", "validation", "--max-tasks", "4", "--repeats", "2", "--horizon", "5"]
    assert main(["evaluate", str(config_file), *flags, "--out", str(out), "--trajectories", str(lines)]) == 0
    printed = capsys.readouterr().out
    assert "100.0 %" in printed
    assert "stopped by: terminated 8" in printed
    evaluation = Evaluation.from_json(json.loads(out.read_text()))
    assert (evaluation.panel, evaluation.horizon, evaluation.repeats) == ("buttons-v1/validation[:4]", 5, 2)
    assert [r.panel for r in read_trajectories(lines)] == ["buttons-v1/validation[:4]"] * 8


def test_evaluating_a_run_adds_to_its_evaluations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "toy")
    before = read_evaluations(run.evaluations)
    assert main(["evaluate", str(run.path), "--agent", "random"]) == 0
    (added,) = read_evaluations(run.evaluations)[len(before) :]
    assert (added.agent, added.update, added.panel_sha256) == ("random", None, Buttons().panel("test").sha256)
    with RunDir.open(run.path, for_writing=True):
        assert main(["evaluate", str(run.path), "--agent", "oracle"]) == 0
    assert "use --out FILE" in capsys.readouterr().err


def test_a_run_is_evaluated_in_another_environment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = write_run(tmp_path / "toy")
    before = read_evaluations(run.evaluations)
    elsewhere = ["--env", "textcraft-procedural", "--max-tasks", "3"]
    assert main(["evaluate", str(run.path), "--agent", "oracle", *elsewhere]) == 0
    (added,) = read_evaluations(run.evaluations)[len(before) :]
    assert (added.env_id, added.overall.success_rate) == ("textcraft-procedural-v1", 1)
    assert f"oracle on {added.env_id}/test[:3]" in " ".join(capsys.readouterr().out.split())


def test_plot_and_report_say_where_they_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, begun = write_run(tmp_path / "toy"), RunDir.create(tmp_path / "begun", config())
    begun.close()
    assert main(["plot", str(run.path), "--out", str(tmp_path / "x.png")]) == 0
    assert main(["report", str(begun.path)]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / "x.png"), str(begun.report)]
    assert (tmp_path / "x.png").exists()


def test_the_doctor_says_how_to_repair_what_is_not_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "a" / "cache"))
    monkeypatch.setenv("SOJOURN_CHROMIUM", str(tmp_path / "none"))
    monkeypatch.setenv("OMP_NUM_THREADS", "4096")
    checks: list[Check] = [check for group in CHECKS for check in group()]
    assert all(check.fix for check in checks if check.status is not Status.OK)
    assert not any(check.status is Status.FAIL for check in checks)
    assert {"Python", "processor", "memory", "torch", "Java", "Chromium", "cache"} <= {check.name for check in checks}
    assert [check.status for check in checks if check.name in ("OpenMP", "Chromium")].count(Status.WARN) >= 2


def test_the_doctor_fails_only_where_nothing_would_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "file"))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "fail  cache" in out
    assert "set SOJOURN_CACHE" in out
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "cache"))
    assert main(["doctor"]) == 0


def test_a_module_in_the_current_folder_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_own_env.py").write_text("from tests.toys import Buttons\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    assert main(["play", "--env", "my_own_env:Buttons", "--agent", "oracle"]) == 0
