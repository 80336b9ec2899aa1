"""The databases that every episode starts from, made once and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path

from sojourn.config import cache_dir
from sojourn.envs.web.webapps import trac_app
from sojourn.envs.web.webapps.django_app import django_handler
from sojourn.envs.web.webapps.episode import Episode

SEED = 0
"""Of all generated data; the tasks are written for this one."""
_PACKAGES = ("django", "django-oscar", "django-spirit", "trac")
_DJANGO = "django"


@cache
def templates() -> Mapping[str, bytes]:
    """Database name -> its content at the start of an episode; the same on every machine with the same packages.

    Raises `MissingDependencyError` without the extra.
    """
    django_handler()
    trac_app.trac_app()
    folder = cache_dir() / "web" / "webapps" / _digest()
    return {_DJANGO: _kept(folder / "django.db", _django), trac_app.DATABASE: _kept(folder / "trac.db", _trac)}


def _digest() -> str:
    """Hash of what decides the content: the packages, this folder's code, the seed."""
    here = Path(__file__).parent
    parts = [repr(SEED), *(f"{name}=={version(name)}" for name in _PACKAGES)]
    parts += [path.read_text(encoding="utf-8") for path in sorted([*here.glob("*.py"), *here.parent.glob("*.py")])]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _kept(path: Path, make: object) -> bytes:
    if path.is_file():
        return path.read_bytes()
    assert callable(make)
    content: bytes = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.replace(file.name, path)  # never half a file, whoever else is at it
    return content


def _django() -> bytes:
    from django.core.management import call_command

    from sojourn.envs.web.webapps.seed.forum import seed_forum
    from sojourn.envs.web.webapps.seed.sessions import seed_django_sessions
    from sojourn.envs.web.webapps.seed.shop import seed_shop

    world = Episode({_DJANGO: b""})
    with world.request():
        call_command("migrate", run_syncdb=True, verbosity=0, interactive=False)
        seed_shop(random.Random(f"{SEED}:shop"))
        seed_forum(random.Random(f"{SEED}:forum"))
        seed_django_sessions()
    return _content(world, _DJANGO)


def _trac() -> bytes:
    from sojourn.envs.web.webapps.seed.sessions import seed_tracker_session
    from sojourn.envs.web.webapps.seed.tracker import seed_tracker

    app = trac_app.trac_app()
    world = Episode({trac_app.DATABASE: app.empty})
    with world.request():
        app.prepare()
        seed_tracker(app.env, random.Random(f"{SEED}:tracker"))
        seed_tracker_session(app.env)
    return _content(world, trac_app.DATABASE)


def _content(world: Episode, name: str) -> bytes:
    world.databases[name].commit()
    content = world.databases[name].serialize()
    world.close()
    return content
