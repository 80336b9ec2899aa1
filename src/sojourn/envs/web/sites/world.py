"""A world: every site over one database in memory, restored from a template in about a millisecond."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from sojourn.config import cache_dir
from sojourn.envs.web.sites import session
from sojourn.envs.web.sites.catalog import SITES
from sojourn.envs.web.sites.framework import STATUS, Context, Reply, Site
from sojourn.envs.web.sites.hosts import HOSTS, NOW, ORIGINS
from sojourn.envs.web.sites.request import BadRequest, Fields, HttpError, read_cookies, read_form
from sojourn.errors import ConfigError, DataError, EnvError, unknown_name

StartResponse = Callable[[str, list[tuple[str, str]]], object]
"""The part of WSGI's second argument that is used."""

_FOLDER = Path(__file__).parent
_DECISIVE = (".py", ".sql", ".txt", ".json")
_MAX_URL = 8192
_MAGIC = b"SQLite format 3\0"


class World:
    """The sites of one episode: a WSGI application that picks the site by its host. Calls are taken one at a time."""

    def __init__(self, db: sqlite3.Connection, origins: Mapping[str, str]) -> None:
        self.db = db
        self._origins = origins
        self._lock = threading.Lock()

    @classmethod
    def restore(cls, template: bytes, origins: Mapping[str, str] = ORIGINS) -> World:
        """A new world in the state of `template`; `origins` is what links across sites begin with.

        Raises `DataError` for bytes that are no database.
        """
        if not template.startswith(_MAGIC):
            raise DataError(f"expected a template of the sites (a SQLite database), got {template[:16]!r}...")
        db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None, cached_statements=256)
        db.deserialize(template)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("PRAGMA temp_store = MEMORY")
        return cls(db, origins)

    def close(self) -> None:
        """Drop the database; a request under way ends first."""
        with self._lock:
            self.db.close()

    def snapshot(self) -> bytes:
        """The present state, as a template that `restore` takes."""
        with self._lock:
            return self.db.serialize()

    def log_in(self, site: str, user: str) -> str:
        """A session of `user` on `site` without a password; returns the value of the ``Cookie`` header.

        Raises `ConfigError` for a site without accounts or a user that it does not know.
        """
        if site not in _BY_NAME:
            raise unknown_name("site", site, _BY_NAME)
        accounts = _BY_NAME[site].accounts
        if accounts is None:
            raise ConfigError(f"site {site!r} has no accounts")
        with self._lock:
            row = session.find_user(self.db, accounts, user)
            if row is None:
                raise ConfigError(f"site {site!r} has no user {user!r}")
            made = session.new_session(self.db, site, int(row["id"]))
        return f"{session.COOKIE}={made.token}"

    def __call__(self, environ: dict[str, Any], start: StartResponse) -> Iterable[bytes]:
        """Answer one request. Raises `EnvError` for a fault of a site, never for what a user sent."""
        site = site_of(environ.get("HTTP_HOST", ""))
        if site is None:
            body = b"No such host.\n"
            start(STATUS[404], [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
            return [body]
        with self._lock:
            status, headers, body = self._answer(site, environ)
        start(STATUS[status], [*headers, ("Content-Length", str(len(body)))])
        return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]

    def _answer(self, site: Site, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        method = environ["REQUEST_METHOD"]
        context = Context(
            site=site,
            db=self.db,
            method=method,
            path=_path_of(environ),
            query=Fields(),
            form=Fields(),
            cookies=read_cookies(_clean(environ.get("HTTP_COOKIE", ""))),
            origins=self._origins,
        )
        self.db.execute("BEGIN")
        try:
            reply = _reply(site, context, environ)
        except Exception as error:
            self.db.execute("ROLLBACK")
            raise EnvError(
                f"{site.host} failed at {method} {context.path!r}: {type(error).__name__}: {error}"
            ) from error
        self.db.execute("COMMIT" if reply.status < 400 else "ROLLBACK")
        return reply.status, context.headers(reply), reply.body.encode("utf-8", errors="replace")


def _reply(site: Site, context: Context, environ: dict[str, Any]) -> Reply:
    """The site's reply, or an error page if the request cannot be read."""
    try:
        query = _clean(environ.get("QUERY_STRING", ""))
        if len(query) > _MAX_URL or len(context.path) > _MAX_URL:
            raise BadRequest(f"An address has at most {_MAX_URL} characters.")
        if "\x00" in context.path:
            raise BadRequest("The address holds control characters.")
        context.query = Fields.read(query)
        if context.method == "POST":
            context.form = read_form(environ)
    except HttpError as error:
        return context.error_page(error)
    return site.answer(context)


def _clean(text: str) -> str:
    """`text` without lone surrogates, which SQLite and UTF-8 refuse."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _path_of(environ: Mapping[str, Any]) -> str:
    """The path in the request, decoded as UTF-8 (WSGI hands it over as Latin-1), without a slash at its end."""
    path = str(environ.get("PATH_INFO") or "/").encode("latin-1", errors="replace").decode("utf-8", errors="replace")
    return path.rstrip("/") or "/"


_BY_NAME: Mapping[str, Site] = {site.name: site for site in SITES}
_BY_HOST: Mapping[str, Site] = {site.host: site for site in SITES}


def site_of(host: str) -> Site | None:
    """The site with this ``Host`` header (a port and a leading ``www.`` do not matter), or None."""
    return _BY_HOST.get(host.partition(":")[0].lower().removeprefix("www."))


def make_template(seed: int) -> bytes:
    """Generate the database of all sites from `seed`: schemas, then data, site after site."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    try:
        db.execute("PRAGMA page_size = 2048")  # of many small tables: a tenth less than pages of 4096 bytes
        db.execute("PRAGMA foreign_keys = ON")
        db.executescript(session.SCHEMA)
        for site in SITES:
            db.executescript(site.schema)
            db.execute("BEGIN")
            site.generate(db, Random(f"{seed}/{site.name}"))  # a text seeds alike in every process
            db.execute("COMMIT")
        # No ANALYZE: every episode would read its statistics at the first query, and no page is faster for them.
        db.execute("VACUUM")
        return db.serialize()
    finally:
        db.close()


@cache
def template(seed: int = 0) -> bytes:
    """The database that every episode of `seed` starts from; made once and kept in the cache folder."""
    folder = cache_dir() / "web"
    path = folder / f"{_decisive_hash(seed)}.sqlite3"
    if path.is_file():
        return path.read_bytes()
    made = make_template(seed)
    folder.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".making-")
    with os.fdopen(handle, "wb") as file:
        file.write(made)
    os.replace(temporary, path)  # whoever was first wrote the same bytes
    return made


def _hash_of_sources() -> str:
    """Hash of the code and the vocabularies of the sites."""
    digest = hashlib.sha256()
    for path in sorted(_FOLDER.rglob("*")):
        if path.suffix in _DECISIVE:
            digest.update(path.relative_to(_FOLDER).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


_SOURCES = _hash_of_sources()  # now: a process that outlives an edit must not file what it makes under the new code


def _decisive_hash(seed: int) -> str:
    """Hash of all that decides a template: the seed, the code and the vocabularies of the sites, and SQLite itself."""
    return hashlib.sha256(f"{seed} {sqlite3.sqlite_version} {_SOURCES}".encode()).hexdigest()[:16]


__all__ = ["HOSTS", "NOW", "ORIGINS", "World", "make_template", "site_of", "template"]
