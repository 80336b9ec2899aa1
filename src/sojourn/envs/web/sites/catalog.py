"""The sites, in the order in which their schemas and data are made."""

from __future__ import annotations

from sojourn.envs.web.sites.admin.site import SITE as ADMIN
from sojourn.envs.web.sites.framework import Site
from sojourn.envs.web.sites.shop.site import SITE as SHOP

SITES: tuple[Site, ...] = (SHOP, ADMIN)
"""Every site; a later one may refer to the tables of an earlier one."""
