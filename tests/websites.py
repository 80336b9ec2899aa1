"""A small site with everything that a browser has to cope with, for tests of the browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

from sojourn.envs.web.browser.protocol import Browser, Observation

HOST, OTHER = "toy.example", "reddit.com"
HOSTS = frozenset({HOST, OTHER})
HOME = f"http://{HOST}/"

FORM = """
<form action="/sent" method="post">
  <label for="name">Name</label> <input id="name" name="name" value="Ann">
  <label for="mail">Email</label> <input id="mail" name="mail" type="email">
  <label for="count">Count</label> <input id="count" name="count" type="number" min="1" max="9" value="2">
  <label for="secret">Secret</label> <input id="secret" name="secret" type="password">
  <label for="size">Size</label> <select id="size" name="size"><option>Small</option>
    <option value="m">Medium</option><option disabled>Large</option></select>
  <label for="tags">Tags</label>
  <select id="tags" name="tags" multiple><option>red</option><option>blue</option></select>
  <label for="note">Note</label> <textarea id="note" name="note">
first</textarea>
  <label for="gift">Gift</label> <input id="gift" name="gift" type="checkbox">
  <label><input type="radio" name="way" value="air" checked> Air</label>
  <label><input type="radio" name="way" value="sea"> Sea</label>
  <input type="hidden" name="token" value="t~1*">
  <input name="off" aria-label="Off" value="no" disabled>
  <button name="do" value="save">Save</button> <button name="do" value="drop" disabled>Drop</button>
  <button type="reset">Reset</button> <button type="button">Nothing</button>
  <input type="submit" name="do" value="Send">
