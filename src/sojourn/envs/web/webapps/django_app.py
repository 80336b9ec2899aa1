"""Django with Oscar (shop and dashboard) and Spirit (forum), loaded once a process, by its two hosts."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sojourn.envs.web.webapps import episode
from sojourn.envs.web.webapps.hosts import FORUM_HOST, SHOP_HOST
from sojourn.envs.web.webapps.loading import module, require

_HERE = "sojourn.envs.web.webapps"
_FORUM_APPS = (
    *("core", "admin", "search", "user", "user.admin", "user.auth", "category", "category.admin", "topic"),
    *("topic.admin", "topic.favorite", "topic.moderate", "topic.notification", "topic.private", "topic.unread"),
    *("comment", "comment.bookmark", "comment.flag", "comment.flag.admin", "comment.history", "comment.like"),
    "comment.poll",
)
_DJANGO_MIDDLEWARE = "django.contrib.{}"


@cache
def django_handler() -> Any:
    """The WSGI application of both sites. Raises `MissingDependencyError` without the extra."""
    require("django", "oscar", "spirit")
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler

    # a request runs from start to end without yielding to an event loop, even where one is running in its thread
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    _stop_the_clock()  # before the applications bind the functions
    settings.configure(**_settings())
    django.setup()
    _stop_late_clocks()
    _configure_each_forum()
    return WSGIHandler()


def _stop_the_clock() -> None:
    """Time and chance are the episode's: replaying it gives the same pages."""
    module("django.utils.timezone").now = episode.now
    crypto = module("django.utils.crypto")
    letters = crypto.RANDOM_STRING_CHARS

    def get_random_string(length: int, allowed_chars: str = letters) -> str:
        return episode.token(length, allowed_chars)

    crypto.get_random_string = get_random_string
    module("django.core.signing").time = SimpleNamespace(time=lambda: episode.now().timestamp())


def _stop_late_clocks() -> None:
    """The filters that say "3 days ago" ask `datetime` itself."""
    import datetime

    class WorldDatetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            moment = episode.now()
            return moment.astimezone(tz) if tz else moment.replace(tzinfo=None)

    module("spirit.core.tags.time").datetime = WorldDatetime
    module("django.contrib.humanize.templatetags.humanize").datetime = WorldDatetime


def _configure_each_forum() -> None:
    """Spirit's settings live in the database and are kept in one object: it gets a content for each episode."""

    def get(config: Any) -> dict[object, object]:
        return episode.current().notes.setdefault("djconfig", {})

    def put(config: Any, values: dict[object, object]) -> None:
        episode.current().notes["djconfig"] = values

    module("djconfig.conf").Config._cache = property(get, put)


