"""What tests with a real browser share: whether there is one, and the processes that it is made of."""

from __future__ import annotations

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
    """Processes below `parent`, at any depth."""
    found = []
    for listed in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            children = [int(child) for child in listed.read_text().split()]
        except OSError:
            continue  # ended meanwhile
        for child in children:
            found += [child, *processes_below(child)]
    return found


def resident_bytes(process: int) -> int:
    """Memory of a process that is its own: a page shared with n others counts a nth. 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss_Anon:"))
