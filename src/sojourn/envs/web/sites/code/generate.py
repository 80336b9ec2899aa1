"""What the code host holds: people, projects with files and history, issues and merge requests."""

from __future__ import annotations

import sqlite3
from random import Random

from sojourn.envs.web.sites.code import talk
from sojourn.envs.web.sites.code.files import Plan, files, source_path
from sojourn.envs.web.sites.code.rights import ROLES
from sojourn.envs.web.sites.code.team import Team
from sojourn.envs.web.sites.data.dates import seconds_ago, stamp_before
from sojourn.envs.web.sites.data.names import CITIES, full_names, lines
from sojourn.envs.web.sites.session import password_hash

ACCOUNT, PASSWORD = "byteblaze", "hello1234"
NUM_USERS = 84
_GROUPS = {
    "veld-transit": ("Veld Transit", "Software of the railways and buses"),
    "openharbor": ("Open Harbor", "Free software for small harbours"),
    "tinytools": ("Tiny Tools", "Programs that do one thing"),
    "quillworks": ("Quillworks", "Writing and typesetting"),
    "mapcraft": ("Mapcraft", "Maps from open data"),
}


def plans() -> list[Plan]:
    """The projects of ``data/code_projects.txt``, in its order."""
    found = []
    for line in lines("code_projects"):
        path, language, description, parts, license_name = (part.strip() for part in line.split("|"))
        namespace, _, name = path.partition("/")
        named = tuple(part.strip() for part in parts.split(","))
        plan = Plan(
            namespace=namespace,
            name=name,
            language=language,
            description=description,
            parts=named,
            license=license_name,
        )
        found.append(plan)
    return found


def generate(db: sqlite3.Connection, rng: Random) -> None:
    """Fill the code host's tables."""
    users = _add_users(db, rng)
    for number, (path, (name, description)) in enumerate(_GROUPS.items(), 1):
        db.execute("INSERT INTO code_group VALUES (?, ?, ?, ?)", (number, path, name, description))
    for project_id, plan in enumerate(plans(), 1):
        team = _add_project(db, rng, project_id, plan, users)
        _add_history(db, rng, team)
        talk.add_issues(db, rng, team)
        talk.add_merges(db, rng, team)
    _add_stars(db, rng)
    talk.add_todos(db, rng)


