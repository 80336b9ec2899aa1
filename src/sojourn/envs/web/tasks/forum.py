"""What the forum is asked, and which of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.addresses import Target
from sojourn.envs.web.checks.answers import NOT_AVAILABLE, day, number, text
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import below, cells, fact, follow, search, stop, text_after
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, answered, shown
from sojourn.envs.web.view import View

FORUM = ORIGINS["forum"]
ME = "(SELECT id FROM forum_user WHERE name = 'MarvelsGrantMan136')"
POINTS = "(s.ups - s.downs + coalesce((SELECT sum(v.value) FROM forum_vote v WHERE v.submission_id = s.id), 0))"
"""Points of a submission `s`."""
SEEN = f"s.user_id NOT IN (SELECT blocked_id FROM forum_block WHERE user_id = {ME})"
"""That a submission `s` is in the lists: its author is not blocked."""

question = partial(Outline, kind=Kind.INFORMATION, category=Category.REDDIT, sites=("forum",), accounts=("forum",))
navigation = partial(Outline, kind=Kind.NAVIGATION, category=Category.REDDIT, sites=("forum",), accounts=("forum",))
impossible = partial(
    Outline,
    kind=Kind.INFEASIBLE,
    category=Category.REDDIT,
    sites=("forum",),
    accounts=("forum",),
    goal=lambda v: answered(NOT_AVAILABLE),
)


def open_forum(view: View, name: str) -> Iterator[str]:
    """Open a forum from the list of forums."""
    yield view.click("link", "Forums")
    yield view.click("link", name, within=view.row(name))


def open_post(view: View, title: str) -> Iterator[str]:
    """Search for a submission and open it."""
    yield from search(view, title, "Search query")
    yield from follow(view, title)


# ------------------------------------------------------------------------------------------------------- questions


@question(
    name="forum-author",
    intents=(
        'Who submitted "{title}"? Answer with the user name.',
        'What is the name of the user who posted "{title}"?',
    ),
    sql=f"""SELECT s.id AS key, s.title, u.name FROM forum_submission s JOIN forum_user u ON u.id = s.user_id
        WHERE {SEEN}""",
    goal=lambda v: answered(text(v["name"])),
)
def author(view: View, v: Values) -> Iterator[str]:
    """Read it on the page of the submission."""
    yield from open_post(view, v["title"])
    yield stop(below(view, view.find("StaticText", "Submitted by"), "link"))


@question(
    name="forum-top",
    intents=(
        "What is the title of the submission with the most points in the forum {forum}?",
        "Which submission to {forum} has the most points of all time? Answer with its title.",
    ),
    sql=f"""WITH ranked AS (SELECT s.id, s.forum_id, s.title, {POINTS} AS points FROM forum_submission s WHERE {SEEN})
        SELECT f.name AS key, f.name AS forum, r.title FROM forum_forum f JOIN ranked r ON r.forum_id = f.id
        WHERE NOT EXISTS (SELECT 1 FROM ranked t WHERE t.forum_id = f.id AND t.id <> r.id AND t.points >= r.points)""",
    goal=lambda v: answered(text(v["title"])),
)
def top(view: View, v: Values) -> Iterator[str]:
    """Sort the forum by points."""
    yield from open_forum(view, v["forum"])
    yield view.click("link", "Top")
    yield stop(below(view, view.find("StaticText", "From: all"), "heading"))


@question(
    name="forum-points",
    intents=(
        'How many points does the submission "{title}" have? Answer with a number.',
        'Tell me the points of "{title}".',
    ),
    sql=f"SELECT s.id AS key, s.title, {POINTS} AS points FROM forum_submission s WHERE {SEEN}",
    goal=lambda v: answered(number(v["points"], "points", "point")),
)
def points(view: View, v: Values) -> Iterator[str]:
    """Read it on the page of the submission."""
    yield from open_post(view, v["title"])
    start = view.find("StaticText", "Submitted by")
    said = next(line.name for line in view.tree.lines[start:] if line.name.endswith((" point", " points")))
    yield stop(said.split()[0])


@question(
    name="forum-count-comments",
    intents=(
        'How many comments did {user} write on "{title}"? Answer with a number.',
        'Count the comments of {user} on the submission "{title}".',
    ),
    sql=f"""SELECT s.id || '-' || u.id AS key, s.title, u.name AS user, count(*) AS count FROM forum_comment c
        JOIN forum_user u ON u.id = c.user_id JOIN forum_submission s ON s.id = c.submission_id
        WHERE {SEEN} AND u.id <> s.user_id AND u.id NOT IN (SELECT blocked_id FROM forum_block WHERE user_id = {ME})
        GROUP BY s.id, u.id HAVING count(*) > 1 OR (s.id + u.id) % 12 = 0""",
    goal=lambda v: answered(number(v["count"], "comments", "comment")),
)
def count_comments(view: View, v: Values) -> Iterator[str]:
    """Count the headings of the user's comments."""
    yield from open_post(view, v["title"])
    start = view.find("heading", v["title"])
    headings = [line.name for line in view.tree.lines[start:] if line.node.role == "heading"]
    yield stop(str(sum(name.startswith(f"{v['user']} on ") for name in headings)))


@question(
    name="forum-registered",
    intents=(
        "When did the user {user} register? Answer with the date.",
        "Since which day has {user} been a member of the forum?",
    ),
    start="/f/{forum}/{post}",
    sql="""SELECT u.id AS key, u.name AS user, u.created, f.name AS forum, min(s.id) AS post FROM forum_user u
        JOIN forum_submission s ON s.user_id = u.id JOIN forum_forum f ON f.id = s.forum_id GROUP BY u.id""",
    goal=lambda v: answered(day(v["created"])),
)
def registered(view: View, v: Values) -> Iterator[str]:
    """Follow the link to the user."""
    yield view.click("link", v["user"])
    yield stop(fact(view, "Registered"))


