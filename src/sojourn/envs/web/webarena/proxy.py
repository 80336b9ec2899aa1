"""The official sites as the WSGI application of one episode: requests go on to the real ones and are recorded.

So the browser is the one that our own sites have, no other host can be reached, agents see WebArena's names, and the
record is what webarena-verified reads: HAR entries under the real addresses.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from sojourn.envs.web.browser.chromium.aliases import Aliases, inner_host
from sojourn.envs.web.webarena.sites import Sites
from sojourn.errors import EnvError

CALL_S = 60.0
"""Seconds that a site may take to answer."""
MAX_RECORDED_BYTES = 200_000
"""A longer body is not recorded; the evaluators read forms and JSON."""

_HOP_BY_HOP = frozenset(
    [
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "te",
        "trailers",
        "transfer-encoding",
        "upgrade",
        "content-length",
    ]
)
_RECORDED = ("json", "x-www-form-urlencoded", "multipart/form-data")
_TRANSLATED = ("text/html", "javascript", "json", "text/css", "xml")
_NOT_A_DOCUMENT = re.compile(r"\.(?:css|js|png|jpe?g|gif|svg|woff2?|ttf|ico|webp)$")
_LINK = re.compile(rb"(\s(?:href|src|action|formaction)\s*=\s*[\"']?\s*(?:https?:)?//)([^/?#:\"'<>\s]+)", re.IGNORECASE)


class SiteProxy:
    """One episode's way to the sites; `events` is what it has asked for so far, in order."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._names = Aliases(sites.hosts)
        self.events: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Ask the real site. Raises `EnvError` where it does not answer: that fails the episode."""
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        origin = self._sites.real_origins.get(host)
        if origin is None:
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"no such site"]
        target = environ.get("PATH_INFO", "/") or "/"
        target = _quoted(target) + (f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = self._request_headers(environ, origin)
        status, reason, answered, content = asked(origin, environ["REQUEST_METHOD"], target, headers, body)
        self._record(environ["REQUEST_METHOD"], origin + target, headers, body, status, answered, content)
        kind = next((value for name, value in answered if name.lower() == "content-type"), "")
        if any(part in kind for part in _TRANSLATED):
            content = self._translated(content, is_html="html" in kind)
        start(f"{status} {reason}", [(name, self._reply_header(name, value)) for name, value in answered])
        return [content]

    def _request_headers(self, environ: Mapping[str, Any], origin: str) -> dict[str, str]:
        headers = {
            name[5:].replace("_", "-").title(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = environ["CONTENT_TYPE"]
        for name in ("Referer", "Origin"):
            if name in headers:
                headers[name] = self._sites.real(headers[name])
        headers = {name: value for name, value in headers.items() if name.lower() not in _HOP_BY_HOP}
        return {**headers, "Host": urlsplit(origin).netloc, "Accept-Encoding": "identity"}

    def _reply_header(self, name: str, value: str) -> str:
        if name.lower() == "location":
            return self._sites.shown(value)
        if name.lower() == "set-cookie":
            # the site's own host is no domain that the browser would take a cookie for
            return re.sub(r";\s*domain=[^;]*", "", value, flags=re.IGNORECASE)
        return value

    def _translated(self, content: bytes, *, is_html: bool) -> bytes:
        """A page with the browser's names for the sites where scripts read them, and the agent's in links.

        The browser's server turns the latter into the former; it does not look into scripts.
        """
        for host, origin in self._sites.real_origins.items():
            outer = f"http://{self._names.outer_host(host)}"
            content = content.replace(origin.encode(), outer.encode())
            content = content.replace(origin.replace("/", "\\/").encode(), outer.replace("/", "\\/").encode())
        if not is_html:
            return content
        return _LINK.sub(lambda link: link[1] + inner_host(link[2].decode("latin-1")).encode("latin-1"), content)

    def _record(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        status: int,
        answered: Iterable[tuple[str, str]],
        content: bytes,
    ) -> None:
        if _NOT_A_DOCUMENT.search(urlsplit(url).path):
            return
        reply = {name.lower(): value for name, value in answered}
        request: dict[str, Any] = {"url": url, "method": method, "headers": _pairs(headers.items())}
        if body:
            request["postData"] = _content(headers.get("Content-Type", ""), body)
        self.events.append(
            {
                "request": request,
                "response": {
                    "status": status,
                    "headers": _pairs(answered),
                    "cookies": _cookies(answered),
                    "redirectURL": self._sites.real(reply.get("location", "")),
                    "content": _content(reply.get("content-type", ""), content),
                },
            }
        )


def asked(
    origin: str, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, str, list[tuple[str, str]], bytes]:
    """Status, reason, headers and content of one request to a real site. Raises `EnvError` where none comes."""
    parts = urlsplit(origin)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=CALL_S)
    try:
        connection.request(method, target, body or None, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_BY_HOP]
        return answer.status, answer.reason, kept, content
    except (OSError, http.client.HTTPException) as error:
        raise EnvError(f"a WebArena site does not answer ({parts.netloc}): {error!r}") from error
    finally:
        connection.close()


def _pairs(headers: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in headers]


def _cookies(headers: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    found = [value.partition(";")[0].partition("=") for name, value in headers if name.lower() == "set-cookie"]
    return [{"name": name.strip(), "value": value} for name, _, value in found]


def _content(kind: str, body: bytes) -> dict[str, str]:
    is_kept = any(part in kind for part in _RECORDED) and len(body) <= MAX_RECORDED_BYTES
    return {"mimeType": kind, "text": body.decode("utf-8", "replace") if is_kept else ""}


def _quoted(path: str) -> str:
    """A path as WSGI gives it (decoded bytes, as latin-1) as it goes over the wire."""
    return quote(path.encode("latin-1"), safe="/%:@!$&'()*+,;=~-._")
