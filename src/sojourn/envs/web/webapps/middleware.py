"""Both applications in one Django: each one's middleware sees its own host's requests only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.utils.module_loading import import_string

from sojourn.envs.web.webapps.hosts import FORUM_HOST, SHOP_HOST

URLS = {
    SHOP_HOST: "sojourn.envs.web.webapps.shop_urls",
    FORUM_HOST: "sojourn.envs.web.webapps.forum_urls",
}
"""host -> the addresses it serves."""

Handler = Callable[[HttpRequest], Any]


def choose_site(handler: Handler) -> Handler:
    """Give each request the addresses of its host."""

    def run(request: HttpRequest) -> Any:
        request.urlconf = URLS[request.get_host()]
        return handler(request)

    return run


class _Confined:
    """The middleware called `path`, for the requests of one host."""

    path: str
    host: str
    sync_capable = True
    async_capable = False

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._inner = import_string(self.path)(handler)

    def __call__(self, request: HttpRequest) -> Any:
        return (self._inner if request.get_host() == self.host else self._handler)(request)


def _process_view(self: _Confined, request: HttpRequest, *args: Any) -> Any:
    return self._inner.process_view(request, *args) if request.get_host() == self.host else None


def _process_template_response(self: _Confined, request: HttpRequest, page: Any) -> Any:
    return self._inner.process_template_response(request, page) if request.get_host() == self.host else page


def _confined(path: str, host: str) -> type[_Confined]:
    """Django looks for hooks by name, so it gets those that the middleware has and no others."""
    inner = import_string(path)
    hooks = (("process_view", _process_view), ("process_template_response", _process_template_response))
    own = {name: hook for name, hook in hooks if hasattr(inner, name)}
    return type(path.rpartition(".")[2], (_Confined,), {"path": path, "host": host, **own})


ShopBasket = _confined("oscar.apps.basket.middleware.BasketMiddleware", SHOP_HOST)
ForumTimezone = _confined("spirit.user.middleware.TimezoneMiddleware", FORUM_HOST)
ForumLastIp = _confined("spirit.user.middleware.LastIPMiddleware", FORUM_HOST)
ForumLastSeen = _confined("spirit.user.middleware.LastSeenMiddleware", FORUM_HOST)
ForumActiveUser = _confined("spirit.user.middleware.ActiveUserMiddleware", FORUM_HOST)
ForumPrivate = _confined("spirit.core.middleware.PrivateForumMiddleware", FORUM_HOST)
