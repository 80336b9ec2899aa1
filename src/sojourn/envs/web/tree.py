"""The accessibility tree of a page and WebArena's text of it.

Both browsers make `Node`s as Chromium's accessibility tree has them, and `lay_out` turns them into lines such as
``[12] link 'Sign In'``. It drops what the reference drops: nodes without a name that only group others, and text that
its parent's name already says. Differences: lines are numbered from 1 in document order (not by Chromium's own ids),
the roles of `_EMPTY` that newer versions of Chromium added are dropped too, white space is collapsed, and text is
taken to be said already only by the node that it is in (the reference also compares it with the three lines before,
and so loses a ``1`` that follows a ``12``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

Property = tuple[str, str]


def words(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_IGNORED_ROLES = frozenset({"InlineTextBox", "ListMarker", "LineBreak"})
_EMPTY = words(
    # the reference's
    "generic img list strong paragraph banner navigation Section LabelText Legend listitem "
    # and what only groups or styles text besides
    "MenuListPopup rowgroup group figure Figcaption caption definition DescriptionList LayoutTable LayoutTableRow "
    "LayoutTableCell blockquote emphasis code time mark Abbr subscript superscript Pre"
)
"""Roles that are not shown without a name and properties."""
FROM_CONTENT = words(
    "link button heading cell columnheader rowheader LayoutTableCell option term tab menuitem checkbox radio "
    "DisclosureTriangle"
)
"""Roles whose name is made of what they hold: text in them that the name says is not shown again."""
TEXT_FIELDS = frozenset({"textbox", "searchbox", "spinbutton"})
"""Roles that one types into (a combobox too, if it is no menu)."""
_TAB = "\t"
_TOKEN = re.compile(r"[\w.,:+-]*")


@dataclass(slots=True, eq=False)
class Node:
    """One node of a page, named and described as Chromium does.

    A page has hundreds, made anew at every look, which is why they may be made by position, and a leaf has no list.
    """

    role: str
    name: str = ""
    properties: tuple[Property, ...] = ()
    """What is shown after the name, in Chromium's order; values are written as the reference writes them."""
    children: Sequence[Node] = ()
    ref: Any = None
    """What the browser finds the element by; None for what cannot be acted on."""
    is_multiline: bool = False
    """Whether a field takes several lines."""
    is_readonly: bool = False
    """Whether a field cannot be changed."""

    def get(self, name: str) -> str:
        """The value of a property, empty if there is none."""
        return dict(self.properties).get(name, "")

    @property
    def is_disabled(self) -> bool:
        """Whether it takes no action."""
        return self.get("disabled") == "True"

    @property
    def is_text_field(self) -> bool:
        """Whether text can be typed into it."""
        return self.role in TEXT_FIELDS or (self.role == "combobox" and self.get("hasPopup") != "menu")


class Line(NamedTuple):
    """A node that is shown; its id is its place in `Tree.lines`, counted from 1."""

    node: Node
    name: str
    depth: int


_line = Line._make  # in half the time of a call of the class


@dataclass(frozen=True, kw_only=True)
class Tree:
    """What is shown of a page."""

    lines: tuple[Line, ...]

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """One line of text for each node."""
        lines = enumerate(self.lines, 1)
        return tuple([_text_of(number, node, name, depth) for number, (node, name, depth) in lines])

    @property
    def text(self) -> str:
        """The whole page."""
        return "\n".join(self.texts)

    def node(self, node_id: int) -> Node | None:
        """The node with this id."""
        return self.lines[node_id - 1].node if 1 <= node_id <= len(self.lines) else None

    def find(self, role: str, name: str | None = None, *, within: int | None = None) -> list[int]:
        """Ids of the nodes of this role and name (any name, if absent), inside the node `within` if given."""
        numbered = self.inside(within) if within is not None else enumerate(self.lines, 1)
        return [i for i, line in numbered if line.node.role == role and (name is None or line.name == name)]

    def inside(self, node_id: int) -> Iterator[tuple[int, Line]]:
        """The lines below a node with their ids."""
        depth = self.lines[node_id - 1].depth
        for number in range(node_id + 1, len(self.lines) + 1):
            line = self.lines[number - 1]
            if line.depth <= depth:
                return
            yield number, line


def lay_out(root: Node) -> Tree:
    """The lines of a page."""
    lines: list[Line] = []
    _visit((root,), 0, "", False, lines)
    return Tree(lines=tuple(lines))


def _visit(nodes: Sequence[Node], depth: int, said: str, in_content: bool, lines: list[Line]) -> None:
    """Append the lines of `nodes`, which are in a node that says `said`, if any."""
    for node in nodes:
        role, name = node.role, node.name
        if name:
            name = " ".join(name.split())
        if role == "StaticText":
            if name and name != said and not (in_content and name in said):
                lines.append(_line((node, name, depth)))
        elif role not in _IGNORED_ROLES:
            if role == "image":
                node.role = role = "img"  # its name before Chromium 128
            if name or (role not in _EMPTY) or (node.properties and role != "listitem"):
                lines.append(_line((node, name, depth)))
                if node.children:
                    # what a field holds is shown even if it is the field's name
                    _visit(node.children, depth + 1, "" if role in TEXT_FIELDS else name, role in FROM_CONTENT, lines)
            elif node.children:
                ticked = _ticked(node) if role == "LabelText" else None
                if ticked is None:
                    _visit(node.children, depth, said, in_content, lines)
                else:
                    _visit(node.children, depth, ticked, True, lines)


def _ticked(label: Node) -> str | None:
    """The name of the box that a label holds, if it holds one."""
    return next((child.name for child in label.children if child.role in ("checkbox", "radio")), None)


def _text_of(number: int, node: Node, name: str, depth: int) -> str:
    text = f"{_TAB * depth}[{number}] {node.role} {name!r}"
    if node.properties:
        text += "".join([f" {key}: {_value(value)}" for key, value in node.properties])
    return text


def _value(text: str) -> str:
    """A property's value, bare as in the reference unless it could pass for something else."""
    return text if _TOKEN.fullmatch(text) else repr(" ".join(text.split()))


def tab_line(titles: tuple[str, ...], current: int) -> str:
    """WebArena's line of tabs, ``Tab 0 (current): One Stop Market | Tab 1: Forum``."""
    shown = [_printable(title) for title in titles]
    tabs = [f"Tab {i}{' (current)' if i == current else ''}: {title}" for i, title in enumerate(shown)]
    return " | ".join(tabs)


def _printable(title: str) -> str:
    text = " ".join(title.split())
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


def page_error(host: str, message: str, code: str) -> Node:
    """The page that is shown where none could be had, the same in every browser."""
    said = [Node(role="heading", name="This site cannot be reached", properties=())]
    said += [Node(role="StaticText", name=message), Node(role="StaticText", name=code)]
    return Node(role="RootWebArea", name=host, properties=(("focused", "True"),), children=said)
