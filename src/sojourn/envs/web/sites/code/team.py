"""A generated project together with who works on it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from sojourn.envs.web.sites.code.files import Plan


@dataclass(kw_only=True, slots=True)
class Team:
    """A project and who works on it."""

    project_id: int
    plan: Plan
    members: list[int]
    """User ids; the first ones do most of the work."""
    branches: list[str]
    paths: list[str]
    created_s: int
    """Seconds before now at which the project began."""

    def worker(self, rng: Random) -> int:
        """A member; the first is the most likely."""
        return self.members[min(int(rng.expovariate(0.6)), len(self.members) - 1)]
