"""What the forum holds: people, forums, submissions with comments, some votes and messages of the account."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from sojourn.envs.web.sites.data.dates import later, stamp_before
from sojourn.envs.web.sites.data.land import ADJECTIVES, ANIMALS
from sojourn.envs.web.sites.data.names import lines, shuffled
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.sites.session import password_hash
from sojourn.envs.web.sites.wiki.markup import title_path

ACCOUNT, PASSWORD = "MarvelsGrantMan136", "test1234"
NUM_USERS = 160
SUBMISSIONS_PER_FORUM = 20
_TALK = lines("forum_talk")
_BIOS = (
    "",
    "Reads more than writes.",
    "Here for the pictures.",
    "Gardener, ferryman, amateur baker.",
    "I answer questions about trains.",
    "Moved from the coast to the hills.",
    "Two cats, one bicycle.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Topic:
    """What a forum is about, and what is said in it; ``{thing}`` is one of its things."""

    name: str
    title: str
    description: str
    things: tuple[str, ...]
    titles: tuple[str, ...]
    comments: tuple[str, ...]


def topics() -> list[Topic]:
    """The forums of ``data/forum_topics.txt``, in its order."""
    found = []
    rows = iter(lines("forum_topics"))
    for head in rows:
        name, title, description = (part.strip() for part in head.removeprefix("#").split("|"))
        parts = [tuple(part.strip() for part in next(rows).partition(":")[2].split(";")) for _ in range(3)]
        topic = Topic(
            name=name, title=title, description=description, things=parts[0], titles=parts[1], comments=parts[2]
        )
        found.append(topic)
    return found


def generate(db: sqlite3.Connection, rng: Random) -> None:
    """Fill the forum's tables; links lead to the wiki and the map."""
    _add_users(db, rng)
    links = _links(db, rng)
    for forum_id, topic in enumerate(topics(), 1):
        _add_forum(db, rng, forum_id, topic)
        for title, thing in _titles(rng, topic):
            url = links.pop() if rng.random() < 0.3 else ""
            _add_submission(db, rng, forum_id, topic, title, thing, url)
    _add_habits(db, rng)
    _add_messages(db, rng)


def _add_users(db: sqlite3.Connection, rng: Random) -> None:
    names = [ACCOUNT]
    while len(names) < NUM_USERS:
        joint, digits = rng.choice(("", "_")), rng.choice(("", str(rng.randint(2, 99))))
        name = f"{rng.choice(ADJECTIVES)}{joint}{rng.choice(ANIMALS)}{digits}"
        if name not in names:
            names.append(name)
    for number, name in enumerate(names, 1):
        password = password_hash(name, PASSWORD) if name == ACCOUNT else ""
        created = stamp_before(rng, max_days=2400, min_days=900)
        db.execute(
            "INSERT INTO forum_user VALUES (?, ?, ?, ?, ?)", (number, name, password, rng.choice(_BIOS), created)
        )


