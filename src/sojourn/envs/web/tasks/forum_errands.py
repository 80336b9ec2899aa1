"""What is to be changed on the forum."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.states import Added, Removed, Updated
from sojourn.envs.web.sites.hosts import NOW
from sojourn.envs.web.tasks.forum import ME, SEEN, open_forum, open_post
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import stop
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, changed
from sojourn.envs.web.view import View

errand = partial(Outline, kind=Kind.MUTATION, category=Category.REDDIT, sites=("forum",), accounts=("forum",))


def submission(forum_id: int, title: str, body: str) -> Added:
    """A text that the user of the forum has submitted."""
    values = {"forum_id": forum_id, "user_id": 1, "title": title, "url": "", "body": body, "created": NOW}
    return Added(table="forum_submission", values={**values, "edited": None, "ups": 1, "downs": 0})


def message(recipient_id: int, subject: str, body: str) -> Added:
    """A message that the user of the forum has sent, as the first of its thread."""
    values = {"thread_id": None, "sender_id": 1, "recipient_id": recipient_id, "subject": subject}
    return Added(table="forum_message", values={**values, "body": body, "created": NOW})


def write_to(view: View, user: str, subject: str, body: str) -> Iterator[str]:
    """From the page of a user, send a message."""
    yield view.click("link", "Send message")
    yield view.type("textbox", "Subject", subject)
    yield view.type("textbox", "Message", body)
    yield view.click("button", "Send message")


@errand(
    name="forum-subscribe",
    start="/f/{forum}",
    intents=("Subscribe to this forum, {forum}.", "I want to subscribe to {forum}."),
    sql=f"""SELECT name AS key, id, name AS forum FROM forum_forum
        WHERE id NOT IN (SELECT forum_id FROM forum_subscription WHERE user_id = {ME})""",
    goal=lambda v: changed(Added(table="forum_subscription", values={"forum_id": v["id"], "user_id": 1})),
)
def subscribe(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("button", "Subscribe")
    yield stop()


@errand(
    name="forum-unsubscribe",
    intents=("End my subscription to {forum}.", "Unsubscribe me from the forum {forum}."),
    sql=f"""SELECT f.name AS key, f.id, f.name AS forum FROM forum_forum f
        JOIN forum_subscription s ON s.forum_id = f.id AND s.user_id = {ME}""",
    goal=lambda v: changed(Removed(table="forum_subscription", where={"forum_id": v["id"], "user_id": 1})),
)
def unsubscribe(view: View, v: Values) -> Iterator[str]:
    """Open the forum and click."""
    yield from open_forum(view, v["forum"])
    yield view.click("button", "Unsubscribe")
    yield stop()


@errand(
    name="forum-vote",
    start="/f/{forum}/{id}",
    intents=('{word} this submission, "{title}".', 'I want to {lower} "{title}".'),
    sql=f"""SELECT s.id || '-' || w.value AS key, s.id, s.title, f.name AS forum, w.word, lower(w.word) AS lower,
        w.value
        FROM forum_submission s JOIN forum_forum f ON f.id = s.forum_id
        JOIN {table(("Upvote", 1), ("Downvote", -1), columns=("word", "value"))} w ON w.n = s.id % 2
        WHERE {SEEN} AND s.user_id <> {ME}
        AND s.id NOT IN (SELECT submission_id FROM forum_vote WHERE user_id = {ME})""",
    goal=lambda v: changed(
        Added(table="forum_vote", values={"submission_id": v["id"], "user_id": 1, "value": v["value"]})
    ),
)
def vote(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("button", v["word"])
    yield stop()


_COMMENTS = table(
    "I have wondered about this for years.",
    "Thank you, this helped a lot.",
    "Do you have a picture of it?",
    "Try it the other way about.",
    "My neighbor says the same.",
)


@errand(
    name="forum-comment",
    intents=('Comment on the submission "{title}": "{body}"', 'Write the comment "{body}" under "{title}".'),
    sql=f"""SELECT s.id AS key, s.id, s.title, c.text AS body FROM forum_submission s
        JOIN {_COMMENTS} c ON c.n = s.id % 5 WHERE {SEEN}""",
    goal=lambda v: changed(
        Added(
            table="forum_comment",
            values={
                "submission_id": v["id"],
                "parent_id": None,
                "user_id": 1,
                "body": v["body"],
                "created": NOW,
                "edited": None,
                "ups": 1,
                "downs": 0,
            },
        )
    ),
)
def comment(view: View, v: Values) -> Iterator[str]:
    """Fill the form below the comments."""
    yield from open_post(view, v["title"])
    yield view.type("textbox", "Comment", v["body"])
    yield view.click("button", "Post comment")
    yield stop()


_POSTS = table(
    ("Where do you start?", "I am new to this and would like to know how others began."),
    ("What would you do differently?", "Looking back, what was your worst mistake?"),
    ("Show me your best find", "Mine came from a flea market."),
    ("A small confession", "I have never finished what I started here."),
    ("Looking for company", "Is anybody from the coast around?"),
    ("How much time a week?", "I get to about two hours."),
    columns=("title", "body"),
)


@errand(
    name="forum-submit",
    intents=(
        'Submit a text to the forum {forum}: title "{title}", body "{body}"',
        'Post "{body}" in the forum {forum} under the title "{title}".',
    ),
    sql=f"""SELECT f.name || '-' || p.n AS key, f.id, f.name AS forum, p.title, p.body FROM forum_forum f
        JOIN {_POSTS} p""",
    goal=lambda v: changed(submission(v["id"], v["title"], v["body"])),
)
def submit(view: View, v: Values) -> Iterator[str]:
    """Fill the form."""
    yield view.click("link", "Submit")
    yield view.type("textbox", "Title", v["title"])
    yield view.type("textbox", "Body (for a text)", v["body"])
    yield view.select("Forum", v["forum"])
    yield view.click("button", "Create submission")
    yield stop()


_LETTERS = table(
    ("Your question", "I may have an answer, write me back."),
    ("Thank you", "Your tip saved my weekend."),
    ("Meeting", "Are you free on Saturday?"),
    ("Book", "I still have your book."),
    columns=("subject", "body"),
)


@errand(
    name="forum-message",
    start="/f/{forum}/{post}",
    intents=(
        'Send {user} a message with the subject "{subject}" and the text "{body}"',
        'Write to {user}: "{body}" The subject of the message is "{subject}".',
    ),
    sql=f"""SELECT u.id AS key, u.id, u.name AS user, f.name AS forum, min(s.id) AS post, l.subject, l.body
        FROM forum_user u JOIN forum_submission s ON s.user_id = u.id JOIN forum_forum f ON f.id = s.forum_id
        JOIN {_LETTERS} l ON l.n = u.id % 4 WHERE u.id <> {ME} AND {SEEN} GROUP BY u.id""",
    goal=lambda v: changed(message(v["id"], v["subject"], v["body"])),
)
def send(view: View, v: Values) -> Iterator[str]:
    """Go to the user, write."""
    yield view.click("link", v["user"])
    yield from write_to(view, v["user"], v["subject"], v["body"])
    yield stop()


@errand(
    name="forum-biography",
    intents=('Change my biography to "{text}"', 'My biography should say "{text}" and nothing else.'),
    sql=f"""SELECT a.n || '-' || b.n AS key, a.text || ' ' || b.text AS text
        FROM {table("Gardener.", "Night owl.", "Retired teacher.", "Owner of three bicycles.", "Amateur baker.")} a
        JOIN {table("Born on the coast.", "Reads everything.", "Likes short answers.", "Rarely here.")} b""",
    goal=lambda v: changed(Updated(table="forum_user", where={"id": 1}, values={"bio": v["text"]})),
)
def biography(view: View, v: Values) -> Iterator[str]:
    """Fill the form behind one's own page."""
    yield view.click("link", "MarvelsGrantMan136")
    yield view.click("link", "Edit biography")
    yield view.type("textbox", "Biography", v["text"])
    yield view.click("button", "Save biography")
    yield stop()


