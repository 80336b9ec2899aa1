"""The entry point: parses, runs one command, and turns errors into one clear message."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence

from sojourn.cli.parser import COMMANDS, build_parser, split_overrides
from sojourn.errors import SojournError, unknown_name

OK, FAILED, INTERRUPTED = 0, 2, 130
"""Exit codes: done; told the user what is wrong; stopped by Ctrl-C."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _set_environment()
    try:
        code = _run(arguments)
        sys.stdout.flush()  # here, where a reader that has gone is answered, not at the interpreter's exit
        return code
    except SystemExit as stop:  # argparse, after --help or a usage error
        return stop.code if isinstance(stop.code, int) else FAILED
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except SojournError as error:
        return _fail(str(error))
    except BrokenPipeError:  # the reader of a pipe has gone: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _fail(f"the disk is full ({error.filename or 'while writing'}): free some space and use --resume")
        if error.errno in (errno.EACCES, errno.EROFS):
            return _fail(f"{error.filename or 'a file'}: {error.strerror}")
        raise
    except BaseExceptionGroup as group:
        return _fail(_told_reason(group))


def _set_environment() -> None:
    """Settings that count only before torch is loaded."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads must not eat the cores of the sampler
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def _run(arguments: list[str]) -> int:
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    if name is not None and name not in COMMANDS:
        raise unknown_name("command", name, COMMANDS)
    overrides: list[str] = []
    if name == "train":
        arguments, overrides = split_overrides(arguments)
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.target is None:
        parser.print_help()
        return OK
    options.overrides = overrides
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)  # so that env.name = "module:Factory" finds a module in the current folder
    module, _, function = options.target.partition(":")
    # imported by name, so that --help and the light commands never load torch
    return int(getattr(importlib.import_module(module), function)(options))


def _fail(message: str) -> int:
    print(f"sojourn: {message}", file=sys.stderr)
    return FAILED


def _told_reason(group: BaseExceptionGroup[BaseException]) -> str:
    """The message of the first error raised on purpose in a group of concurrent tasks; other groups are bugs."""
    told = group.subgroup(SojournError)
    if told is None:
        raise group
    error: BaseException = told
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
