"""A visitor of the sites for tests: follows links and sends forms as a browser without scripts would."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote_to_bytes, urlencode, urljoin, urlsplit

from sojourn.envs.web.sites.hosts import HOSTS
from sojourn.envs.web.sites.world import World

VOID = frozenset(("br", "hr", "img", "input", "link", "meta"))


@dataclass
class Form:
    """A form of a page, with the values that its controls have."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    """What a select or radio group offers."""
    buttons: list[str] = field(default_factory=list)


@dataclass
class Page:
    """An answer, taken apart."""

    status: int
    html: str
    url: str
    links: list[str] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What is wrong with the HTML: elements that do not nest, controls without a label."""

    @property
    def text(self) -> str:
        parser = _Text()
        parser.feed(self.html)
        return " ".join(" ".join(parser.found).split())

    def form(self, action: str) -> Form:
        """The form with this action."""
        return next(form for form in self.forms if form.action == action)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.is_style = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self.is_style = False

    def handle_data(self, data: str) -> None:
        if not self.is_style:
            self.found.append(data)


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self.stack: list[str] = []
        self.form: Form | None = None
        self.select = ""
        self.area = ""
        self.button = False
        self.controls: list[tuple[str, bool]] = []
        self.labels: set[str] = set()
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.stack.append(tag)
        if "id" in values:
            self.ids.append(values["id"])
        if tag == "a" and "href" in values:
            self.page.links.append(values["href"])
        elif tag == "label":
            self.labels.add(values.get("for", ""))
        elif tag == "form":
            if self.form:
                self.page.problems.append("a form within a form")
            self.form = Form(values.get("action", self.page.url), values.get("method", "get"))
            self.page.forms.append(self.form)
        elif tag in ("input", "select", "textarea") and self.form is not None:
            self._control(tag, values)
        elif tag == "option" and self.form is not None:
            self.form.options[self.select].append(values.get("value", ""))
            if "selected" in values or self.select not in self.form.fields:
                self.form.fields[self.select] = values.get("value", "")
        self.button = tag == "button"

    def _control(self, tag: str, values: Mapping[str, str]) -> None:
        assert self.form is not None
        name, kind = values.get("name", ""), values.get("type", "text")
        if kind != "hidden":
            self.controls.append((values.get("id", ""), "aria-label" in values))
        if tag == "select":
            self.select = name
            self.form.options[name] = []
        elif tag == "textarea":
            self.area = name
            self.form.fields[name] = ""
        elif kind == "radio":
            self.form.options.setdefault(name, []).append(values.get("value", ""))
            if "checked" in values:
                self.form.fields[name] = values.get("value", "")
        elif kind != "checkbox" or "checked" in values:
            self.form.fields[name] = values.get("value", "on" if kind == "checkbox" else "")

    def handle_data(self, data: str) -> None:
        if self.area and self.form is not None:
            self.form.fields[self.area] += data
        if self.button and self.form is not None and data.strip():
            self.form.buttons.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        if not self.stack or self.stack[-1] != tag:
            self.page.problems.append(f"</{tag}> closes {self.stack[-1:]}")
        if tag in self.stack:
            while self.stack.pop() != tag:
                pass
        if tag == "form":
            self.form = None
        elif tag == "textarea" and self.form is not None:
            self.form.fields[self.area] = self.form.fields[self.area].removeprefix("\n")
            self.area = ""
        self.button = False

    def finish(self) -> None:
        self.page.problems += [f"{tag} is not closed" for tag in self.stack]
        self.page.problems += [
            f"control {name!r} has no label" for name, named in self.controls if not named and name not in self.labels
        ]
        self.page.problems += [f"id {name!r} twice" for name in sorted({i for i in self.ids if self.ids.count(i) > 1})]


class Visitor:
    """A browser window on one site of a world."""

    def __init__(self, world: World, site: str, cookie: str = "") -> None:
        self.world = world
        self.site = site
        self.host = HOSTS[site]
        self.cookie = cookie

    def request(self, method: str, url: str, form: Iterable[tuple[str, str]] = (), raw: bytes | None = None) -> Page:
        """One request, redirects not followed."""
        path, _, query = url.partition("?")
        body = urlencode(list(form)).encode() if raw is None else raw
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": _unquoted(path),
            "QUERY_STRING": query,
            "HTTP_HOST": self.host,
            "HTTP_COOKIE": self.cookie,
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        }
        seen: list[Any] = []
        html = b"".join(self.world(environ, lambda status, headers: seen.extend((status, dict(headers))))).decode()
        headers: dict[str, str] = seen[1]
        if "Set-Cookie" in headers:
            self.cookie = headers["Set-Cookie"].partition(";")[0]
        page = Page(status=int(seen[0][:3]), html=html, url=headers.get("Location", url))
        if page.status != 303:
            reader = _Reader(page)
            reader.feed(html)
            reader.finish()
        return page

    def get(self, url: str) -> Page:
        """A page, redirects within the site followed."""
        return self._followed(self.request("GET", url))

    def post(self, url: str, **fields: object) -> Page:
        """What a form leads to, redirects within the site followed."""
        return self._followed(self.request("POST", url, [(name, str(value)) for name, value in fields.items()]))

    def send(self, form: Form, **fields: object) -> Page:
        """A form of a page with some of its fields filled in; raises for a field that it has not."""
        filled = {**form.fields, **{name: str(value) for name, value in fields.items()}}
        unknown = fields.keys() - form.fields.keys() - form.options.keys()
        assert not unknown, f"the form {form.action} has no {unknown}, only {sorted(form.fields)}"
        if form.method == "post":
            return self._followed(self.request("POST", form.action, filled.items()))
        return self.get(f"{form.action}?{urlencode(filled)}")

    def _followed(self, page: Page) -> Page:
        for _ in range(5):
            if page.status != 303:
                return page
            page = self.request("GET", page.url)
        raise AssertionError("redirects without end")

    def crawl(self, limit: int, start: str = "/") -> dict[str, Page]:
        """Pages by address, breadth first from `start`, with every link within the site looked at once."""
        queue, found = [start], {}
        known = {start}
        while queue and len(found) < limit:
            url = queue.pop(0)
            found[url] = page = self.get(url)
            for link in page.links:
                target = urljoin(f"http://{self.host}{url}", link)
                parts = urlsplit(target)
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                if parts.netloc == self.host and path not in known:
                    known.add(path)
                    queue.append(path)
        return found


def _unquoted(path: str) -> str:
    """A path as WSGI hands it over: decoded, each byte as one character."""
    return unquote_to_bytes(path).decode("latin-1")


def tables(db: sqlite3.Connection) -> dict[str, set[tuple[Any, ...]]]:
    """Every table's rows, the sessions left out."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        name: {tuple(row) for row in db.execute(f"SELECT * FROM {name}")}
        for name in names
        if not name.startswith(("sqlite_", "web_"))
    }


def changes(
    before: Mapping[str, set[tuple[Any, ...]]], after: Mapping[str, set[tuple[Any, ...]]]
) -> dict[str, tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]]:
    """Table -> the rows that went and the rows that came."""
    return {
        name: (before[name] - after[name], after[name] - before[name]) for name in after if before[name] != after[name]
    }
