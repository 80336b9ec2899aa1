"""Chromium's accessibility tree as `Node`s."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sojourn.envs.web.tree import Node, Property, words

AxNode = Mapping[str, Any]

_LEFT_OUT = words(
    # the reference's
    "focusable editable readonly level settable multiline invalid "
    # and what newer versions of Chromium say besides
    "url busy describedby labelledby details errormessage activedescendant controls owns flowto"
)
"""Properties that are not shown."""
_WITHOUT_PARTS = words("Date InputTime DateTime ColorWell")
"""Fields that Chromium takes apart into others; here each is one field with a value."""
_UNSEEN = words("InlineTextBox ListMarker")


def nodes_of(ax_nodes: Sequence[AxNode]) -> Node:
    """The tree of ``Accessibility.getFullAXTree``; elements are referred to by their backend node id."""
    by_id = {node["nodeId"]: node for node in ax_nodes}
    root = _made(ax_nodes[0])
    root.properties = (("focused", "True"),)  # unless the focus went to the window, which has no address bar here
    root.children = _children(ax_nodes[0], by_id)
    return root


def _children(parent: AxNode, by_id: Mapping[str, AxNode]) -> list[Node]:
    found: list[Node] = []
    _fill(parent, found, by_id)
    return found


def _fill(parent: AxNode, out: list[Node], by_id: Mapping[str, AxNode]) -> None:
    for child_id in parent.get("childIds", ()):
        child = by_id.get(child_id)
        if child is None or child["role"]["value"] in _UNSEEN:
            continue
        if child["ignored"]:
            _fill(child, out, by_id)
            continue
        node = _made(child)
        out.append(node)
        if node.role not in _WITHOUT_PARTS:
            node.children = _children(child, by_id)
        elif child.get("value", {}).get("value"):
            node.children = (Node(role="StaticText", name=child["value"]["value"], ref=node.ref),)


def _made(node: AxNode) -> Node:
    made = Node(role=node["role"]["value"], name=str(node.get("name", {}).get("value", "")))
    made.ref = node.get("backendDOMNodeId")
    shown: list[Property] = []
    for item in node.get("properties", ()):
        name, value = item["name"], item["value"].get("value")
        if name == "multiline":
            made.is_multiline = value is True
        elif name == "readonly":
            made.is_readonly = value is True
        elif name not in _LEFT_OUT and value is not None:
            shown.append((name, str(value)))
    made.properties = tuple(shown)
    return made
