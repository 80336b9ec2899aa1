"""A small web framework: a site is a table of routes over jinja2 templates and one SQLite connection.

A handler takes a `Context` and the parts of its path, and gives a `Reply`. What a user can get wrong raises an
`HttpError` and becomes a page; anything else is a fault of the site and rises.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlencode

from sojourn.envs.web.sites.hosts import HOSTS, NOW, ORIGINS
from sojourn.envs.web.sites.render import render_template
from sojourn.envs.web.sites.request import BadRequest, Entry, Fields, Forbidden, HttpError, MethodNotAllowed, NotFound
from sojourn.envs.web.sites.routing import Handler, Reply, Routes
from sojourn.envs.web.sites.session import COOKIE, Accounts, Session, find_session, new_session

STATUS = {
    200: "200 OK",
    303: "303 See Other",
    400: "400 Bad Request",
    403: "403 Forbidden",
    404: "404 Not Found",
    405: "405 Method Not Allowed",
    413: "413 Content Too Large",
    415: "415 Unsupported Media Type",
    422: "422 Unprocessable Content",
}
"""Status lines of the answers that sites give."""


class Site(Routes):
    """One site: its host, its schema, its data and its routes."""

    def __init__(
        self,
        name: str,
        *,
        title: str,
        folder: Path,
        generate: Callable[[sqlite3.Connection, Random], None],
        accounts: Accounts | None = None,
        log_in_path: str = "/login",
        parts: Iterable[Routes] = (),
        frame: Callable[[Context], Mapping[str, Any]] | None = None,
        public_paths: frozenset[str] | None = None,
    ) -> None:
        """Make the site called `name` in `HOSTS`, whose `folder` holds ``schema.sql`` and ``templates/layout.html``.

        `generate` fills its tables from a seeded generator; it sees the tables of the sites before it in the catalogue.
        Its routes are those of `parts`, and what is registered on the site itself. `frame` gives what the layout shows
        on every page (how much is in the cart). With `public_paths`, every other page is for users who are logged in.
        """
        super().__init__()
        self.name = name
        self.host = HOSTS[name]
        self.title = title
        self.folder = folder
        self.generate = generate
        self.accounts = accounts
        self.log_in_path = log_in_path
        self.frame = frame
        self.public_paths = public_paths
        for part in parts:
            self.include(part)

    @property
    def schema(self) -> str:
        return (self.folder / "schema.sql").read_text(encoding="utf-8")

    def answer(self, context: Context) -> Reply:
        """The reply to one request; never raises for what a user did."""
        try:
            handler, parts = self.find(context.method, context.path)
            if self.public_paths is not None and context.path not in self.public_paths:
                context.require_user()
            return handler(context, **parts)
        except LogInNeeded:
            query = urlencode({"next": context.url if context.method in ("GET", "HEAD") else "/"})
            return context.redirect(f"{self.log_in_path}?{query}")
        except HttpError as error:
            return context.error_page(error)


class LogInNeeded(Exception):  # noqa: N818
    """The page is for users who are logged in: the answer is a redirect to the log-in page."""


class Context:
    """One request to one site, and the means to answer it."""

    def __init__(
        self,
        *,
        site: Site,
        db: sqlite3.Connection,
        method: str,
        path: str,
        query: Fields,
        form: Fields,
        cookies: Mapping[str, str],
        origins: Mapping[str, str],
    ) -> None:
        """Hold what came; `origins` says what absolute addresses of each site begin with."""
        self.site = site
        self.db = db
        self.method = method
        self.path = path
        self.query = query
        self.form = form
        self.now = NOW
        self._origins = origins
        self._cookies = cookies
        self._sets_cookie: str | None = None

    @cached_property
    def session(self) -> Session | None:
        """The session that the cookie names, or None for a browser that has not written anything."""
        token = self._cookies.get(COOKIE, "")
        return find_session(self.db, self.site.name, token) if token else None

    @cached_property
    def user(self) -> sqlite3.Row | None:
        """The row of who is logged in, or None."""
        if self.session is None or self.session.user_id is None or self.site.accounts is None:
            return None
        row: sqlite3.Row | None = self.db.execute(
            f"SELECT * FROM {self.site.accounts.table} WHERE id = ?", (self.session.user_id,)
        ).fetchone()
        return row

    def require_user(self) -> sqlite3.Row:
        """The row of who is logged in; without one, the answer becomes a redirect to the log-in page."""
        if self.user is None:
            raise LogInNeeded
        return self.user

    def require_session(self) -> Session:
        """The session of this browser, made now if it has none; for handlers of POST."""
        if self.session is None:
            self._use(new_session(self.db, self.site.name, None))
        assert self.session is not None
        return self.session

    def log_in(self, user_id: int) -> None:
        """Begin a session of this user in place of the browser's present one."""
        self.log_out()
        self._use(new_session(self.db, self.site.name, user_id))

    def log_out(self) -> None:
        """End the browser's session."""
        if self.session is not None:
            self.db.execute("DELETE FROM web_session WHERE id = ?", (self.session.id,))
            self._use(None)

    def _use(self, session: Session | None) -> None:
        self.__dict__["session"] = session
        self.__dict__.pop("user", None)
        self._sets_cookie = (
            f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
            if session is None
            else f"{COOKIE}={session.token}; Path=/; HttpOnly; SameSite=Lax"
        )

    @property
    def url(self) -> str:
        """Path and query of this request, as a link within the site."""
        return self.with_query()

    def with_query(self, **changes: object) -> str:
        """This page's address with fields of its query changed; None or the empty text drops a field."""
        kept = [(name, value) for name, value in self.query if name not in changes]
        new = [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
        query, path = urlencode([*kept, *new]), quote(self.path)
        return f"{path}?{query}" if query else path

    def link(self, site: str, path: str = "/") -> str:
        """Absolute address of `path` on another site."""
        return self._origins[site] + path

    def local(self, address: str) -> str:
        """An absolute address as agents see it, as an absolute address here: for links that are stored in texts."""
        for site, origin in ORIGINS.items():
            if address == origin or address.startswith(origin + "/"):
                return self.link(site, address.removeprefix(origin) or "/")
        return address

    def take_notice(self) -> str:
        """The sentence that the last POST left for the next page; it is shown once."""
        if self.session is None or not self.session.notice:
            return ""
        session, self.__dict__["session"] = self.session, replace(self.session, notice="")
        self.db.execute("UPDATE web_session SET notice = '' WHERE id = ?", (session.id,))
        return session.notice

    def render(self, template: str, *, status: int = 200, **values: Any) -> Reply:
        """A page from the site's own `template`; the template also sees ``ctx`` and ``notice``."""
        return Reply(status=status, body=self._page(f"{self.site.folder.name}/templates/{template}", values))

    def _page(self, name: str, values: Mapping[str, Any]) -> str:
        frame = self.site.frame(self) if self.site.frame else {}
        return render_template(name, {"ctx": self, "notice": self.take_notice(), **frame, **values})

    def redirect(self, path: str, notice: str = "") -> Reply:
        """See `path` next (303), with `notice` on top of it."""
        if notice:
            session = self.require_session()
            self.db.execute("UPDATE web_session SET notice = ? WHERE id = ?", (notice, session.id))
        return Reply(status=303, headers=(*Reply().headers, ("Location", path)))

    def error_page(self, error: HttpError) -> Reply:
        """The page that says why a request was refused."""
        layout = f"{self.site.folder.name}/templates/layout.html"
        values = {"layout": layout, "heading": STATUS[error.status][4:], "message": error.message}
        reply = Reply(status=error.status, body=self._page("templates/error.html", values))
        if isinstance(error, MethodNotAllowed):
            return replace(reply, headers=(*reply.headers, ("Allow", ", ".join(error.allowed))))
        return reply

    def headers(self, reply: Reply) -> list[tuple[str, str]]:
        """Headers of the answer, with the cookie if the session changed."""
        if self._sets_cookie is None:
            return list(reply.headers)
        return [*reply.headers, ("Set-Cookie", self._sets_cookie)]


def local_path(path: str, default: str) -> str:
    """`path` if it is one within the site, else `default`: where to go after a log-in is not for others to say."""
    is_local = path.startswith("/") and not path.startswith("//") and not re.search(r"[\\\s]", path)
    return path if is_local and path.isascii() else default


__all__ = [
    "STATUS",
    "Accounts",
    "BadRequest",
    "Context",
    "Entry",
    "Fields",
    "Forbidden",
    "Handler",
    "HttpError",
    "LogInNeeded",
    "MethodNotAllowed",
    "NotFound",
    "Reply",
    "Routes",
    "Site",
    "local_path",
]
