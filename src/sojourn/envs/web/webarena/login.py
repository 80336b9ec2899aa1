"""Logging in by the sites' own forms, over HTTP: the page, its hidden fields, the form sent; the cookies are kept."""

from __future__ import annotations

import http.cookies
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from sojourn.envs.web.webarena.proxy import asked
from sojourn.envs.web.webarena.sites import Sites
from sojourn.errors import EnvError

_MAX_REDIRECTS = 5
_NOT_SENT = ("checkbox", "radio", "submit", "button")


@dataclass(frozen=True, kw_only=True)
class LogIn:
    """How to log in on one site."""

    path: str
    """Of the log-in page, below the site's address."""
    user_field: str
    password_field: str
    user: str
    password: str


LOG_INS: Mapping[str, LogIn] = {
    "SHOPPING": LogIn(
        path="/customer/account/login/",
        user_field="login[username]",
        password_field="login[password]",
        user="emma.lopez@gmail.com",
        password="Password.123",
    ),
    "SHOPPING_ADMIN": LogIn(
        path="/", user_field="login[username]", password_field="login[password]", user="admin", password="admin1234"
    ),
    "REDDIT": LogIn(
        path="/login",
        user_field="_username",
        password_field="_password",
        user="MarvelsGrantMan136",
        password="test1234",
    ),
    "GITLAB": LogIn(
        path="/users/sign_in",
        user_field="user[login]",
        password_field="user[password]",
        user="byteblaze",
        password="hello1234",
    ),
}
"""Site -> its form, with WebArena's published accounts; the others have none."""


class _Forms(HTMLParser):
    """The forms of a page: action, and the values of their fields."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms and inputs."""
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((values.get("action", ""), {}))
        elif tag == "input" and self.forms and values.get("name") and values.get("type") not in _NOT_SENT:
            self.forms[-1][1][values["name"]] = values.get("value", "")


def log_in(sites: Sites, site: str) -> str:
    """The ``Cookie`` header of a session on `site` (an environment variable). Raises `EnvError` if it refuses."""
    form = LOG_INS[site]
    address = sites.addresses[site]
    cookies: dict[str, str] = {}
    page_url = address + form.path
    page = _followed("GET", page_url, cookies)
    forms = _Forms()
    forms.feed(page)
    found = next(((action, fields) for action, fields in forms.forms if form.password_field in fields), None)
    if found is None:
        raise EnvError(f"{site}: no form with a field {form.password_field!r} at {page_url}")
    action, fields = found
    before = dict(cookies)
    sent = {**fields, form.user_field: form.user, form.password_field: form.password}
    page = _followed("POST", urljoin(page_url, action), cookies, urlencode(sent))
    forms = _Forms()
    forms.feed(page)
    if any(form.password_field in fields for _, fields in forms.forms) or cookies == before:
        raise EnvError(f"{site}: {form.user} could not log in at {page_url}")
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def _followed(method: str, url: str, cookies: dict[str, str], body: str = "") -> str:
    """The page that `url` leads to; `cookies` is brought up to date on the way."""
    for _ in range(_MAX_REDIRECTS + 1):
        parts = urlsplit(url)
        origin, target = (
            f"{parts.scheme}://{parts.netloc}",
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )
        headers = {"Host": parts.netloc, "Accept": "text/html", "Accept-Encoding": "identity", "Referer": url}
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, _, answered, content = asked(origin, method, target, headers, body.encode())
        for name, value in answered:
            if name.lower() == "set-cookie":
                cookies |= {key: morsel.value for key, morsel in http.cookies.SimpleCookie(value).items()}
        location = next((value for name, value in answered if name.lower() == "location"), None)
        if status not in (301, 302, 303, 307, 308) or location is None:
            return content.decode("utf-8", "replace")
        url, method, body = urljoin(url, location), "GET", ""
    raise EnvError(f"more than {_MAX_REDIRECTS} redirects from {url}")
