"""What one episode owns: its databases in memory, its clock, and nothing on disk.

The applications are loaded once a process. Which episode a request belongs to is a context variable, set around the
request and read by the database back ends and by the clock.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta

WORLD_START = datetime(2025, 6, 2, 9, 0, tzinfo=UTC)
"""The time at which every episode begins; the applications never see the machine's clock."""

_current: ContextVar[Episode] = ContextVar("sojourn_webapps_episode")


class Episode:
    """The databases of one episode, restored from templates, and a clock that moves a second with every request."""

    def __init__(self, templates: Mapping[str, bytes]) -> None:
        self.databases = {name: _restored(template) for name, template in templates.items()}
        self.prepared: set[str] = set()
        """Databases whose back end has already registered its functions."""
        self.notes: dict[str, dict[object, object]] = {}
        """What an application keeps in the process for this episode alone."""
        self.num_requests = 0
        self.num_tokens = 0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The episode's time, aware and in UTC."""
        return WORLD_START + timedelta(seconds=self.num_requests)

    @contextmanager
    def request(self) -> Iterator[None]:
        """One request of this episode: requests of an episode wait for each other, those of others do not."""
        with self._lock:
            self.num_requests += 1
            token = _current.set(self)
            try:
                yield
            finally:
                _current.reset(token)

    def close(self) -> None:
        """Free the databases; may be called twice."""
        for connection in self.databases.values():
            connection.close()


def current() -> Episode:
    """The episode that the running request belongs to; raises `LookupError` outside of one."""
    return _current.get()


def now() -> datetime:
    """The time of the running request's episode; the world's start outside of one (while applications load)."""
    episode = _current.get(None)
    return episode.now() if episode else WORLD_START


def token(length: int, alphabet: str) -> str:
    """A text that looks random, the same in every run of an episode: it shows in addresses and in the database.

    Nothing here is worth guarding: each world is a copy of one that anybody may read.
    """
    episode = _current.get(None)
    number = 0
    if episode is not None:
        episode.num_tokens += 1
        number = episode.num_tokens
    digest = int.from_bytes(hashlib.shake_256(f"{number}".encode()).digest(2 * length), "big")
    letters = []
    for _ in range(length):
        digest, place = divmod(digest, len(alphabet))
        letters.append(alphabet[place])
    return "".join(letters)


def _restored(template: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(
        ":memory:",
        detect_types=sqlite3.PARSE_DECLTYPES | sqlite3.PARSE_COLNAMES,
        check_same_thread=False,  # an episode's requests may run in any thread, one at a time
    )
    if template:
        connection.deserialize(template)
    return connection
