"""What an atlas says of itself: where it comes from, how much there is of it, and its hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sojourn.errors import DataError

FILE: Final = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """``manifest.json`` in the folder of an atlas."""

    name: str
    seed: int
    """Of the permutation; 0 where nothing is permuted."""
    layout: int
    """Version of the folder's files."""
    renderer: int
    """Version of the passages' wording and of what counts as a fact."""
    packages: Mapping[str, str]
    """Package -> version of everything that the passages and the index depend on."""
    counts: Mapping[str, int]
    """Source -> passages."""
    num_passages: int
    num_entities: int
    num_facts: int
    relations: Mapping[str, int]
    """Relation -> facts."""
    sha256: str
    """Of all passages in order; two atlases with one hash hold the same passages."""
    licences: Mapping[str, str]
    """Source -> the terms of its data."""


def save_manifest(manifest: Manifest, folder: Path) -> None:
    """Write `manifest` into `folder`."""
    text = json.dumps(asdict(manifest), indent=1, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def load_manifest(folder: Path) -> Manifest:
    """The manifest in `folder`. Raises `DataError` for one that is missing or damaged."""
    path = folder / FILE
    try:
        return Manifest(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is not the manifest of an atlas: {error}") from error
