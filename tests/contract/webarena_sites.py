"""Made-up sites on the loopback interface in the place of WebArena's, with the forms and paths that its tasks name.

They stand in for what can't be had here: they show that requests are forwarded, translated, recorded and judged, and
nothing about the real sites.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

NAMES = ("SHOPPING", "SHOPPING_ADMIN", "REDDIT", "GITLAB", "MAP", "WIKIPEDIA", "HOMEPAGE")
PASSWORDS = {"Password.123", "admin1234", "test1234", "hello1234"}


class _Handler(BaseHTTPRequestHandler):
    site: str
    addresses: dict[str, str]

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        is_known = "session=known" in self.headers.get("Cookie", "")
        own = self.addresses[self.site]
        if url.path in ("/customer/account/login/", "/admin/", "/login", "/users/sign_in") and not is_known:
            self._page("Log in", _log_in_form(self.site), cookie="visit=1; domain=example.org; path=/")
        elif url.path == "/moved":
            self.send_response(302)
            self.send_header("Location", f"{own}/landing")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif url.path == "/catalogsearch/result/":
            self._page("Results", f"<h1>Results for {query['q'][0]}</h1>")
        elif url.path == "/scripted":
            self._page(
                "Scripted",
                f"<h1 id=out>-</h1><script>out.textContent = '{own}/x'.length;"
                f"fetch('{own}/data.json').then(r => r.json()).then(d => out.textContent = d.said)</script>",
            )
        elif url.path == "/data.json":
            self._send("application/json", b'{"said": "fetched"}')
        elif url.path.endswith("/-/project_members"):
            rows = "".join(
                f"<tr><td data-label='Account'><span class='gl-avatar-labeled-sublabel'>@{name}</span></td>"
                f"<td class='col-max-role'><span>{role}</span></td></tr>"
                for name, role in (("byteblaze", "Owner"), ("yjlou", "Guest"))
            )
            self._page("Members", f"<table>{rows}</table>")
        elif self.site == "SHOPPING":
            who = "Welcome, Emma Lopez!" if is_known else "Welcome"
            self._page(
                "One Stop Market",
                f"""<h1>{who}</h1><form action="/catalogsearch/result/">
                <label for=q>Search</label> <input id=q name=q> <button>Go</button></form>
                <a href="{own}/moved">Moved</a> <a href="{self.addresses["WIKIPEDIA"]}/wiki">Encyclopedia</a>
                <a href="{own}/contact">Contact</a>""",
            )
        else:
            self._page(self.site.title(), f"<h1>{self.site} {url.path}</h1><p>known: {is_known}</p>")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        form = parse_qs(body)
        if any(values[0] in PASSWORDS for values in form.values()) and form.get("token") == ["t0"]:
            self.send_response(302)
            self.send_header("Location", f"{self.addresses[self.site]}/")
            self.send_header("Set-Cookie", "session=known; path=/; HttpOnly")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._page("Said", f"<p>got {body}</p>")

    do_HEAD = do_GET

    def _page(self, title: str, body: str, cookie: str = "") -> None:
        content = f"<!doctype html><title>{title}</title><body>{body}</body>".encode()
        self._send("text/html; charset=utf-8", content, cookie)

    def _send(self, kind: str, content: bytes, cookie: str = "") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(content)


def _log_in_form(site: str) -> str:
    fields = {"REDDIT": ("_username", "_password"), "GITLAB": ("user[login]", "user[password]")}
    user, password = fields.get(site, ("login[username]", "login[password]"))
    return (
        '<form action="/find"><input name="q"></form><form method="post" action="/session">'
        f'<input type="hidden" name="token" value="t0"><input name="{user}"><input type="password" name="{password}">'
        '<input type="checkbox" name="stay" value="1"><button>Sign in</button></form>'
    )


@contextmanager
def made_up_sites() -> Iterator[dict[str, str]]:
    """Environment variable -> address of a made-up site, while the context lasts."""
    addresses: dict[str, str] = {}
    servers = []
    for name in NAMES:
        handler = type(f"_{name}", (_Handler,), {"site": name, "addresses": addresses})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        addresses[name] = f"http://127.0.0.1:{server.server_port}"
        servers.append(server)
    addresses["SHOPPING_ADMIN"] += "/admin"
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield addresses
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
