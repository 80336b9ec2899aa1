"""One JVM: its process, and the one thread that talks to it.

Everything inside ScienceWorld that episodes share (its random generator, its counter of objects, the simplifications
in force) is safe because only this thread calls in, one call at a time. An event loop waits for the thread and is never
held up; several loops, one after the other or at once, can use the same JVM.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from sojourn.envs.sciworld.simulator import Simulator
from sojourn.envs.sciworld.wire import JavaError, JvmLostError, Wire
from sojourn.envs.sciworld.worlds import PACKAGE_VERSION
from sojourn.errors import EnvError, MissingDependencyError

T = TypeVar("T")

START_TIMEOUT_S = 120.0
"""How long a JVM may take to be ready; it takes about two seconds on an idle machine."""
_INSTALL_JAVA = (
    "apt-get install openjdk-17-jre-headless (Debian, Ubuntu), brew install openjdk (macOS) or "
    "conda install -c conda-forge openjdk; any Java from 8 on will do"
)
_INSTALL_PACKAGE = "pip install 'sojourn[sciworld]'"
_FLAGS = (
    "-XX:+UseSerialGC",  # one thread and the smallest footprint; a parallel collector takes every core
    "-XX:ReservedCodeCacheSize=64m",
    "-XX:+ExitOnOutOfMemoryError",  # a JVM without memory answers nonsense; a dead one is replaced
    # ScienceWorld iterates over hash sets of objects, in the order of their identity hashes: random by default
    "-XX:+UnlockExperimentalVMOptions",
    "-XX:hashCode=2",
)

_RUNNING: dict[subprocess.Popen[bytes], int] = {}
"""JVMs, each with the process id of who started it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JvmSettings:
    """How a JVM is run."""

    heap_mb: int = 256
    """Upper bound of its heap; an episode takes about 0.3 MB of it, the simulator itself 20."""
    deadline_s: float = 60.0
    """Seconds one call may take; then the process is killed and its episodes have failed."""


def java_program() -> str:
    """The Java program: ``$JAVA_HOME``'s, else the path's. Raises `MissingDependencyError`."""
    home = os.environ.get("JAVA_HOME")
    found = (shutil.which(str(Path(home) / "bin" / "java")) if home else None) or shutil.which("java")
    if found is None:
        raise MissingDependencyError("Java, which runs ScienceWorld,", _INSTALL_JAVA)
    return found


def jar_paths() -> tuple[Path, ...]:
    """The jars of py4j and of ScienceWorld. Raises `MissingDependencyError` if they, or this version, are missing."""
    spec = find_spec("scienceworld")
    if spec is None or spec.origin is None:
        raise MissingDependencyError("scienceworld", _INSTALL_PACKAGE)
    if (found := version("scienceworld")) != PACKAGE_VERSION:
        what = f"scienceworld {PACKAGE_VERSION} (here is {found}, which may play otherwise)"
        raise MissingDependencyError(what, _INSTALL_PACKAGE)
    from py4j.java_gateway import find_jar_path  # half of py4j, and only who starts a JVM needs it

    return Path(find_jar_path()), Path(spec.origin).with_name("scienceworld.jar")