</form>"""

PAGES = {
    "/": f"""<title>Toy  site</title><header><a href="/form">Form</a> <a href="/table">Table</a></header>
      <main><h1>Toy <em>site</em></h1><p>Some <b>bold</b> text, <a href="/search?q=a+b">a search</a>, and more.</p>
      <ul><li><a href="/loop">Loop</a></li><li><a href="/file">File</a></li><li><a href="/empty">Empty</a></li>
      <li><a href="/form" target="_blank">Form in a tab</a></li><li><a href="//{OTHER}/hello">Other host</a></li>
      <li><a href="http://{OTHER}/away">Redirect back</a></li><li><a href="http://nowhere.example/x">Nowhere</a></li>
      <li><a href="#below">Below</a></li><li><a href="javascript:void(0)">Script</a></li>
      <li><a href="mailto:a@b.example">Mail</a></li><li><a href="/huge">Huge</a></li><li><a href="/plain">Plain</a></li>
      <li><a href="/set">Set cookie</a></li><li><a href="/cookies">Cookies</a></li></ul>
      <form action="/search" role="search"><label for="q">Search</label> <input id="q" name="q" type="search">
      <button>Go</button></form></main><footer id="below"><p>The end</p></footer>""",
    "/form": f"<title>Form</title><h1>Form</h1>{FORM}",
    "/required": """<title>Required</title><form action="/search">
      <label for="a">First</label> <input id="a" name="a" required>
      <label for="b">Second</label> <input id="b" name="b"><label for="c">Agree</label>
      <input id="c" name="c" type="checkbox" required><button>Go</button></form>""",
    "/table": """<title>Table</title><table><caption>Prices</caption><thead>
      <tr><th>Thing</th><th>Price</th><th>Do</th></tr></thead><tbody><tr><td><a href="/">Tea</a></td><td>$2.00</td><td>
      <form action="/sent" method="post"><button name="buy" value="tea">Buy</button></form></td></tr>
      <tr><th scope="row">Mug</th><td>$12.00</td><td>
      <label for="n">Number</label> <input id="n" name="n" value="1"></td></tr></tbody></table>
      <dl><dt>Weight</dt><dd>12 g</dd><dt>Height</dt><dd>2 cm</dd></dl>
      <details><summary>More</summary><p>Inside</p></details>
      <img src="x.png" alt="A mug"><hr><p role="status">Saved.</p><section aria-label="Reviews"><h2>Reviews</h2>
      <article><h3>Good</h3><p>Line one<br>line two</p></article></section>
      <nav aria-label="Pages"><a href="?p=1">1</a> <strong>2</strong> <a href="?p=3">3</a></nav>""",
    "/secure": f"""<title>Secure</title><p><a href="https://{HOST}/table">Own</a> <a href="https://{OTHER}/hello">Other</a>
      <a href="https://nowhere.example/">Nowhere</a> <a href="/upgrade">Sent there</a></p>
      <form action="https://{HOST}/search"><button>Ask</button></form>""",
    "/options": """<title>Options</title><form action="/sent" method="post"><label for="size">Size</label>
      <select id="size" name="size"><option label="Shown">Sent</option><option> Two\n words </option>
      <option value="">Nothing</option></select><button>Go</button></form>""",
    "/downloads": """<title>Downloads</title><a href="/table" download>A table</a> <a href="/attached">A page</a>
      <a href="/numbers">Numbers</a>""",
    "/long": "<title>Long</title>" + "".join(f"<p>Line {i}</p>" for i in range(1, 31)),
}
HTML = ("Content-Type", "text/html; charset=utf-8")
FILES = {
    "/file": ("200 OK", [("Content-Type", "application/zip")], b"PK"),
    "/numbers": ("200 OK", [("Content-Type", "text/csv")], b"1,2"),
    "/attached": ("200 OK", [HTML, ("Content-Disposition", "Attachment; filename=a.html")], b"<p>x"),
    "/empty": ("204 No Content", [], b""),
    "/huge": ("200 OK", [HTML], b"<p>x</p>" * 400_000),
    "/plain": ("200 OK", [("Content-Type", "text/plain")], b"just <text>\nhere"),
}


class Toy:
    """The site, and what was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.posted: list[list[tuple[str, str]]] = []
        self.referrers: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        host = environ["HTTP_HOST"]
        if path in ("/favicon.ico", "/x.png"):  # what only a real browser asks for
            start("404 Not Found", [])
            return [b""]
        self.asked.append(f"{environ['REQUEST_METHOD']} {host}{path}{'?' + query if query else ''}")
        self.referrers.append(environ.get("HTTP_REFERER", ""))
        status, headers, body = self._answer(environ, path, query, host)
        start(status, headers)
        return [body]

    def _answer(self, environ: dict[str, Any], path: str, query: str, host: str) -> tuple[str, list[Any], bytes]:
        html = [HTML]
        elsewhere = {
            "/loop": f"/loop?{len(query) % 7 * 'x'}",
            "/away": f"http://{HOST}/hello?from={host}",
            "/upgrade": f"https://{HOST}/table",
        }
        if path in elsewhere:
            return "302 Found", [("Location", elsewhere[path])], b""
        if path in FILES:
            return FILES[path]
        if path == "/set":
            return "303 See Other", [("Location", "/cookies"), ("Set-Cookie", "mood=good; Path=/")], b""
        if path == "/unset":
            return "303 See Other", [("Location", "/cookies"), ("Set-Cookie", "mood=; Path=/; Max-Age=0")], b""
        if path == "/fail":
            raise RuntimeError("the site broke")
        if path == "/sent":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"] or 0)).decode()
            self.posted.append(parse_qsl(body, keep_blank_values=True))
            return "303 See Other", [("Location", f"/done?n={len(self.posted)}")], b""
        if path in PAGES:
            headers = [*html, ("Cache-Control", "no-store")] if query == "fresh" else html
            return "200 OK", headers, f"<!doctype html><html lang=en><body>{PAGES[path]}</body></html>".encode()
        cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
        said = ", ".join(f"{name}={morsel.value}" for name, morsel in sorted(cookies.items()))
        asked = "".join(f"<li>{escape(k)} = {escape(v)}</li>" for k, v in parse_qsl(query, keep_blank_values=True))
        text = f"<h1>{escape(path)} on {host}</h1><p>Cookies: {said}</p><ul>{asked}</ul>"
        text += f"<p>{len(self.asked)} requests</p>"
        return "200 OK", html, f"<!doctype html><title>{escape(path)}</title>{text}".encode()


Step = str | tuple[str, str, str]
"""An action, or one with ``{}`` in place of the id of the node of a role and name."""


def action_of(step: Step, seen: Observation) -> str:
    """The action of a step on the page that is seen."""
    if isinstance(step, str):
        return step
    form, role, name = step
    ids = seen.tree.find(role, name)
    assert ids, f"no {role} {name!r} in\n{seen.text}"
    return form.format(ids[0])


def told(seen: Observation, remark: str | None) -> str:
    """All that an agent sees of a page, as one text."""
    return f"{seen.url}\n{seen.text}\n{remark or ''}"


__all__ = ["HOME", "HOST", "HOSTS", "OTHER", "PAGES", "Browser", "Step", "Toy", "action_of", "told"]
