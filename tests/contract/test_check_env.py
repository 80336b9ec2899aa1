"""``sojourn check-env`` and the refusals of ``sojourn serve``."""

from __future__ import annotations

import sys

import pytest

from sojourn.cli import main
from sojourn.cli.scenarios import open_scenario
from sojourn.errors import MissingDependencyError


def rows(text: str) -> dict[str, str]:
    """check -> result, out of the table."""
    cells = [[cell.strip() for cell in line.split("│")[1:3]] for line in text.splitlines() if line.startswith("│")]
    return {name: result for name, result in cells if name}


def test_a_good_environment_passes_every_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-env", "textcraft", "--split", "test", "--tasks", "1", "--options", "depths=[1]"]) == 0
    out = capsys.readouterr().out
    assert set(rows(out).values()) == {"ok"}
    assert list(rows(out)) == [
        "names",
        "tasks",
        "panels",
        "life",
        "garbage",
        "determinism",
        "commands",
        "oracle",
        "memory",
    ]
    assert "has a plan for 1 of 1" in " ".join(out.split())


def test_what_is_violated_is_said_and_the_exit_code_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-env", "tests.toys:Buttons", "--tasks", "1"]) == 1
    out = capsys.readouterr().out
    results = rows(out)
    assert (results["life"], results["garbage"], results["oracle"]) == ("violated", "violated", "ok")
    assert "a second reset raises EnvError" in " ".join(out.replace("│", " ").split())


def test_an_environment_without_an_oracle_is_fine_and_one_that_raises_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--split", "train", "--tasks", "1"]
    assert main(["check-env", "tests.faulty:LightFaulty", *options]) == 1
    results = rows(capsys.readouterr().out)
    assert results["oracle"] == "ok"
    assert results["memory"] == "violated"  # some of its commands raise


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check-env", "textcarft"], "did you mean 'textcraft'"),
        (["check-env", "textcraft", "--split", "tset"], "did you mean 'test'"),
        (["check-env", "http://127.0.0.1:1"], "is it running"),
        (["serve", "textcarft", "--port", "0"], "did you mean 'textcraft'"),
        (["serve", "textcraft", "--port", "0", "--host", "192.0.2.1"], "needs a token"),
        (["serve", "tests.toys:ButtonsEnv", "--port", "0"], "is no scenario"),
    ],
)
def test_wrong_choices_are_explained(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOJOURN_TOKEN", raising=False)
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_what_is_not_installed_is_said_with_its_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert main(["serve", "textcraft"]) == 2
    assert "pip install 'sojourn[service]'" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    for name in ("sojourn.service.client", "sojourn.service.transport", "sojourn.service.remote_tasks"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(MissingDependencyError, match=r"sojourn\[service\]"):
        open_scenario("http://127.0.0.1:1")
