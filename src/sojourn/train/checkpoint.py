"""Checkpoints: one folder an update, complete or absent.

A checkpoint is written under a temporary name, flushed to disk and renamed, so that a kill at any moment leaves the
earlier ones whole and never a half-written one under a valid name.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from sojourn.engine.protocol import Engine
from sojourn.errors import DataError
from sojourn.train.state import TrainState

_NAME = re.compile(r"update-(\d{6})")
SCHEMA = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """One complete checkpoint on disk."""

    path: Path
    update: int

    @property
    def engine_uri(self) -> str:
        return str(self.path / "engine")

    def state(self) -> TrainState:
        """The run's state in it; raises `DataError` if the file is damaged or of another version."""
        file = self.path / "state.json"
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise DataError(f"{file}: not a readable checkpoint: {error}") from error
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            got = data.get("schema") if isinstance(data, dict) else data
            raise DataError(f"{file}: expected schema {SCHEMA}, got {got!r}")
        try:
            return TrainState.from_json(data.get("state", {}))
        except DataError as error:
            raise DataError(f"{file}: {error}") from error


def list_checkpoints(folder: Path) -> list[Checkpoint]:
    """The complete checkpoints in `folder`, oldest first."""
    if not folder.is_dir():
        return []
    found = [(match, path) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted((Checkpoint(path=path, update=int(match[1])) for match, path in found), key=lambda c: c.update)


def find_checkpoint(folder: Path, which: str) -> Checkpoint:
    """``last``, ``best`` or an update number; raises `DataError` naming those there are."""
    checkpoints = list_checkpoints(folder)
    if not checkpoints:
        raise DataError(f"no checkpoint in {folder}")
    if which == "last":
        return checkpoints[-1]
    if which == "best":
        best = checkpoints[-1].state().best
        wanted = checkpoints[-1].update if best is None else best.update
    elif which.isdecimal():
        wanted = int(which)
    else:
        raise DataError(f"expected 'last', 'best' or an update number, got {which!r}")
    for checkpoint in checkpoints:
        if checkpoint.update == wanted:
            return checkpoint
    raise DataError(f"no checkpoint of update {wanted} in {folder}; there are {[c.update for c in checkpoints]}")


async def save_checkpoint(folder: Path, engine: Engine, state: TrainState, *, keep: int) -> Checkpoint:
    """Write the checkpoint of `state`, then delete all but the newest `keep` and the best."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"update-{state.update:06d}"
    temporary = folder / f".writing-{final.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir()
        await engine.save(str(temporary / "engine"))
        text = json.dumps({"schema": SCHEMA, "state": state.to_json()}, indent=1)
        (temporary / "state.json").write_text(text + "\n", encoding="utf-8")
        _flush(temporary)
        shutil.rmtree(final, ignore_errors=True)
        os.replace(temporary, final)
        _flush_folder(folder)
    except BaseException as error:  # disk full, Ctrl-C: leave the earlier checkpoints alone and no debris
        shutil.rmtree(temporary, ignore_errors=True)
        for number in (errno.ENOSPC, errno.EDQUOT):
            if os.strerror(number) in str(error):  # safetensors says it in an error of its own
                raise OSError(number, os.strerror(number), str(final)) from error
        raise
    _prune(folder, keep=keep, best=state.best.update if state.best else None)
    return Checkpoint(path=final, update=state.update)


def _flush(folder: Path) -> None:
    """Ask the system to put every file below `folder` on the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
        else:
            _flush_folder(path)
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prune(folder: Path, *, keep: int, best: int | None) -> None:
    for checkpoint in list_checkpoints(folder)[:-keep]:
        if checkpoint.update != best:
            shutil.rmtree(checkpoint.path)
    for debris in folder.glob(".writing-*"):
        shutil.rmtree(debris, ignore_errors=True)
