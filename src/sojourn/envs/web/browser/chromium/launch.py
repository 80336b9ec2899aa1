"""Finding and starting Chromium."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any

from sojourn.errors import ConfigError, MissingDependencyError

VARIABLE = "SOJOURN_CHROMIUM"
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
        raise MissingDependencyError("playwright", "pip install 'sojourn[chromium]'") from error
    return manager()


def launch_error(error: Exception) -> MissingDependencyError:
    """The error for a browser that cannot be started."""
    first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    hint = f"apt-get install chromium-headless-shell (or set {VARIABLE} to one that is there)"
    return MissingDependencyError(f"a Chromium that starts ({first[:200]})", hint)
