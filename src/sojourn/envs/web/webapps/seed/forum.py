"""The forum's rows: categories, topics, comments and likes, through Spirit's own models."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.apps import apps

from sojourn.envs.web.webapps.episode import WORLD_START
from sojourn.envs.web.webapps.seed.goods import CATEGORIES
from sojourn.envs.web.webapps.seed.people import PEOPLE

SECTIONS = {
    "Buying advice": "What to choose, and from whom",
    "Repairs": "Things that broke, and how they were mended",
    "Recipes": "For the pan you just bought",
    "Trips": "Where we went with tent and pack",
    "Workshop": "Tools, benches and how to use them",
    "Announcements": "News from Harbour Goods",
}
QUESTIONS = (
    "Which {} would you buy again?",
    "How do you clean a {}?",
    "My {} squeaks, what now?",
    "Is a used {} worth it?",
    "Show your {}",
    "How long does a {} last?",
)
REMARKS = (
    "I have had mine for {n} years and it still works.",
    "Try it with a little oil first, then wait {n} minutes.",
    "Ask the maker: mine was replaced after {n} days.",
    "No. I sold mine after {n} weeks.",
    "A friend has {n} of them, so they cannot be that bad.",
    "The one from Dunmoor is {n} dollars cheaper and just as good.",
)
NUM_TOPICS = 90
_PRIVATE, _PRIVATE_PK = "Private", 1


def _model(app: str, name: str) -> Any:
    return apps.get_model(app, name)


def seed_forum(rng: random.Random) -> None:
    """Fill the forum of the running episode; the accounts are the shop's."""
    category = _model("spirit_category", "Category").objects
    private = category.create(title=_PRIVATE, is_private=True)
    assert private.pk == _PRIVATE_PK, "Spirit keeps private topics in its first category"
    sections = [
        category.create(title=title, description=text, reindex_at=WORLD_START) for title, text in SECTIONS.items()
    ]
    users = {user.username: user for user in _model("auth", "User").objects.all()}
    _model("spirit_user", "UserProfile").objects.update(is_verified=True, last_seen=WORLD_START)
    authors = [users[person.login] for person in PEOPLE]
    kinds = [kind for names in CATEGORIES.values() for kinds in names.values() for kind in kinds]
    titles = [question.format(kind.lower()) for kind in kinds for question in QUESTIONS]
    for place, title in enumerate(rng.sample(titles, NUM_TOPICS)):
        started = WORLD_START - timedelta(hours=20 * (NUM_TOPICS - place))
        _topic(rng, title, rng.choice(sections), authors, started)
    for user in _model("auth", "User").objects.all():
        _model("spirit_user", "UserProfile").objects.filter(user=user).update(
            topic_count=user.st_topics.count(), comment_count=user.st_comments.count()
        )


def _topic(rng: random.Random, title: str, section: Any, authors: Sequence[Any], started: Any) -> None:
    speakers = [rng.choice(authors) for _ in range(rng.randint(1, 9))]
    last = started + timedelta(hours=2 * (len(speakers) - 1))
    topic = _model("spirit_topic", "Topic").objects.create(
        user=speakers[0],
        category=section,
        title=title,
        date=started,
        last_active=last,
        reindex_at=started,
        view_count=rng.randint(3, 400),
        comment_count=len(speakers),
    )
    for place, speaker in enumerate(speakers):
        text = rng.choice(REMARKS).format(n=rng.randint(2, 30))
        text = f"{title} I would like to know before the weekend." if place == 0 else text
        comment = _model("spirit_comment", "Comment").objects.create(
            user=speaker,
            topic=topic,
            comment=text,
            comment_html=f"<p>{text}</p>",
            date=started + timedelta(hours=2 * place),
        )
        fans = [author for author in rng.sample(list(authors[1:]), rng.choice((0, 0, 0, 1, 2, 4))) if author != speaker]
        for fan in fans:
            _model("spirit_comment_like", "CommentLike").objects.create(user=fan, comment=comment, date=comment.date)
        _model("spirit_comment", "Comment").objects.filter(pk=comment.pk).update(likes_count=len(fans))
