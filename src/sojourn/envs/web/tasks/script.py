"""What the plans of experts have in common: moving around the sites, and reading a value off a page."""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.envs.web.actions import Goto, Stop, render
from sojourn.envs.web.sites.hosts import ORIGINS
from sojourn.envs.web.view import View
from sojourn.errors import EnvError


def stop(answer: str = "") -> str:
    """The action that ends the episode."""
    return render(Stop(answer=answer))


def visit(site: str, path: str = "/") -> str:
    """The action that opens a page by its address."""
    return render(Goto(url=ORIGINS[site] + path))


def fact(view: View, header: str) -> str:
    """The cell beside a row's header."""
    return cells(view, view.find("rowheader", header))[0]


def cells(view: View, inside: int) -> list[str]:
    """The names of the cells in a row, or in the row that a node is in."""
    row = inside
    while view.tree.lines[row - 1].node.role != "row":
        row -= 1
    return [line.name for _, line in view.tree.inside(row) if line.node.role == "cell"]


def rows(view: View) -> list[list[str]]:
    """The cells of all rows of the page that have some."""
    found = [cells(view, row) for row in view.tree.find("row")]
    return [row for row in found if row]


def text_after(view: View, start: str, *, after: int = 0) -> str:
    """What follows `start` in the first text (below the node `after`) that begins so.

    Raises `EnvError` where none does.
    """
    for line in view.tree.lines[after:]:
        if line.node.role == "StaticText" and line.name.startswith(start):
            return line.name[len(start) :].strip()
    raise EnvError(f"expert: expected a text {start!r} at {view.url}, which shows:\n{view.tree.text[:2_000]}")


def below(view: View, number: int, role: str) -> str:
    """The name of the first node of a role after a node."""
    for line in view.tree.lines[number:]:
        if line.node.role == role:
            return line.name
    raise EnvError(f"expert: expected a {role} after [{number}] at {view.url}, which shows:\n{view.tree.text[:2_000]}")


def search(view: View, words: str, field: str = "Search") -> Iterator[str]:
    """Search with the field at the top of every page."""
    yield view.type("searchbox", field, words, enter=True)


def turn_to(view: View, name: str) -> Iterator[str]:
    """Turn the pages of a list until a node says `name`."""
    while all(line.name != name for line in view.tree.lines) and view.has("link", "Next"):
        yield view.click("link", "Next")


def follow(view: View, name: str) -> Iterator[str]:
    """Click the link of this name, turning pages of a list until it is there."""
    yield from turn_to(view, name)
    yield view.click("link", name)
