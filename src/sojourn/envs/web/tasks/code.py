"""What the code host is asked, and which of its pages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sojourn.envs.web.checks.addresses import Target
from sojourn.envs.web.checks.answers import NOT_AVAILABLE, day, number, text
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.tasks.phrases import table
from sojourn.envs.web.tasks.script import cells, fact, rows, search, stop
from sojourn.envs.web.tasks.template import Category, Kind, Outline, Template, Values, answered, shown
from sojourn.envs.web.view import View

CODE = ORIGINS["code"]
MINE = "(SELECT id FROM code_user WHERE username = 'byteblaze')"
PUBLIC = "(p.visibility = 'public')"

question = partial(
    Outline, kind=Kind.INFORMATION, category=Category.GITLAB, sites=("code",), accounts=("code",), texts=("{project}",)
)
navigation = partial(
    Outline, kind=Kind.NAVIGATION, category=Category.GITLAB, sites=("code",), accounts=("code",), texts=("{project}",)
)
impossible = partial(
    Outline,
    kind=Kind.INFEASIBLE,
    category=Category.GITLAB,
    sites=("code",),
    accounts=("code",),
    texts=("{project}",),
    goal=lambda v: answered(NOT_AVAILABLE),
)


def open_project(view: View, path: str) -> Iterator[str]:
    """Search for a project and open it; `path` as in ``byteblaze/dotfiles``."""
    yield from search(view, path.partition("/")[2], "Search GitLab")
    yield view.click("link", path.replace("/", " / "))


def tab(view: View, start: str) -> str:
    """The action that follows the link of a project's menu whose name begins so."""
    menu = view.find("navigation", "Project")
    name = next(line.name for _, line in view.tree.inside(menu) if line.name.startswith(start))
    return view.click("link", name, within=menu)


def open_issue(view: View, path: str, title: str) -> Iterator[str]:
    """Open an issue, open or closed, by its title."""
    yield from open_project(view, path)
    yield tab(view, "Issues")
    yield view.type("textbox", "Search issues", title)
    yield view.select("State", "All")
    yield view.click("button", "Filter")
    yield numbered(view, "#", title)


def numbered(view: View, mark: str, title: str) -> str:
    """The action that follows the link of an issue (``#``) or merge request (``!``), as in ``#12 Title``."""
    links = (line.name for line in view.tree.lines if line.node.role == "link")
    name = next((name for name in links if name.startswith(mark) and name.partition(" ")[2] == title), title)
    return view.click("link", name)


_ISSUE = """code_issue i JOIN code_project p ON p.id = i.project_id"""
PATH = "p.namespace || '/' || p.name AS path, p.name AS project"
"""Columns of a project `p`: what it is called in an intent, and what one searches for."""


# ------------------------------------------------------------------------------------------------------- questions


@question(
    name="code-open-issues",
    intents=(
        'How many open issues with the label "{label}" does {path} have? Answer with a number.',
        'Count the open issues of {path} that are labeled "{label}".',
    ),
    sql=f"""SELECT p.id || '-' || replace(l.name, ' ', '-') AS key, {PATH}, l.name AS label,
        (SELECT count(*) FROM code_issue i JOIN code_issue_label x ON x.issue_id = i.id WHERE x.label_id = l.id
        AND i.state = 'opened') AS count FROM code_label l JOIN code_project p ON p.id = l.project_id""",
    goal=lambda v: answered(number(v["count"], "issues", "issue", "open issues", "open issue")),
)
def open_issues(view: View, v: Values) -> Iterator[str]:
    """Read the list of labels."""
    yield from open_project(view, v["path"])
    yield tab(view, "Labels")
    yield stop(cells(view, view.row(v["label"]))[2])


@question(
    name="code-contributor",
    intents=(
        "Who has made the most commits to the branch main of {path}? Answer with the full name.",
        "Give the full name of the top contributor to {path} by commits on main.",
    ),
    sql=f"""WITH made AS (SELECT c.project_id, u.name, count(*) AS commits FROM code_commit c
        JOIN code_user u ON u.id = c.author_id WHERE c.branch = 'main' GROUP BY c.project_id, u.id)
        SELECT p.id AS key, {PATH}, m.name FROM made m JOIN code_project p ON p.id = m.project_id
        WHERE NOT EXISTS (SELECT 1 FROM made n WHERE n.project_id = m.project_id AND n.name <> m.name
        AND n.commits >= m.commits)""",
    goal=lambda v: answered(text(v["name"])),
)
def contributor(view: View, v: Values) -> Iterator[str]:
    """Read the list of contributors."""
    yield from open_project(view, v["path"])
    yield tab(view, "Contributors")
    yield stop(rows(view)[0][0])


