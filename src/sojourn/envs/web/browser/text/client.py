"""Requests of the text browser: cookies for each host, redirects, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from html import escape

from sojourn.envs.web.browser.protocol import A_FILE, NO_PAGE
from sojourn.envs.web.browser.urls import host_of, joined, without_fragment
from sojourn.envs.web.browser.wsgi import Reply, WsgiApp, call, site_failure

MAX_REQUESTS = 20
"""Requests of one navigation, redirects included: as many as Chromium makes."""
USER_AGENT = "Mozilla/5.0 (Sojourn)"

_EXPIRES = re.compile(r"\b(19[0-9]{2}|2000)\b")
_SHOWN = ("text/plain", "text/css", "application/json", "text/javascript")


@dataclass(frozen=True, kw_only=True, slots=True)
class Cookie:
    """One cookie of one host."""

    name: str
    value: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """What a request led to: a page, an error in place of a page, or nothing that can be shown."""

    url: str
    html: bytes = b""
    error: str | None = None
    """Code of the error, where no page was to be had."""
    method: str = "GET"
    """Of the request that the page answers."""
    must_refetch: bool = False
    """Whether the site asked that the page be not kept."""
    remark: str | None = None
    """Why the page stays as it was, where it does."""


class Client:
    """Sends requests to the sites of one episode and keeps its cookies."""

    def __init__(self, app: WsgiApp, hosts: Set[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._cookies: dict[str, dict[str, Cookie]] = {}

    def set_cookies(self, host: str, header: str) -> None:
        """Keep the cookies of a ``Cookie`` header."""
        for pair in header.split(";"):
            name, equals, value = pair.strip().partition("=")
            if equals:
                self._cookies.setdefault(host, {})[name] = Cookie(name=name, value=value, path="/")

    def fetch(
        self, url: str, *, method: str = "GET", body: bytes = b"", content_type: str = "", referrer: str = ""
    ) -> Fetched:
        """Request `url` and follow redirects. Raises `EnvError` where a site fails."""
        fragment = url.partition("#")[2]
        for _ in range(MAX_REQUESTS):
            host = host_of(url)
            if host not in self._hosts or not url.startswith("http://"):  # at any port, for there is only one server
                code = "ERR_SSL_PROTOCOL_ERROR" if host in self._hosts else "ERR_NAME_NOT_RESOLVED"
                return Fetched(url=url, error=code)
            reply = self._call(method, url, self._headers(url, method, content_type, referrer), body)
            self._keep_cookies(host, reply)
            location = reply.header("location")
            target = joined(url, location) if location and reply.status in (301, 302, 303, 307, 308) else None
            if target is None:
                return _shown(f"{without_fragment(url)}#{fragment}" if fragment else url, method, reply)
            fragment = target.partition("#")[2] or fragment
            url = target
            if reply.status not in (307, 308) and method != "GET":
                method, body, content_type = "GET", b"", ""
        return Fetched(url=url, error="ERR_TOO_MANY_REDIRECTS")

    def _call(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            return call(self._app, method, url, headers, body)
        except Exception as error:
            raise site_failure(error) from error.__cause__

    def _headers(self, url: str, method: str, content_type: str, referrer: str) -> dict[str, str]:
        host, path = host_of(url), "/" + without_fragment(url).partition("://")[2].partition("/")[2]
        headers = {"User-Agent": USER_AGENT, "Accept": "text/html", "Accept-Language": "en-US"}
        cookies = [c for c in self._cookies.get(host, {}).values() if path.startswith(c.path)]
        if cookies:
            headers["Cookie"] = "; ".join(f"{c.name}={c.value}" for c in cookies)
        if referrer.startswith("http"):
            origin = f"http://{host_of(referrer)}"
            headers["Referer"] = without_fragment(referrer) if host_of(referrer) == host else f"{origin}/"
            if method == "POST":
                headers["Origin"] = origin
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def _keep_cookies(self, host: str, reply: Reply) -> None:
        for name, value in reply.headers:
            if name.lower() == "set-cookie":
                self._keep_cookie(host, value)

    def _keep_cookie(self, host: str, header: str) -> None:
        first, *rest = (part.strip() for part in header.split(";"))
        name, _, value = first.partition("=")
        attributes = {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in rest)}
        kept = self._cookies.setdefault(host, {})
        max_age = attributes.get("max-age", "1")
        is_past = max_age.startswith("-") or max_age == "0" or bool(_EXPIRES.search(attributes.get("expires", "")))
        if is_past:
            kept.pop(name, None)
        else:
            kept[name] = Cookie(name=name, value=value, path=attributes.get("path") or "/")

    @property
    def cookies(self) -> Mapping[str, Mapping[str, Cookie]]:
        """Host -> name -> cookie."""
        return self._cookies


def _shown(url: str, method: str, reply: Reply) -> Fetched:
    kind = reply.header("content-type").partition(";")[0].strip().lower()
    is_attached = reply.header("content-disposition").lower().startswith("attachment")
    if reply.status in (204, 205):
        return Fetched(url=url, remark=NO_PAGE)
    if is_attached or kind not in ("text/html", "application/xhtml+xml", "", *_SHOWN):
        return Fetched(url=url, remark=A_FILE)
    html = reply.body
    if kind in _SHOWN:
        html = f"<html><body><pre>{escape(html.decode('utf-8', errors='replace'))}</pre></body></html>".encode()
    must_refetch = "no-store" in reply.header("cache-control").lower()
    return Fetched(url=url, html=html, method=method, must_refetch=must_refetch)
