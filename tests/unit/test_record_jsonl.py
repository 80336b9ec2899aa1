"""JSON-lines files survive kills, odd numbers and odd text."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import DataError
from sojourn.record.jsonl import LineWriter, json_line, jsonable, keep_lines, read_float, read_lines


@given(st.floats() | st.integers(-(2**53), 2**53))
def test_every_number_survives_as_valid_json(value: float) -> None:
    back = read_float(json.loads(json_line({"x": value}))["x"])
    assert back == value or (math.isnan(back) and math.isnan(value))


@given(st.text())
def test_every_text_is_one_ascii_line(text: str) -> None:
    line = json_line({"text": text})
    assert line.count(b"\n") == 1
    assert json.loads(line)["text"] == text


def test_numpy_scalars_become_numbers() -> None:
    assert jsonable({"a": np.float32(0.5), "b": np.int64(3), "c": (True, None)}) == {
        "a": 0.5,
        "b": 3,
        "c": [True, None],
    }


def test_what_json_cannot_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "x.jsonl")
    with pytest.raises(DataError, match="got set"):
        writer.append({"x": {1, 2}})
    assert not (tmp_path / "x.jsonl").exists()


@pytest.mark.parametrize("bad", ["x", None, True, []])
def test_read_float_refuses_what_is_no_number(bad: object) -> None:
    with pytest.raises((TypeError, ValueError), match="expected a number"):
        read_float(bad)


def test_a_line_cut_short_is_skipped_by_readers_and_removed_by_the_next_writer(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2')
    assert [row for _, row in read_lines(path)] == [{"a": 1}]
    writer = LineWriter(path)
    writer.append({"a": 3})
    assert path.read_bytes() == b'{"a":1}\n{"a":3}\n'


def test_a_file_that_is_one_long_cut_line_becomes_empty(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"x" * 200_000)
    LineWriter(path).append({"a": 1})
    assert path.read_bytes() == b'{"a":1}\n'


@pytest.mark.parametrize(
    ("content", "message"), [(b"{}\n{oops\n", ":2: not a JSON object"), (b"[]\n", ":1: expected a")]
)
def test_a_bad_line_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"x\.jsonl{message}"):
        list(read_lines(path))


def test_a_missing_file_has_no_lines_and_nothing_to_keep(tmp_path: Path) -> None:
    path = tmp_path / "none.jsonl"
    keep_lines(path, lambda _: True)
    assert list(read_lines(path)) == []


def test_keep_lines_filters_and_leaves_no_other_file(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}\n{"a":3')
    keep_lines(path, lambda row: row["a"] > 1)
    assert path.read_bytes() == b'{"a":2}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["x.jsonl"]
