"""Trac (tickets and wiki), loaded once a process; each request runs on its episode's database.

Trac leaves passwords to the web server in front of it. Here that is a log-in form of our own at Trac's log-in address.
"""

from __future__ import annotations

import html
import math
import os
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from sojourn.config import cache_dir
from sojourn.envs.web.webapps import episode
from sojourn.envs.web.webapps.hosts import DEVELOPER, TRACKER_HOST
from sojourn.envs.web.webapps.loading import module, require

DATABASE = "trac"
"""Name of the database among the episode's."""

PROJECT = "Tideline"
_CACHE = "trac-cache"
_MAX_FORM_BYTES = 4_096
_OPTIONS = (
    ("project", "name", PROJECT),
    ("project", "descr", "Stock keeping for small harbours"),
    ("trac", "base_url", f"http://{TRACKER_HOST}"),
    ("trac", "database", "sqlite:db/trac.db"),
    ("trac", "default_timezone", "UTC"),
    ("trac", "default_date_format", "iso8601"),
    ("logging", "log_type", "none"),
    ("notification", "smtp_enabled", "false"),
    ("header_logo", "src", ""),
    ("header_logo", "alt", PROJECT),
    ("attachment", "max_size", "0"),  # bytes: a file would outlive the episode
    (
        "trac",
        "permission_policies",
        "DefaultWikiPolicy, DefaultTicketPolicy, DefaultPermissionPolicy, LegacyAttachmentPolicy",
    ),
)


