"""Runs of ``sojourn train`` on the configurations beside this file, and what makes two of them equal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from tests.e2e.processes import Fault, Started, start

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EQUAL_FILES = ("metrics.jsonl", "trajectories.jsonl", "evaluations.jsonl")


class Runs:
    """A folder of runs, each named after its configuration."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache

    def path(self, name: str) -> Path:
        return self.folder / name

    def start(self, name: str, *flags: str, faults: Sequence[Fault] = ()) -> Started:
        """``sojourn train`` on the configuration called `name`."""
        arguments = ["train", str(HERE / f"{name}.toml"), "--out", str(self.folder), *flags]
        return self.command(*arguments, faults=faults)

    def command(self, *arguments: str, faults: Sequence[Fault] = ()) -> Started:
        """Any command; all print to one file."""
        return start(arguments, self.folder / "output.txt", self.cache, faults)

    def done(self, name: str) -> Path:
        """The finished run, made if it is not there yet."""
        if not self.path(name).exists():
            started = self.start(name)
            assert started.wait() == 0, started.text()
        return self.path(name)

    def num_updates(self, name: str) -> int:
        """Lines of metrics so far."""
        file = self.path(name) / "metrics.jsonl"
        return file.read_bytes().count(b"\n") if file.exists() else 0


def checkpoints(run: Path) -> list[str]:
    """Names of everything in the run's folder of checkpoints."""
    folder = run / "checkpoints"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def assert_equal(run: Path, other: Path) -> None:
    """The record byte for byte, and every checkpoint bit for bit."""
    for name in EQUAL_FILES:
        first, second = (path.joinpath(name).read_text().splitlines() for path in (run, other))
        different = next((n for n, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), None)
        assert different is None, f"{name}:{different + 1}: {_difference(first[different], second[different])}"
        assert len(first) == len(second), f"{name}: {len(first)} and {len(second)} lines"
    assert checkpoints(run) == checkpoints(other)
    for name in checkpoints(run):
        files = [sorted(f for f in (path / "checkpoints" / name).rglob("*") if f.is_file()) for path in (run, other)]
        for file, other_file in zip(*files, strict=True):
            assert file.name == other_file.name
            _assert_same(_content(file), _content(other_file))


def _content(file: Path) -> Any:
    if file.suffix == ".safetensors":
        return load_file(file)
    return torch.load(file, weights_only=True) if file.suffix == ".pt" else file.read_text()


def _difference(line: str, other: str) -> str:
    """The first value in which two JSON lines differ."""
    return _first_difference(json.loads(line), json.loads(other), "")


def _first_difference(one: Any, two: Any, path: str) -> str:
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        return next((d for k in one if (d := _first_difference(one[k], two[k], f"{path}.{k}"))), "")
    if isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        return next((d for n in range(len(one)) if (d := _first_difference(one[n], two[n], f"{path}[{n}]"))), "")
    return "" if one == two else f"{path}: {str(one)[:200]} and {str(two)[:200]}"


def _assert_same(first: Any, second: Any) -> None:
    if isinstance(first, Mapping):
        assert first.keys() == second.keys()
        for key in first:
            _assert_same(first[key], second[key])
    elif isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
    else:
        assert first == second
