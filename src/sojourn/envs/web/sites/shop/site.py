"""The shop as a site."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sojourn.envs.web.sites.framework import Context, Site
from sojourn.envs.web.sites.shop import account, addresses, browse, cart, checkout, texts
from sojourn.envs.web.sites.shop.generate import generate
from sojourn.envs.web.sites.shop.queries import cart_count, departments, footer_pages


def _frame(ctx: Context) -> Mapping[str, Any]:
    return {"departments": departments(ctx.db), "pages_of_footer": footer_pages(ctx.db), "cart_count": cart_count(ctx)}


SITE = Site(
    "shop",
    title="One Stop Market",
    folder=Path(__file__).parent,
    generate=generate,
    accounts=account.ACCOUNTS,
    log_in_path="/account/login",
    parts=(browse.routes, cart.routes, checkout.routes, account.routes, addresses.routes, texts.routes),
    frame=_frame,
)
