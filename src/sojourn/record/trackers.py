"""Where curves go besides the run's own files: TensorBoard always; W&B and trackio when asked for."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sojourn.errors import MissingDependencyError, unknown_name
from sojourn.record.run_dir import RunDir

PROJECT = "sojourn"


class Tracker(Protocol):
    """Takes the numbers of one update at a time."""

    def scalars(self, update: int, values: Mapping[str, float]) -> None:
        """Record finite `values` at `update`."""

    def close(self) -> None:
        """Flush and let go."""


class TensorBoardTracker:
    """TensorBoard event files, written with tensorboard's own writer: torch is not needed for it."""

    def __init__(self, folder: Path, first_update: int = 0) -> None:
        """`first_update` > 0 (a resume) hides what an earlier process wrote from that update on."""
        # half a second to import, and only a run that writes needs them
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._events, self._summaries = event_pb2, summary_pb2
        self._writer = EventFileWriter(str(folder))
        if first_update > 0:
            session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
            self._add(step=first_update, session_log=session)

    def scalars(self, update: int, values: Mapping[str, float]) -> None:
        tags = [self._summaries.Summary.Value(tag=key, simple_value=value) for key, value in values.items()]
        self._add(step=update, summary=self._summaries.Summary(value=tags))
        self._writer.flush()

    def _add(self, **fields: Any) -> None:
        self._writer.add_event(self._events.Event(wall_time=time.time(), **fields))

    def close(self) -> None:
        self._writer.close()


class _ModuleTracker:
    """W&B and trackio share one interface: ``init``, ``log``, ``finish``."""

    def __init__(self, module: Any, run: RunDir, **options: Any) -> None:
        self._module = module
        config = run.config().model_dump(mode="json")
        module.init(project=PROJECT, name=run.path.name, config=config, resume="allow", **options)

    def scalars(self, update: int, values: Mapping[str, float]) -> None:
        self._module.log(dict(values), step=update)

    def close(self) -> None:
        self._module.finish()


def make_trackers(names: Sequence[str], run: RunDir, first_update: int) -> list[Tracker]:
    """TensorBoard and the trackers in `names`; raises `MissingDependencyError` for one that is not installed."""
    optional = [_make_optional(name, run) for name in names]
    return [TensorBoardTracker(run.tensorboard, first_update), *optional]


def require_trackers(names: Sequence[str]) -> None:
    """Raise now, and not after the first update, if a tracker in `names` is unknown or not installed."""
    for name in names:
        _module(name)


def _make_optional(name: str, run: RunDir) -> Tracker:
    options: dict[str, Any] = {}
    if name == "wandb":
        options = {"dir": str(run.path), "id": f"{PROJECT}-{run.path.name}"}
    return _ModuleTracker(_module(name), run, **options)


def _module(name: str) -> Any:
    if name not in ("wandb", "trackio"):
        raise unknown_name("tracker", name, ("wandb", "trackio"))
    try:
        return importlib.import_module(name)  # an extra
    except ModuleNotFoundError as error:
        raise MissingDependencyError(name, f"pip install 'sojourn[{name}]'") from error
