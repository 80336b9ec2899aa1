"""Worker processes: environments that hold the processor, or may crash, live there; each scenario has its own.

A worker that dies, or holds the processor past the deadline (and is then killed), answers its episodes with
``env_failed`` at once and is replaced. Nothing else waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any

from sojourn.service.frames import FrameProtocol, Hello
from sojourn.service.room import Reply, Request
from sojourn.service.wire import Code

log = logging.getLogger(__name__)

_START_S = 120.0
_GRACE_S = 1.0
_STOP_S = 6.0


class Worker:
    """One worker process, from its start to its death; never started again."""

    def __init__(self, hello: Hello, on_death: Callable[[Worker], None]) -> None:
        self._hello = hello
        self._on_death = on_death
        self._process: asyncio.subprocess.Process | None = None
        self._life = -1
        self._next = 1
        self._waiting: dict[int, tuple[asyncio.Future[Reply], float, str]] = {}
        self._frames = FrameProtocol(self._heard, self._hung_up)
        self._frames.send(hello)  # sent once there is a pipe, before everything else
        self._heard_at = time.monotonic()
        self._death = ""
        self._timed_out = False
        self.is_ready = False
        """Whether its scenario is loaded."""
        self.episodes: set[str] = set()
        """The episodes that live in it."""

    @property
    def pid(self) -> int | None:
        """Process id; None before it is started."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Start the process; what is asked before it is ready waits."""
        ours, theirs = socket.socketpair()
        life_read, self._life = os.pipe()
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "sojourn.service.worker",
                str(theirs.fileno()),
                str(life_read),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,  # ours is for the address alone; what they log goes to stderr
                pass_fds=(theirs.fileno(), life_read),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(life_read)
        self._heard_at = time.monotonic()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: self._frames, ours)

    def ask(self, request: Request) -> Awaitable[Reply]:
        """Send the request; a dead worker answers at once."""
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        if self._death:
            future.set_result(Reply(b"", code=Code.ENV_FAILED, message=self._death))
            return future
        if request.verb == "start":
            self.episodes.add(request.episode_id)
        elif request.verb == "close":
            self.episodes.discard(request.episode_id)
        number, self._next = self._next, self._next + 1
        self._waiting[number] = (future, time.monotonic(), request.verb)
        self._frames.send((number, request))
        return future

    def check(self) -> None:
        """Kill the process if it has been silent past the deadline though it was asked something."""
        if self._death or not self._waiting:
            return
        _, asked, verb = next(iter(self._waiting.values()))
        silent_s = time.monotonic() - max(asked, self._heard_at)
        limit_s = self._hello.timeout_s + _GRACE_S if self.is_ready else _START_S
        if silent_s > limit_s:
            self._timed_out = True
            self.kill(f"{verb} held the worker for longer than {self._hello.timeout_s:g} s: it was killed")

    def kill(self, reason: str) -> None:
        """End it the hard way; `reason` is what its episodes are told."""
        if not self._death and self._process is not None:
            log.warning("worker %s of %s: %s", self.pid, self._hello.name, reason)
            self.fail(reason)
            with suppress(ProcessLookupError):  # the whole session: what the environment has started dies with it
                os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self) -> None:
        """Let it close its environments, then wait for its end."""
        if not self._death:
            self._death = "the service has stopped"
        self._frames.close()
        if self._process is not None:
            try:
                await asyncio.wait_for(self._process.wait(), _STOP_S)
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
                await self._process.wait()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1

    def _heard(self, rows: list[Any]) -> None:
        self._heard_at = time.monotonic()
        for number, reply in rows:
            if number == 0:
                self.is_ready = reply.code is None
                if not self.is_ready:
                    self.fail(f"the worker could not load {self._hello.name}: {reply.message}")
                continue
            waiting = self._waiting.pop(number, None)
            if waiting is not None and not waiting[0].done():
                waiting[0].set_result(reply)

    def _hung_up(self) -> None:
        if not self._death:
            log.warning("worker %s of %s has died", self.pid, self._hello.name)
            self.fail("its worker process has died")

    def fail(self, reason: str) -> None:
        """Count it as dead: whoever waits is told `reason`."""
        self._death = reason
        waiting, self._waiting = self._waiting, {}
        code = Code.ENV_TIMEOUT if self._timed_out else Code.ENV_FAILED  # of the first: the others waited behind it
        for future, _, _ in waiting.values():
            if not future.done():
                future.set_result(Reply(b"", code=code, message=reason))
            code = Code.ENV_FAILED
        self.episodes.clear()
        self._on_death(self)


class WorkerPool:
    """Up to `size` workers for one scenario; started when there is work for them, the first at `open`.

    Serves as the `Host` of an environment. `on_restart` is called whenever a dead worker is replaced.
    """

    def __init__(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        size: int,
        timeout_s: float,
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        self._hello = Hello(name=name, options=dict(options), timeout_s=timeout_s, path=tuple(sys.path))
        self._size = size
        self._on_restart = on_restart
        self._workers: list[Worker] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids of the workers that run."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    def place(self) -> Worker:
        """The worker with the fewest episodes; one more is started while all of them have some."""
        if self._watch is None:
            self._watch = asyncio.get_running_loop().create_task(self._watch_workers())
        best = min(self._workers, key=lambda worker: len(worker.episodes), default=None)
        if best is None or (best.episodes and len(self._workers) < self._size):
            best = self._started()
        return best

    async def close(self) -> None:
        """Stop every worker."""
        self._is_closed = True
        if self._watch is not None:
            self._watch.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.gather(*(worker.stop() for worker in self._workers))
        self._workers.clear()

    def _started(self) -> Worker:
        worker = Worker(self._hello, self._buried)
        self._workers.append(worker)
        self._spawn(self._start(worker))
        return worker

    async def _start(self, worker: Worker) -> None:
        try:
            await worker.start()
        except OSError as error:
            worker.fail(f"the worker could not be started: {error}")

    def _buried(self, worker: Worker) -> None:
        """A worker has died: reap it, and replace it if it ever worked (else the next one would die, too)."""
        if self._is_closed:
            return
        self._workers.remove(worker)
        self._spawn(worker.stop())
        if worker.is_ready:
            self._on_restart()
            self._started()

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_workers(self) -> None:
        pause_s = min(max(self._hello.timeout_s / 10, 0.02), 1.0)
        while True:
            await asyncio.sleep(pause_s)
            for worker in list(self._workers):
                worker.check()
