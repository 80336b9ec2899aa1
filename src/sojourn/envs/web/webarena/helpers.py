"""What the first data set's checks ask of the live sites beyond pages: the shop's REST interface, GitLab's members."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlparse

from sojourn.envs.web.webarena.checks import Helper, Page
from sojourn.envs.web.webarena.sites import Sites
from sojourn.errors import EnvError

CALL_S = 30.0
"""Seconds after which a call has failed."""

ADMIN = {"username": "admin", "password": "admin1234"}
"""The shop's published administrator."""


def helpers_on(sites: Sites) -> Mapping[str, Helper]:
    """The helpers by the names that the data set uses."""
    shop = sites.addresses["SHOPPING"]

    async def latest_order(page: Page) -> str:
        order = "searchCriteria[sortOrders][0][field]=created_at&searchCriteria[sortOrders][0][direction]=DESC"
        found = await _asked(shop, f"orders?{order}&searchCriteria[pageSize]=1")
        number = int(found["items"][0]["increment_id"])
        return f"{shop}/sales/order/view/order_id/{number}/"

    async def latest_review(sku: str) -> dict[str, Any] | None:
        reviews = await _asked(shop, f"products/{quote(sku, safe='')}/reviews")
        return reviews[-1] if reviews else None

    async def review_author(page: Page, sku: str) -> str:
        review = await latest_review(sku)
        return str(review["nickname"]) if review else ""

    async def review_stars(page: Page, sku: str) -> str:
        review = await latest_review(sku)
        return str(review["ratings"][0]["percent"]) if review else ""

    return {
        "shopping_get_latest_order_url": latest_order,
        "shopping_get_sku_latest_review_author": review_author,
        "shopping_get_sku_latest_review_rating": review_stars,
        "reddit_get_post_url": post_url,
        "gitlab_get_project_memeber_role": member_role,
    }


async def post_url(page: Page, url: str) -> str:
    """The post that a forum address is in (``/f/forum/number/…``); another address as it is."""
    parts = urlparse(url)
    pieces = parts.path.split("/")
    if len(pieces) < 4 or pieces[1] != "f":
        return url
    return f"{parts.scheme}://{parts.netloc}/f/{pieces[2]}/{pieces[3]}/"


async def member_role(page: Page, account: str) -> str:
    """The role that GitLab's page of members shows for `account`; nothing where it shows none."""
    name = json.dumps(f"@{account}")
    role = await page.evaluate(
        "() => { const names = [...document.querySelectorAll(\"td[data-label='Account'] "
        'span.gl-avatar-labeled-sublabel")]; const row = names.findIndex(n => n.outerText === ' + name + ");"
        " const roles = document.querySelectorAll('td.col-max-role span');"
        " return row >= 0 && roles[row] ? roles[row].outerText : '' }"
    )
    return str(role)


async def _asked(shop: str, path: str) -> Any:
    token = await asyncio.to_thread(_call, f"{shop}/rest/default/V1/integration/admin/token", None, ADMIN)
    return await asyncio.to_thread(_call, f"{shop}/rest/V1/{path}", str(token), None)


def _call(url: str, token: str | None, body: Mapping[str, str] | None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=CALL_S) as answer:
            return json.load(answer)
    except (OSError, ValueError) as error:
        raise EnvError(f"the shop's REST interface: {urlparse(url).path}: {error}") from error
