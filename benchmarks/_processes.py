"""Processor time and memory of a process and of all below it, read from /proc (Linux only)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_OWN_AND_REAPED = slice(11, 15)  # of the fields behind the name: user, system, and the same of children that ended


def tree(root: int) -> Iterator[int]:
    """`root` and every live process below it."""
    yield root
    for listed in Path(f"/proc/{root}/task").glob("*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue  # ended meanwhile; what it spent is in its parent
        for child in children:
            yield from tree(int(child))


def cpu_s(root: int) -> float:
    """Seconds of processor time of the tree: of its live processes and of those that ended in it."""
    ticks = 0
    for process in tree(root):
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[_OWN_AND_REAPED]))
    return ticks * _TICK_S


def pss_mib(root: int) -> float:
    """Memory of the tree in MiB, where a page that several processes share counts once in all (PSS)."""
    return sum(map(_pss_kib, tree(root))) / 1024


def _pss_kib(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