class TracApp:
    """The WSGI application, and what seeding needs of it."""

    def __init__(self, folder: Path) -> None:
        self.env = _environment(folder)
        self.empty = (folder / "db" / "trac.db").read_bytes()
        """The database of a project without tickets, as `sqlite3.Connection.deserialize` takes it."""
        _give_each_episode_its_own(self.env)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Serve a request of the running episode."""
        environ = dict(environ)
        environ.pop("REMOTE_USER", None)
        if environ["PATH_INFO"] == "/login" and not _has_cookie(environ, "trac_auth"):
            if not _is_right(environ):
                return _log_in_form(environ, start)
            environ |= {"REMOTE_USER": DEVELOPER.user, "REQUEST_METHOD": "GET", "CONTENT_LENGTH": "0"}
        return self._dispatch(environ, start)

    def _dispatch(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Trac's own entry point less what is for a server: it sets the process's locale and collects garbage."""
        main, api = module("trac.web.main"), module("trac.web.api")
        self.prepare()
        written: list[bytes] = []

        def begin(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[[bytes], None]:
            start(status, headers)
            return written.append  # Trac writes its pages where WSGI allows to return them

        request = main.RequestWithSession(environ, begin)
        translation = module("trac.util.translation")
        translation.make_activable(lambda: request.locale, self.env.path)
        dispatcher = main.RequestDispatcher(self.env)
        dispatcher.set_default_callbacks(request)
        try:
            dispatcher.dispatch(request)
        except api.RequestDone as done:
            written += done.iterable or ()
        except api.HTTPException as error:
            main._send_user_error(request, self.env, error)
        except Exception:
            main.send_internal_error(self.env, request, sys.exc_info())
        finally:
            translation.deactivate()
        return [*written, *_read(request._response)]

    def prepare(self) -> None:
        """Forget what the thread holds of the request before, which may have been another episode's."""
        module("trac.cache").CacheManager(self.env).reset_metadata()


def _read(file: Any) -> Iterator[bytes]:
    """What Trac left for a server to send: a file, if anything."""
    if file is not None:
        try:
            yield from file
        finally:
            file.close()


@cache
def trac_app() -> TracApp:
    """The application. Raises `MissingDependencyError` without the extra."""
    require("trac")
    _stop_the_clock()
    return TracApp(_made_once())


def _stop_the_clock() -> None:
    """Put the world's clock in before Trac's modules bind the functions."""

    def datetime_now(tz: tzinfo | None = None) -> datetime:
        return episode.now().astimezone(tz) if tz else episode.now().replace(tzinfo=None)

    datefmt = module("trac.util.datefmt")
    datefmt.time_now = lambda: episode.now().timestamp()
    datefmt.datetime_now = datetime_now
    module("trac.util").hex_entropy = lambda digits=32: episode.token(digits, "0123456789abcdef")


def _made_once() -> Path:
    """The folder of the project's configuration; nothing is written to it once it is made."""
    folder = cache_dir() / "web" / "webapps" / f"trac-{module('trac').__version__}-1"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            made = Path(scratch) / "project"
            env = module("trac.env").Environment(str(made), create=True, options=list(_OPTIONS))
            env.shutdown()
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was first: both are the same
                    raise
    return folder


def _environment(folder: Path) -> Any:
    return module("trac.env").open_environment(os.fspath(folder), use_cache=False)


def _give_each_episode_its_own(env: Any) -> None:
    """Connections, caches and permissions are the running episode's."""
    manager = module("trac.db.api").DatabaseManager(env)
    manager.shutdown()
    manager._cnx_pool = _EpisodePool()
    module("trac.cache").CacheManager(env)._cache = _PerEpisode()
    env.config.set = env.config.remove = env.config.save = _refuse
    perm = module("trac.perm")
    for owner in (perm.PermissionSystem, perm.DefaultPermissionStore, perm.DefaultPermissionPolicy):
        if hasattr(owner, "CACHE_EXPIRY"):
            owner.CACHE_EXPIRY = -math.inf  # what one episode may do is never what another, by its clock, was told


def _refuse(*_: object, **__: object) -> None:
    """The configuration is one file for all episodes."""
    raise module("trac.core").TracError("The configuration can't be changed here.")


class _EpisodePool:
    """Trac's connection pool with one connection: the running episode's."""

    def get_cnx(self, timeout: float | None = None) -> Any:
        connection, borrowed = _connection_classes()
        return borrowed(connection(episode.current().databases[DATABASE]), None)

    def shutdown(self, tid: int | None = None) -> None:
        """Nothing to close: connections live as long as their episodes."""


@cache
def _connection_classes() -> tuple[type[Any], type[Any]]:
    """Subclasses of Trac's connection and of what its pool lends, made when Trac is there."""
    backend, util = module("trac.db.sqlite_backend"), module("trac.db.util")
    connection_base: type[Any] = backend.SQLiteConnection
    wrapper_base: type[Any] = util.ConnectionWrapper

    class EpisodeConnection(connection_base):  # type: ignore[misc]  # Trac has no types
        """The episode's connection as Trac wants it; it never closes the one below."""

        def __init__(self, connection: Any) -> None:
            self.cnx = None
            self._active_cursors: Any = weakref.WeakKeyDictionary()
            self._eager = True
            wrapper_base.__init__(self, connection, None)

    class Borrowed(wrapper_base):  # type: ignore[misc]
        """What the pool lends; given back, it leaves nothing uncommitted behind."""

        def close(self) -> None:
            self.cnx.rollback()

    return EpisodeConnection, Borrowed


class _PerEpisode(MutableMapping[Any, Any]):
    """A mapping whose content is the running episode's."""

    def _own(self) -> dict[Any, Any]:
        own: dict[Any, Any] = episode.current().notes.setdefault(_CACHE, {})
        return own

    def copy(self) -> dict[Any, Any]:
        return dict(self._own())

    def __getitem__(self, key: Any) -> Any:
        return self._own()[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._own()[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._own()[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._own())

    def __len__(self) -> int:
        return len(self._own())


# -------------------------------------------------------------------------------------------------------- log-in


def _has_cookie(environ: dict[str, Any], name: str) -> bool:
    return any(part.strip().startswith(f"{name}=") for part in environ.get("HTTP_COOKIE", "").split(";"))


def _is_right(environ: dict[str, Any]) -> bool:
    if environ["REQUEST_METHOD"] != "POST":
        return False
    size = int(environ.get("CONTENT_LENGTH") or 0)
    if size > _MAX_FORM_BYTES:
        return False
    form = parse_qs(environ["wsgi.input"].read(size).decode("utf-8", "replace"))
    environ["sojourn.tried"] = True
    return (form.get("user"), form.get("password")) == ([DEVELOPER.user], [DEVELOPER.password])


def _log_in_form(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    said = "<p>Wrong user name or password.</p>" if environ.get("sojourn.tried") else ""
    page = f"""<!DOCTYPE html><html lang="en"><head><title>Log in - {html.escape(PROJECT)}</title></head><body>
<main><h1>Log in to {html.escape(PROJECT)}</h1>{said}<form method="post" action="/login">
<p><label for="user">User name</label> <input id="user" name="user" type="text"></p>
<p><label for="password">Password</label> <input id="password" name="password" type="password"></p>
<p><button type="submit">Log in</button></p></form></main></body></html>"""
    body = page.encode()
    start("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
    return [body]