@question(
    name="code-commits-by",
    intents=(
        "How many commits has {person} made to the branch main of {path}? Answer with a number.",
        "Count the commits of {person} on main in {path}.",
    ),
    sql=f"""SELECT p.id || '-' || u.id AS key, {PATH}, u.name AS person, count(*) AS count FROM code_commit c
        JOIN code_user u ON u.id = c.author_id JOIN code_project p ON p.id = c.project_id WHERE c.branch = 'main'
        GROUP BY p.id, u.id""",
    goal=lambda v: answered(number(v["count"], "commits", "commit")),
)
def commits_by(view: View, v: Values) -> Iterator[str]:
    """Read the list of contributors."""
    yield from open_project(view, v["path"])
    yield tab(view, "Contributors")
    yield stop(cells(view, view.row(v["person"]))[2])


@question(
    name="code-issue-author",
    intents=(
        'Who opened the issue "{title}" of {path}? Answer with the full name.',
        'Give the full name of the author of the issue "{title}" in {path}.',
    ),
    sql=f"""SELECT i.id AS key, {PATH}, i.title, u.name FROM {_ISSUE} JOIN code_user u ON u.id = i.author_id""",
    goal=lambda v: answered(text(v["name"])),
)
def issue_author(view: View, v: Values) -> Iterator[str]:
    """Read the page of the issue."""
    yield from open_issue(view, v["path"], v["title"])
    yield stop(fact(view, "Author"))


@question(
    name="code-due",
    intents=(
        "When is the milestone {milestone} of {path} due? Answer with the date.",
        "On which day does the milestone {milestone} of {path} end?",
    ),
    sql=f"""SELECT m.id AS key, {PATH}, m.title AS milestone, m.due FROM code_milestone m
        JOIN code_project p ON p.id = m.project_id WHERE m.due <> ''""",
    goal=lambda v: answered(day(v["due"])),
)
def due(view: View, v: Values) -> Iterator[str]:
    """Read the list of milestones."""
    yield from open_project(view, v["path"])
    yield tab(view, "Milestones")
    yield stop(cells(view, view.row(v["milestone"]))[3])


@question(
    name="code-role",
    is_held_out=True,
    intents=(
        "Which role does {person} have in {path}?",
        "What is {person} in the project {path}: guest, reporter, developer, maintainer or owner?",
    ),
    sql=f"""SELECT p.id || '-' || u.id AS key, {PATH}, u.name AS person, m.role FROM code_member m
        JOIN code_project p ON p.id = m.project_id JOIN code_user u ON u.id = m.user_id WHERE u.id <> {MINE}""",
    goal=lambda v: answered(text(v["role"])),
)
def role(view: View, v: Values) -> Iterator[str]:
    """Read the list of members."""
    yield from open_project(view, v["path"])
    yield tab(view, "Members")
    yield stop(cells(view, view.row(v["person"]))[2])


@question(
    name="code-stars",
    intents=("How many stars does {path} have? Answer with a number.", "By how many people was {path} starred?"),
    sql=f"""SELECT p.id AS key, {PATH}, count(s.user_id) AS count FROM code_project p
        LEFT JOIN code_star s ON s.project_id = p.id GROUP BY p.id""",
    goal=lambda v: answered(number(v["count"], "stars", "star", "people")),
)
def stars(view: View, v: Values) -> Iterator[str]:
    """Read the page of the project."""
    yield from open_project(view, v["path"])
    yield stop(fact(view, "Stars"))


# ------------------------------------------------------------------------------------------------------ navigation

_TABS = table(
    ("Branches", "/-/branches"),
    ("Labels", "/-/labels"),
    ("Milestones", "/-/milestones"),
    ("Members", "/-/project_members"),
    ("Issues", "/-/issues"),
    ("Merge requests", "/-/merge_requests"),
    columns=("tab", "suffix"),
)


@navigation(
    name="code-tab",
    texts=(),
    start="/{path}",
    intents=("Open the page {tab} of this project.", "Show me the {tab} of the project shown."),
    sql=f"SELECT p.id || '-' || t.n AS key, {PATH}, t.tab, t.suffix FROM code_project p JOIN {_TABS} t",
    goal=lambda v: shown(Target(url=f"{CODE}/{v['path']}{v['suffix']}", usual={"state": "opened", "page": "1"})),
)
def open_tab(view: View, v: Values) -> Iterator[str]:
    """One click."""
    yield tab(view, v["tab"])
    yield stop()


