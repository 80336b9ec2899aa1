"""What an action is aimed at, and whether it can be done there: the same in every browser."""

from __future__ import annotations

from sojourn.envs.web.actions import ActionError, Click, Hover, Select, Type
from sojourn.envs.web.tree import Node, Tree, words

MAX_TABS = 10

INTERACTIVE = words(
    "link button textbox searchbox spinbutton combobox listbox option checkbox radio slider DisclosureTriangle tab "
    "menuitem Date InputTime DateTime ColorWell"
)
"""Roles that something happens to at a click."""
_SETTABLE = frozenset({"slider", "Date", "InputTime", "DateTime", "ColorWell"})
_MODIFIERS = frozenset({"Control", "Shift", "Alt", "Meta", "ControlOrMeta"})
_KEYS = words(
    "Enter Tab Escape Backspace Delete Insert Home End PageUp PageDown ArrowUp ArrowDown ArrowLeft ArrowRight Space "
    "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 F11 F12"
)
_ALIASES = {"Ctrl": "Control", "Cmd": "Meta", "Return": "Enter", "Esc": "Escape", "Del": "Delete"}


def aimed(tree: Tree, action: Click | Type | Select | Hover) -> Node:
    """The node that an action names. Raises `ActionError` where there is none."""
    node = tree.node(action.node)
    if node is None or node.ref is None:
        raise ActionError(f"There is no element [{action.node}] on this page (they go from 1 to {len(tree.lines)}).")
    return node


def clicked(tree: Tree, action: Click) -> Node:
    """The node to click: the one named or, where nothing happens to it, the only one in it that something does.

    Raises `ActionError` where there are several: in the middle of them a pointer would hit any.
    """
    node = aimed(tree, action)
    if node.role in INTERACTIVE:
        return node
    inner = [(number, line.node) for number, line in tree.inside(action.node) if line.node.role in INTERACTIVE]
    if len(inner) > 1:
        some = " or ".join(f"[{number}]" for number, _ in inner[:2])
        raise ActionError(f"Element [{action.node}] holds several elements to click, such as {some}: name one of them.")
    return inner[0][1] if inner else node


def field(tree: Tree, action: Type) -> tuple[Node, str]:
    """The field to type into, and what to type. Raises `ActionError` for what is no field."""
    node = aimed(tree, action)
    if not (node.is_text_field or node.role in _SETTABLE):
        raise ActionError(f"Element [{action.node}] is a {node.role}: one cannot type into it.")
    if node.is_disabled or node.is_readonly:
        raise ActionError(f"Element [{action.node}] cannot be changed.")
    return node, action.text if node.is_multiline else " ".join(action.text.split("\n"))


def choice(tree: Tree, action: Select) -> tuple[Node, Node]:
    """The combobox or listbox, and the option to choose. Raises `ActionError` if there is none of this name."""
    node = aimed(tree, action)
    if node.role not in ("combobox", "listbox") or node.is_text_field:
        raise ActionError(f"Element [{action.node}] is a {node.role}: expected a combobox or listbox.")
    if node.is_disabled:
        raise ActionError(f"Element [{action.node}] cannot be changed.")
    options = options_of(node)
    wanted = " ".join(action.option.split())
    found = [o for o in options if o.name == wanted] or [o for o in options if o.name.lower() == wanted.lower()]
    if not found:
        names = ", ".join(repr(option.name) for option in options[:20])
        raise ActionError(f"Element [{action.node}] has no option {wanted[:60]!r}. Its options: {names}.")
    return node, found[0]


def options_of(node: Node) -> list[Node]:
    """The options of a combobox or listbox that can be chosen."""
    if node.role == "option":
        return [] if node.is_disabled else [node]
    return [option for child in node.children for option in options_of(child)]


def holder_of(tree: Tree, option_id: int) -> int | None:
    """Id of the combobox or listbox that an option is in."""
    depth = tree.lines[option_id - 1].depth
    for number in range(option_id - 1, 0, -1):
        line = tree.lines[number - 1]
        if line.depth < depth:
            if line.node.role in ("combobox", "listbox"):
                return number
            depth = line.depth
    return None


def as_select(tree: Tree, action: Click) -> Select | None:
    """A click on an option, as the choice that it means; None for other clicks."""
    node = aimed(tree, action)
    if node.role != "option":
        return None
    holder = holder_of(tree, action.node)
    return None if holder is None else Select(node=holder, option=node.name)


def keys(text: str) -> str:
    """A key combination with the names that browsers use. Raises `ActionError` for an unknown key."""
    text = text.strip()
    parts = [*text[:-1].split("+")[:-1], "+"] if text.endswith("++") or text == "+" else text.split("+")
    parts = [_ALIASES.get(part.strip(), part.strip()) for part in parts]
    *modifiers, key = parts
    if not set(modifiers) <= _MODIFIERS or not (len(key) == 1 or key in _KEYS):
        raise ActionError(f"Expected a key such as Enter, Tab, Control+a, got {text[:40]!r}.")
    return "+".join(parts)


def tab(index: int, count: int) -> int:
    """The number of a tab. Raises `ActionError` if there is none of this number."""
    if index >= count:
        raise ActionError(f"There is no tab {index}: they go from 0 to {count - 1}.")
    return index


def check_tabs(count: int) -> None:
    """Raise `ActionError` when no more tabs can be opened."""
    if count >= MAX_TABS:
        raise ActionError(f"At most {MAX_TABS} tabs can be open.")
