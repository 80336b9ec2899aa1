"""The tracker's rows: components, milestones, tickets with their history, and wiki pages, through Trac's own models."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from sojourn.envs.web.webapps.episode import WORLD_START
from sojourn.envs.web.webapps.hosts import DEVELOPER
from sojourn.envs.web.webapps.loading import module
from sojourn.envs.web.webapps.seed.people import PEOPLE

COMPONENTS = {
    "Berths": "ivop",
    "Cargo lists": "dagnyo",
    "Invoices": "nadiak",
    "Mobile app": "chenw",
    "Reports": "farahn",
    "Tide tables": "otisf",
}
MILESTONES = {"0.8": -90, "0.9": -30, "1.0": 30, "1.1": 90}
"""Name -> days from the world's start at which it is, or was, due."""
VERSIONS = ("0.7", "0.8", "0.9")
TYPES = ("defect", "enhancement", "task")
PRIORITIES = ("blocker", "critical", "major", "minor", "trivial")
TROUBLES = (
    "{} page is blank after log-in",
    "Sorting in {} ignores accents",
    "{} shows yesterday's figures",
    "Export of {} loses the last row",
    "{} can't be printed on A5",
    "Add a filter by pier to {}",
    "Undo for {}",
    "{} is slow with 500 entries",
    "Keyboard shortcuts for {}",
    "Wrong total in {} at month's end",
    "Document {} for new users",
    "{} forgets the chosen language",
)
SAYINGS = (
    "I see this too.",
    "Can't repeat it here.",
    "Which browser is that?",
    "A patch is attached to the mail I sent.",
)
PAGES = {
    "WikiStart": """= Tideline =
Stock keeping for small harbours.

 * [wiki:Releases]
 * [wiki:Coding]
 * [wiki:OnCall]
 * [wiki:Glossary]
 * [wiki:TideSources]
""",
    "Releases": """= Releases =
||= Version =||= Codename =||= Date =||
|| 0.7 || Anchor || 2024-11-04 ||
|| 0.8 || Buoy || 2025-03-04 ||
|| 0.9 || Capstan || 2025-05-03 ||
""",
    "Coding": """= Coding rules =
Lines have at most 96 characters. Every change has a ticket. Tests run in under two minutes.
""",
    "OnCall": """= On call =
||= Week =||= Person =||= Phone =||
|| 22 || otisf || 555-0122 ||
|| 23 || farahn || 555-0147 ||
|| 24 || ivop || 555-0163 ||
""",
    "Glossary": """= Glossary =
 '''Berth''':: where a ship lies
 '''Lighter''':: a flat barge
 '''Demurrage''':: what a late ship pays
""",
    "TideSources": """= Tide sources =
Tables come from the harbour office every 6 hours and are kept for 400 days.
""",
}
NUM_TICKETS = 72


def seed_tracker(env: Any, rng: random.Random) -> None:
    """Fill the tracker of the running episode."""
    model, datefmt = module("trac.ticket.model"), module("trac.util.datefmt")
    for kind in (model.Component, model.Milestone, model.Version):
        for default in list(kind.select(env)):
            default.delete()
    for name, owner in COMPONENTS.items():
        _saved(model.Component(env), name=name, owner=owner)
    for name, days in MILESTONES.items():
        due = WORLD_START + timedelta(days=days)
        _saved(model.Milestone(env), name=name, due=due, completed=due if days < 0 else None)
    for number, name in enumerate(VERSIONS):
        _saved(model.Version(env), name=name, time=WORLD_START - timedelta(days=210 - 60 * number))
    summaries = [trouble.format(name) for name in COMPONENTS for trouble in TROUBLES]
    for place, summary in enumerate(rng.sample(summaries, NUM_TICKETS)):
        _ticket(env, model, rng, summary, WORLD_START - timedelta(hours=40 * (NUM_TICKETS - place)), datefmt.utc)
    wiki = module("trac.wiki.model")
    for number, (name, text) in enumerate(PAGES.items()):
        page = wiki.WikiPage(env, name)
        page.text = text
        page.save("farahn", "First version", WORLD_START - timedelta(days=120 - number))
    permissions = module("trac.perm").PermissionSystem(env)
    permissions.grant_permission(DEVELOPER.user, "MILESTONE_ADMIN")
    for person in PEOPLE:
        env.db_transaction(
            "INSERT INTO session (sid, authenticated, last_visit) VALUES (%s, 1, %s)",
            (person.login, int(WORLD_START.timestamp())),
        )


def _saved(row: Any, **values: Any) -> None:
    for name, value in values.items():
        setattr(row, name, value)
    row.insert()


def _ticket(env: Any, model: Any, rng: random.Random, summary: str, opened: datetime, utc: Any) -> None:
    component = next(name for name in COMPONENTS if name in summary)
    logins = [person.login for person in PEOPLE]
    ticket = model.Ticket(env)
    ticket["summary"] = summary
    ticket["reporter"] = rng.choice(logins)
    ticket["owner"] = COMPONENTS[component]
    ticket["component"] = component
    ticket["type"] = "enhancement" if summary.startswith(("Add", "Undo", "Keyboard", "Document")) else "defect"
    ticket["priority"] = rng.choice(PRIORITIES)
    ticket["milestone"] = rng.choice(tuple(MILESTONES))
    ticket["version"] = rng.choice(VERSIONS)
    ticket["status"] = "new"
    ticket["description"] = f"{summary}. Seen {rng.randint(1, 9)} times by {rng.choice(logins)}."
    ticket.insert(when=opened.astimezone(utc))
    for number in range(rng.choice((0, 1, 1, 2, 3))):
        ticket.save_changes(rng.choice(logins), rng.choice(SAYINGS), when=(opened + timedelta(hours=5 + number)))
    is_past = MILESTONES[ticket["milestone"]] < 0
    if is_past or rng.random() < 0.3:
        ticket["status"] = "closed"
        ticket["resolution"] = rng.choice(("fixed", "fixed", "fixed", "wontfix", "duplicate", "worksforme"))
        ticket.save_changes(ticket["owner"], "", when=opened + timedelta(hours=30))
    elif rng.random() < 0.4:
        ticket["status"] = "accepted"
        ticket.save_changes(ticket["owner"], "", when=opened + timedelta(hours=30))
