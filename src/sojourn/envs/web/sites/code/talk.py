"""What people write on the code host: commits, issues, merge requests, notes."""

from __future__ import annotations

import sqlite3
from random import Random

from sojourn.envs.web.sites.code.team import Team
from sojourn.envs.web.sites.data.dates import later, seconds_ago
from sojourn.envs.web.sites.data.names import shuffled

COMMITS = (
    "Fix off-by-one in {part}",
    "Speed up {part}",
    "Add tests for {part}",
    "Document {part}",
    "Move {part} into its own module",
    "Handle empty input in {part}",
    "Remove dead code from {part}",
    "Make {part} configurable",
)
_ISSUES = (
    ("{part} crashes on empty input", "bug"),
    ("{part} is slow with large files", "performance"),
    ("Add a dark theme to the {part}", "feature"),
    ("Document the options of the {part}", "documentation"),
    ("{part} shows the wrong time zone", "bug"),
    ("Let users switch off the {part}", "feature"),
    ("How do I extend the {part}?", "question"),
    ("{part} ignores the configuration file", "bug"),
    ("{part} uses too much memory", "performance"),
    ("Translate the messages of the {part}", "feature"),
    ("{part} fails when the disk is full", "bug"),
    ("Example for the {part} is out of date", "documentation"),
)
_LABELS = {
    "bug": "Something does not work",
    "feature": "Something new",
    "documentation": "Texts for users and developers",
    "performance": "Time and memory",
    "question": "Asked, not demanded",
    "help wanted": "Nobody works on it yet",
}
_MERGES = ("Rewrite the {part}", "Fix the {part} on slow machines", "Add an option to the {part}", "Test the {part}")
_NOTES = (
    "I can reproduce this on the current version.",
    "Could you attach a log?",
    "This also happens on my machine.",
    "Looks good to me.",
    "Please add a test for this.",
    "I would rather keep it simple.",
    "Fixed in the last commit, please check.",
    "Let us move this to the next milestone.",
    "Is there a way around it until then?",
    "Thank you for the report.",
)
_MENTIONS = (
    "@byteblaze, could you have a look?",
    "@byteblaze, is this on the list for the next release?",
    "@byteblaze, shall I send a patch?",
)
_BODIES = (
    "Steps: start it, wait a minute, look at the {part}. Expected it to work.",
    "It began after the last update. The {part} worked before.",
    "A short list of what should change in the {part} would help.",
    "Several people asked about the {part} in the chat.",
)


def _labels_and_milestones(db: sqlite3.Connection, rng: Random, project_id: int) -> tuple[dict[str, int], list[int]]:
    labels: dict[str, int] = {}
    for name, description in _LABELS.items():
        cursor = db.execute(
            "INSERT INTO code_label (project_id, name, description) VALUES (?, ?, ?)", (project_id, name, description)
        )
        assert cursor.lastrowid is not None
        labels[name] = cursor.lastrowid
    milestones: list[int] = []
    first = rng.randint(0, 3)
    for position, offset in enumerate((rng.randint(60, 200), rng.randint(-60, -10), rng.randint(-160, -90))):
        title = f"{first}.{position + 1}"
        row = (project_id, title, f"Release {title}", seconds_ago((offset + 90) * 86_400)[:10])
        state = "closed" if offset > 0 else "active"
        cursor = db.execute(
            "INSERT INTO code_milestone (project_id, title, description, start, due, state) VALUES (?, ?, ?, ?, ?, ?)",
            (*row, seconds_ago(offset * 86_400)[:10], state),
        )
        assert cursor.lastrowid is not None
        milestones.append(cursor.lastrowid)
    return labels, milestones


def add_issues(db: sqlite3.Connection, rng: Random, team: Team) -> None:
    """Labels, milestones, issues with notes."""
    labels, milestones = _labels_and_milestones(db, rng, team.project_id)
    chosen = shuffled(rng, [(title, label, part) for title, label in _ISSUES for part in team.plan.parts])
    moments = sorted(rng.sample(range(7200, 420 * 86_400), rng.randint(9, 17)), reverse=True)
    for iid, (moment, (title, label, part)) in enumerate(zip(moments, chosen, strict=False), 1):
        created = seconds_ago(moment)
        is_closed = rng.random() < 0.4
        text = title.format(part=part)
        cursor = db.execute(
            "INSERT INTO code_issue (project_id, iid, author_id, assignee_id, milestone_id, title, body, state, due,"
            " created, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(team.project_id, iid, rng.randint(1, 84) if rng.random() < 0.5 else team.worker(rng)),
                rng.choice(team.members) if rng.random() < 0.6 else None,
                rng.choice(milestones) if rng.random() < 0.5 else None,
                *(
                    text[0].upper() + text[1:],
                    rng.choice(_BODIES).format(part=part),
                    "closed" if is_closed else "opened",
                ),
                seconds_ago(-rng.randint(2, 90) * 86_400)[:10] if not is_closed and rng.random() < 0.2 else "",
                *(created, later(created, rng.randint(3600, 30 * 86_400)) if is_closed else None),
            ),
        )
        issue_id = cursor.lastrowid
        also = ["help wanted"] if rng.random() < 0.2 and not is_closed else []
        db.executemany("INSERT INTO code_issue_label VALUES (?, ?)", [(issue_id, labels[n]) for n in (label, *also)])
        _add_notes(db, rng, team, issue_id, None, created)


