"""One Chromium for the process: a thread with an event loop of its own, the sites' server, and the browser.

Episodes on any event loop share it. A browser that crashed is replaced for the next episode; those it held have
failed. It ends with `close_chromium`, at the end of the process, or with its parent.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Coroutine, Set
from dataclasses import dataclass
from typing import Any, TypeVar

from sojourn.envs.web.browser.chromium.aliases import Aliases
from sojourn.envs.web.browser.chromium.launch import async_playwright, launch_error, launch_options
from sojourn.envs.web.browser.chromium.server import LoopbackServer
from sojourn.errors import EnvError

T = TypeVar("T")

_CLOSE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Running:
    """A live browser and what it needs."""

    playwright: Any
    browser: Any
    server: LoopbackServer


class ChromiumHost:
    """Runs coroutines beside one browser, which is started when it is first asked for."""

    def __init__(self, hosts: Set[str]) -> None:
        self.aliases = Aliases(hosts)
        self._pid = os.getpid()
        self._running: Running | None = None
        self._starting = asyncio.Lock()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="web-chromium", daemon=True)
        self._thread.start()

    @property
    def is_usable(self) -> bool:
        """Whether it was started by this process and not closed."""
        return self._pid == os.getpid() and self._thread.is_alive() and not self._loop.is_closed()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which runs on the browser's own loop."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def running(self) -> Running:
        """The browser, started if it is not there; to be called on the browser's own loop.

        Raises `MissingDependencyError` where it cannot be started.
        """
        async with self._starting:
            if self._running is not None and not self._running.browser.is_connected():
                await self._stop()
            if self._running is None:
                self._running = await self._start()
            return self._running

    async def opened(self, open_in: Callable[[Running], Coroutine[Any, Any, T]]) -> T:
        """What `open_in` opens in the browser. One that has died and was not missed yet is replaced, once: the episode
        that opens now had nothing in it.
        """
        running = await self.running()
        try:
            return await open_in(running)
        except Exception as error:
            if type(error).__name__ != "TargetClosedError":  # playwright does not export its name
                raise
        async with self._starting:
            if self._running is running:
                await self._stop()
        return await open_in(await self.running())

    async def _start(self) -> Running:
        server = LoopbackServer(self.aliases)
        port = await server.start()
        playwright = None
        try:
            playwright = await async_playwright().start()
            browser = await playwright.chromium.launch(**launch_options(self.aliases.outer_hosts, port))
        except BaseException as error:
            await server.close()
            if playwright is not None:
                await playwright.stop()
            if isinstance(error, Exception) and type(error).__module__.startswith("playwright"):
                raise launch_error(error) from error
            raise
        return Running(playwright=playwright, browser=browser, server=server)

    async def _stop(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            with contextlib.suppress(Exception):  # it may be gone already
                await running.browser.close()
            with contextlib.suppress(Exception):
                await running.playwright.stop()
            await running.server.close()

    def close(self) -> None:
        """End the browser and the thread. Episodes that are still open have failed."""
        if not self.is_usable:
            return
        future = asyncio.run_coroutine_threadsafe(self._stop(), self._loop)
        with contextlib.suppress(Exception):
            future.result(_CLOSE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_S)
        self._loop.close()


_shared: dict[frozenset[str], ChromiumHost] = {}
_lock = threading.Lock()


def shared_chromium(hosts: Set[str]) -> ChromiumHost:
    """The browser of this process for sites at `hosts`."""
    with _lock:
        key = frozenset(hosts)
        host = _shared.get(key)
        if host is None or not host.is_usable:
            _shared[key] = host = ChromiumHost(key)
        return host


def close_chromium() -> None:
    """End the browsers of this process."""
    with _lock:
        hosts = list(_shared.values())
        _shared.clear()
    for host in hosts:
        host.close()


atexit.register(close_chromium)


def gone(error: Exception) -> EnvError:
    """The failure of an episode whose browser or page is gone."""
    return EnvError(f"Chromium failed: {str(error).strip().splitlines()[0][:200] if str(error) else error!r}")