class Jvm:
    """A JVM that starts at its first job. `run` and `post` may be called from any thread, and after its end."""

    def __init__(self, settings: JvmSettings) -> None:
        self._settings = settings
        self._jobs: queue.SimpleQueue[tuple[Future[object], Callable[[Simulator], object]] | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._cause: str | None = None
        self._is_closed = False
        self._lock = threading.Lock()  # nothing is queued behind the None that ends the thread
        threading.Thread(target=self._work, name="sciworld-jvm", daemon=True).start()

    @property
    def pid(self) -> int | None:
        """Process id; None before the start and after the end."""
        return None if self._process is None else self._process.pid

    @property
    def is_dead(self) -> bool:
        """Whether it has failed, or its process is gone: no episode of it can go on."""
        process = self._process
        return self._cause is not None or (process is not None and process.poll() is not None)

    async def run(self, job: Callable[[Simulator], T]) -> T:
        """What `job` returns, run in the JVM's thread. Raises `EnvError` when the JVM fails or has failed."""
        future: Future[T] = Future()
        if not self._queue(future, job):
            raise EnvError(f"ScienceWorld: {self._cause or 'the JVM is closed'}")
        return await asyncio.wrap_future(future)

    def post(self, job: Callable[[Simulator], object]) -> None:
        """Have `job` run after what was asked before; nobody waits, and nobody hears of a failure."""
        self._queue(Future(), job)

    def _queue(self, future: Future[T], job: Callable[[Simulator], T]) -> bool:
        with self._lock:
            if not self._is_closed:
                self._jobs.put((future, job))  # type: ignore[arg-type]  # the queue holds jobs of every type
            return not self._is_closed

    def close(self) -> None:
        """End the process once its jobs are done; returns at once, may be called twice."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._jobs.put(None)

    def kill(self) -> None:
        """End the process now, by its id; a call under way fails."""
        if self._process is not None:
            _kill(self._process)

    def _work(self) -> None:
        """The thread: job after job, until there is a None."""
        simulator: Simulator | None = None
        while (entry := self._jobs.get()) is not None:
            future, job = entry
            if future.set_running_or_notify_cancel():
                try:
                    if self._cause is not None:
                        raise EnvError(f"ScienceWorld: {self._cause}")
                    simulator = simulator or self._start()
                    future.set_result(job(simulator))
                except JvmLostError as error:
                    self._fail(f"the JVM was lost: {error}")
                    future.set_exception(EnvError(f"ScienceWorld: {self._cause}"))
                except JavaError as error:  # this episode's; the simulator of the others is whole
                    future.set_exception(EnvError(f"ScienceWorld: {error}"))
                except BaseException as error:
                    if simulator is None:
                        self._fail(f"the JVM did not start: {error}")
                    future.set_exception(error)
            del entry, future, job  # nothing of the last job is held while waiting for the next
        self._fail("the JVM is closed")

    def _start(self) -> Simulator:
        self._process = process = _launch(self._settings.heap_mb)
        watchdog = threading.Timer(START_TIMEOUT_S, process.kill)
        watchdog.start()
        try:
            self._wire = Wire(*_greeting(process), START_TIMEOUT_S)
            simulator = Simulator(self._wire)
        finally:
            watchdog.cancel()
        self._wire.set_timeout(self._settings.deadline_s)
        return simulator

    def _fail(self, cause: str) -> None:
        self._cause = self._cause or cause
        if self._wire is not None:
            self._wire.close()
        if self._process is not None:
            _kill(self._process)


def _launch(heap_mb: int) -> subprocess.Popen[bytes]:
    """A py4j gateway on a free port of the loopback interface, with ScienceWorld on its class path.

    It has a session of its own, so that Ctrl-C in the terminal does not reach it; it dies when the pipe to its
    standard input breaks, so that it does not outlive a parent that was killed; and it asks for a token.
    """
    program, jars = java_program(), jar_paths()
    command = [program, f"-Xmx{heap_mb}m", *_FLAGS, "-classpath", os.pathsep.join(map(str, jars))]
    process = subprocess.Popen(
        [*command, "py4j.GatewayServer", "--die-on-broken-pipe", "--enable-auth", "0"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=jars[-1].parent,  # the simulator reads a table there
        start_new_session=True,
    )
    _RUNNING[process] = os.getpid()
    return process


def _greeting(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """The port and the token that the gateway prints; the JVM may print a warning or two before."""
    assert process.stdout is not None
    heard = []
    for line in process.stdout:
        if line.strip().isdigit():
            return int(line), process.stdout.readline().decode().strip()
        heard.append(line.decode(errors="replace").strip())
    raise EnvError(f"ScienceWorld: the JVM said: {' | '.join(heard)[:500] or 'nothing'}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill by id, wait for the end, and close the pipes; may be called twice."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    _RUNNING.pop(process, None)


@atexit.register
def _kill_all() -> None:
    """End the JVMs that this process (not one that it was forked from) has started."""
    for process, owner in list(_RUNNING.items()):
        if owner == os.getpid():
            _kill(process)
