"""Flags that several commands have. Imports nothing but argparse, so that ``--help`` is instant."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_options(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--options KEY=VALUE …``, which `sojourn.cli.options` reads, for the options of `what`."""
    parser.add_argument(
        "--options", nargs="+", default=(), metavar="KEY=VALUE", help=f"options of {what}; values are read as TOML"
    )


def add_address(parser: argparse.ArgumentParser) -> None:
    """Add where a server listens, and who may call it."""
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; all but loopback need a token (default: 127.0.0.1)"
    )
    parser.add_argument("--port", type=int, default=8000, metavar="N", help="0 takes a free one (default: 8000)")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="holds the bearer token (default: SOJOURN_TOKEN, if it is set)"
    )
