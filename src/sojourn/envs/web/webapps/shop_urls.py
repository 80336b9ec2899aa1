"""The shop's addresses: Oscar's, its dashboard under /dashboard/, and the static files."""

from __future__ import annotations

from django.apps import apps
from django.urls import path
from django.views.generic import RedirectView

from sojourn.envs.web.webapps.static_files import static_file

urlpatterns = [
    path("static/<path:name>", static_file),
    path("media/<path:name>", static_file),
    path("login/", RedirectView.as_view(url="/accounts/login/", query_string=True), name="login"),
    *apps.get_app_config("oscar").get_urls(),
]

handler404 = "sojourn.envs.web.webapps.shop_errors.not_found"
handler403 = "sojourn.envs.web.webapps.shop_errors.forbidden"
