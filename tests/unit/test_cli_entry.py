"""Errors become one clear message and an exit code; bugs stay bugs."""

import errno
import os
from pathlib import Path

import pytest

import sojourn.cli.entry as entry
from sojourn.errors import ConfigError


def run(*arguments: str) -> int:
    return entry.main(arguments)


def test_no_command_prints_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "commands:" in capsys.readouterr().out


def test_an_unknown_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("tarin") == 2
    assert "unknown command 'tarin'; did you mean 'train'?" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [("plot",), ("evaluate", "x", "--agent", "nobody"), ("play", "--horizon", "0")])
def test_usage_errors_exit_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*arguments) == 2
    assert "usage:" in capsys.readouterr().err


def test_a_missing_configuration_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "nowhere.toml", "--updates", "3") == 2
    assert capsys.readouterr().err == ("sojourn: no configuration file 'nowhere.toml'; shipped ones are in recipes/\n")


def test_overrides_reach_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.toml").write_text('updates = 3\n[env]\nname = "x"\n[horizon]\nkind = "fixed"\nturns = 3\n')
    assert run("train", str(tmp_path / "c.toml"), "--rollout.group_sise", "4") == 2
    assert "did you mean 'group_size'" in capsys.readouterr().err


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def fail(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(entry, "_run", fail)
    return run()


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ConfigError("x is wrong"), 2, "sojourn: x is wrong"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(errno.ENOSPC, "No space", "runs/x"), 2, "the disk is full (runs/x)"),
        (PermissionError(errno.EACCES, "Permission denied", "runs/x"), 2, "sojourn: runs/x: Permission denied"),
        (ExceptionGroup("many", [ExceptionGroup("inner", [ConfigError("deep")])]), 2, "sojourn: deep"),
    ],
)
def test_what_went_wrong_is_told(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert raising(error, monkeypatch) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("bug", [ZeroDivisionError("x"), OSError(errno.EIO, "x"), ExceptionGroup("x", [KeyError("x")])])
def test_bugs_rise(bug: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(type(bug)):
        raising(bug, monkeypatch)


def test_threads_that_wait_do_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    run("--version")
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"  # the user's own choice stands
