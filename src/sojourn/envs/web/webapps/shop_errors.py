"""The shop's pages for what is not there or not allowed: Django's own names for them are the forum's here."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.views import defaults


def not_found(request: HttpRequest, exception: Exception) -> Any:
    """Oscar's page for 404."""
    return defaults.page_not_found(request, exception, template_name="oscar/404.html")


def forbidden(request: HttpRequest, exception: Exception) -> Any:
    """Oscar's page for 403."""
    return defaults.permission_denied(request, exception, template_name="oscar/403.html")
