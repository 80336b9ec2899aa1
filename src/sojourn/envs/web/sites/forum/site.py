"""The forum as a site."""

from __future__ import annotations

from pathlib import Path

from sojourn.envs.web.sites.forum import account, browse, writing
from sojourn.envs.web.sites.forum.generate import generate
from sojourn.envs.web.sites.framework import Accounts, Site

SITE = Site(
    "forum",
    title="Postmill",
    folder=Path(__file__).parent,
    generate=generate,
    accounts=Accounts(table="forum_user", login="name"),
    parts=(account.routes, writing.routes, browse.routes),
)
