"""Open sessions in the templates, so that an episode can begin logged in and nobody has to log in for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from sojourn.envs.web.webapps.episode import WORLD_START
from sojourn.envs.web.webapps.hosts import DEVELOPER, FORUM_SESSION, SHOP_SESSIONS, TRACKER_SESSION

_LIFE = timedelta(days=365)


def seed_django_sessions() -> None:
    """A session of each account of shop and forum, under the keys of `hosts`."""
    by_email = "oscar.apps.customer.auth_backends.EmailBackend"
    users = apps.get_model("auth", "User").objects
    for email, key in SHOP_SESSIONS.items():
        _session(users.get(email=email), key, by_email)
    _session(users.get(username=DEVELOPER.user), FORUM_SESSION, "spirit.user.auth.backends.UsernameAuthBackend")


def _session(user: Any, key: str, backend: str) -> None:
    content = {
        SESSION_KEY: str(user.pk),
        BACKEND_SESSION_KEY: backend,
        HASH_SESSION_KEY: user.get_session_auth_hash(),
    }
    apps.get_model("sessions", "Session").objects.create(
        session_key=key, session_data=SessionStore().encode(content), expire_date=WORLD_START + _LIFE
    )


def seed_tracker_session(env: Any) -> None:
    """A session of the tracker's account."""
    env.db_transaction(
        "INSERT INTO auth_cookie (cookie, name, ipnr, time) VALUES (%s, %s, %s, %s)",
        (TRACKER_SESSION, DEVELOPER.user, "127.0.0.1", int(WORLD_START.timestamp())),
    )
