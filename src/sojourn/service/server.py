"""A running service: its socket, its signals, its drain."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn

from sojourn.errors import ConfigError
from sojourn.service.app import AsgiApp, guarded, make_app
from sojourn.service.episodes import EpisodeTable
from sojourn.service.metrics import Metrics
from sojourn.service.served import Served, serve_scenario

TOKEN_VARIABLE = "SOJOURN_TOKEN"
MIN_TOKEN_CHARS = 16


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """How to serve."""

    environments: Mapping[str, Mapping[str, Any]]
    """name -> options."""
    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes a free one."""
    num_workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes of each environment that is not light, at most."""
    capacity: int = 1024
    lease_s: float = 300.0
    step_timeout_s: float = 60.0
    drain_s: float = 30.0
    token: str | None = None
    """Bearer token that every call must carry; None lets everyone in, on the loopback address only."""


MakeApp = Callable[[Mapping[str, Served], EpisodeTable, Metrics], AsgiApp]
"""Makes the ASGI application of a wire; `service.app.make_app` is our own wire's."""


def read_token(path: Path | None) -> str | None:
    """The token in the file at `path`, else in the environment variable SOJOURN_TOKEN; None without either."""
    if path is None:
        token = os.environ.get(TOKEN_VARIABLE, "").strip() or None
        origin = TOKEN_VARIABLE
    else:
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"--token-file: cannot read {os.fspath(path)!r}: {error}") from error
        origin = os.fspath(path)
    if token is not None and (len(token) < MIN_TOKEN_CHARS or not token.isascii() or not token.isprintable()):
        raise ConfigError(f"the token in {origin} must be at least {MIN_TOKEN_CHARS} printable ASCII characters")
    return token


def serve(config: ServeConfig, announce: Callable[[str], None], wire: MakeApp = make_app) -> int:
    """Serve until SIGTERM or SIGINT and the end of the drain; returns the exit code.

    `announce` is told the address once, when calls are answered. Raises `ConfigError` for an address that is taken,
    or open to others without a token.
    """
    _check_access(config)
    with _listening(config.host, config.port) as sock:
        return _run(config, sock, announce, wire)


def _run(config: ServeConfig, sock: socket.socket, announce: Callable[[str], None], wire: MakeApp) -> int:
    metrics = Metrics(tuple(config.environments))

    def restarted(name: str) -> Callable[[], None]:
        return lambda: metrics.restarted(name)

    served = {
        name: serve_scenario(
            name,
            options,
            num_workers=config.num_workers,
            timeout_s=config.step_timeout_s,
            on_restart=restarted(name),
        )
        for name, options in config.environments.items()
    }
    hosts = {name: one.host for name, one in served.items()}
    table = EpisodeTable(hosts, capacity=config.capacity, lease_s=config.lease_s, observer=metrics)
    metrics.watch(table)
    app = guarded(wire(served, table, metrics), config.token)
    address = _address(sock)
    server = _Server(app, table, config.drain_s, lambda: announce(address))
    server.run(sockets=[sock])
    return server.exit_code


class _Server(uvicorn.Server):
    """uvicorn with a drain between the signal and the end."""

    def __init__(self, app: AsgiApp, table: EpisodeTable, drain_s: float, on_ready: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=2,
                backlog=2048,
                timeout_keep_alive=75,  # longer than clients keep one: they hang up first
            )
        )
        self._table = table
        self._drain_s = drain_s
        self._on_ready = on_ready
        self._drain: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._num_signals = 0
        self.exit_code = 0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        if self.started:
            self._on_ready()
        else:
            self.exit_code = 1

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains; a second ends at once."""
        self._num_signals += 1
        if self._num_signals > 1 or self._loop is None:
            self.exit_code = 128 + sig
            self.should_exit = self.force_exit = True
        else:
            self._loop.call_soon_threadsafe(self._begin_drain)

    def _begin_drain(self) -> None:
        self._drain = asyncio.get_running_loop().create_task(self._drain_then_exit())

    async def _drain_then_exit(self) -> None:
        await self._table.drain(self._drain_s)
        self.should_exit = True


def _check_access(config: ServeConfig) -> None:
    if config.token is None and not _is_loopback(config.host):
        raise ConfigError(
            f"--host {config.host} lets other machines in, which needs a token: set {TOKEN_VARIABLE} in the "
            "environment or give --token-file FILE"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """The bound socket; raises `ConfigError` if the address cannot be had."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ConfigError(f"--host {host}: {error.strerror or error}") from error
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        # here, not when the event loop starts: two services that both bound would both believe that they serve
        sock.listen(2048)
        yield sock
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is taken: stop what listens there, choose another with --port, or let "
                "--port 0 find a free one"
            ) from error
        if error.errno in (errno.EACCES, errno.EADDRNOTAVAIL):
            raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror}") from error
        raise
    finally:
        sock.close()


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
