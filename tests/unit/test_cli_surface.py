"""The command line is frozen: a new command or flag is entered here and described in the documentation."""

import argparse
from collections.abc import Iterator

import pytest

from sojourn.cli.parser import COMMANDS, build_parser, split_overrides
from sojourn.cli.search_flags import ATLASES, SEARCH_COMMANDS
from sojourn.envs.search.atlas.build import ABOUT
from sojourn.envs.search.questions.build import SIZES
from sojourn.envs.search.sources import ATLASES as OWN_QUESTIONS

SURFACE = {
    "train": ["CONFIG", "--resume", "--model"],
    "evaluate": [
        "RUN|CONFIG",
        "--env",
        "--options",
        "--agent",
        "--checkpoint",
        "--split",
        "--horizon",
        "--repeats",
        "--max-tasks",
        "--out",
        "--trajectories",
    ],
    "play": ["RUN|CONFIG", "--env", "--options", "--agent", "--checkpoint", "--split", "--task", "--horizon", "--seed"],
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
    "search": ["COMMAND"],
    "search index": ["--jsonl", "--out"],
    "search build": ["ATLAS", "--seed"],
    "search query": ["SPEC", "TEXT", "--k", "--json", "--options"],
    "search serve": ["SPEC", "--host", "--port", "--token-file", "--k", "--cache", "--options"],
    "web": ["--port", "--seed"],
    "doctor": [],
}


def subparsers() -> dict[str, argparse.ArgumentParser]:
    """Every command and sub-command, by what is typed."""
    return dict(_below(build_parser(), ""))


def _below(parser: argparse.ArgumentParser, prefix: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield f"{prefix}{name}", command
                yield from _below(command, f"{prefix}{name} ")


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
    assert list(COMMANDS) == [name for name in SURFACE if " " not in name]
    assert [f"search {name}" for name in SEARCH_COMMANDS] == [name for name in SURFACE if " " in name]


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


def test_search_needs_a_sub_command_and_knows_the_atlases(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser().parse_args(["search"])
    assert "COMMAND" in capsys.readouterr().err
    assert sorted(ATLASES) == sorted(ABOUT) == sorted(SIZES) == sorted(OWN_QUESTIONS)
    for name in ATLASES:
        options = build_parser().parse_args(["search", "build", name])
        assert (options.target, options.atlas, options.seed) == ("sojourn.cli.search:search_build", name, 0)
    with pytest.raises(SystemExit):
        build_parser().parse_args(["search", "query", "atlas", "france", "--k", "21"])
    assert "expected 1 to 20" in capsys.readouterr().err
