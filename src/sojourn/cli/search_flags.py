"""The sub-commands and flags of ``sojourn search``. Imports nothing but argparse, so that ``--help`` is instant."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from sojourn.cli.flags import add_address, add_options

SEARCH_COMMANDS = {
    "index": "make an index of a corpus in JSON lines",
    "build": "make an atlas and its questions now, rather than when they are first used",
    "query": "print what a retriever finds",
    "serve": "serve a retriever under Search-R1's /retrieve",
}
"""Every sub-command with its one-line help."""

ATLASES = ("atlas", "atlas-mini", "atlas-cf", "atlas-mini-cf")
_MAX_K = 20


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands to `parser`."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, help="what to do")
    for name, text in SEARCH_COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", allow_abbrev=False)
        command.set_defaults(target=f"sojourn.cli.search:search_{name}")
        _FLAGS[name](command)


def _hits(text: str) -> int:
    value = int(text)
    if not 1 <= value <= _MAX_K:
        raise argparse.ArgumentTypeError(f"expected 1 to {_MAX_K}, got {value}")
    return value


def _answers(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a number >= 0, got {value}")
    return value


def _index(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jsonl",
        metavar="FILE",
        type=Path,
        nargs="+",
        required=True,
        help="lines of {id, contents} (Search-R1's corpora) or {id, title, text}",
    )
    parser.add_argument("--out", metavar="FOLDER", type=Path, required=True, help="new folder of the index")


def _build(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("atlas", metavar="ATLAS", choices=ATLASES, help=f"one of {', '.join(ATLASES)}")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the facts' permutation in a -cf atlas (default: 0)"
    )


def _query(parser: argparse.ArgumentParser) -> None:
    _spec(parser)
    parser.add_argument("text", metavar="TEXT", help="plain text to search for")
    parser.add_argument("--k", type=_hits, default=3, metavar="N", help="passages to find (default: 3)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_options(parser, "the retriever")


def _serve(parser: argparse.ArgumentParser) -> None:
    _spec(parser)
    add_address(parser)
    parser.add_argument(
        "--k", type=_hits, default=3, metavar="N", help="passages where a call names no number (default: 3)"
    )
    parser.add_argument(
        "--cache", type=_answers, default=4096, metavar="N", help="answers that are remembered (default: 4096)"
    )
    add_options(parser, "the retriever")


def _spec(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "spec",
        metavar="SPEC",
        help="an atlas, the folder of an index, faiss:PATH, http://HOST:PORT, opensearch:URL/INDEX or web:NAME",
    )


_FLAGS: dict[str, Callable[[argparse.ArgumentParser], None]] = {
    "index": _index,
    "build": _build,
    "query": _query,
    "serve": _serve,
}