@navigation(
    name="code-issues-by",
    texts=(),
    start="/{path}/-/issues",
    intents=(
        'List the open issues of {path} that are labeled "{label}", oldest first.',
        'Filter the issues of {path}: open, label "{label}", sorted by Oldest first.',
    ),
    sql=f"""SELECT p.id || '-' || replace(l.name, ' ', '-') AS key, {PATH}, l.name AS label
        FROM code_label l JOIN code_project p ON p.id = l.project_id""",
    goal=lambda v: shown(
        Target(
            url=f"{CODE}/{v['path']}/-/issues?label={v['label'].replace(' ', '+')}&sort=oldest",
            usual={"state": "opened", "page": "1"},
        )
    ),
)
def issues_by(view: View, v: Values) -> Iterator[str]:
    """Fill the filter."""
    yield view.select("Label", v["label"])
    yield view.select("Sort by", "Oldest first")
    yield view.click("button", "Filter")
    yield stop()


@navigation(
    name="code-open-issue",
    intents=(
        'Open the issue "{title}" of {path}.',
        'Show me the issue "{title}" in the project {path}.',
    ),
    sql=f"SELECT i.id AS key, {PATH}, i.title, i.iid FROM {_ISSUE}",
    goal=lambda v: shown(Target(url=f"{CODE}/{v['path']}/-/issues/{v['iid']}")),
)
def show_issue(view: View, v: Values) -> Iterator[str]:
    """Search for it."""
    yield from open_issue(view, v["path"], v["title"])
    yield stop()


@navigation(
    name="code-open-project",
    intents=("Open the project {path}.", "Take me to the project {path}."),
    sql=f"SELECT p.id AS key, {PATH} FROM code_project p",
    goal=lambda v: shown(Target(url=f"{CODE}/{v['path']}")),
)
def show_project(view: View, v: Values) -> Iterator[str]:
    """Search for it."""
    yield from open_project(view, v["path"])
    yield stop()


# ------------------------------------------------------------------------------------------------------ impossible


@impossible(
    name="code-due-never",
    intents=due.intents,
    sql=f"""SELECT p.id || '-' || n.n AS key, {PATH}, n.text AS milestone FROM code_project p
        JOIN {table("7.0", "8.1", "9.5", "12.0")} n WHERE NOT EXISTS (SELECT 1 FROM code_milestone m
        WHERE m.project_id = p.id AND m.title = n.text)""",
)
def due_never(view: View, v: Values) -> Iterator[str]:
    """There is no such milestone."""
    yield from open_project(view, v["path"])
    yield tab(view, "Milestones")
    yield stop("N/A")


@impossible(
    name="code-joined-never",
    is_held_out=True,
    intents=(
        "When did {person} join the project {path}? Answer with the date.",
        "Since which day has {person} been a member of {path}?",
    ),
    sql=f"""SELECT p.id || '-' || u.id AS key, {PATH}, u.name AS person FROM code_project p JOIN code_user u
        WHERE (p.id * 7 + u.id) % 13 = 0 AND NOT EXISTS (SELECT 1 FROM code_member m WHERE m.project_id = p.id
        AND m.user_id = u.id)""",
)
def joined_never(view: View, v: Values) -> Iterator[str]:
    """The person is no member."""
    yield from open_project(view, v["path"])
    yield tab(view, "Members")
    yield stop("N/A")


@question(
    name="code-joined",
    is_held_out=True,
    intents=joined_never.intents,
    sql=f"""SELECT p.id || '-' || u.id AS key, {PATH}, u.name AS person, m.since FROM code_member m
        JOIN code_project p ON p.id = m.project_id JOIN code_user u ON u.id = m.user_id""",
    goal=lambda v: answered(day(v["since"])),
)
def joined(view: View, v: Values) -> Iterator[str]:
    """Read the list of members."""
    yield from open_project(view, v["path"])
    yield tab(view, "Members")
    yield stop(cells(view, view.row(v["person"]))[3])


TEMPLATES: tuple[Template, ...] = (
    open_issues,
    open_tab,
    contributor,
    show_project,
    issue_author,
    due_never,
    due,
    issues_by,
    commits_by,
    show_issue,
    stars,
    joined,
    joined_never,
    role,
)
