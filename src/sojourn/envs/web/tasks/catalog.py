"""The templates, by name."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.envs.web.tasks import (
    across,
    cms,
    cms_errands,
    code,
    code_errands,
    forum,
    forum_errands,
    map,
    map_errands,
    shop,
    shop_errands,
)
from sojourn.envs.web.tasks.template import Template

_ALL = (
    *shop.TEMPLATES,
    *shop_errands.TEMPLATES,
    *cms.TEMPLATES,
    *cms_errands.TEMPLATES,
    *map.TEMPLATES,
    *map_errands.TEMPLATES,
    *code.TEMPLATES,
    *code_errands.TEMPLATES,
    *forum.TEMPLATES,
    *forum_errands.TEMPLATES,
    *across.TEMPLATES,
)
TEMPLATES: Mapping[str, Template] = {template.name: template for template in _ALL}
"""name -> template, in the order in which they are listed."""

LEARNABLE = (
    "shop-open-category",
    "shop-open-product",
    "shop-sort-category",
    "shop-add-to-cart",
    "cms-menu",
    "map-open-town",
    "wiki-open-town",
    "home-note",
    "code-tab",
    "code-star",
    "code-follow",
    "code-comment",
    "forum-open-forum",
    "forum-sort",
    "forum-open-post",
    "forum-user-comments",
    "forum-vote",
    "forum-subscribe",
)
"""Templates that take two to four steps, each of which is among the listed commands: for small policies."""
