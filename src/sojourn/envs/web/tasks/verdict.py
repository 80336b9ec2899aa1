"""The judgement of an episode by its template's goal."""

from __future__ import annotations

from collections.abc import Mapping

from sojourn.envs.web.checks.diff import ALL, changes
from sojourn.envs.web.problem import Check, Verdict
from sojourn.envs.web.sites.world import World
from sojourn.envs.web.tasks.template import Goal

SIDE_EFFECTS: Mapping[str, tuple[str, ...]] = {"web_session": (ALL,)}
"""What looking around changes: who is logged in, and notices that were shown."""


def check(goal: Goal, template: bytes) -> Check:
    """A check against `goal` of a world that was restored from `template`."""

    def judge(world: World, url: str, answer: str) -> Verdict:
        if not goal.answer.is_given_by(answer):
            return Verdict(success=False, reason=f"expected the answer {goal.answer.value!r}, got {answer[:200]!r}")
        if goal.target is not None and not goal.target.is_shown_at(url):
            return Verdict(success=False, reason=f"expected the page {goal.target.url}, got {url}")
        found = changes(world.db, template, ignored=SIDE_EFFECTS)
        if not goal.end.is_reached(found):
            wanted = ", ".join(sorted({one.table for one in goal.end.expected})) or "nothing"
            seen = ", ".join(found) or "nothing"
            return Verdict(success=False, reason=f"expected certain changes of {wanted}; changed: {seen}")
        return Verdict(success=True, reason="done")

    return judge
