"""The applications of one episode as one WSGI callable: the world an agent's browser is let loose on."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sojourn.envs.web.webapps.django_app import django_handler, forget_thread
from sojourn.envs.web.webapps.episode import Episode
from sojourn.envs.web.webapps.hosts import (
    FORUM_HOST,
    FORUM_SESSION,
    HOSTS,
    SHOP_HOST,
    SHOP_SESSIONS,
    TRACKER_HOST,
    TRACKER_SESSION,
)
from sojourn.envs.web.webapps.trac_app import trac_app

Start = Callable[..., Any]


class AppsWorld:
    """One episode's shop, forum and tracker. Requests of one world wait for each other; worlds share nothing."""

    hosts: Mapping[str, str] = HOSTS

    def __init__(self, templates: Mapping[str, bytes]) -> None:
        self.episode = Episode(templates)

    @classmethod
    def restore(cls, templates: Mapping[str, bytes]) -> AppsWorld:
        """A world at the state of `templates` (database name -> content)."""
        return cls(templates)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Serve one request by its Host header; a host of nobody's is 404."""
        host = environ.get("HTTP_HOST", "").partition(":")[0]
        if host not in HOSTS.values():
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"no such site"]
        # the application answers within the episode's turn: a page made later, piece by piece, would be nobody's
        environ = {**environ, "HTTP_HOST": host, "SERVER_NAME": host, "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1"}
        environ.setdefault("wsgi.input", io.BytesIO())
        with self.episode.request():
            pieces = (trac_app() if host == TRACKER_HOST else django_handler())(environ, start)
            try:
                return [b"".join(pieces)]
            finally:
                if hasattr(pieces, "close"):
                    pieces.close()
                forget_thread()

    @staticmethod
    def cookies(shop_user: str | None) -> Mapping[str, str]:
        """Cookie headers by host of an agent that is logged in everywhere: on the shop as `shop_user`.

        Nobody is logged in on the shop where it is None.
        """
        shop = {} if shop_user is None else {SHOP_HOST: f"sessionid={SHOP_SESSIONS[shop_user]}"}
        return {**shop, FORUM_HOST: f"sessionid={FORUM_SESSION}", TRACKER_HOST: f"trac_auth={TRACKER_SESSION}"}

    def close(self) -> None:
        """Free the databases; may be called twice."""
        self.episode.close()
