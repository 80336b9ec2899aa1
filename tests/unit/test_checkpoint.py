"""Checkpoints are whole or absent: atomic, pruned without losing the best, and clear about what is damaged."""

from __future__ import annotations

import asyncio
import errno
import json
from pathlib import Path

import pytest

from sojourn.engine.table_engine import TableEngine
from sojourn.errors import DataError
from sojourn.horizon import HorizonState
from sojourn.train.checkpoint import Checkpoint, find_checkpoint, list_checkpoints, save_checkpoint
from sojourn.train.state import Best, TrainState

STATE = TrainState(
    update=7,
    task_cursor=112,
    horizon=HorizonState(stage=1, recent=(0.1, 1 / 3)),
    entropy=0.1 + 0.2,
    num_episodes=896,
    num_turns=5000,
    num_action_tokens=40_000,
    nonfinite_updates=1,
    best=Best(update=4, success=2 / 3),
)


def save(folder: Path, update: int, *, keep: int = 2, best: int | None = None, engine: TableEngine | None = None):
    state = TrainState(update=update, best=None if best is None else Best(update=best, success=0.5))
    return asyncio.run(save_checkpoint(folder, engine or TableEngine(4, seed=update), state, keep=keep))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_state_is_equal_after_json() -> None:
    assert TrainState.from_json(json.loads(json.dumps(STATE.to_json()))) == STATE
    assert TrainState.from_json(json.loads(json.dumps(TrainState().to_json()))) == TrainState()


@pytest.mark.parametrize("change", [{"surprise": 1}, {"best": None, "horizon": {}}, {"best": {"update": 1}}])
def test_what_is_not_a_state_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(DataError, match="expected"):
        TrainState.from_json({**STATE.to_json(), **change})


def test_a_checkpoint_gives_back_the_state_and_the_engine(tmp_path: Path) -> None:
    engine, other = TableEngine(4, seed=1), TableEngine(4)
    saved = asyncio.run(save_checkpoint(tmp_path / "new" / "folder", engine, STATE, keep=2))
    assert find_checkpoint(tmp_path / "new" / "folder", "last") == saved
    assert saved.state() == STATE
    asyncio.run(other.load(saved.engine_uri))
    assert (other._table_VV == engine._table_VV).all()


class Crash(BaseException):
    """Stands for whatever ends a process that can still clean up: Ctrl-C, an error."""


class Interrupted(TableEngine):
    """Stops half-way through its own files."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(4)
        self.error = error

    async def save(self, path: str) -> str:
        await super().save(path)
        next(Path(path).iterdir()).write_bytes(b"half")
        raise self.error


def test_a_crash_in_the_middle_leaves_the_earlier_checkpoints_and_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(Crash):
        save(tmp_path, 2, engine=Interrupted(Crash()))
    assert names(tmp_path) == ["update-000001"]
    assert list_checkpoints(tmp_path)[0].state().update == 1


def test_what_a_killed_process_left_is_no_checkpoint_and_is_swept_away(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / ".writing-update-000002" / "engine").mkdir(parents=True)
    (tmp_path / ".writing-update-000009").mkdir()
    assert [c.update for c in list_checkpoints(tmp_path)] == [1]
    save(tmp_path, 2)
    assert names(tmp_path) == ["update-000001", "update-000002"]


def test_a_checkpoint_of_the_same_update_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    save(tmp_path, 1)
    (tmp_path / "update-000001" / "of old").touch()
    save(tmp_path, 1)
    assert names(tmp_path / "update-000001") == ["engine", "state.json"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),  # as safetensors says it
    ],
)
def test_a_full_disk_is_one_whoever_met_it(error: Exception, tmp_path: Path) -> None:
    save(tmp_path, 1)
    with pytest.raises(OSError, match="No space left on device") as caught:
        save(tmp_path, 2, engine=Interrupted(error))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "update-000002")
    assert names(tmp_path) == ["update-000001"]


def test_the_newest_are_kept_and_the_best_besides(tmp_path: Path) -> None:
    for update in range(1, 8):
        save(tmp_path, update, keep=2, best=3 if update >= 3 else None)
    assert [c.update for c in list_checkpoints(tmp_path)] == [3, 6, 7]
    assert find_checkpoint(tmp_path, "best").update == 3
    save(tmp_path, 8, keep=1, best=8)
    assert [c.update for c in list_checkpoints(tmp_path)] == [8]


def test_checkpoints_are_found_by_what_they_are_called(tmp_path: Path) -> None:
    for update in (9, 10, 100):
        save(tmp_path, update, keep=9)
    (tmp_path / "update-7").mkdir()
    (tmp_path / "update-000011.old").mkdir()
    assert [c.update for c in list_checkpoints(tmp_path)] == [9, 10, 100]
    assert find_checkpoint(tmp_path, "last").update == 100
    assert find_checkpoint(tmp_path, "best").update == 100  # none was evaluated yet
    assert find_checkpoint(tmp_path, "10").update == 10


@pytest.mark.parametrize(
    ("which", "said"),
    [("11", r"no checkpoint of update 11 in .*; there are \[10\]"), ("newest", "expected 'last', 'best' or an update")],
)
def test_a_checkpoint_that_is_not_there_is_answered_with_those_that_are(which: str, said: str, tmp_path: Path) -> None:
    save(tmp_path, 10)
    with pytest.raises(DataError, match=said):
        find_checkpoint(tmp_path, which)


@pytest.mark.parametrize("folder", ["none", "."])
def test_no_checkpoint_is_said(folder: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no checkpoint in"):
        find_checkpoint(tmp_path / folder, "last")


def test_a_best_that_was_deleted_by_hand_is_said(tmp_path: Path) -> None:
    save(tmp_path, 5, best=2)
    with pytest.raises(DataError, match=r"no checkpoint of update 2 in .*; there are \[5\]"):
        find_checkpoint(tmp_path, "best")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema": 1, "sta', "not a readable checkpoint"),
        ("", "not a readable checkpoint"),
        ("[]", r"expected schema 1, got \[\]"),
        ('"words"', "expected schema 1"),
        ('{"schema": 99, "state": {}}', "expected schema 1, got 99"),
        ('{"schema": 1}', "expected the state of a run"),
        ('{"schema": 1, "state": {"update": 1}}', "expected the state of a run"),
        ('{"schema": 1, "state": 5}', "expected the state of a run"),
    ],
)
def test_a_damaged_state_names_its_file(text: str, said: str, tmp_path: Path) -> None:
    checkpoint = save(tmp_path, 1)
    (checkpoint.path / "state.json").write_text(text)
    with pytest.raises(DataError, match=rf"update-000001/state.json: .*{said}"):
        checkpoint.state()


def test_a_missing_state_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"state\.json: not a readable checkpoint"):
        Checkpoint(path=tmp_path, update=1).state()
