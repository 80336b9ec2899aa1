"""What several pages of the code host ask of the database."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from sojourn.envs.web.sites.framework import Context, NotFound
from sojourn.envs.web.sites.lists import me_of

DAY = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
"""A day as forms take it: ``2024-07-01``."""
VISIBLE = (
    "(p.visibility = 'public' OR EXISTS (SELECT 1 FROM code_member v WHERE v.project_id = p.id AND v.user_id = :me))"
)
"""Condition on the project `p`: whether the user `:me` (0: nobody) may see it."""
PROJECT_COLUMNS = """
    p.id, p.namespace, p.name, p.description, p.visibility, p.license, p.created, p.forked_from,
    (SELECT count(*) FROM code_star s WHERE s.project_id = p.id) AS num_stars,
    (SELECT count(*) FROM code_project f WHERE f.forked_from = p.id) AS num_forks,
    (SELECT max(created) FROM code_commit k WHERE k.project_id = p.id) AS updated
"""


def project_of(ctx: Context, namespace: str, name: str) -> sqlite3.Row:
    """The project at an address, with the user's role in it; raises `NotFound` also for one that is hidden."""
    row: sqlite3.Row | None = ctx.db.execute(
        f"SELECT {PROJECT_COLUMNS},"
        " (SELECT role FROM code_member m WHERE m.project_id = p.id AND m.user_id = :me) AS role,"
        " EXISTS (SELECT 1 FROM code_star s WHERE s.project_id = p.id AND s.user_id = :me) AS is_starred,"
        " (SELECT count(*) FROM code_issue i WHERE i.project_id = p.id AND i.state = 'opened') AS num_issues,"
        " (SELECT count(*) FROM code_merge r WHERE r.project_id = p.id AND r.state = 'opened') AS num_merges,"
        " (SELECT name FROM code_branch b WHERE b.project_id = p.id AND b.is_default) AS branch"
        f" FROM code_project p WHERE p.namespace = :namespace AND p.name = :name AND {VISIBLE}",
        {"me": me_of(ctx), "namespace": namespace, "name": name},
    ).fetchone()
    if row is None:
        raise NotFound("There is no such project, or you may not see it.")
    return row


def path_of(project: sqlite3.Row) -> str:
    """The address of a project within the site."""
    return f"/{project['namespace']}/{project['name']}"


def members_of(db: sqlite3.Connection, project_id: int) -> list[sqlite3.Row]:
    """The members of a project, by name."""
    return db.execute(
        "SELECT u.id, u.username, u.name, m.role, m.since FROM code_member m JOIN code_user u ON u.id = m.user_id"
        " WHERE m.project_id = ? ORDER BY u.name",
        (project_id,),
    ).fetchall()


def labels_of(db: sqlite3.Connection, project_id: int) -> list[sqlite3.Row]:
    """The labels of a project, by name."""
    return db.execute("SELECT * FROM code_label WHERE project_id = ? ORDER BY name", (project_id,)).fetchall()


def milestones_of(db: sqlite3.Connection, project_id: int) -> list[sqlite3.Row]:
    """The milestones of a project, by date."""
    return db.execute("SELECT * FROM code_milestone WHERE project_id = ? ORDER BY due, id", (project_id,)).fetchall()


def branches_of(db: sqlite3.Connection, project_id: int) -> list[sqlite3.Row]:
    """The branches of a project, the default one first."""
    return db.execute(
        "SELECT name, is_default FROM code_branch WHERE project_id = ? ORDER BY is_default DESC, name", (project_id,)
    ).fetchall()


def notes_of(db: sqlite3.Connection, column: str, number: int) -> list[sqlite3.Row]:
    """The notes on an issue (`column` is ``issue_id``) or merge request (``merge_id``), oldest first."""
    assert column in ("issue_id", "merge_id")
    return db.execute(
        "SELECT n.body, n.created, u.username, u.name FROM code_note n JOIN code_user u ON u.id = n.author_id"
        f" WHERE n.{column} = ? ORDER BY n.created, n.id",
        (number,),
    ).fetchall()


def next_iid(db: sqlite3.Connection, table: str, project_id: int) -> int:
    """The number that the next issue or merge request of a project gets."""
    row = db.execute(f"SELECT coalesce(max(iid), 0) + 1 FROM {table} WHERE project_id = ?", (project_id,)).fetchone()
    return int(row[0])


def frame(ctx: Context) -> Mapping[str, Any]:
    """What the layout shows on every page: how much there is to do."""
    if ctx.user is None:
        return {"num_todos": 0}
    row = ctx.db.execute(
        "SELECT count(*) FROM code_todo WHERE user_id = ? AND NOT is_done", (ctx.user["id"],)
    ).fetchone()
    return {"num_todos": row[0]}
