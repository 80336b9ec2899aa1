"""The database back end: a connection is opened by taking the episode's, and closed by letting go of it."""

from __future__ import annotations

import sqlite3
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3 import base
from django.db.backends.sqlite3._functions import register

from sojourn.envs.web.webapps.episode import current

DATABASE = "django"
"""Name of the database among the episode's."""


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # Django has no types
    """Django's own, but for where a connection comes from."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """The running episode's database; its functions are registered once an episode."""
        episode = current()
        connection = episode.databases[DATABASE]
        if DATABASE not in episode.prepared:
            register(connection)
            connection.execute("PRAGMA foreign_keys = ON")
            episode.prepared.add(DATABASE)
        return connection

    def is_in_memory_db(self) -> bool:
        """False: Django never lets go of a database in memory, and the next request may be another episode's."""
        return False

    def close(self) -> None:
        """Let go of the episode's connection."""
        BaseDatabaseWrapper.close(self)

    def _close(self) -> None:
        """Leave the connection open: it lives as long as the episode."""
