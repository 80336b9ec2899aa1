"""Who may do what in a project."""

from __future__ import annotations

from sojourn.envs.web.sites.framework import Forbidden

ROLES = ("guest", "reporter", "developer", "maintainer", "owner")
"""From fewest to most rights."""
WHAT = {
    "reporter": "label, assign and edit issues",
    "developer": "change files, branches and merge requests",
    "maintainer": "manage members and settings",
}
"""The least role -> what it allows beyond those before it."""


def is_at_least(role: str | None, needed: str) -> bool:
    """Whether a role (None: not a member) has the rights of the role `needed`."""
    return role is not None and ROLES.index(role) >= ROLES.index(needed)


def require(role: str | None, needed: str) -> None:
    """Raise `Forbidden` unless the role has the rights of `needed`."""
    if not is_at_least(role, needed):
        raise Forbidden(f"Only members who are {needed} or more may {WHAT[needed]} here.")