def _add_users(db: sqlite3.Connection, rng: Random) -> dict[str, int]:
    """Username -> id; the account, the owners of personal projects, and others."""
    owners = dict.fromkeys(plan.namespace for plan in plans() if "." in plan.namespace)
    named = [" ".join(part.capitalize() for part in owner.split(".")) for owner in owners]
    people = full_names(rng, set(named))
    names = ["Byte Blaze", *named, *(next(people) for _ in range(NUM_USERS - 1 - len(named)))]
    users: dict[str, int] = {}
    for number, name in enumerate(names, 1):
        username = ACCOUNT if number == 1 else name.lower().replace(" ", ".")
        users[username] = number
        row = (
            *(number, username, name, f"{username}@example.com"),
            password_hash(username, PASSWORD) if username == ACCOUNT else "",
            rng.choice(("", "", "Maintains too many things.", "Writes tests first.", "Likes small programs.")),
            rng.choice(CITIES),
            rng.choice(("", *(group[0] for group in _GROUPS.values()))),
            rng.choice(("", "", "", "On holiday", "Busy", "Working from home")),
            stamp_before(rng, max_days=2800, min_days=1300),
        )
        db.execute("INSERT INTO code_user VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    return users


def _add_project(db: sqlite3.Connection, rng: Random, project_id: int, plan: Plan, users: dict[str, int]) -> Team:
    others = rng.sample(range(2, NUM_USERS + 1), rng.randint(4, 7))
    owner = users.get(plan.namespace, others[0])
    members = list(dict.fromkeys([owner, *others]))
    if plan.namespace in _GROUPS and rng.random() < 0.35:
        members.insert(rng.randint(1, 3), users[ACCOUNT])
    created_s = rng.randint(500 * 86_400, 1200 * 86_400)
    visibility = "private" if plan.name.startswith("private-") else "public"
    row = (project_id, plan.namespace, plan.name, plan.description, visibility, plan.license, seconds_ago(created_s))
    db.execute("INSERT INTO code_project VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
    for position, member in enumerate(members):
        role = "owner" if not position else ROLES[(1, 2, 2, 3)[rng.randrange(4)]]
        since = seconds_ago(rng.randint(450 * 86_400, 499 * 86_400))
        db.execute("INSERT INTO code_member VALUES (?, ?, ?, ?)", (project_id, member, role, since))
    made = files(rng, plan)
    rows = [(project_id, path, "", content) for path, content in made.items()]
    db.executemany("INSERT INTO code_file VALUES (?, ?, ?, ?)", rows)
    kinds = ("feature", "fix", "rewrite")
    branches = ["main", *(f"{rng.choice(kinds)}-{part.replace(' ', '-')}" for part in rng.sample(plan.parts, 3))]
    db.executemany(
        "INSERT INTO code_branch VALUES (?, ?, ?)", [(project_id, name, name == "main") for name in branches]
    )
    return Team(
        project_id=project_id, plan=plan, members=members, branches=branches, paths=list(made), created_s=created_s
    )


def _add_history(db: sqlite3.Connection, rng: Random, team: Team) -> None:
    """Commits on the main branch, and one or two on every other."""
    moments = sorted(rng.sample(range(3600, team.created_s), rng.randint(10, 24)), reverse=True)
    for position, moment in enumerate(moments):
        part = rng.choice(team.plan.parts)
        message = rng.choice(talk.COMMITS).format(part=part) if position else "Initial commit"
        paths = (
            team.paths
            if not position
            else [source_path(team.plan, part), *rng.sample(team.paths[:3], rng.randint(0, 1))]
        )
        _add_commit(db, rng, team, "main", message, moment, paths)
    for branch in team.branches[1:]:
        part = branch.partition("-")[2].replace("-", " ")
        for moment in sorted(rng.sample(range(3600, 40 * 86_400), rng.randint(1, 2)), reverse=True):
            message = rng.choice(talk.COMMITS).format(part=part)
            _add_commit(db, rng, team, branch, message, moment, [source_path(team.plan, part)])


def _add_commit(
    db: sqlite3.Connection, rng: Random, team: Team, branch: str, message: str, moment: int, paths: list[str]
) -> None:
    cursor = db.execute(
        "INSERT INTO code_commit (project_id, branch, sha, author_id, created, message) VALUES (?, ?, ?, ?, ?, ?)",
        (team.project_id, branch, f"{rng.getrandbits(160):040x}", team.worker(rng), seconds_ago(moment), message),
    )
    is_first = message == "Initial commit"
    rows = [(cursor.lastrowid, path, rng.randint(1, 80), 0 if is_first else rng.randint(0, 40)) for path in paths]
    db.executemany("INSERT INTO code_change VALUES (?, ?, ?, ?)", rows)


def _add_stars(db: sqlite3.Connection, rng: Random) -> None:
    projects = db.execute("SELECT id FROM code_project WHERE visibility = 'public' ORDER BY id").fetchall()
    counts = rng.sample(range(2, NUM_USERS - 10), len(projects))  # no two alike
    for (project_id,), count in zip(projects, counts, strict=True):
        users = sorted(rng.sample(range(1, NUM_USERS + 1), count))
        db.executemany("INSERT INTO code_star VALUES (?, ?)", [(project_id, user) for user in users])
    followed = sorted(rng.sample(range(2, NUM_USERS + 1), 4))
    db.executemany("INSERT INTO code_follow VALUES (1, ?)", [(user,) for user in followed])
