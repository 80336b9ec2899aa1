"""The client of `worker.py`: WebArena's tasks and their verified evaluation, out of another interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sojourn.config import cache_dir
from sojourn.envs.web.webarena.sites import SHOWN
from sojourn.errors import EnvError, MissingDependencyError

VARIABLE = "SOJOURN_WEBARENA_PYTHON"
PACKAGE = "webarena-verified==1.2.3"
DEFECTIVE = frozenset({699, 700, 811})
"""Tasks that the package's own evaluators refuse whatever the agent does ("Alternatives require 2+ items")."""
CALL_S = 60.0
"""Seconds after which a call has failed; an evaluation takes milliseconds."""

_WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the verified evaluators say of an episode."""

    reward: float
    """1 or 0."""
    parts: tuple[tuple[str, float], ...]
    """Evaluator -> its part, 1 or 0."""


def interpreter(environ: Mapping[str, str] = os.environ) -> Path:
    """The interpreter that has the package: `VARIABLE`'s, else the one in the cache's ``webarena`` folder.

    Raises `MissingDependencyError` with the commands that make it.
    """
    folder = cache_dir() / "webarena"
    python = Path(environ.get(VARIABLE) or folder / "bin" / "python")
    if not python.is_file():
        command = f"python -m venv {folder} && {folder}/bin/pip install '{PACKAGE}'  (or set {VARIABLE})"
        raise MissingDependencyError(f"{PACKAGE}, in an environment of its own (no interpreter at {python}),", command)
    return python


class Verified:
    """A worker process; its calls wait for each other. Thread-safe; ends with `close`, or with this process."""

    def __init__(self, python: Path, addresses: Mapping[str, str] = SHOWN) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [os.fspath(python), os.fspath(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is for the run, which closes it
        )
        self._ending = weakref.finalize(self, _end, self._process)
        try:
            with self._lock:
                answer = self._exchange(dict(addresses))
        except EnvError as error:
            self.close()
            raise MissingDependencyError(f"{PACKAGE} for {python}", f"{python} -m pip install '{PACKAGE}'") from error
        assert answer == "ready", answer

    def tasks(self) -> list[dict[str, Any]]:
        """All 812 tasks as the package ships them; the first definition of each under ``original``."""
        tasks: list[dict[str, Any]] = self._call("tasks")
        return tasks

    def evaluate(self, task_id: int, answer: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> Verdict:
        """Judge `answer` (as `answers.final_answer` makes it) and `events` (HAR entries, at least one).

        Raises `EnvError` where the evaluators can't judge: that is never a reward of 0.
        """
        if not events:
            raise EnvError(f"task {task_id}: expected at least the request for the first page, got no request events")
        result = self._call("evaluate", task_id=task_id, answer=dict(answer), events=[dict(event) for event in events])
        if result["status"] not in ("success", "failure"):
            raise EnvError(f"task {task_id} can't be judged: {result['error'] or result['status']}")
        parts = tuple((str(part["evaluator"]), float(part["reward"])) for part in result["parts"])
        return Verdict(reward=float(result["reward"]), parts=parts)

    def close(self) -> None:
        """End the process; may be called twice, and happens by itself with the last reference."""
        self._ending()

    def _call(self, name: str, **arguments: Any) -> Any:
        with self._lock:
            return self._exchange({"call": name, "arguments": arguments})

    def _exchange(self, message: object) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None, "opened with a pipe"
        assert stdout is not None, "opened with a pipe"
        deadline = threading.Timer(CALL_S, self._process.kill)
        deadline.start()
        try:
            stdin.write(json.dumps(message) + "\n")
            stdin.flush()
            line = stdout.readline()
        except (OSError, ValueError) as error:
            raise EnvError(f"the WebArena worker is gone: {error}") from error
        finally:
            deadline.cancel()
        if not line:
            raise EnvError(f"the WebArena worker ended, or gave no answer within {CALL_S:.0f} s")
        answer = json.loads(line)
        if "error" in answer:
            raise EnvError(f"the WebArena worker: {answer['error']}")
        return answer["result"]


def _end(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended with a call unread
                pipe.close()
    try:
        process.wait(timeout=5)  # it ends with its input
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
