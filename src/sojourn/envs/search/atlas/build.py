"""Opens an atlas; builds it at first use, once for all processes of a machine."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from sojourn.config import cache_dir
from sojourn.envs.search.atlas.counterfactual import permuted
from sojourn.envs.search.atlas.facts import FILE as FACTS
from sojourn.envs.search.atlas.facts import FactCollector, Facts
from sojourn.envs.search.atlas.lock import file_lock
from sojourn.envs.search.atlas.manifest import Manifest, load_manifest, save_manifest
from sojourn.envs.search.atlas.packages import SOURCES, version_of
from sojourn.envs.search.atlas.render import Renderer
from sojourn.envs.search.atlas.render_places import airport_passages, city_passages, element_passages, world_passages
from sojourn.envs.search.atlas.sources import read_world
from sojourn.envs.search.atlas.world import World
from sojourn.envs.search.progress import progress_bar
from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.text_index import TextIndex, build_text_index, read_manifest
from sojourn.errors import ConfigError, DataError, unknown_name

log = logging.getLogger(__name__)

LAYOUT: Final = 1
RENDERER: Final = 3
"""Raise it with every change of a passage, an id or a fact."""
ENGINE: Final = "tantivy"
INDEX: Final = "index"
ABOUT: Final = {"atlas": 299_000, "atlas-mini": 64_000, "atlas-cf": 285_000, "atlas-mini-cf": 50_000}
"""Atlas -> about how many passages it has, for the progress bar."""


@dataclass(frozen=True)
class Atlas:
    """A corpus of passages with its index and the facts that its passages state."""

    name: str
    folder: Path
    manifest: Manifest

    @property
    def index_folder(self) -> Path:
        """Folder of the index; `TextIndex` opens it."""
        return self.folder / INDEX

    @cached_property
    def facts(self) -> Facts:
        """All facts; read when first asked for."""
        return Facts.load(self.folder)

    def passages(self) -> Iterator[Passage]:
        """All passages in order, read off the index."""
        yield from TextIndex(self.index_folder).passages()


def open_atlas(name: str, seed: int = 0) -> Atlas:
    """The atlas of this name, built now if this machine has not built it yet.

    `seed` chooses among the counterfactual atlases; the others have none, and must be opened with 0. Raises
    `ConfigError` for an unknown name, `MissingDependencyError` without ``sojourn[search]``, `DataError` when the
    data of a package are not what they were or the disk is full.
    """
    if name not in ABOUT:
        raise unknown_name("atlas", name, ABOUT)
    if seed and not name.endswith("-cf"):
        raise ConfigError(f"{name} has no seed, got {seed}: only {', '.join(n for n in ABOUT if n.endswith('-cf'))} do")
    packages = _packages()
    folder = _folder(name, seed, packages)
    if _flaw(folder) is not None:
        _build_once(name, seed, packages, folder)
    return Atlas(name=name, folder=folder, manifest=load_manifest(folder))


def is_built(name: str, seed: int = 0) -> bool:
    """Whether this machine has built the atlas, so that opening it takes no time."""
    return _flaw(_folder(name, seed, _packages())) is None


def _packages() -> dict[str, str]:
    return {**{source.package: version_of(source.package) for source in SOURCES.values()}, ENGINE: version_of(ENGINE)}


def _folder(name: str, seed: int, packages: dict[str, str]) -> Path:
    decisive = json.dumps([LAYOUT, RENDERER, seed, packages], sort_keys=True)
    return cache_dir() / "search" / f"{name}-{hashlib.sha256(decisive.encode()).hexdigest()[:16]}"


def _flaw(folder: Path) -> str | None:
    """What keeps `folder` from being an atlas; None if it is one."""
    if not folder.exists():
        return "there is none"
    try:
        manifest = load_manifest(folder)
        if read_manifest(folder / INDEX).num_passages != manifest.num_passages or not (folder / FACTS).is_file():
            return "parts are missing"
    except DataError as error:
        return str(error)
    return None


def _build_once(name: str, seed: int, packages: dict[str, str], folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with file_lock(folder.parent / f".{folder.name}.lock"):
        flaw = _flaw(folder)
        if flaw is None:
            return  # another process built it meanwhile
        if folder.exists():
            log.warning("the atlas in %s is damaged (%s): it is built again", folder, flaw)
        for left in folder.parent.glob(f".building-{folder.name}-*"):
            shutil.rmtree(left, ignore_errors=True)  # of a builder that was killed: we hold the lock
        draft = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".building-{folder.name}-"))
        try:
            _build(name, seed, packages, draft)
            if folder.exists():
                shutil.rmtree(folder)
            os.replace(draft, folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DataError(f"the disk of {folder.parent} is full: {name} could not be built") from error
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def _build(name: str, seed: int, packages: dict[str, str], folder: Path) -> None:
    about = ABOUT[name]
    line = f"building {name}: about {about:,} passages, once on this machine"
    with progress_bar(f"building {name}", about, line) as tell:
        world = read_world(with_cities="mini" not in name)
        if name.endswith("-cf"):
            world = permuted(world, seed)
        facts = FactCollector()
        counts: Counter[str] = Counter()
        passages = _counted(render(world, facts), counts)
        build_text_index(passages, folder / INDEX, progress=lambda done: tell(completed=done))
        facts.save(folder)
        manifest = Manifest(
            name=name,
            seed=seed,
            layout=LAYOUT,
            renderer=RENDERER,
            packages=packages,
            counts=dict(counts),
            num_passages=sum(counts.values()),
            num_entities=len(facts.entities),
            num_facts=len(facts),
            relations=facts.relations(),
            sha256=read_manifest(folder / INDEX).sha256,
            licences={key: source.licence for key, source in SOURCES.items()},
        )
        save_manifest(manifest, folder)


def render(world: World, facts: FactCollector) -> Iterator[Passage]:
    """All passages of `world` in their order; `facts` is complete when they are exhausted."""
    yield from world_passages(world)
    yield from Renderer(world, facts).passages()
    yield from city_passages(world, facts)  # before airports, which look for the cities they serve
    yield from airport_passages(world, facts)
    yield from element_passages(world, facts)


def _counted(passages: Iterator[Passage], counts: Counter[str]) -> Iterator[Passage]:
    for passage in passages:
        counts[passage.passage_id.partition("/")[0]] += 1
        yield passage
