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
