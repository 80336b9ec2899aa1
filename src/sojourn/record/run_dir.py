"""The directory of one run: where everything is, who may write it, and what it was started with."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from sojourn.config import TrainConfig, make_config
from sojourn.errors import ConfigError, DataError
from sojourn.record.versions import describe_start


class RunDir:
    """Paths of a run. Only one process at a time may hold it for writing; readers need no leave."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.config_json = self.path / "config.json"
        """The resolved configuration."""
        self.versions_json = self.path / "versions.json"
        """One entry per start of the run (the first, and every resume): versions, machine, command."""
        self.metrics = self.path / "metrics.jsonl"
        """One line per update; no wall clock in it, so that equal runs have equal files."""
        self.timings = self.path / "timings.jsonl"
        """One line per update: seconds, rates and memory."""
        self.evaluations = self.path / "evaluations.jsonl"
        self.trajectories = self.path / "trajectories.jsonl"
        """Training trajectories, failed ones included."""
        self.nonfinite = self.path / "nonfinite.jsonl"
        """Trajectories of updates that were skipped because their loss or gradient was not finite; usually absent."""
        self.checkpoints = self.path / "checkpoints"
        self.tensorboard = self.path / "tensorboard"
        self.report = self.path / "report.md"
        self.plot = self.path / "plot.png"
        self.log = self.path / "run.log"
        self._lock: BinaryIO | None = None

    @classmethod
    def create(cls, path: Path, config: TrainConfig) -> RunDir:
        """Make the directory of a new run, held for writing. Raises `ConfigError` if it already holds a run.

        A start that recorded nothing (a model that was not found, say) is no run: the next one takes its place.
        """
        run = cls(path)
        try:
            run.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ConfigError(f"{run.path}: expected a directory for the run, got a file in its way") from error
        run.lock()
        if any(file.exists() for file in (run.metrics, run.evaluations, run.checkpoints)):
            run.close()
            raise ConfigError(f"{run.path} already holds a run: add --resume to go on with it, or choose another name")
        run.versions_json.unlink(missing_ok=True)
        run.write_config(config)
        run.note_start()
        return run

    @classmethod
    def open(cls, path: Path, *, for_writing: bool = False) -> RunDir:
        """An existing run. Raises `DataError` if `path` holds none, `ConfigError` if another process writes it."""
        run = cls(path)
        if not run.config_json.is_file():
            raise DataError(f"{run.path}: not a run (it has no {run.config_json.name})")
        if for_writing:
            run.lock()
        return run

    def config(self) -> TrainConfig:
        """The configuration that the run was (last) started with."""
        return make_config(_read_json(self.config_json), source=str(self.config_json))

    def write_config(self, config: TrainConfig) -> None:
        """Write the resolved configuration; a resume with changed values writes it anew."""
        _write_json(self.config_json, config.model_dump(mode="json"))

    def starts(self) -> list[dict[str, Any]]:
        """What each start of the run ran on, the first one first."""
        return list(_read_json(self.versions_json)["starts"]) if self.versions_json.exists() else []

    def note_start(self) -> None:
        """Add this process to `starts`."""
        _write_json(self.versions_json, {"starts": [*self.starts(), describe_start()]})

    def lock(self) -> None:
        """Hold the run for writing; raises `ConfigError` naming the process that does already.

        The system frees the lock of a process that ended, however it ended: there is no stale lock to remove.
        """
        if self._lock is not None:
            return
        file = (self.path / "lock").open("a+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().decode(errors="replace").strip() or "another process"
            file.close()
            raise ConfigError(f"{self.path} is being written by {holder}") from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n".encode())
        file.flush()
        self._lock = file

    def close(self) -> None:
        """Let others write; may be called twice."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> RunDir:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _write_json(path: Path, data: Any) -> None:
    new = path.with_name(path.name + ".new")
    new.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
    new.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable JSON file: {error}") from error
    if not isinstance(data, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(data).__name__}")
    return data
