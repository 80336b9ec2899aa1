"""Spirit's search page on the database: an index would be one for all episodes."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import HttpRequest
from django.shortcuts import render

from sojourn.envs.web.webapps.loading import module

TOPICS_PER_PAGE = 20


@login_required  # type: ignore[untyped-decorator]  # as Spirit's is
def search(request: HttpRequest) -> Any:
    """The topics that have every word asked for in their title or in a comment, the latest first."""
    query = request.GET.get("q", "").strip()
    form = module("spirit.search.forms").AdvancedSearchForm(request.GET if query else None)
    page: Any = []
    if query and form.is_valid():
        topics = apps.get_model("spirit_topic", "Topic").objects.visible().select_related("category")
        comments = apps.get_model("spirit_comment", "Comment").objects
        for word in query.split():
            said = comments.filter(comment__icontains=word).values("topic_id")
            topics = topics.filter(Q(title__icontains=word) | Q(pk__in=said))
        paginate = module("spirit.core.utils.paginator").yt_paginate
        page = paginate(
            topics.order_by("-last_active", "-pk"),
            per_page=TOPICS_PER_PAGE,
            page_number=request.GET.get("page", 1),
        )
        page.object_list = [{"pk": topic.pk, "fields": _fields(topic)} for topic in page.object_list]
    return render(request, "spirit/search/search.html", {"form": form, "query": query, "page": page})


def _fields(topic: Any) -> dict[str, Any]:
    return {
        "title": topic.title,
        "slug": topic.slug,
        "comment_count": topic.comment_count,
        "last_active": topic.last_active,
        "main_category_name": topic.main_category.title,
    }
