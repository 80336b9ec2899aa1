"""The command line in processes of its own: real ones, with real signals, forked from one that has torch loaded.

A process started afresh loads torch and transformers for seconds; one that the fork server starts is there at once, and
has run nothing before. Some processes are told to kill themselves at a certain call, as a power cut would.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sojourn.record.jsonl import LineWriter, json_line

PRELOADED = ("sojourn.cli.training", "sojourn.cli.evaluate", "sojourn.cli.play", "tests.toys", "tests.e2e.processes")
PATIENCE_S = 120.0

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(list(PRELOADED))


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens at the `call`-th call of `target` (``module:attribute.path``), before it does anything."""

    target: str
    call: int
    act: Callable[..., None]

    def arm(self) -> None:
        """Wrap the target in this process."""
        module, _, path = self.target.partition(":")
        owner: Any = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        original, calls = getattr(owner, name), [0]

        def wrapped(*arguments: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] == self.call:
                self.act(*arguments, **named)
            return original(*arguments, **named)

        setattr(owner, name, wrapped)


def die(*_arguments: Any, **_named: Any) -> None:
    """SIGKILL: nothing is flushed, no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_in_the_line(writer: LineWriter, row: Mapping[str, Any]) -> None:
    """Write half of a record's line, then SIGKILL."""
    line = json_line(row)
    with writer.path.open("ab") as file:
        file.write(line[: len(line) // 2])
    die()


def interrupt(*_arguments: Any, **_named: Any) -> None:
    """Ctrl-C, while the event loop is blocked by the call."""
    os.kill(os.getpid(), signal.SIGINT)


def interrupt_twice(*_arguments: Any, **_named: Any) -> None:
    """Ctrl-C and, impatiently, Ctrl-C again."""
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0)  # the first is answered between two bytecodes
    os.kill(os.getpid(), signal.SIGINT)


@dataclass(kw_only=True)
class Started:
    """A command under way."""

    process: Any
    output: Path
    code: int | None = field(default=None)

    def signal(self, number: int) -> None:
        os.kill(self.process.pid, number)

    def wait(self) -> int:
        """The exit code; minus the signal's number for a process that a signal ended."""
        self.process.join(PATIENCE_S)
        if self.process.exitcode is None:
            self.process.kill()
            raise AssertionError(f"the command did not end:\n{self.text()}")
        self.code = self.process.exitcode
        return self.code

    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text() if self.output.exists() else ""

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Poll until `condition` holds; fails if the command ends before."""
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.is_alive(), f"the command has ended:\n{self.text()}"
            assert time.monotonic() < deadline, f"waited in vain:\n{self.text()}"
            time.sleep(0.002)


def start(arguments: Sequence[str], output: Path, cache: Path, faults: Sequence[Fault] = ()) -> Started:
    """Start ``sojourn`` with `arguments`; everything it prints goes to the end of `output`."""
    process = _server.Process(target=_run, args=(list(arguments), output, cache, tuple(faults)))
    process.start()
    return Started(process=process, output=output)


def _run(arguments: list[str], output: Path, cache: Path, faults: Sequence[Fault]) -> None:
    os.environ["SOJOURN_CACHE"] = str(cache)
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    warnings.simplefilter("error")
    for fault in faults:
        fault.arm()
    from sojourn.cli import main  # here, so that nothing is imported before the faults are in place

    sys.exit(main(arguments))
