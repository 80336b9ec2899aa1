"""What tests with a real browser share: whether there is one, and the processes that it is made of."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from sojourn.envs.web.browser.chromium.launch import VARIABLE, find_chromium


def why_no_chromium() -> str | None:
    """Why there can be no test in a real browser on this machine, or None; one that is there has to start."""
    if find_spec("playwright") is None:
        return "playwright is not installed: pip install 'sojourn[chromium]'"
    if find_chromium() is not None:
        return None
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return None
    return f"no Chromium was found: apt-get install chromium-headless-shell, or set {VARIABLE}"


def processes_below(parent: int) -> list[int]:
    """Processes below `parent`, at any depth.

    Found by their parents: the lists of children in /proc leave some out while others end.
    """
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(errors="replace")
        except OSError:
            continue  # ended meanwhile
        above = int(stat.rpartition(")")[2].split()[1])  # the name before it, in brackets, may hold anything
        children.setdefault(above, []).append(int(folder.name))
    found, level = [], [parent]
    while level:
        level = sorted(child for process in level for child in children.get(process, []))
        found += level
    return found


def resident_bytes(process: int) -> int:
    """Memory of a process that is its own: a page shared with n others counts a nth. 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss_Anon:"))


def waited(is_so: Callable[[], bool], seconds: float = 300.0) -> bool:
    """Whether `is_so` comes true: processes end, and give back memory, in their own time, but a leak stays."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            return False
        time.sleep(0.5)
    return True
