"""Tasks of a member of the forum (Spirit)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sojourn.envs.web.checks.answers import NOT_AVAILABLE, RightAnswer, number, text
from sojourn.envs.web.checks.diff import ALL
from sojourn.envs.web.checks.states import Added, EndState, Updated
from sojourn.envs.web.webapps.hosts import FORUM_HOST, MEMBER
from sojourn.envs.web.webapps.tasks.task import UNCHANGED, AppTask, Data, Look, Script, goto, stop

HOME = f"http://{FORUM_HOST}/"
DB = "django"
_PROFILE = "spirit_user_userprofile"
_POSTED = ("last_post_hash", "last_post_on", "comment_count", "topic_count")


def open_topic(look: Look, title: str) -> Iterator[str]:
    """Search for a topic and open it."""
    yield goto(f"{HOME}search/")
    yield look.type("", title.rstrip("?"), role="searchbox", enter=True)
    yield look.click("link", title)


def comment_posted(member: int, topic: int, comment: str, **more: Any) -> EndState:
    """One comment more in a topic, with what Spirit counts."""
    row = Added(
        table="spirit_comment_comment", values={"user_id": member, "topic_id": topic, "comment": comment, **more}
    )
    return EndState(
        expected=(row,),
        allowed={
            "spirit_topic_topic": ("comment_count", "last_active"),
            "spirit_topic_notification_topicnotification": (ALL,),
            "spirit_topic_unread_topicunread": (ALL,),
            _PROFILE: _POSTED,
        },
    )


def forum_tasks(data: Data) -> list[AppTask]:
    """All of them."""
    member = data.only(DB, "SELECT id FROM auth_user WHERE username = ?", MEMBER.user)
    topics = data.rows(DB, "SELECT id, title, comment_count FROM spirit_topic_topic ORDER BY id")
    return [
        *(_num_comments(*topics[place]) for place in (3, 40)),
        *(_author(data, *topics[place][:2]) for place in (11, 58)),
        _most_liked(data),
        _section(data, *topics[25][:2]),
        _impossible(),
        *(_reply(member, *row) for row in ((*topics[17][:2], "Mine is eight years old."), (*topics[71][:2], "Soap."))),
        _publish(data, member),
        *(_like(data, member, topic) for topic in (topics[8], topics[33])),
        _move_to(member),
        _private(data, member),
        _edit(data, member),
    ]


def _task(
    name: str, goal: str, solve: Script, *, answer: RightAnswer | None = None, end: EndState = UNCHANGED
) -> AppTask:
    return AppTask(name=f"forum-{name}", category="forum", goal=goal, start=HOME, solve=solve, answer=answer, end=end)


# -------------------------------------------------------------------------------------------------------- questions


def _num_comments(topic: int, title: str, count: int) -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, title)
        yield stop(str(look.count("link", "share")))

    goal = f'How many comments does the topic "{title}" have, the first one included?'
    return _task(f"comments-{topic}", goal, solve, answer=number(count, "comments", "comment"))


def _author(data: Data, topic: int, title: str) -> AppTask:
    name = data.only(
        DB, "SELECT u.username FROM auth_user u JOIN spirit_topic_topic t ON t.user_id = u.id WHERE t.id = ?", topic
    )

    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, title)
        yield stop(look.text_after(title, place=2, after="Main"))

    goal = f'Who started the topic "{title}"? Answer with the user name.'
    return _task(f"author-{topic}", goal, solve, answer=text(name))


def _most_liked(data: Data) -> AppTask:
    topic, title, name = data.rows(
        DB,
        "SELECT t.id, t.title, u.username FROM spirit_topic_topic t JOIN spirit_comment_comment c ON c.topic_id = t.id "
        "JOIN auth_user u ON u.id = c.user_id WHERE c.likes_count = 4 AND t.comment_count > 4 AND "
        "(SELECT count(*) FROM spirit_comment_comment d WHERE d.topic_id = t.id AND d.likes_count = 4) = 1 "
        "ORDER BY t.id",
    )[3]

    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, title)
        yield stop(name)

    goal = f'Whose comment in the topic "{title}" has the most likes? Answer with the user name.'
    return _task(f"liked-{topic}", goal, solve, answer=text(name))


def _section(data: Data, topic: int, title: str) -> AppTask:
    name = data.only(
        DB,
        "SELECT c.title FROM spirit_category_category c JOIN spirit_topic_topic t ON t.category_id = c.id "
        "WHERE t.id = ?",
        topic,
    )

    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, title)
        yield stop(look.text_after("Main"))

    return _task(f"section-{topic}", f'In which category is the topic "{title}"?', solve, answer=text(name))


def _impossible() -> AppTask:
    title = "Which kayak would you buy again?"

    def solve(look: Look) -> Iterator[str]:
        yield goto(f"{HOME}search/")
        yield look.type("", title.rstrip("?"), role="searchbox", enter=True)
        yield stop("N/A")

    goal = f'Who started the topic "{title}"? Answer with the user name, or N/A if there is no such topic.'
    return _task("author-none", goal, solve, answer=NOT_AVAILABLE)


# ---------------------------------------------------------------------------------------------------------- changes


def _reply(member: int, topic: int, title: str, comment: str) -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, title)
        yield look.type("Write comment...", comment)
        yield look.click("button", "Publish")
        yield stop()

    goal = f'Reply to the topic "{title}" with: {comment}'
    return _task(f"reply-{topic}", goal, solve, end=comment_posted(member, topic, comment))


def _publish(data: Data, member: int) -> AppTask:
    section, title, comment = (
        "Repairs",
        "Handle of my day pack came off",
        "Can I sew it on again, and with what thread?",
    )
    category = data.only(DB, "SELECT id FROM spirit_category_category WHERE title = ?", section)

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Create Topic")
        yield look.type("Title:", title)
        yield look.select("Category:", section)
        yield look.type("Comment:", comment)
        yield look.click("button", "Publish")
        yield stop()

    end = EndState(
        expected=(
            Added(table="spirit_topic_topic", values={"title": title, "category_id": category, "user_id": member}),
            Added(table="spirit_comment_comment", values={"comment": comment, "user_id": member}),
        ),
        allowed={"spirit_topic_notification_topicnotification": (ALL,), _PROFILE: _POSTED},
    )
    goal = f'Start a topic in the category {section} with the title "{title}" and the text "{comment}"'
    return _task("publish", goal, solve, end=end)


def _like(data: Data, member: int, topic: tuple[Any, ...]) -> AppTask:
    number_, title, _ = topic
    comment, author, likes = data.rows(
        DB,
        "SELECT c.id, u.username, c.likes_count FROM spirit_comment_comment c JOIN auth_user u ON u.id = c.user_id "
        "WHERE c.topic_id = ? ORDER BY c.date",
        number_,
    )[0]

    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, title)
        yield look.click("link", "like (*")
        yield look.click("button", "Like")
        yield stop()

    end = EndState(
        expected=(
            Added(table="spirit_comment_like_commentlike", values={"comment_id": comment, "user_id": member}),
            Updated(table="spirit_comment_comment", where={"id": comment}, values={"likes_count": likes + 1}),
        )
    )
    goal = f'Like the first comment in the topic "{title}", the one by {author}.'
    return _task(f"like-{number_}", goal, solve, end=end)


def _move_to(member: int) -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield goto(f"{HOME}user/")
        yield look.type("Location:", "Norhaven")
        yield look.click("button", "Save")
        yield stop()

    changed = Updated(table=_PROFILE, where={"user_id": member}, values={"location": "Norhaven"})
    return _task(
        "location", "Set the location in my forum profile to Norhaven.", solve, end=EndState(expected=(changed,))
    )


def _private(data: Data, member: int) -> AppTask:
    friend, title, comment = "otisf", "Saturday", "Shall we take the dome tent?"
    friend_id = data.only(DB, "SELECT id FROM auth_user WHERE username = ?", friend)

    def solve(look: Look) -> Iterator[str]:
        yield goto(f"{HOME}topic/private/publish/")
        yield look.type("Title:", title)
        yield look.type("Invite users:", friend)
        yield look.type("Comment:", comment)
        yield look.click("button", "Publish")
        yield stop()

    end = EndState(
        expected=(
            Added(table="spirit_topic_topic", values={"title": title, "category_id": 1, "user_id": member}),
            Added(table="spirit_comment_comment", values={"comment": comment, "user_id": member}),
            Added(table="spirit_topic_private_topicprivate", values={"user_id": member}),
            Added(table="spirit_topic_private_topicprivate", values={"user_id": friend_id}),
        ),
        allowed={"spirit_topic_notification_topicnotification": (ALL,), _PROFILE: _POSTED},
    )
    goal = f'Write a private message to {friend} with the title "{title}" and the text "{comment}"'
    return _task("private", goal, solve, end=end)


def _edit(data: Data, member: int) -> AppTask:
    comment, topic, title = data.rows(
        DB,
        "SELECT c.id, t.id, t.title FROM spirit_comment_comment c JOIN spirit_topic_topic t ON t.id = c.topic_id "
        "WHERE c.user_id = ? AND t.user_id != ? AND (SELECT count(*) FROM spirit_comment_comment d "
        "WHERE d.topic_id = t.id AND d.user_id = ?) = 1 ORDER BY c.id",
        member,
        member,
        member,
    )[2]
    wording = "Sorry, I mixed it up with another one."

    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, title)
        yield look.click("link", "edit")
        yield look.type("Comment:", wording)
        yield look.click("button", "Publish")
        yield stop()

    end = EndState(
        expected=(
            Updated(
                table="spirit_comment_comment",
                where={"id": comment},
                values={"comment": wording, "modified_count": 1},
                also=("comment_html", "is_modified"),
            ),
        ),
        allowed={"spirit_comment_history_commenthistory": (ALL,), _PROFILE: _POSTED},
    )
    return _task(
        f"edit-{topic}", f'Replace the text of my comment in the topic "{title}" by: {wording}', solve, end=end
    )
