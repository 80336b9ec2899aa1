"""Finding and starting Chromium."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Set
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sojourn.errors import ConfigError, MissingDependencyError

VARIABLE = "SOJOURN_CHROMIUM"
INSTALL_DRIVER = "pip install 'sojourn[chromium]'"
INSTALL_CHROMIUM = f"apt-get install chromium-headless-shell (or set {VARIABLE} to one that is there)"
_NAMES = (
    "chromium-headless-shell",  # a third of the time and half of the memory of the others
    "chrome-headless-shell",
    "headless_shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
_MAC = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


_PLAYWRIGHTS_OWN = {
    "linux": "~/.cache/ms-playwright",
    "darwin": "~/Library/Caches/ms-playwright",
    "win32": "~/AppData/Local/ms-playwright",
}
"""Where ``playwright install`` puts its browsers, unless ``PLAYWRIGHT_BROWSERS_PATH`` says otherwise."""


def require_chromium() -> None:
    """Raise `MissingDependencyError` where no episode on Chromium could begin; starts nothing, takes no time."""
    if find_spec("playwright") is None:
        raise MissingDependencyError("playwright", INSTALL_DRIVER)
    if find_chromium() is None and not _has_playwrights_own():
        raise MissingDependencyError("a Chromium", INSTALL_CHROMIUM)


def _has_playwrights_own() -> bool:
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or _PLAYWRIGHTS_OWN.get(sys.platform, "")
    return bool(folder) and any(Path(folder).expanduser().glob("chromium*"))


def find_chromium() -> str | None:
    """Path of what ``SOJOURN_CHROMIUM`` names, else of one found on the machine, else None (playwright's own).

    Raises `ConfigError` when the variable names no program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            raise ConfigError(f"{VARIABLE} names no program: {named!r}")
        return found
    found = next((path for path in map(shutil.which, _NAMES) if path), None)
    if found is None and sys.platform == "darwin":
        found = next((path for path in _MAC if Path(path).exists()), None)
    return found


def launch_options(hosts: Set[str], port: int) -> dict[str, Any]:
    """Keywords for playwright's ``chromium.launch``: `hosts` are found at `port`, nothing else can be reached."""
    rules = [f"MAP {host} 127.0.0.1:{port}" for host in sorted(hosts)]
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return {
        "executable_path": find_chromium(),
        "chromium_sandbox": not is_root,
        "handle_sigint": False,  # Ctrl-C is for whoever runs the episodes; the browser ends with them
        "handle_sigterm": False,
        "handle_sighup": False,
        "args": [
            f"--host-resolver-rules={', '.join([*rules, 'MAP * ~NOTFOUND'])}",
            "--disable-gpu",
            "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
            "--webrtc-ip-handling-policy=disable_non_proxied_udp",
        ],
    }


def async_playwright() -> Any:
    """Playwright's context manager. Raises `MissingDependencyError` without the package."""
    try:
        from playwright.async_api import async_playwright as manager  # in here: optional, and half a second
    except ImportError as error:
        raise MissingDependencyError("playwright", INSTALL_DRIVER) from error
    return manager()


def launch_error(error: Exception) -> MissingDependencyError:
    """The error for a browser that cannot be started."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return MissingDependencyError(f"a Chromium that starts ({first[:200]})", INSTALL_CHROMIUM)
