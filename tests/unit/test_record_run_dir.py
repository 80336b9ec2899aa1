"""A run directory belongs to one run and one writer."""

import sys
from pathlib import Path

import pytest
from tests.unit.samples_of_record import config

from sojourn.errors import ConfigError, DataError
from sojourn.record.run_dir import RunDir
from sojourn.record.versions import describe_start, git_revision


def test_create_writes_the_resolved_config_and_what_it_ran_on(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "toy", config()) as run:
        assert run.config() == config()
        (start,) = run.starts()
    assert start["packages"]["torch"]
    assert start["cores"] >= 1
    assert start["command"] == sys.argv


def test_a_second_run_in_the_same_directory_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with RunDir.create(tmp_path, config()) as run:
        run.metrics.write_text("{}\n")
    with pytest.raises(ConfigError, match="--resume"):
        RunDir.create(tmp_path, config())
    RunDir.open(tmp_path, for_writing=True).close()  # the refusal holds no lock


def test_a_start_that_recorded_nothing_makes_way(tmp_path: Path) -> None:
    RunDir.create(tmp_path, config()).close()
    with RunDir.create(tmp_path, config(updates=5)) as run:
        assert (run.config().updates, len(run.starts())) == (5, 1)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "toy").write_text("x")
    with pytest.raises(ConfigError, match="got a file"):
        RunDir.create(tmp_path / "toy", config())


def test_opening_what_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a run"):
        RunDir.open(tmp_path)


def test_one_writer_at_a_time_and_readers_always(tmp_path: Path) -> None:
    with RunDir.create(tmp_path, config()) as run:
        run.lock()  # once more is fine
        assert RunDir.open(tmp_path).config().name == "toy"
        with pytest.raises(ConfigError, match="being written by process"):
            RunDir.open(tmp_path, for_writing=True)
    RunDir.open(tmp_path, for_writing=True).close()


def test_a_resume_adds_a_start_and_may_change_the_config(tmp_path: Path) -> None:
    with RunDir.create(tmp_path, config()) as run:
        run.write_config(config(updates=9))
        run.note_start()
    again = RunDir.open(tmp_path)
    assert again.config().updates == 9
    assert len(again.starts()) == 2


@pytest.mark.parametrize("content", ["{oops", "[]"])
def test_a_damaged_config_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(DataError, match=r"config\.json"):
        RunDir.open(tmp_path).config()


def test_no_repository_has_no_revision(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None
    assert describe_start(["x"])["command"] == ["x"]
