"""Accessible names, as Chromium computes them for the elements that the sites use.

A name made of content joins texts as they stand next to each other; blocks, line breaks, pictures and controls are set
off by blanks. Controls say what they hold. What has a role that is no part of a name (a form, a table) says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sojourn.envs.web.browser.text.document import (
    BUTTON_TYPES,
    Document,
    Element,
    chosen_options,
    kind_of,
    option_text,
    value_of,
)
from sojourn.envs.web.tree import words

BLOCKS = words(
    "address dd details div dl dt fieldset figcaption h1 h2 h3 h4 h5 h6 hgroup hr legend li ol p pre section ul "
    "summary table caption thead tbody tfoot tr td th center menu footer header optgroup option"
)
"""Elements that begin a line of their own."""
SILENT = words(
    "form article aside nav main search figure blockquote fieldset output header iframe svg audio video canvas object "
    "embed datalist"
)
"""Elements that say nothing in a name made of content."""
HIDDEN = words("script style template noscript head link meta base title datalist source track param")
"""Elements that are not rendered."""
_SILENT_ROLES = words("alert status form search navigation main article complementary banner group")
_HIDING = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden")
_HIDERS = frozenset({"hidden", "aria-hidden", "style"})
_STATED = frozenset({"aria-label", "aria-labelledby"})
_HOLDERS = words("input select textarea button progress meter")
"""Elements that say what they hold in a name made of content."""
_BULLET = "•"


def hides(element: Element) -> bool:
    """Whether an attribute hides an element."""
    if element.get("hidden") is not None or element.get("aria-hidden") == "true":
        return True
    return _HIDING.search(element.get("style", "")) is not None


def ticked_by(document: Document, label: Element) -> Element | None:
    """The checkbox or radio button that a label is for, if it is for one."""
    control = document.labelled(label)
    is_tick = control is not None and control.tag == "input" and kind_of(control) in ("checkbox", "radio")
    return control if is_tick else None


def is_redundant(label: Element, ticked: Element) -> bool:
    """Whether a label of a box holds nothing but text: then the tree shows the box alone."""
    return all(child is ticked for child in label)


def squeezed(text: str) -> str:
    """A text with its white space collapsed, at the ends too."""
    return " ".join(text.split())


def stated_name(document: Document, element: Element, names: Sequence[str]) -> str:
    """The name that attributes (their names are `names`) state: ``aria-labelledby``, ``aria-label``."""
    if not names or _STATED.isdisjoint(names):
        return ""
    by = element.get("aria-labelledby")
    if by is not None:
        named = [document.by_id.get(key) for key in by.split()]
        name = squeezed(" ".join(content(document, el) for el in named if el is not None))
        if name:
            return name
    return squeezed(element.get("aria-label", ""))


def content_name(document: Document, element: Element, names: Sequence[str]) -> str:
    """The name of a link, heading, cell or button: stated, else its content, else its title."""
    name = stated_name(document, element, names)
    return name or content(document, element) or (squeezed(element.get("title")) if "title" in names else "")


def content(document: Document, element: Element) -> str:
    """What an element holds, as a name."""
    if not len(element):
        return squeezed(element.text or "")
    pieces: list[str] = []
    _gather(document, element, pieces, None)
    return squeezed("".join(pieces))


def control_name(document: Document, element: Element, names: Sequence[str]) -> str:
    """The name of a control: stated, its labels, what a button shows, its title or placeholder."""
    name = stated_name(document, element, names)
    if name:
        return name
    labels = document.labels.get(element)
    if labels:
        name = squeezed(" ".join(_label_text(document, label, element) for label in labels))
        if name:
            return name
    if element.tag == "button":
        name = content(document, element)
    elif element.tag == "input" and kind_of(element) in BUTTON_TYPES:
        name = squeezed(button_text(element))
    return name or squeezed(element.get("title") or element.get("placeholder") or "")


def button_text(element: Element) -> str:
    """What an input of a button's type shows."""
    kind = kind_of(element)
    if kind == "image":
        text: str = element.get("alt") or element.get("value") or "Submit"
        return text
    value: str | None = element.get("value")
    if value is not None:
        return value
    return {"submit": "Submit", "reset": "Reset"}.get(kind, "")


def shown_value(element: Element) -> str:
    """What a text field shows of its value."""
    value = value_of(element)
    return _BULLET * len(value) if element.tag == "input" and kind_of(element) == "password" else value


def _label_text(document: Document, label: Element, control: Element) -> str:
    pieces: list[str] = []
    _gather(document, label, pieces, control)
    return "".join(pieces)


def _gather(document: Document, element: Element, pieces: list[str], left_out: Element | None) -> None:
    text = element.text
    if text:
        pieces.append(text)
    for child in element:
        tag = child.tag
        if child is not left_out and tag not in HIDDEN and isinstance(tag, str):  # else a comment
            names = child.keys()
            if not names or _HIDERS.isdisjoint(names) or not hides(child):
                _gather_child(document, child, tag, names, pieces, left_out)
        text = child.tail
        if text:
            pieces.append(text)


def _gather_child(
    document: Document, child: Element, tag: str, names: Sequence[str], pieces: list[str], left_out: Element | None
) -> None:
    if tag == "br":
        pieces.append(" ")
    elif tag == "img":
        pieces += (" ", image_name(document, child, names), " ") if child.get("alt") != "" else ()
    elif tag in _HOLDERS:
        pieces += (" ", _held(document, child), " ")
    elif tag == "label" and (ticked := ticked_by(document, child)) is not None and is_redundant(child, ticked):
        pieces += (" ", _held(document, ticked), " ") if len(child) else ()
    elif tag in SILENT or (names and child.get("role") in _SILENT_ROLES) or (tag == "table" and not is_layout(child)):
        pieces.append(" ")
    else:
        stated = stated_name(document, child, names)
        is_block = tag in BLOCKS
        if is_block:
            pieces.append(" ")
        if stated:
            pieces.append(stated)
        else:
            _gather(document, child, pieces, left_out)
        if is_block:
            pieces.append(" ")


def _held(document: Document, control: Element) -> str:
    """What a control says in the name of what it is in: its value, else its own name."""
    tag = control.tag
    if tag in ("progress", "meter"):
        value: str = control.get("value", "")
        return value
    if tag == "select":
        return " ".join(option_text(option) for option in chosen_options(control))
    if tag == "input" and kind_of(control) == "hidden":
        return ""
    is_field = tag == "textarea" or (tag == "input" and kind_of(control) not in (*BUTTON_TYPES, "checkbox", "radio"))
    return (shown_value(control) if is_field else "") or control_name(document, control, control.keys())


def image_name(document: Document, image: Element, names: Sequence[str]) -> str:
    """Name of a picture."""
    stated = stated_name(document, image, names)
    return stated or squeezed(image.get("alt") or image.get("title") or "")


def is_layout(table: Element) -> bool:
    """Whether Chromium takes a table for mere layout: nothing in it says that it holds data."""
    if table.get("role") == "table":
        return False
    rows = list(table.iter("tr"))
    if sum(len(row) for row in rows) <= 1:
        return True
    return len(rows) < 20 and next(table.iter("th", "caption", "thead", "tfoot", "colgroup", "col"), None) is None
