"""Style sheets, scripts and pictures out of the applications' packages; no file is ever written."""

from __future__ import annotations

import mimetypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from django.contrib.staticfiles import finders
from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import FileSystemStorage
from django.http import Http404, HttpRequest
from django.http import HttpResponse as Page


def static_file(request: HttpRequest, name: str) -> Any:
    """The file called `name`, 404 where no package has it."""
    found = finders.find(name)
    if not isinstance(found, str):
        raise Http404(name)
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return Page(Path(found).read_bytes(), content_type=kind)


class PlainThumbnails:
    """Oscar's thumbnailer interface without thumbnails: the picture itself, so that no file or row is made.

    No product has a picture, so that is Oscar's own for products without one.
    """

    def generate_thumbnail(self, source: Any, **opts: Any) -> Any:
        """The source, whatever size is asked for."""
        return SimpleNamespace(url=f"/media/{getattr(source, 'name', source)}")

    def delete_thumbnails(self, source: Any) -> None:
        """Nothing to delete."""


class ReadOnlyStorage(FileSystemStorage):  # type: ignore[misc]  # Django has no types
    """Refuses uploads with a 400 page: a file would be seen by every episode and outlive them all."""

    def _save(self, name: str, content: Any) -> str:
        raise SuspiciousOperation("files can't be uploaded here")

    def delete(self, name: str) -> None:
        """Nothing is deleted."""
