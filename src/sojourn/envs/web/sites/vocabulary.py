"""Reading the vocabularies in ``data/``, and what the generators of all sites share."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from sojourn.envs.web.sites.hosts import NOW

_FORMAT = "%Y-%m-%d %H:%M:%S"


def vocabulary(name: str) -> Any:
    """The parsed ``data/NAME.json``."""
    return json.loads((Path(__file__).parent / "data" / f"{name}.json").read_text(encoding="utf-8"))


def slug_of(text: str) -> str:
    """`text` as a part of an address: lower case letters, digits and single hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def ago(*, days: float) -> str:
    """The stamp that lies so many days before `NOW`, to the second."""
    return (datetime.strptime(NOW, _FORMAT) - timedelta(seconds=int(days * 86400))).strftime(_FORMAT)


def later(stamp: str, *, days: float) -> str:
    """The stamp so many days after `stamp`, to the second."""
    return (datetime.strptime(stamp, _FORMAT) + timedelta(seconds=int(days * 86400))).strftime(_FORMAT)


def between(rng: Random, first: str, last: str) -> str:
    """A random stamp from `first` to `last`; `first` if that is the later one."""
    span = datetime.strptime(last, _FORMAT) - datetime.strptime(first, _FORMAT)
    return later(first, days=rng.uniform(0, max(0.0, span.total_seconds())) / 86400)


def past(rng: Random, *, days: float, recent: float = 0.0) -> str:
    """A random stamp between `days` and `recent` days before `NOW`."""
    return ago(days=rng.uniform(recent, days))
