"""The command line is frozen: a new command or flag is entered here and described in the documentation."""

import argparse

import pytest

from sojourn.cli.parser import COMMANDS, build_parser, split_overrides

SURFACE = {
    "train": ["CONFIG", "--resume", "--model"],
    "evaluate": [
        "RUN|CONFIG",
        "--agent",
        "--checkpoint",
        "--split",
        "--horizon",
        "--repeats",
        "--max-tasks",
        "--out",
        "--trajectories",
    ],
    "play": ["RUN|CONFIG", "--env", "--agent", "--checkpoint", "--split", "--task", "--horizon", "--seed"],
    "plot": ["RUN", "--out"],
    "report": ["RUN"],
    "export": ["RUN", "OUT", "--checkpoint"],
    "envs": [],
    "check-env": ["TARGET", "--split", "--tasks", "--options"],
    "serve": [
        "NAME",
        "--wire",
        "--host",
        "--port",
        "--token-file",
        "--workers",
        "--capacity",
        "--lease-s",
        "--step-timeout-s",
        "--drain-s",
        "--options",
    ],
    "web": ["--port", "--seed"],
    "doctor": [],
}


def subparsers() -> dict[str, argparse.ArgumentParser]:
    (action,) = (a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def _name(action: argparse.Action) -> str:
    return action.option_strings[-1] if action.option_strings else str(action.metavar)


def test_commands_and_flags_are_the_frozen_ones() -> None:
    found = {
        name: [
            a.option_strings[-1] if a.option_strings else str(a.metavar) for a in parser._actions if a.dest != "help"
        ]
        for name, parser in subparsers().items()
    }
    assert found == SURFACE
    assert list(COMMANDS) == list(SURFACE)


def test_every_flag_has_help() -> None:
    missing = [(name, a.dest) for name, parser in subparsers().items() for a in parser._actions if not a.help]
    assert missing == []


@pytest.mark.parametrize(
    ("arguments", "own", "overrides"),
    [
        (["train", "c.toml"], ["train", "c.toml"], []),
        (["train", "--updates", "2", "c.toml", "--resume"], ["train", "c.toml", "--resume"], ["--updates", "2"]),
        (["train", "c.toml", "--a.b=-1", "--c", "-2"], ["train", "c.toml"], ["--a.b=-1", "--c", "-2"]),
        (["train", "c.toml", "--model", "x"], ["train", "c.toml"], ["--policy.model", "x"]),
        (["train", "c.toml", "--model=x"], ["train", "c.toml"], ["--policy.model=x"]),
        (["train", "c.toml", "--key"], ["train", "c.toml"], ["--key"]),
    ],
)
def test_any_other_flag_of_train_is_a_key_of_the_configuration(
    arguments: list[str], own: list[str], overrides: list[str]
) -> None:
    assert split_overrides(arguments) == (own, overrides)