@errand(
    name="forum-create",
    intents=(
        'Create a forum named "{name}" with the title "{title}" and the description "{about}". Leave the rest empty.',
    ),
    sql=f"""SELECT a.n || '-' || b.n AS key, a.text || b.text AS name, a.text || ' ' || lower(b.text) AS title,
        'All about ' || lower(a.text) || ' ' || lower(b.text) AS about
        FROM {table("Winter", "Wooden", "Paper", "River", "Kitchen", "Pocket")} a
        JOIN {table("Boats", "Gardens", "Puzzles", "Stories")} b""",
    goal=lambda v: changed(
        Added(
            table="forum_forum",
            values={
                "name": v["name"],
                "title": v["title"],
                "description": v["about"],
                "sidebar": "",
                "owner_id": 1,
                "created": NOW,
            },
        )
    ),
)
def create(view: View, v: Values) -> Iterator[str]:
    """Fill the form."""
    yield view.click("link", "Create forum")
    yield view.type("textbox", "Name", v["name"])
    yield view.type("textbox", "Title", v["title"])
    yield view.type("textbox", "Description", v["about"])
    yield view.click("button", "Create forum")
    yield stop()


@errand(
    name="forum-block",
    is_held_out=True,
    start="/f/{forum}/{post}",
    intents=("Block the user {user}.", "I do not want to read anything by {user} any more: block that user."),
    sql=f"""SELECT u.id AS key, u.id, u.name AS user, f.name AS forum, min(s.id) AS post FROM forum_user u
        JOIN forum_submission s ON s.user_id = u.id JOIN forum_forum f ON f.id = s.forum_id
        WHERE u.id <> {ME} AND {SEEN} GROUP BY u.id""",
    goal=lambda v: changed(Added(table="forum_block", values={"user_id": 1, "blocked_id": v["id"]})),
)
def block(view: View, v: Values) -> Iterator[str]:
    """Go to the user, click."""
    yield view.click("link", v["user"])
    yield view.click("button", "Block user")
    yield stop()


TEMPLATES: tuple[Template, ...] = (
    vote,
    submit,
    comment,
    send,
    subscribe,
    biography,
    create,
    unsubscribe,
    block,
)
