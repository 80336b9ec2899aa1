"""The forum's addresses: Spirit's, and the static files."""

from __future__ import annotations

from django.urls import include, path
from django.views.generic import RedirectView

from sojourn.envs.web.webapps.forum_search import search
from sojourn.envs.web.webapps.static_files import static_file

urlpatterns = [
    path("static/<path:name>", static_file),
    path("media/<path:name>", static_file),
    path("login/", RedirectView.as_view(url="/user/login/", query_string=True), name="login"),
    path("search/", search),
    path("", include("spirit.urls")),
]
