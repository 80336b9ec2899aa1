"""The templates, by name."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.envs.web.tasks import shop
from sojourn.envs.web.tasks.template import Template

TEMPLATES: Mapping[str, Template] = {template.name: template for template in (*shop.TEMPLATES,)}
"""name -> template, in the order in which they are listed."""
