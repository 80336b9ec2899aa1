"""The sites, in the order in which their schemas and data are made."""

from __future__ import annotations

from sojourn.envs.web.sites.admin.site import SITE as ADMIN
from sojourn.envs.web.sites.code.site import SITE as CODE
from sojourn.envs.web.sites.forum.site import SITE as FORUM
from sojourn.envs.web.sites.framework import Site
from sojourn.envs.web.sites.home.site import SITE as HOME
from sojourn.envs.web.sites.map.site import SITE as MAP
from sojourn.envs.web.sites.shop.site import SITE as SHOP
from sojourn.envs.web.sites.wiki.site import SITE as WIKI

SITES: tuple[Site, ...] = (SHOP, ADMIN, MAP, WIKI, FORUM, CODE, HOME)
"""Every site; a later one may refer to the tables of an earlier one."""
