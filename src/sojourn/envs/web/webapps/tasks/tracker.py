"""Tasks of a developer on the tracker (Trac): tickets, milestones and wiki."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sojourn.envs.web.checks.answers import NOT_AVAILABLE, RightAnswer, number, text
from sojourn.envs.web.checks.diff import ALL
from sojourn.envs.web.checks.states import Added, EndState, Updated
from sojourn.envs.web.webapps.hosts import DEVELOPER, TRACKER_HOST
from sojourn.envs.web.webapps.tasks.task import UNCHANGED, AppTask, Data, Look, Script, goto, stop

HOME = f"http://{TRACKER_HOST}/"
DB = "trac"
_ME = DEVELOPER.user


def tracker_tasks(data: Data) -> list[AppTask]:
    """All of them."""
    return [
        *(_owner(data, place) for place in (4, 31)),
        *(_num_open(data, component) for component in ("Invoices", "Tide tables")),
        _due(),
        _wiki_answer("codename", "Which codename does version 0.8 have?", "Releases", "Buoy"),
        _wiki_answer("phone", "What is the phone number of who is on call in week 24?", "OnCall", "555-0163"),
        _impossible(),
        _reporter(data),
        _new_ticket(),
        *(_comment(data, place, said) for place, said in ((9, "Seen again on Monday."), (44, "Could be the cache."))),
        _reprioritise(data),
        _close(data, "wontfix"),
        _accept(data),
        _retarget(data),
        _new_page(),
        _edit_page(data),
        _new_milestone(),
    ]


def _task(
    name: str, goal: str, solve: Script, *, answer: RightAnswer | None = None, end: EndState = UNCHANGED
) -> AppTask:
    return AppTask(
        name=f"tracker-{name}", category="tracker", goal=goal, start=HOME, solve=solve, answer=answer, end=end
    )


def _open_ticket(look: Look, number_: int) -> Iterator[str]:
    yield look.type("Search:", f"#{number_}", enter=True)


# -------------------------------------------------------------------------------------------------------- questions


def _tickets(data: Data, condition: str = "1") -> list[tuple[Any, ...]]:
    return data.rows(DB, f"SELECT id, summary, owner, priority, milestone FROM ticket WHERE {condition} ORDER BY id")


def _owner(data: Data, place: int) -> AppTask:
    number_, summary, owner, *_ = _tickets(data)[place]

    def solve(look: Look) -> Iterator[str]:
        yield look.type("Search:", summary, enter=True)
        yield look.click("link", f"#{number_}: *")
        yield stop(look.text_after("Owned by:"))

    goal = f'Who owns the ticket "{summary}"? Answer with the user name.'
    return _task(f"owner-{number_}", goal, solve, answer=text(owner))


def _num_open(data: Data, component: str) -> AppTask:
    rows = data.rows(DB, "SELECT id FROM ticket WHERE component = ? AND status != 'closed'", component)

    def solve(look: Look) -> Iterator[str]:
        name = component.replace(" ", "+")
        yield goto(f"{HOME}query?status=!closed&component={name}&max=100")
        yield stop(str(sum(look.count("link", f"#{row[0]}") for row in rows)))

    goal = f"How many tickets of the component {component} are not closed?"
    return _task(f"open-{component.split()[0].lower()}", goal, solve, answer=number(len(rows), "tickets", "ticket"))


def _due() -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Roadmap")
        yield look.click("link", "Milestone: 1.0")
        yield stop(look.text_after("Due in", place=2).strip("()")[:10])

    goal = "When is milestone 1.0 due? Answer as YYYY-MM-DD."
    return _task("due", goal, solve, answer=text("2025-07-02"))


def _wiki_answer(name: str, goal: str, page: str, value: str) -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", page)
        look.find("cell", value)
        yield stop(value)

    return _task(name, f"By the wiki: {goal}", solve, answer=text(value))


def _impossible() -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Releases")
        yield stop("N/A")

    goal = "Which codename does version 2.0 have, by the wiki? Answer N/A if it doesn't say."
    return _task("codename-none", goal, solve, answer=NOT_AVAILABLE)


def _reporter(data: Data) -> AppTask:
    number_, reporter = data.rows(DB, "SELECT id, reporter FROM ticket ORDER BY id")[57]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_ticket(look, number_)
        yield stop(look.text_after("Reported by:"))

    return _task(f"reporter-{number_}", f"Who reported ticket #{number_}?", solve, answer=text(reporter))


# ---------------------------------------------------------------------------------------------------------- tickets


def _new_ticket() -> AppTask:
    summary, description = "Berth plan prints without a legend", "The colours mean nothing on paper."

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "New Ticket")
        yield look.type("Summary:", summary)
        yield look.type("Description:*", description)
        yield look.select("Priority:", "minor")
        yield look.select("Component:", "Reports")
        yield look.select("Milestone:", "1.1")
        yield look.select("Version:", "0.9")
        yield look.click("button", "Create ticket")
        yield stop()

    row = {
        "summary": summary,
        "description": description,
        "type": "defect",
        "priority": "minor",
        "component": "Reports",
        "milestone": "1.1",
        "version": "0.9",
        "reporter": _ME,
        "status": "new",
        "owner": "farahn",
    }
    end = EndState(expected=(Added(table="ticket", values=row),), allowed={"notify_subscription": (ALL,)})
    goal = (
        f'File a defect with the summary "{summary}" and the description "{description}" for the component Reports, '
        "milestone 1.1 and version 0.9, with priority minor."
    )
    return _task("new", goal, solve, end=end)


def _changed(number_: int, changes: dict[str, tuple[str, str]], comment: str = "") -> EndState:
    """A ticket with other values, each recorded in its history together with a comment."""
    history = [
        Added(
            table="ticket_change",
            values={"ticket": number_, "author": _ME, "field": field, "oldvalue": old, "newvalue": new},
        )
        for field, (old, new) in changes.items()
    ]
    said = Added(table="ticket_change", values={"ticket": number_, "field": "comment", "newvalue": comment})
    row = Updated(
        table="ticket",
        where={"id": number_},
        values={field: new for field, (_, new) in changes.items()},
        also=("changetime",),
    )
    return EndState(expected=(row, said, *history))


def _comment(data: Data, place: int, comment: str) -> AppTask:
    number_, *_ = _tickets(data)[place]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_ticket(look, number_)
        yield look.type("You may use WikiFormatting here.", comment, after="Add Comment")
        yield look.click("button", "Submit changes")
        yield stop()

    goal = f'Comment on ticket #{number_} with: "{comment}"'
    return _task(f"comment-{number_}", goal, solve, end=_changed(number_, {}, comment))


def _reprioritise(data: Data) -> AppTask:
    number_, *_ = _tickets(data, "status != 'closed' AND priority = 'trivial'")[2]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_ticket(look, number_)
        yield look.select("Priority:", "critical")
        yield look.click("button", "Submit changes")
        yield stop()

    end = _changed(number_, {"priority": ("trivial", "critical")})
    return _task(f"priority-{number_}", f"Raise the priority of ticket #{number_} to critical.", solve, end=end)


def _close(data: Data, resolution: str) -> AppTask:
    number_, *_ = _tickets(data, "status = 'new'")[3]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_ticket(look, number_)
        yield look.click("radio", "resolve")
        yield look.select("", resolution, after="resolve")
        yield look.click("button", "Submit changes")
        yield stop()

    end = _changed(number_, {"status": ("new", "closed"), "resolution": ("", resolution)})
    return _task(f"close-{number_}", f"Close ticket #{number_} as {resolution}.", solve, end=end)


def _accept(data: Data) -> AppTask:
    number_, summary, owner, *_ = _tickets(data, "status = 'new'")[6]

    def solve(look: Look) -> Iterator[str]:
        yield look.type("Search:", summary, enter=True)
        yield look.click("link", f"#{number_}: *")
        yield look.click("radio", "accept")
        yield look.click("button", "Submit changes")
        yield stop()

    end = _changed(number_, {"status": ("new", "accepted"), "owner": (owner, _ME)})
    return _task(f"accept-{number_}", f'I will do the ticket "{summary}": accept it.', solve, end=end)


def _retarget(data: Data) -> AppTask:
    number_, *_ = _tickets(data, "status != 'closed' AND milestone = '1.0'")[1]

    def solve(look: Look) -> Iterator[str]:
        yield from _open_ticket(look, number_)
        yield look.select("Milestone:", "1.1")
        yield look.type("You may use WikiFormatting here.", "Too late for 1.0.", after="Add Comment")
        yield look.click("button", "Submit changes")
        yield stop()

    end = _changed(number_, {"milestone": ("1.0", "1.1")}, "Too late for 1.0.")
    goal = f'Move ticket #{number_} from milestone 1.0 to 1.1 and comment "Too late for 1.0."'
    return _task(f"retarget-{number_}", goal, solve, end=end)


# ------------------------------------------------------------------------------------------------- wiki, milestones


def _new_page() -> AppTask:
    name, content = "Moorings", "Ring bolts are checked every spring."

    def solve(look: Look) -> Iterator[str]:
        yield goto(f"{HOME}wiki/{name}")
        yield look.click("button", "Create this page")
        yield look.type("", content, after="Edit side-by-side")
        yield look.click("button", "Submit changes")
        yield stop()

    page = Added(table="wiki", values={"name": name, "version": 1, "text": content, "author": _ME})
    goal = f'Create the wiki page {name} with the text "{content}"'
    return _task("wiki-new", goal, solve, end=EndState(expected=(page,)))


def _edit_page(data: Data) -> AppTask:
    name = "Coding"
    old = data.only(DB, "SELECT text FROM wiki WHERE name = ?", name)
    content = old.replace("96", "100").strip()

    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", name)
        yield look.click("button", "Edit this page")
        yield look.type("", content, after="Edit side-by-side")
        yield look.click("button", "Submit changes")
        yield stop()

    page = Added(table="wiki", values={"name": name, "version": 2, "text": content, "author": _ME})
    goal = (
        f"On the wiki page {name}, lines may now have at most 100 characters instead of 96: correct that, and no more."
    )
    return _task("wiki-edit", goal, solve, end=EndState(expected=(page,)))


def _new_milestone() -> AppTask:
    def solve(look: Look) -> Iterator[str]:
        yield look.click("link", "Roadmap")
        yield look.click("button", "Add new milestone")
        yield look.type("Name:", "1.2")
        yield look.type("Description:*", "Winter work")
        yield look.click("button", "Add milestone")
        yield stop()

    row = Added(table="milestone", values={"name": "1.2", "description": "Winter work"})
    goal = 'Add a milestone 1.2 with the description "Winter work".'
    return _task("milestone", goal, solve, end=EndState(expected=(row,)))
