"""The addresses and accounts of the applications, as agents see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SHOP_HOST = "shop.example.com"
FORUM_HOST = "forum.example.com"
TRACKER_HOST = "tracker.example.com"

HOSTS: Mapping[str, str] = {"shop": SHOP_HOST, "forum": FORUM_HOST, "tracker": TRACKER_HOST}
"""application -> host; all under a name that is reserved for examples, so that none exists anywhere."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who an agent is on a site."""

    user: str
    """What is typed into the log-in form."""
    password: str


CUSTOMER = Account(user="rosa.lind@example.com", password="tulip-42-garden")
MERCHANT = Account(user="merchant@example.com", password="ledger-17-counter")
MEMBER = Account(user="rosa", password="tulip-42-garden")
DEVELOPER = Account(user="rosa", password="tulip-42-garden")

SHOP_SESSIONS: Mapping[str, str] = {
    CUSTOMER.user: "harbourcustomersession0000000001",
    MERCHANT.user: "harbourmerchantsession0000000002",
}
"""Who -> the key of a session that is open in every world."""
FORUM_SESSION = "harbourforumsession0000000000003"
TRACKER_SESSION = "harbourtrackersession00000000004"