def _settings() -> dict[str, Any]:
    oscar = module("oscar")
    defaults = module("oscar.defaults")
    shop_apps = [app.replace("oscar.apps.search.apps", f"{_HERE}.shop_search.apps") for app in oscar.INSTALLED_APPS]
    return {
        **{name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR_")},
        **_site_settings(),
        "INSTALLED_APPS": [
            *shop_apps,
            "django.contrib.humanize",
            *(f"spirit.{app}" for app in _FORUM_APPS),
            "djconfig",
        ],
        "MIDDLEWARE": [
            f"{_HERE}.middleware.choose_site",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "djconfig.middleware.DjConfigMiddleware",
            *(
                f"{_HERE}.middleware.Forum{name}"
                for name in ("Timezone", "LastIp", "LastSeen", "ActiveUser", "Private")
            ),
            f"{_HERE}.middleware.ShopBasket",
        ],
        "TEMPLATES": _templates(),
        "DATABASES": {"default": {"ENGINE": f"{_HERE}.django_backend", "NAME": "episode"}},
        "MIGRATION_MODULES": _NoMigrations(),
    }


class _NoMigrations:
    """Tables are made from the models at once: replaying ten years of migrations takes half a minute."""

    def __contains__(self, app: object) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


def _site_settings() -> dict[str, Any]:
    nothing = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
    return {
        "SECRET_KEY": "every world is a copy of one that anybody may read",
        "ALLOWED_HOSTS": [SHOP_HOST, FORUM_HOST],
        "ROOT_URLCONF": f"{_HERE}.shop_urls",
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "CACHES": {"default": nothing, "st_rate_limit": {**nothing, "TIMEOUT": None}},
        "SITE_ID": 1,
        "USE_TZ": True,
        "TIME_ZONE": "UTC",
        "USE_I18N": False,
        "LANGUAGES": [("en", "English")],
        "STATIC_URL": "/static/",
        "MEDIA_URL": "/media/",
        # where the picture of a product without one already is; nothing is ever written there
        "MEDIA_ROOT": str(Path(str(module("oscar").__file__)).parent / "static"),
        "OSCAR_MISSING_IMAGE_URL": "oscar/img/image_not_found.jpg",
        "STORAGES": {
            "default": {"BACKEND": f"{_HERE}.static_files.ReadOnlyStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        "LOGIN_URL": "login",  # a name that both address lists have
        "LOGIN_REDIRECT_URL": "/",
        "LOGOUT_REDIRECT_URL": "/",
        "AUTHENTICATION_BACKENDS": [
            "oscar.apps.customer.auth_backends.EmailBackend",
            "spirit.user.auth.backends.UsernameAuthBackend",
        ],
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.MD5PasswordHasher"],  # the accounts are published
        "EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend",
        "HAYSTACK_CONNECTIONS": {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        "OSCAR_DEFAULT_CURRENCY": "USD",
        "OSCAR_SHOP_NAME": "Harbour Goods",
        "OSCAR_THUMBNAILER": f"{_HERE}.static_files.PlainThumbnails",
        "OSCAR_INITIAL_ORDER_STATUS": "Pending",
        "OSCAR_INITIAL_LINE_STATUS": "Pending",
        "OSCAR_ORDER_STATUS_PIPELINE": {
            "Pending": ("Being processed", "Cancelled"),
            "Being processed": ("Complete", "Cancelled"),
            "Complete": (),
            "Cancelled": (),
        },
        "OSCAR_LINE_STATUS_PIPELINE": {"Pending": ("Shipped", "Cancelled"), "Shipped": (), "Cancelled": ()},
        "ST_SITE_URL": f"http://{FORUM_HOST}/",
        "ST_RATELIMIT_ENABLE": False,
        "ST_UPLOAD_IMAGE_ENABLED": False,
        "LOGGING_CONFIG": None,
    }


def _templates() -> list[dict[str, Any]]:
    """An engine each: the shop's context processors ask the database, and forum pages need none of that."""
    django_own = [f"django.{name}" for name in ("contrib.auth.context_processors.auth",)]
    common = [
        *django_own,
        *(f"django.template.context_processors.{name}" for name in ("i18n", "media", "static", "tz", "request")),
        "django.contrib.messages.context_processors.messages",
    ]
    forum = Path(str(module("spirit").__file__)).parent
    shop_only = [
        "oscar.apps.search.context_processors.search_form",
        "oscar.apps.checkout.context_processors.checkout",
        "oscar.apps.communication.notifications.context_processors.notifications",
        "oscar.core.context_processors.metadata",
    ]
    engine = "django.template.backends.django.DjangoTemplates"
    return [
        {
            "BACKEND": engine,
            "NAME": "forum",
            "DIRS": [str(forum.joinpath(*app.split("."), "templates")) for app in _FORUM_APPS],
            "OPTIONS": {"context_processors": [*common, "djconfig.context_processors.config"]},
        },
        {
            "BACKEND": engine,
            "NAME": "shop",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": [*common, *shop_only]},
        },
    ]


def forget_thread() -> None:
    """Forget what Django keeps for the thread: the next request in it may be another episode's."""
    module("django.db").connections.close_all()
    module("django.utils.timezone").deactivate()
    module("django.utils.translation").deactivate()
