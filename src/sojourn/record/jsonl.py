"""Files with one JSON object a line: append, read with the line named in every error, and filter atomically.

A line is written and flushed at once. A last line without its newline is one that a kill cut short: readers skip it
and the next writer removes it.
"""

from __future__ import annotations

import json
import math
import numbers
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sojourn.errors import DataError

_NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def jsonable(value: Any) -> Any:
    """`value` with what JSON has no word for made plain: NumPy scalars become numbers, non-finite floats strings."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return _plain_float(float(value))
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    raise DataError(f"expected a value that JSON can hold, got {type(value).__name__}: {value!r}")


def _plain_float(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def read_float(value: Any) -> float:
    """A float as `jsonable` wrote it; raises `TypeError` or `ValueError` for anything else."""
    if isinstance(value, str):
        if value not in _NON_FINITE:
            raise ValueError(f"expected a number, got {value!r}")
        return _NON_FINITE[value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {value!r}")
    return float(value)


def json_line(row: Mapping[str, Any]) -> bytes:
    """One line, newline included; ASCII, so that no text in it can break a line or an encoder."""
    return json.dumps(jsonable(row), separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


class LineWriter:
    """Appends rows to one file, which is made at the first row. It holds no open file: there is nothing to close."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_checked = False

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row and hand it to the operating system."""
        line = json_line(row)  # first, so that a row that cannot be written leaves the file alone
        if not self._is_checked:
            drop_cut_line(self.path)
            self._is_checked = True
        with self.path.open("ab") as file:
            file.write(line)


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number (from 1) and object of every complete line; raises `DataError` naming file and line.

    A file that does not exist has no lines.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                return  # being written, or cut short by a kill
            if line.strip():
                yield number, _parsed(path, number, line)


def _parsed(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{path}:{number}: not a JSON object: {error}") from error
    if not isinstance(row, dict):
        raise DataError(f"{path}:{number}: expected a JSON object, got {type(row).__name__}")
    return row


def keep_lines(path: Path, keep: Callable[[Mapping[str, Any]], bool]) -> None:
    """Leave only the rows that `keep` accepts; a kill leaves the old file or the new one, never a mixture."""
    if not path.exists():
        return
    new = path.with_name(path.name + ".new")
    with path.open("rb") as source, new.open("wb") as target:
        for number, line in enumerate(source, start=1):
            if line.endswith(b"\n") and line.strip() and keep(_parsed(path, number, line)):
                target.write(line)
        target.flush()
        os.fsync(target.fileno())
    new.replace(path)


def drop_cut_line(path: Path) -> None:
    """Remove a last line that has no newline."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        file.truncate(end)
