"""What every benchmark records beside its figures: machine, versions, command; and where the results go."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("sojourn", "torch", "transformers", "peft", "numpy")


def machine() -> dict[str, Any]:
    """The processor, its cores, memory, load and the GPU if there is one."""
    about: dict[str, Any] = {
        "system": platform.system(),
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "load_average_1min": round(os.getloadavg()[0], 2),
        "environment": {k: v for k, v in os.environ.items() if k.startswith(("OMP_", "MKL_", "MALLOC_"))},
    }
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        about["threads"] = torch.get_num_threads()
        about["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return about


def versions() -> dict[str, str]:
    """Installed versions of the packages that matter."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def command() -> str:
    """How this benchmark was called, from the repository root."""
    script = Path(sys.argv[0]).resolve()
    root = Path(__file__).resolve().parents[1]
    shown = script.relative_to(root) if script.is_relative_to(root) else script.name
    return " ".join(["python", str(shown), *sys.argv[1:]])


class Clock:
    """Seconds of wall clock, and of processor time over all threads, since it was made.

    On a machine that does other work the second is the figure to compare by: it does not count waiting for a core.
    """

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """(wall seconds, processor seconds) so far."""
        return time.perf_counter() - self._start[0], time.process_time() - self._start[1]


def ratios(theirs: list[tuple[float, float]], mine: list[tuple[float, float]]) -> dict[str, Any]:
    """How many times as fast `mine` is, repetition by repetition, by the wall clock and by processor time."""
    pairs = list(zip(theirs, mine, strict=True))
    return {
        "wall": spread([other[0] / own[0] for other, own in pairs], 3),
        "processor": spread([other[1] / own[1] for other, own in pairs], 3),
    }


def spread(values: list[float], digits: int = 4) -> dict[str, Any]:
    """Median, extremes and all repetitions."""
    rounded = [round(value, digits) for value in values]
    return {
        "median": round(statistics.median(values), digits),
        "min": min(rounded),
        "max": max(rounded),
        "all": rounded,
    }


def write_result(name: str, result: dict[str, Any]) -> Path:
    """Write `result` with machine, versions, command and date to ``benchmarks/results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    about = {"command": command(), "date": time.strftime("%Y-%m-%d"), "machine": machine(), "versions": versions()}
    path.write_text(json.dumps({**about, **result}, indent=2) + "\n", encoding="utf-8")
    return path


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
