"""Commands and flags. Imports nothing but argparse, so that ``--help`` is instant.

Every flag is in the frozen list of ``tests/unit/test_cli_surface.py``: a new one needs an entry there and a sentence
in the documentation.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import sojourn
from sojourn.cli.flags import add_address, add_options
from sojourn.cli.search_flags import add_search

COMMANDS = {
    "train": "train a policy as a configuration says",
    "evaluate": "measure an agent on a panel of held-out tasks",
    "play": "walk through an environment by hand, or watch an agent",
    "plot": "draw the curves of one or several runs",
    "report": "write a run's report.md from its files",
    "export": "write a run's policy as a plain Hugging Face folder",
    "envs": "list the environments",
    "check-env": "check an environment against the contract",
    "serve": "serve environments over HTTP",
    "search": "index a corpus, look at what a query finds, or serve a retriever",
    "web": "browse the sites of web navigation by hand",
    "doctor": "check this machine and say how to repair what is missing",
}
"""Every command with its one-line help."""

_TARGETS = {
    "train": "sojourn.cli.runs:train",
    "evaluate": "sojourn.cli.evaluate:evaluate",
    "play": "sojourn.cli.play:play",
    "plot": "sojourn.cli.runs:plot",
    "report": "sojourn.cli.runs:report",
    "export": "sojourn.cli.runs:export",
    "envs": "sojourn.cli.envs:envs",
    "check-env": "sojourn.cli.check_env:check_env",
    "serve": "sojourn.cli.serve:serve",
    "web": "sojourn.cli.web:web",
    "doctor": "sojourn.cli.doctor:doctor",
}
"""What runs a command; the sub-commands of ``search`` bring their own."""
_TRAIN_SWITCHES = ("--resume", "--help", "-h")
AGENTS = ("policy", "random", "oracle")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="sojourn",
        description="Trains LLM agents for long, multi-turn tasks by online reinforcement learning.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action="version", version=f"sojourn {sojourn.__version__}", help="print the version"
    )
    parser.set_defaults(target=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        command.set_defaults(target=_TARGETS.get(name))
        _FLAGS[name](command)
    return parser


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments of ``train``, and the ``--key value`` or ``--key=value`` pairs that change its configuration."""
    own: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--model" or argument.startswith("--model="):
            argument = argument.replace("--model", "--policy.model", 1)
        is_override = argument.startswith("--") and argument not in _TRAIN_SWITCHES
        (overrides if is_override else own).append(argument)
        if is_override and "=" not in argument and rest:
            overrides.append(rest.pop(0))
    return own, overrides


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number >= 1, got {value}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected seconds >= 0, got {text}")
    return value


def _train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG", type=Path, help="TOML file; recipes/ holds some")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    parser.add_argument("--model", metavar="NAME", help="short for --policy.model")
    parser.epilog = "Any key of the configuration is a flag: --updates 20 --rollout.group_size 4 --env.options.x=1"


def _evaluate(parser: argparse.ArgumentParser) -> None:
    _source(parser, required=True)
    _env(parser)
    parser.add_argument("--agent", choices=AGENTS, default="policy", help="who plays (default: policy)")
    _checkpoint(parser)
    parser.add_argument("--split", help="split whose panel is played (default: evaluate.final_split)")
    parser.add_argument("--horizon", type=_positive, metavar="N", help="turn limit (default: evaluate.horizon)")
    parser.add_argument("--repeats", type=_positive, metavar="N", help="episodes per task (default: evaluate.repeats)")
    parser.add_argument("--max-tasks", type=_positive, metavar="N", help="play the first N tasks of the panel only")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the evaluation to this JSON file")
    parser.add_argument(
        "--trajectories", type=Path, metavar="FILE", help="append the trajectories to this JSON-lines file"
    )


def _play(parser: argparse.ArgumentParser) -> None:
    _source(parser, required=False)
    _env(parser)
    parser.add_argument("--agent", choices=("human", *AGENTS), default="human", help="who plays (default: human)")
    _checkpoint(parser)
    parser.add_argument("--split", help="split to take the task from (default: evaluate.final_split, or test)")
    parser.add_argument("--task", metavar="ID", help="task to play (default: the first of the panel)")
    parser.add_argument(
        "--horizon", type=_positive, metavar="N", help="turn limit (default: evaluate.horizon, or none)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the agent's draws (default: 0)")


def _source(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "source",
        metavar="RUN|CONFIG",
        type=Path,
        nargs=None if required else "?",
        help="directory of a run, or a TOML configuration (its policy is the untrained one)",
    )


def _env(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--env", metavar="NAME", help="environment to play in instead of its own: a name, module:Factory or a URL"
    )
    add_options(parser, "the environment that --env names")


def _checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--checkpoint", default="best", metavar="WHICH", help="best, last or an update number (default: best)"
    )


def _plot(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="+", help="directories of runs, drawn over each other")
    parser.add_argument("--out", type=Path, metavar="FILE", help="png, pdf or svg (default: plot.png in the first run)")


def _report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="directory of a run")


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", type=Path, help="directory of a run")
    parser.add_argument("out", metavar="OUT", type=Path, help="new folder to write")
    _checkpoint(parser)


def _check_env(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "environment", metavar="TARGET", help="a name that sojourn envs lists, module:Factory, or a URL"
    )
    parser.add_argument("--split", help="check tasks of this split only (default: of every split)")
    parser.add_argument("--tasks", type=_positive, default=3, metavar="N", help="tasks of each split (default: 3)")
    add_options(parser, "the environment")
    parser.epilog = "Exit code 1 if a check fails."


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "environments", metavar="NAME", nargs="+", help="environments to serve: names, or module:Factory"
    )
    parser.add_argument(
        "--wire",
        choices=("sojourn", "agentgym"),
        default="sojourn",
        help="what to speak: our protocol, or AgentGym's routes for one environment (default: sojourn)",
    )
    add_address(parser)
    parser.add_argument(
        "--workers", type=_positive, metavar="N", help="processes of each environment, at most (default: one a core)"
    )
    parser.add_argument(
        "--capacity", type=_positive, default=1024, metavar="N", help="episodes open at a time (default: 1024)"
    )
    parser.add_argument(
        "--lease-s",
        type=_seconds,
        default=300.0,
        metavar="S",
        help="close an episode after so long without a call (default: 300)",
    )
    parser.add_argument(
        "--step-timeout-s",
        type=_seconds,
        default=60.0,
        metavar="S",
        help="an environment that has not answered by then has failed (default: 60)",
    )
    parser.add_argument(
        "--drain-s", type=_seconds, default=30.0, metavar="S", help="after SIGTERM, wait for episodes (default: 30)"
    )
    parser.add_argument(
        "--options", nargs="+", metavar="NAME.KEY=VALUE", help="options of the environments; values are read as TOML"
    )


def _web(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port", type=int, default=8080, metavar="N", help="port on this machine; 0 takes a free one (default: 8080)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the sites' data (default: 0)")


def _none(parser: argparse.ArgumentParser) -> None:
    """For commands without flags."""


_FLAGS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "train": _train,
    "evaluate": _evaluate,
    "play": _play,
    "plot": _plot,
    "report": _report,
    "export": _export,
    "envs": _none,
    "check-env": _check_env,
    "serve": _serve,
    "search": add_search,
    "web": _web,
    "doctor": _none,
}
