"""Tasks that need two of the applications."""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.envs.web.checks.answers import text
from sojourn.envs.web.checks.states import Added, EndState
from sojourn.envs.web.webapps.hosts import DEVELOPER, FORUM_HOST, MEMBER, SHOP_HOST, TRACKER_HOST
from sojourn.envs.web.webapps.tasks.forum import comment_posted, open_topic
from sojourn.envs.web.webapps.tasks.shop import DB, open_product, product
from sojourn.envs.web.webapps.tasks.task import AppTask, Data, Look, goto, stop

SHOP, FORUM, TRACKER = (f"http://{host}/" for host in (SHOP_HOST, FORUM_HOST, TRACKER_HOST))


def across_tasks(data: Data) -> list[AppTask]:
    """All of them."""
    return [_price_in_topic(data), _ticket_from_topic(data), _forum_name(data)]


def _price_in_topic(data: Data) -> AppTask:
    _, title, _, price, *_ = product(data, "Dunmoor Dome Tent")
    member = data.only(DB, "SELECT id FROM auth_user WHERE username = ?", MEMBER.user)
    topic, subject = data.rows(DB, "SELECT id, title FROM spirit_topic_topic ORDER BY id")[62]
    said = f"It costs ${price:.2f}."

    def solve(look: Look) -> Iterator[str]:
        yield from open_product(look, title)
        cost = look.text_after("Price (incl. tax)")
        yield from open_topic(look, subject)
        yield look.type("Write comment...", f"It costs {cost}.")
        yield look.click("button", "Publish")
        yield stop()

    goal = (
        f'Look up in the shop ({SHOP}) what the {title} costs, and reply to the forum topic "{subject}" ({FORUM}) '
        'with "It costs $X." where X is the price.'
    )
    return AppTask(
        name="across-price",
        category="across",
        goal=goal,
        start=SHOP,
        solve=solve,
        end=comment_posted(member, topic, said),
    )


def _ticket_from_topic(data: Data) -> AppTask:
    topic, subject, author = data.rows(
        DB,
        "SELECT t.id, t.title, u.username FROM spirit_topic_topic t JOIN auth_user u ON u.id = t.user_id ORDER BY t.id",
    )[80]

    def solve(look: Look) -> Iterator[str]:
        yield from open_topic(look, subject)
        name = look.text_after(subject, place=2, after="Main")
        yield goto(f"{TRACKER}newticket")
        yield look.type("Summary:", subject)
        yield look.type("Description:*", f"Asked on the forum by {name}.")
        yield look.select("Milestone:", "1.0")
        yield look.select("Version:", "0.9")
        yield look.click("button", "Create ticket")
        yield stop()

    values = {"summary": subject, "description": f"Asked on the forum by {author}.", "reporter": DEVELOPER.user}
    values |= {"milestone": "1.0", "version": "0.9"}
    goal = (
        f'Find out who started the forum topic "{subject}" ({FORUM}), then file a ticket on the tracker ({TRACKER}) '
        'with the topic\'s title as its summary and the description "Asked on the forum by NAME." with that user name, '
        "for milestone 1.0 and version 0.9."
    )
    return AppTask(
        name=f"across-ticket-{topic}",
        category="across",
        goal=goal,
        start=FORUM,
        solve=solve,
        end=EndState(expected=(Added(table="ticket", values=values),)),
    )


def _forum_name(data: Data) -> AppTask:
    owner, first, last = data.only(DB, "SELECT username, first_name, last_name FROM auth_user WHERE username = 'otisf'")

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "OnCall")
        look.find("cell", owner)
        yield goto(f"{FORUM}search/?q=oil")
        yield stop(f"{first} {last}")

    goal = (
        f"By the tracker's wiki ({TRACKER}wiki/OnCall), who is on call in week 22? "
        f"Answer with the full name that this person has on the forum ({FORUM})."
    )
    return AppTask(
        name="across-name", category="across", goal=goal, start=TRACKER, solve=solve, answer=text(f"{first} {last}")
    )