@question(
    name="forum-subscribers",
    is_held_out=True,
    intents=(
        "How many subscribers does the forum {forum} have? Answer with a number.",
        "By how many people is {forum} subscribed to?",
    ),
    sql="""SELECT f.name AS key, f.name AS forum, count(*) AS count FROM forum_forum f
        JOIN forum_subscription s ON s.forum_id = f.id GROUP BY f.id""",
    goal=lambda v: answered(number(v["count"], "subscribers", "people")),
)
def subscribers(view: View, v: Values) -> Iterator[str]:
    """Read the list of forums."""
    yield view.click("link", "Forums")
    yield stop(cells(view, view.row(v["forum"]))[3])


@question(
    name="forum-message-from",
    intents=(
        "What is the subject of my conversation with {user}?",
        "I have exchanged messages with {user}: under which subject?",
    ),
    sql=f"""SELECT m.id AS key, u.name AS user, m.subject FROM forum_message m JOIN forum_user u
        ON u.id = CASE WHEN m.sender_id = {ME} THEN m.recipient_id ELSE m.sender_id END
        WHERE m.thread_id IS NULL AND {ME} IN (m.sender_id, m.recipient_id) GROUP BY u.id HAVING count(*) = 1""",
    goal=lambda v: answered(text(v["subject"])),
)
def message_from(view: View, v: Values) -> Iterator[str]:
    """Read the list of messages."""
    yield view.click("link", "Messages")
    yield stop(cells(view, view.row(v["user"]))[0])


# ------------------------------------------------------------------------------------------------------ navigation

_SORTS = table(("new", "New"), ("top", "Top"), ("comments", "Most commented"), columns=("sort", "label"))


@navigation(
    name="forum-open-forum",
    start="/forums",
    intents=("Open the forum {forum}.", "Take me to the forum {forum}."),
    sql="SELECT name AS key, name AS forum FROM forum_forum",
    goal=lambda v: shown(Target(url=f"{FORUM}/f/{v['forum']}", others=(f"{FORUM}/f/{v['forum']}/hot",))),
)
def show_forum(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", v["forum"])
    yield stop()


@navigation(
    name="forum-sort",
    start="/f/{forum}",
    intents=(
        "Show this forum, {forum}, sorted by: {label}.",
        "Sort the submissions to {forum}; I want the order {label}.",
    ),
    sql=f"""SELECT f.name || '-' || s.sort AS key, f.name AS forum, s.sort, s.label FROM forum_forum f
        JOIN {_SORTS} s""",
    goal=lambda v: shown(Target(url=f"{FORUM}/f/{v['forum']}/{v['sort']}", usual={"t": "all", "page": "1"})),
)
def sort_forum(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield view.click("link", v["label"])
    yield stop()


@navigation(
    name="forum-open-post",
    start="/f/{forum}",
    intents=('Open the submission "{title}" of this forum.', 'Show me "{title}" with its comments.'),
    sql=f"""SELECT s.id AS key, s.id, s.title, f.name AS forum FROM forum_submission s
        JOIN forum_forum f ON f.id = s.forum_id WHERE {SEEN}""",
    goal=lambda v: shown(Target(url=f"{FORUM}/f/{v['forum']}/{v['id']}", ignored=("sort",))),
)
def show_post(view: View, v: Values) -> Iterator[str]:
    """One click, or one more for the next page."""
    yield from follow(view, v["title"])
    yield stop()


@navigation(
    name="forum-user-comments",
    start="/f/{forum}/{id}",
    intents=(
        "Show me all comments of {user}, who submitted this.",
        "Open the list of comments by {user}, the author of this submission.",
    ),
    sql="""SELECT s.id AS key, s.id, f.name AS forum, u.name AS user FROM forum_submission s
        JOIN forum_forum f ON f.id = s.forum_id JOIN forum_user u ON u.id = s.user_id""",
    goal=lambda v: shown(Target(url=f"{FORUM}/user/{v['user']}/comments", usual={"page": "1"})),
)
def user_comments(view: View, v: Values) -> Iterator[str]:
    """Two clicks."""
    yield view.click("link", below(view, view.find("StaticText", "Submitted by"), "link"))
    yield view.click("link", "Comments")
    yield stop()


# ------------------------------------------------------------------------------------------------------ impossible


@impossible(
    name="forum-author-of-nothing",
    intents=author.intents,
    sql="""SELECT s.id AS key, 'The last word on ' || lower(substr(s.title, 1, 1)) || rtrim(substr(s.title, 2), '?')
        AS title FROM forum_submission s WHERE s.id % 4 = 0""",
)
def author_of_nothing(view: View, v: Values) -> Iterator[str]:
    """Search and find nothing of the title."""
    yield from search(view, v["title"], "Search query")
    text_after(view, "")
    yield stop("N/A")


@impossible(
    name="forum-message-from-nobody",
    intents=message_from.intents,
    sql=f"""SELECT u.id AS key, u.name AS user FROM forum_user u WHERE u.id <> {ME} AND u.id % 3 = 0
        AND u.id NOT IN (SELECT sender_id FROM forum_message)
        AND u.id NOT IN (SELECT recipient_id FROM forum_message)""",
)
def message_from_nobody(view: View, v: Values) -> Iterator[str]:
    """Look through the messages."""
    yield view.click("link", "Messages")
    yield stop("N/A")


TEMPLATES: tuple[Template, ...] = (
    author,
    show_forum,
    top,
    sort_forum,
    points,
    author_of_nothing,
    show_post,
    count_comments,
    user_comments,
    registered,
    message_from,
    message_from_nobody,
    subscribers,
)
