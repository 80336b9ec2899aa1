"""A parsed page and the state of its controls, which lives in the parsed tree itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from sojourn.errors import MissingDependencyError

try:
    from lxml import etree
except ImportError as error:
    raise MissingDependencyError("lxml, which reads web pages,", "pip install 'sojourn[web]'") from error

Element = Any
"""An element of lxml (which has no types): ``tag``, ``text``, ``tail``, ``get``, iteration over children."""

CONTROLS = frozenset({"input", "select", "textarea", "button"})
BUTTON_TYPES = frozenset({"submit", "button", "reset", "image"})
_TEXT_INPUTS = frozenset({"text", "password", "email", "search", "tel", "url", "number"})
_VALUE_INPUTS = frozenset({"date", "time", "datetime-local", "month", "week", "color", "range"})
_FOCUSABLE = frozenset({"input", "select", "textarea", "button", "summary"})
Edit = str | bool | tuple[int, ...]
"""What a control was set to: a text, whether it is ticked, or the numbers of the chosen options."""
_UNKEEPABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""What lxml keeps in no text."""
_NOTHING = b"<html><body></body></html>"
_WITH_ID = etree.XPath("//*[@id]")


class Document:
    """A page of HTML. Whatever the text is, it gives some page."""

    def __init__(self, html: bytes | str) -> None:
        # As bytes, for lxml refuses texts that declare an encoding; a parser per page, for it keeps the last one's.
        data = html.encode("utf-8", errors="replace") if isinstance(html, str) else html
        parser = etree.HTMLParser(encoding="utf-8", remove_comments=False, huge_tree=False)
        try:
            root = etree.fromstring(data, parser) if data.strip() else None
        except etree.XMLSyntaxError:
            root = None  # nothing but white space, comments or control characters
        self.root: Element = etree.fromstring(_NOTHING, parser) if root is None else root
        self.edits: dict[int, Edit] = {}
        """What was changed in which control; applied again when the page is shown from the history."""
        self.focus: Element | None = None
        self.clicked: Element | None = None
        """Where the last click was."""
        if b"autofocus" in data:
            self.focus = next((el for el in self.root.iter(*CONTROLS) if "autofocus" in el.attrib), None)

    @cached_property
    def controls(self) -> list[Element]:
        """Inputs, selections and text areas in document order."""
        return list(self.root.iter("input", "select", "textarea"))

    @cached_property
    def by_id(self) -> dict[str, Element]:
        """The first element of each id."""
        found: dict[str, Element] = {}
        for element in _WITH_ID(self.root):
            found.setdefault(element.get("id"), element)
        return found

    @cached_property
    def labels(self) -> dict[Element, list[Element]]:
        """Control -> its labels."""
        found: dict[Element, list[Element]] = {}
        for label in self.root.iter("label"):
            control = self.labelled(label)
            if control is not None:
                found.setdefault(control, []).append(label)
        return found

    def labelled(self, label: Element) -> Element | None:
        """The control that a label is for."""
        target = label.get("for")
        if target is None:
            return next((el for el in label.iter(*CONTROLS) if el.get("type") != "hidden"), None)
        found = self.by_id.get(target)
        return found if found is not None and found.tag in CONTROLS else None

    @cached_property
    def has_disabled_groups(self) -> bool:
        """Whether a disabled field set, selection or group of options may disable what is in it."""
        return any(group.get("disabled") is not None for group in self.root.iter("fieldset", "optgroup", "select"))

    @cached_property
    def title(self) -> str:
        """The document's title with its white space collapsed."""
        found = next(self.root.iter("title"), None)
        if found is None:
            return ""
        text = "".join(found.itertext()) if len(found) else found.text or ""
        return " ".join(text.split())

    def set_value(self, element: Element, value: str) -> None:
        """Type `value` into a text field, or set a field of another kind to it."""
        value = _UNKEEPABLE.sub("\ufffd", value)
        if element.tag == "textarea":
            for child in list(element):
                element.remove(child)
            element.text = value
        else:
            element.set("value", value)
        self._edited(element, value)

    def set_checked(self, element: Element, checked: bool) -> None:
        """Tick or clear a box; of radio buttons with one name in a form, only one stays ticked."""
        if checked and element.get("type", "").lower() == "radio":
            for other in self._radio_group(element):
                if other is not element and is_checked(other):
                    other.attrib.pop("checked")
                    self._edited(other, False)
        if checked:
            element.set("checked", "")
        else:
            element.attrib.pop("checked", None)
        self._edited(element, checked)

    def select(self, select: Element, chosen: set[Element]) -> None:
        """Make `chosen` the chosen options of a selection."""
        options = list(select.iter("option"))
        for option in options:
            if option in chosen:
                option.set("selected", "")
            else:
                option.attrib.pop("selected", None)
        self._edited(select, tuple(i for i, option in enumerate(options) if option in chosen))

    def restore(self, edits: dict[int, Edit]) -> None:
        """Change the controls as they were changed before the page was left."""
        for index, edit in edits.items():
            if index >= len(self.controls):
                continue
            element = self.controls[index]
            if isinstance(edit, bool):
                self.set_checked(element, edit)
            elif isinstance(edit, str):
                self.set_value(element, edit)
            else:
                options = list(element.iter("option"))
                self.select(element, {options[i] for i in edit if i < len(options)})

    def _edited(self, element: Element, edit: Edit) -> None:
        if element.get("type", "").lower() == "password":
            return  # never kept, as in Chromium
        self.edits[self.controls.index(element)] = edit

    def _radio_group(self, element: Element) -> Iterator[Element]:
        name, form = element.get("name"), form_of(self, element)
        if not name:
            return
        for other in self.controls:
            if (
                other.tag == "input"
                and kind_of(other) == "radio"
                and other.get("name") == name
                and form_of(self, other) is form
            ):
                yield other


