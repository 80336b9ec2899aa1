"""Scripts that solve some of MiniWoB++'s tasks through the browser's actions; the oracle, and a test of the suite."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sojourn.envs.web.actions import Click, Select, Type, render
from sojourn.envs.web.tree import Tree
from sojourn.errors import EnvError

Show = Callable[[], Tree]
Solver = Callable[[str, Show], Iterator[str]]
"""Goal and a way to see the page -> actions."""


def _only(tree: Tree, role: str, name: str | None = None) -> int:
    found = tree.find(role, name)
    if not found:
        raise EnvError(f"no {role} {name!r} on the page:\n{tree.text}")
    return found[0]


def _click(tree: Tree, role: str, name: str | None = None) -> str:
    return render(Click(node=_only(tree, role, name)))


def _quoted(goal: str) -> list[str]:
    return re.findall(r'"([^"]*)"', goal)


def _click_test(goal: str, show: Show) -> Iterator[str]:
    yield _click(show(), "button")


def _click_test_2(goal: str, show: Show) -> Iterator[str]:
    yield _click(show(), "button", "ONE")


def _click_button(goal: str, show: Show) -> Iterator[str]:
    yield _click(show(), "button", _quoted(goal)[0])


def _click_link(goal: str, show: Show) -> Iterator[str]:
    name = _quoted(goal)[0]
    tree = show()
    role = "link" if tree.find("link", name) else "StaticText"  # its links are spans with a handler
    yield _click(tree, role, name)


def _enter_text(goal: str, show: Show) -> Iterator[str]:
    yield render(Type(node=_only(show(), "textbox"), text=_quoted(goal)[0], enter=False))
    yield _click(show(), "button", "Submit")


def _login_user(goal: str, show: Show) -> Iterator[str]:
    user, password = _quoted(goal)
    for place, text in enumerate((user, password)):
        yield render(Type(node=show().find("textbox")[place], text=text, enter=False))
    yield _click(show(), "button", "Login")


def _click_checkboxes(goal: str, show: Show) -> Iterator[str]:
    wanted = goal.removeprefix("Select ").partition(" and click")[0]
    for name in [] if wanted == "nothing" else wanted.split(", "):
        yield _click(show(), "checkbox", name)
    yield _click(show(), "button", "Submit")


def _click_option(goal: str, show: Show) -> Iterator[str]:
    name = goal.removeprefix("Select ").partition(" and click")[0]
    yield _click(show(), "radio", name)
    yield _click(show(), "button", "Submit")


def _choose_list(goal: str, show: Show) -> Iterator[str]:
    name = goal.removeprefix("Select ").partition(" from the list")[0]
    yield render(Select(node=_only(show(), "combobox"), option=name))
    yield _click(show(), "button", "Submit")


def _focus_text(goal: str, show: Show) -> Iterator[str]:
    yield _click(show(), "textbox")


SOLVERS: Mapping[str, Solver] = {
    "choose-list": _choose_list,
    "click-button": _click_button,
    "click-checkboxes": _click_checkboxes,
    "click-link": _click_link,
    "click-option": _click_option,
    "click-test": _click_test,
    "click-test-2": _click_test_2,
    "enter-text": _enter_text,
    "focus-text": _focus_text,
    "login-user": _login_user,
}
"""Task -> its script."""
