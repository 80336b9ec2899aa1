"""A client of the sites for tests: cookies, redirects, and the links and forms of a page. No browser, no socket."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode, urljoin, urlsplit

from sojourn.envs.web.sites.world import World


@dataclass
class Form:
    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Page:
    """A page that was fetched; it is parsed when its links or forms are asked for."""

    status: int
    headers: Mapping[str, str]
    html: str
    url: str

    @cached_property
    def _read(self) -> _Reader:
        return _Reader(self.url, self.html)

    @property
    def links(self) -> list[str]:
        return self._read.links

    @property
    def forms(self) -> list[Form]:
        return self._read.forms

    @property
    def ids(self) -> list[str]:
        return self._read.ids

    @property
    def unnamed(self) -> list[str]:
        """Controls that neither a label nor an aria-label names."""
        return self._read.unnamed

    def form(self, action: str) -> Form:
        """The first form whose address ends so."""
        return next(form for form in self.forms if form.action.endswith(action))


class _Reader(HTMLParser):
    def __init__(self, url: str, html: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.forms: list[Form] = []
        self.ids: list[str] = []
        self._labels: set[str] = set()
        self._controls: list[tuple[str, dict[str, Any]]] = []
        self._select: tuple[str, str | None] | None = None
        self._textarea: tuple[str, list[str]] | None = None
        self.feed(html)
        named = [(tag, a) for tag, a in self._controls if a.get("id") in self._labels or "aria-label" in a]
        self.unnamed = [f"{tag} {a}" for tag, a in self._controls if (tag, a) not in named]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a" and "href" in found:
            self.links.append(urljoin(self.url, found["href"]))
        elif tag == "form":
            self.forms.append(Form(urljoin(self.url, found.get("action", "")), found.get("method", "get")))
        elif tag == "label":
            self._labels.add(found.get("for", ""))
        elif tag == "input":
            if found.get("type") != "hidden":
                self._controls.append((tag, found))
            is_sent = found.get("type") not in ("checkbox", "radio") or "checked" in found
            if self.forms and "name" in found and is_sent:
                self.forms[-1].fields.append((found["name"], found.get("value", "")))
        elif tag == "select":
            self._controls.append((tag, found))
            self._select = (found["name"], None)
        elif tag == "option" and self._select and (self._select[1] is None or "selected" in found):
            self._select = (self._select[0], found.get("value", ""))
        elif tag == "textarea":
            self._controls.append((tag, found))
            self._textarea = (found["name"], [])

    def handle_endtag(self, tag: str) -> None:
        if tag == "select" and self._select:
            self.forms[-1].fields.append((self._select[0], self._select[1] or ""))
            self._select = None
        elif tag == "textarea" and self._textarea:
            self.forms[-1].fields.append((self._textarea[0], "".join(self._textarea[1]).removeprefix("\n")))
            self._textarea = None

    def handle_data(self, data: str) -> None:
        if self._textarea:
            self._textarea[1].append(data)


class Client:
    """One browser in one world."""

    def __init__(self, world: World, site: str) -> None:
        from sojourn.envs.web.sites.hosts import ORIGINS

        self.world = world
        self.origin = ORIGINS[site]
        self.cookies: dict[str, str] = {}

    def log_in(self, site: str, user: str) -> Client:
        """This browser, logged in without a password."""
        name, _, value = self.world.log_in(site, user).partition("=")
        self.cookies[name] = value
        return self

    def request(self, method: str, url: str, body: bytes = b"", **environ: Any) -> Page:
        """One request, redirects not followed."""
        parts = urlsplit(urljoin(self.origin + "/", url))
        found: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),  # as PEP 3333 has it
            "QUERY_STRING": parts.query,
            "HTTP_HOST": parts.netloc,
            "HTTP_COOKIE": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        if method == "POST":
            found |= {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(body))}
        found |= {"wsgi.input": io.BytesIO(body), **environ}
        answer: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]]) -> None:
            answer.update(status=int(status.split()[0]), headers=dict(headers))

        html = b"".join(self.world(found, start)).decode()
        if cookie := answer["headers"].get("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return Page(answer["status"], answer["headers"], html, parts.geturl())

    def get(self, url: str) -> Page:
        """A page, after the redirects within its host."""
        page = self.request("GET", url)
        for _ in range(5):
            if page.status != 303:
                return page
            page = self.request("GET", urljoin(page.url, page.headers["Location"]))
        raise AssertionError(f"{url} redirects without end")

    def post(self, url: str, **fields: object) -> Page:
        """The page after a form was sent; the page itself if it was refused."""
        page = self.request("POST", url, urlencode({name: str(value) for name, value in fields.items()}).encode())
        return self.get(urljoin(page.url, page.headers["Location"])) if page.status == 303 else page

    def send(self, form: Form, **changes: object) -> Page:
        """The page after a form of a page was sent, with some fields filled in."""
        fields = [(name, value) for name, value in form.fields if name not in changes]
        fields += [(name, str(value)) for name, value in changes.items() if value is not None]
        encoded = urlencode(fields)
        if form.method == "get":
            return self.get(f"{form.action}?{encoded}")
        page = self.request("POST", form.action, encoded.encode())
        return self.get(urljoin(page.url, page.headers["Location"])) if page.status == 303 else page


def changed_tables(world: World, template: bytes) -> dict[str, int]:
    """Table -> rows that are in only one of the world and its template; sessions and counters left out."""
    db = world.db
    db.execute("ATTACH ':memory:' AS original")
    try:
        db.deserialize(template, name="original")
        tables = [
            row[0] for row in db.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY name")
        ]
        found = {}
        for table in tables:
            if table in ("web_session", "sqlite_sequence"):
                continue
            here, there = f"SELECT * FROM main.{table}", f"SELECT * FROM original.{table}"
            ways = (f"{here} EXCEPT {there}", f"{there} EXCEPT {here}")
            count = sum(db.execute(f"SELECT count(*) FROM ({way})").fetchone()[0] for way in ways)
            found |= {table: count} if count else {}
        return found
    finally:
        db.execute("DETACH original")


def crawled(client: Client, start: str, limit: int) -> dict[str, Page]:
    """Pages that are reached from `start` by links within the host, breadth first."""
    waiting, seen, pages = [urljoin(client.origin + "/", start)], set[str](), dict[str, Page]()
    while waiting and len(pages) < limit:
        url = waiting.pop(0)
        if url in seen:
            continue
        seen.add(url)
        page = pages[url] = client.get(url)
        waiting += [link for link in page.links if link.startswith(client.origin + "/") and link not in seen]
    return pages