def kind_of(element: Element) -> str:
    """Type of an input or button, ``text`` or ``submit`` where none or an unknown one is named."""
    kind: str = element.get("type", "").strip().lower()
    if element.tag == "button":
        return kind if kind in ("button", "reset") else "submit"
    known = kind in _TEXT_INPUTS or kind in _VALUE_INPUTS or kind in BUTTON_TYPES
    return kind if known or kind in ("checkbox", "radio", "hidden", "file") else "text"


def is_text_field(element: Element) -> bool:
    """Whether one types into it."""
    return element.tag == "textarea" or (element.tag == "input" and kind_of(element) in _TEXT_INPUTS)


def is_valued(element: Element) -> bool:
    """Whether it holds a value that is set as a whole, such as a date."""
    return element.tag == "input" and kind_of(element) in _VALUE_INPUTS


def value_of(element: Element) -> str:
    """What a field holds."""
    if element.tag == "textarea":
        text: str = "".join(element.itertext()).replace("\r\n", "\n")
        return text.removeprefix("\n")
    if element.tag == "select":
        return next((option_value(option) for option in chosen_options(element)), "")
    value: str = element.get("value", "")
    return value


def is_checked(element: Element) -> bool:
    """Whether a box is ticked."""
    return "checked" in element.attrib


def option_text(option: Element) -> str:
    """What an option shows."""
    return option.get("label") or _content(option)


def _content(option: Element) -> str:
    return " ".join("".join(option.itertext()).split())


def option_value(option: Element) -> str:
    """What an option sends: without a value the text in it, even where a label is shown in its place."""
    value: str | None = option.get("value")
    return _content(option) if value is None else value


def is_menu(select: Element) -> bool:
    """Whether a selection drops down (a combobox); else it is a listbox."""
    return "multiple" not in select.attrib and select.get("size", "1").strip() in ("", "0", "1")


def chosen_options(select: Element) -> list[Element]:
    """The options chosen; of a menu, one."""
    options = list(select.iter("option"))
    chosen = [option for option in options if "selected" in option.attrib]
    if "multiple" in select.attrib:
        return chosen
    if chosen:
        return chosen[-1:]
    return [o for o in options if not is_disabled(o)][:1] if is_menu(select) else []


def is_disabled(element: Element) -> bool:
    """Whether a control or option, or what it is in, is disabled."""
    if "disabled" in element.attrib:
        return True
    tag = element.tag
    parent = element.getparent()
    while parent is not None:
        if parent.tag == "fieldset" and "disabled" in parent.attrib and tag != "option":
            return True
        if tag == "option" and parent.tag in ("optgroup", "select") and "disabled" in parent.attrib:
            return True
        parent = parent.getparent()
    return False


def is_in_disabled_group(document: Document, element: Element) -> bool:
    """Whether what a control is in is disabled; cheap where nothing on the page can be."""
    return document.has_disabled_groups and is_disabled(element)


def is_focusable(element: Element) -> bool:
    """Whether a click gives it the focus."""
    if element.tag == "a":
        return "href" in element.attrib
    if "tabindex" in element.attrib:
        return True
    return element.tag in _FOCUSABLE and not is_disabled(element) and element.get("type", "").lower() != "hidden"


def form_of(document: Document, element: Element) -> Element | None:
    """The form that a control belongs to."""
    named = element.get("form")
    if named is not None:
        found = document.by_id.get(named)
        return found if found is not None and found.tag == "form" else None
    return next(element.iterancestors("form"), None)
