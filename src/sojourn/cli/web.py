"""``sojourn web``: the sites of web navigation, for a person with a browser."""

from __future__ import annotations

import argparse
import errno
import html
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from sojourn.envs.web.sites.catalog import SITES
from sojourn.envs.web.sites.hosts import HOSTS, LOGINS
from sojourn.envs.web.sites.world import StartResponse, World, template
from sojourn.errors import ConfigError

ADDRESS = "127.0.0.1"
"""The sites take known passwords: nobody but this machine may reach them."""
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Sojourn: the sites</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:700px;margin:40px auto}}td{{padding:4px 12px}}</style></head>
<body><h1>The sites</h1><table><tr><th>Site</th><th>User</th><th>Password</th></tr>{rows}</table>
<form action="/fresh" method="post"><button type="submit">Start a fresh world</button></form>
<p>All sites share one database in memory. A fresh world undoes everything that was done.</p></body></html>
"""


def web(options: argparse.Namespace) -> int:
    """Serve the sites until Ctrl-C."""
    server = make_site_server(options.port, template(options.seed))
    for line in (f"the sites are at {server.address}", *(f"  {s:6} {a}" for s, a in server.origins.items())):
        print(line, flush=True)
    print("Ctrl-C ends it", flush=True)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    finally:
        signal.signal(signal.SIGTERM, previous)
        server.server_close()
    return 0


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


class SiteServer(ThreadingMixIn, WSGIServer):
    """One port for all sites, told apart by the host: ``http://gitlab.localhost:PORT``."""

    daemon_threads = True
    request_queue_size = 64

    @property
    def address(self) -> str:
        return f"http://localhost:{self.server_port}"

    @property
    def origins(self) -> Mapping[str, str]:
        """Site -> what its addresses begin with; browsers take every ``*.localhost`` for this machine."""
        return {site.name: f"http://{_label(site.host)}.localhost:{self.server_port}" for site in SITES}

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, as the standard library would."""
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = ADDRESS, self.socket.getsockname()[1]
        self.server_address = self.socket.getsockname()
        self.setup_environ()


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: what a person sees in the browser is enough."""

    def address_string(self) -> str:
        return str(self.client_address[0])


def make_site_server(port: int, made: bytes) -> SiteServer:
    """A server of a world in the state `made`, bound to `port` (0: a free one) but not yet serving.

    Raises `ConfigError` if the port is taken or not allowed.
    """
    try:
        server = make_server(ADDRESS, port, _unready, server_class=SiteServer, handler_class=_QuietHandler)
    except OverflowError as error:
        raise ConfigError(f"--port: expected 0 to 65535, got {port}") from error
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        reason = "taken" if error.errno == errno.EADDRINUSE else "not allowed"
        raise ConfigError(
            f"port {port} is {reason}: choose another with --port, or a free one with --port 0"
        ) from error
    server.set_app(_Sites(made, server.origins))
    return server


def _unready(_environ: dict[str, Any], _start: object) -> list[bytes]:
    raise AssertionError("the server is not serving yet")


class _Sites:
    """The WSGI application of the server: a page that lists the sites, and the sites."""

    def __init__(self, made: bytes, origins: Mapping[str, str]) -> None:
        self._made = made
        self._origins = origins
        self._world = World.restore(made, origins)
        self._hosts = {f"{_label(host)}.localhost": host for host in HOSTS.values()}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "").partition(":")[0].lower()
        if host in self._hosts:
            return self._world({**environ, "HTTP_HOST": self._hosts[host]}, start)
        if host not in ("localhost", ADDRESS):  # also what a page elsewhere makes of its own name
            return _plain(start, "404 Not Found", "No such host.\n")
        if environ["PATH_INFO"] == "/fresh" and environ["REQUEST_METHOD"] == "POST":
            with self._lock:
                self._world = World.restore(self._made, self._origins)  # requests under way keep the old one
            start("303 See Other", [("Location", "/"), ("Content-Length", "0")])
            return [b""]
        if environ["PATH_INFO"] != "/":
            return _plain(start, "404 Not Found", "No such page.\n")
        return _plain(start, "200 OK", _PAGE.format(rows="".join(self._rows())), "text/html")

    def _rows(self) -> Iterable[str]:
        for site in SITES:
            link = f'<a href="{html.escape(self._origins[site.name])}">{html.escape(site.title)}</a>'
            user, password = LOGINS.get(site.name, ("", ""))
            yield f"<tr><td>{link}</td><td>{html.escape(user)}</td><td>{html.escape(password)}</td></tr>"


def _plain(start: Callable[..., object], status: str, text: str, kind: str = "text/plain") -> list[bytes]:
    body = text.encode()
    start(status, [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]


def _label(host: str) -> str:
    return host.partition(".")[0]
