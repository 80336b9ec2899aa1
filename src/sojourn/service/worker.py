"""The program of a worker process: hosts the environments of one scenario, many at a time, in one event loop.

Started as ``python -m sojourn.service.worker SOCKET LIFE``, two inherited file descriptors: requests and replies go
over the first; nothing ever comes over the second, whose end means that the parent has died, however it died.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

from sojourn.envs.catalog import load_scenario
from sojourn.service.frames import FrameProtocol, Hello
from sojourn.service.room import Reply, Request, Room
from sojourn.service.wire import Code

_FLUSH_S = 0.002
_EXIT_S = 5.0


class WorkerLoop:
    """Does what it hears, each operation as a task of its own with a deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._room: Room | None = None
        self._timeout_s = 0.0
        self._running: dict[int, asyncio.Task[None]] = {}
        self._ended = asyncio.Event()
        self._frames = FrameProtocol(self._heard, self._ended.set)
        self._flushed = 0.0

    async def run(self) -> None:
        """Work until the parent hangs up, then close the environments that are left."""
        loop = asyncio.get_running_loop()
        await loop.connect_accepted_socket(lambda: self._frames, self._sock)
        await self._ended.wait()
        for task in self._running.values():
            task.cancel()
        if self._room is not None:
            await self._room.close()

    def _heard(self, rows: list[Any]) -> None:
        for row in rows:
            if isinstance(row, Hello):
                self._open(row)
            else:
                self._begin(*row)

    def _open(self, hello: Hello) -> None:
        sys.path[:] = hello.path
        importlib.invalidate_caches()
        self._timeout_s = hello.timeout_s
        try:
            self._room = Room(load_scenario(hello.name, hello.options))
        except Exception as error:  # whatever it is, the parent tells it to everyone who asks for an episode
            self._frames.send((0, Reply(b"", code=Code.ENV_FAILED, message=f"{type(error).__name__}: {error}")))
            self._frames.flush()
            self._ended.set()
            return
        self._frames.send((0, Reply(b"")))

    def _begin(self, number: int, request: Request) -> None:
        if self._room is not None:
            task = asyncio.get_running_loop().create_task(self._do(number, request, self._room))
            self._running[number] = task

    async def _do(self, number: int, request: Request, room: Room) -> None:
        # from here, not from when it was heard: an operation may queue behind others that hold the processor
        timer = asyncio.get_running_loop().call_later(self._timeout_s, self._expire, number, request)
        try:
            reply = await room.ask(request)
        finally:
            timer.cancel()
        if self._running.pop(number, None) is not None:  # else its deadline has passed, and was told
            self._say(number, reply)

    def _expire(self, number: int, request: Request) -> None:
        """An operation that waits for something hangs alone; one that holds the processor is for the parent to kill."""
        task = self._running.pop(number, None)
        if task is not None:
            task.cancel()  # it may refuse: nobody waits for it
            message = f"{request.verb} took longer than {self._timeout_s:g} s"
            self._say(number, Reply(b"", code=Code.ENV_TIMEOUT, message=message))

    def _say(self, number: int, reply: Reply) -> None:
        self._frames.send((number, reply))
        now = time.monotonic()
        if now - self._flushed > _FLUSH_S:  # when a queue of slow operations is worked off, the first need not wait
            self._flushed = now
            self._frames.flush()


def _die_with_parent(life: int) -> None:
    """Wait for the end of the parent, then for the environments to be closed, but not for long."""
    os.read(life, 1)
    time.sleep(_EXIT_S)
    os._exit(1)


def main(arguments: list[str]) -> int:
    """Run a worker; returns the exit code."""
    descriptor, life = map(int, arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C at the terminal is the parent's to answer
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    threading.Thread(target=_die_with_parent, args=(life,), daemon=True).start()
    sock = socket.socket(fileno=descriptor)
    sock.setblocking(False)

    async def work() -> None:
        await WorkerLoop(sock).run()

    asyncio.run(work())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
