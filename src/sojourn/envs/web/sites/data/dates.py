"""Stamps (``YYYY-MM-DD HH:MM:SS``) relative to the one moment at which every episode takes place."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

from sojourn.envs.web.sites.hosts import NOW

_NOW = datetime.fromisoformat(NOW)
DAY_S = 86_400


def seconds_ago(seconds: int) -> str:
    """The stamp of a moment so many seconds before now; negative: after now."""
    return (_NOW - timedelta(seconds=seconds)).isoformat(sep=" ")


def stamp_before(rng: Random, *, max_days: int, min_days: int = 0) -> str:
    """A stamp drawn evenly between `max_days` and `min_days` before now."""
    return seconds_ago(rng.randint(min_days * DAY_S + 60, max_days * DAY_S))


def later(stamp: str, seconds: int) -> str:
    """The stamp so many seconds after `stamp`, or a minute before now if that would be in the future."""
    moment = datetime.fromisoformat(stamp) + timedelta(seconds=seconds)
    return min(moment, _NOW - timedelta(seconds=60)).isoformat(sep=" ")


def ago_text(stamp: str) -> str:
    """How long ago a stamp is, as pages say it: ``3 days ago``."""
    seconds = max(0, int((_NOW - datetime.fromisoformat(stamp)).total_seconds()))
    for unit, size in (("year", 365 * DAY_S), ("month", 30 * DAY_S), ("day", DAY_S), ("hour", 3600), ("minute", 60)):
        if count := seconds // size:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