def _add_forum(db: sqlite3.Connection, rng: Random, forum_id: int, topic: Topic) -> None:
    sidebar = f"Be kind. Stay on topic. Questions about {rng.choice(topic.things)} go into the weekly thread."
    owner, created = rng.randint(2, NUM_USERS), stamp_before(rng, max_days=890, min_days=500)
    row = (forum_id, topic.name, topic.title, topic.description, sidebar, owner, created)
    db.execute("INSERT INTO forum_forum VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def _links(db: sqlite3.Connection, rng: Random) -> list[str]:
    articles = [row[0] for row in db.execute("SELECT title FROM wiki_article ORDER BY title")]
    places = [row[0] for row in db.execute("SELECT id FROM map_place ORDER BY id")]
    urls = [f"{ORIGINS['wiki']}/wiki/{title_path(title)}" for title in articles]
    return shuffled(rng, [*urls, *(f"{ORIGINS['map']}/place/{place_id}" for place_id in places)])


def _titles(rng: Random, topic: Topic) -> list[tuple[str, str]]:
    """Different titles, each with the thing that it is about."""
    pairs = rng.sample([(title, thing) for title in topic.titles for thing in topic.things], SUBMISSIONS_PER_FORUM)
    titles = [(title.format(thing=thing), thing) for title, thing in pairs]
    return [(title[0].upper() + title[1:], thing) for title, thing in titles]


def _votes(rng: Random, most: int) -> tuple[int, int]:
    """Up and down votes: many get few, few get many; some get more against them."""
    more, part = int(most ** rng.random()), rng.random() * 0.4
    ups, downs = more, int(more * part)
    return (downs, ups) if rng.random() < 0.1 else (ups, downs)


def _body(rng: Random, topic: Topic, thing: str, count: int) -> str:
    sentences = [rng.choice(topic.comments).format(thing=thing), *rng.sample(_TALK, count - 1)]
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def _author(rng: Random) -> int:
    """The account writes more than others."""
    return 1 if rng.random() < 0.03 else rng.randint(2, NUM_USERS)


def _add_submission(
    db: sqlite3.Connection, rng: Random, forum_id: int, topic: Topic, title: str, thing: str, url: str
) -> None:
    created = stamp_before(rng, max_days=rng.choice((3, 40, 400)))
    body = "" if url else _body(rng, topic, thing, 3)
    cursor = db.execute(
        "INSERT INTO forum_submission (forum_id, user_id, title, url, body, created, ups, downs)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (forum_id, _author(rng), title, url, body, created, *_votes(rng, 4000)),
    )
    number = cursor.lastrowid
    written: list[tuple[int, str]] = []
    for _ in range(rng.choice((0, 2, 3, 4, 6, 7, 9, 12))):
        parent, moment = rng.choice(written) if written and rng.random() < 0.45 else (None, created)
        moment = later(moment, rng.randint(120, 90_000))
        cursor = db.execute(
            "INSERT INTO forum_comment (submission_id, parent_id, user_id, body, created, ups, downs)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, parent, _author(rng), _body(rng, topic, thing, rng.randint(1, 2)), moment, *_votes(rng, 500)),
        )
        assert cursor.lastrowid is not None
        written.append((cursor.lastrowid, moment))


def _sample(rng: Random, values: Sequence[int], most: int) -> list[int]:
    return sorted(rng.sample(values, rng.randint(1, most)))


def _add_habits(db: sqlite3.Connection, rng: Random) -> None:
    """Subscriptions of everyone; votes of the account on what others wrote."""
    forums = [row[0] for row in db.execute("SELECT id FROM forum_forum ORDER BY id")]
    for user in range(1, NUM_USERS + 1):
        rows = [(forum, user) for forum in _sample(rng, forums, 7)]
        db.executemany("INSERT INTO forum_subscription VALUES (?, ?)", rows)
    for table, voted in (("submission", "forum_vote"), ("comment", "forum_comment_vote")):
        ids = [row[0] for row in db.execute(f"SELECT id FROM forum_{table} WHERE user_id <> 1 ORDER BY id")]
        votes = [(number, 1, rng.choice((1, 1, -1))) for number in sorted(rng.sample(ids, 25))]
        db.executemany(f"INSERT INTO {voted} VALUES (?, ?, ?)", votes)
    db.execute("INSERT INTO forum_block VALUES (1, ?)", (rng.randint(2, NUM_USERS),))


_SUBJECTS = (
    "Your comment on trains",
    "Meeting in spring",
    "That recipe",
    "Map of the old walls",
    "A question",
    "Thanks",
)


def _add_messages(db: sqlite3.Connection, rng: Random) -> None:
    """Threads between the account and others."""
    for subject, other in zip(_SUBJECTS, rng.sample(range(2, NUM_USERS + 1), len(_SUBJECTS)), strict=True):
        sender, recipient = (1, other) if rng.random() < 0.4 else (other, 1)
        moment, thread = stamp_before(rng, max_days=60), None
        for turn in range(rng.randint(1, 4)):
            text = " ".join(rng.sample(_TALK, 2))
            cursor = db.execute(
                "INSERT INTO forum_message (thread_id, sender_id, recipient_id, subject, body, created)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (thread, sender, recipient, "" if turn else subject, text, moment),
            )
            thread = thread or cursor.lastrowid
            sender, recipient, moment = recipient, sender, later(moment, rng.randint(600, 200_000))