def _add_notes(
    db: sqlite3.Connection, rng: Random, team: Team, issue_id: int | None, merge_id: int | None, created: str
) -> None:
    moment = created
    for body in rng.sample(_NOTES, rng.choice((0, 0, 1, 1, 2, 3))):
        moment = later(moment, rng.randint(600, 5 * 86_400))
        row = (issue_id, merge_id, rng.choice(team.members), body, moment)
        db.execute("INSERT INTO code_note (issue_id, merge_id, author_id, body, created) VALUES (?, ?, ?, ?, ?)", row)


def add_merges(db: sqlite3.Connection, rng: Random, team: Team) -> None:
    """Merge requests: old ones that were merged or closed, and an open one for every branch that is left."""
    pairs = shuffled(rng, [(title, part) for title in _MERGES for part in team.plan.parts])
    moments = sorted(rng.sample(range(50 * 86_400, 400 * 86_400), rng.randint(2, 4)), reverse=True)
    old = [
        (moment, f"old-{pair[1].replace(' ', '-')}-{iid}", pair)
        for iid, (moment, pair) in enumerate(zip(moments, pairs, strict=False), 1)
    ]
    current = [
        (rng.randint(3600, 35 * 86_400), branch, (_MERGES[index], branch.partition("-")[2].replace("-", " ")))
        for index, branch in enumerate(team.branches[1:])
    ]
    taken: set[str] = set()
    for iid, (moment, branch, (title, part)) in enumerate([*old, *sorted(current, reverse=True)], 1):
        text = title.format(part=part)
        text = f"{text} (second try)" if text in taken else text
        taken.add(text)
        created = seconds_ago(moment)
        state = rng.choice(("merged", "merged", "merged", "closed")) if iid <= len(old) else "opened"
        cursor = db.execute(
            "INSERT INTO code_merge (project_id, iid, author_id, assignee_id, reviewer_id, title, body, source, target,"
            " state, created, ended) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'main', ?, ?, ?)",
            (
                *(
                    team.project_id,
                    iid,
                    team.worker(rng),
                    rng.choice((None, team.worker(rng))),
                    rng.choice((None, *team.members)),
                ),
                *(text, f"This changes the {part} as discussed.", branch, state, created),
                later(created, rng.randint(3600, 20 * 86_400)) if state != "opened" else None,
            ),
        )
        if state == "merged":
            db.execute("INSERT INTO code_approval VALUES (?, ?)", (cursor.lastrowid, rng.choice(team.members)))
        _add_notes(db, rng, team, None, cursor.lastrowid, created)


def add_todos(db: sqlite3.Connection, rng: Random) -> None:
    """To-do items of the account: open issues assigned to it, reviews asked of it, and notes that mention it."""
    _add_mentions(db, rng)
    rows = db.execute(
        "SELECT 'assigned' AS action, id AS issue_id, NULL AS merge_id, author_id, created FROM code_issue"
        " WHERE assignee_id = 1 AND author_id <> 1 AND state = 'opened'"
        " UNION ALL SELECT 'review', NULL, id, author_id, created FROM code_merge"
        " WHERE reviewer_id = 1 AND author_id <> 1 AND state = 'opened'"
        " UNION ALL SELECT 'mentioned', issue_id, NULL, author_id, created FROM code_note WHERE body LIKE '@byteblaze%'"
        " ORDER BY created, issue_id, merge_id"
    ).fetchall()
    for row in rows:
        values = (row["author_id"], row["action"], row["issue_id"], row["merge_id"], later(row["created"], 60))
        db.execute(
            "INSERT INTO code_todo (user_id, author_id, action, issue_id, merge_id, created, is_done)"
            " VALUES (1, ?, ?, ?, ?, ?, ?)",
            (*values, rng.random() < 0.25),
        )


def _add_mentions(db: sqlite3.Connection, rng: Random) -> None:
    """Notes that ask the account something, as the last ones on some open issues of its projects."""
    rows = db.execute(
        "SELECT i.id, i.author_id, coalesce((SELECT max(created) FROM code_note n WHERE n.issue_id = i.id), i.created)"
        " AS moment FROM code_issue i JOIN code_project p ON p.id = i.project_id WHERE p.namespace = 'byteblaze'"
        " AND i.author_id <> 1 AND i.assignee_id IS NOT 1 AND i.state = 'opened' ORDER BY i.id"
    ).fetchall()
    for row in sorted(rng.sample(rows, min(8, len(rows))), key=lambda row: int(row["id"])):
        values = (row["id"], row["author_id"], rng.choice(_MENTIONS), later(row["moment"], rng.randint(600, 86_400)))
        db.execute("INSERT INTO code_note (issue_id, author_id, body, created) VALUES (?, ?, ?, ?)", values)
