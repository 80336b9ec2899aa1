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


def past(rng: Random, *, days: float, recent: float = 0.0) -> str:
    """A random stamp between `days` and `recent` days before `NOW`."""
    return ago(days=rng.uniform(recent, days))
