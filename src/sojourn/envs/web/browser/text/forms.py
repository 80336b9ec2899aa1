"""What a form sends, and when it refuses to."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote_plus

from sojourn.envs.web.browser.protocol import NOT_FILLED, NOT_TAKEN
from sojourn.envs.web.browser.text.document import (
    BUTTON_TYPES,
    Document,
    Element,
    chosen_options,
    form_of,
    is_checked,
    is_disabled,
    is_text_field,
    kind_of,
    option_value,
    value_of,
)
from sojourn.envs.web.browser.urls import joined

_EMAIL = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?", re.ASCII)
_BOUNDARY = "----sojournFormBoundary7MA4YWxk"
_BARRED = frozenset({"hidden", "reset", "button"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """One request that a link or a form makes."""

    url: str
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    new_tab: bool = False
    is_form: bool = True


def controls_of(document: Document, form: Element) -> Iterator[Element]:
    """The controls of a form in document order, buttons too."""
    for element in document.root.iter("input", "select", "textarea", "button"):
        if form_of(document, element) is form:
            yield element


def is_submit(element: Element) -> bool:
    """Whether a click on it submits its form."""
    is_button: bool = element.tag in ("button", "input") and kind_of(element) in ("submit", "image")
    return is_button


def default_button(document: Document, form: Element) -> Element | None:
    """The button that Enter presses."""
    return next((el for el in controls_of(document, form) if is_submit(el)), None)


def submits_without_button(document: Document, form: Element) -> bool:
    """Whether Enter submits a form that has no such button: it has one text field."""
    fields = [el for el in controls_of(document, form) if el.tag == "input" and is_text_field(el)]
    return len(fields) <= 1


def entries(document: Document, form: Element, submitter: Element | None) -> list[tuple[str, str]]:
    """Names and values that are sent."""
    found: list[tuple[str, str]] = []
    for element in controls_of(document, form):
        name: str = element.get("name", "")
        if not name or is_disabled(element):
            continue
        if element.tag == "select":
            found += [(name, option_value(o)) for o in chosen_options(element) if not is_disabled(o)]
            continue
        kind = "textarea" if element.tag == "textarea" else kind_of(element)
        if element.tag == "button" or kind in BUTTON_TYPES:
            pressed = element.get("value", "")
            if element is submitter:
                found.append((name, pressed))
        elif kind in ("checkbox", "radio"):
            if is_checked(element):
                found.append((name, element.get("value", "on")))
        else:
            found.append((name, value_of(element) if kind != "file" else ""))
    return [(_lines(name), _lines(value)) for name, value in found]


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")


def encoded(pairs: list[tuple[str, str]]) -> str:
    """Pairs as ``application/x-www-form-urlencoded``, letter for letter as Chromium encodes them."""
    quoted = [(_quoted(name), _quoted(value)) for name, value in pairs]
    return "&".join(f"{name}={value}" for name, value in quoted)


def _quoted(text: str) -> str:
    return quote_plus(text, safe="*").replace("~", "%7E")


def submission(document: Document, url: str, form: Element, submitter: Element | None) -> Submission | None:
    """The request that a form of the page `url` makes; None if its address is none."""
    stated: Mapping[str, str] = {} if submitter is None else submitter.attrib
    action: str = stated.get("formaction") or form.get("action", "")
    target = joined(url, action) if action.strip() else url.partition("#")[0]
    if target is None:
        return None
    method = (stated.get("formmethod") or form.get("method") or "get").strip().lower()
    new_tab = (stated.get("formtarget") or form.get("target") or "") == "_blank"
    pairs = entries(document, form, submitter)
    if method != "post":
        address = target.partition("#")[0].partition("?")[0]
        return Submission(url=f"{address}?{encoded(pairs)}", new_tab=new_tab)
    kind = (stated.get("formenctype") or form.get("enctype") or "").strip().lower()
    if kind == "multipart/form-data":
        body, kind = _multipart(pairs), f"multipart/form-data; boundary={_BOUNDARY}"
    else:
        body, kind = encoded(pairs).encode(), "application/x-www-form-urlencoded"
    return Submission(url=target, method="POST", body=body, content_type=kind, new_tab=new_tab)


def _multipart(pairs: list[tuple[str, str]]) -> bytes:
    parts = []
    for name, value in pairs:
        shown = name.replace('"', "%22").replace("\r\n", "%0D%0A")
        parts.append(f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{shown}"\r\n\r\n{value}\r\n')
    return ("".join(parts) + f"--{_BOUNDARY}--\r\n").encode()


# ------------------------------------------------------------------------------------------------------- validation


def first_invalid(document: Document, form: Element, submitter: Element | None) -> tuple[Element, str] | None:
    """The first control whose value the form does not take, and what to say of it; None if the form is sent."""
    if "novalidate" in form.attrib or (submitter is not None and "formnovalidate" in submitter.attrib):
        return None
    for element in controls_of(document, form):
        kind = kind_of(element) if element.tag == "input" else element.tag
        if element.tag == "button" or kind in _BARRED or is_disabled(element) or "readonly" in element.attrib:
            continue
        if "required" in element.attrib and _is_missing(document, element, kind):
            return element, NOT_FILLED
        value = value_of(element)
        if value and kind not in ("checkbox", "radio") and not _is_taken(element, kind, value):
            return element, NOT_TAKEN
    return None


def _is_missing(document: Document, element: Element, kind: str) -> bool:
    if kind == "checkbox":
        return not is_checked(element)
    if kind == "radio":
        return not _is_group_checked(document, element)
    return not value_of(element)


def _is_taken(element: Element, kind: str, value: str) -> bool:
    if kind == "email" and _EMAIL.fullmatch(value) is None:
        return False
    if kind == "url" and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*:.", value) is None:
        return False
    if kind == "number":
        return _is_number_in_range(element, value)
    return _matches(element, value)


def _is_group_checked(document: Document, element: Element) -> bool:
    form, name = form_of(document, element), element.get("name")
    group = [el for el in document.controls if el.get("name") == name and form_of(document, el) is form]
    return any(is_checked(el) for el in group if el.tag == "input" and kind_of(el) == "radio")


def _matches(element: Element, value: str) -> bool:
    pattern = element.get("pattern")
    if pattern is None or element.tag != "input":
        return True
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True  # as browsers do with a pattern that is none


def _is_number_in_range(element: Element, value: str) -> bool:
    number, low, high = _number(value), _number(element.get("min")), _number(element.get("max"))
    if number is None or (low is not None and number < low) or (high is not None and number > high):
        return number is None  # a text that is no number counts as empty
    step = element.get("step", "1").strip().lower()
    size = _number(step) or 1.0
    if step == "any" or size <= 0:
        return True
    return abs(math.remainder(number - (low or 0.0), size)) < 1e-6 * size


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def typed_into(element: Element, text: str) -> str:
    """What a field holds after `text` was typed into it."""
    if element.tag == "input" and kind_of(element) == "number":
        text = "".join(char for char in text if char in "0123456789+-.eE")
        return text if _number(text) is not None else ""
    limit = element.get("maxlength", "")
    return text[: int(limit)] if limit.isascii() and limit.isdigit() else text
