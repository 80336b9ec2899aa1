"""The text browser: pages without scripts and styles, read and acted on in process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Set

from sojourn.envs.web.actions import (
    Click,
    CloseTab,
    GoBack,
    GoForward,
    Goto,
    Hover,
    NewTab,
    PageAction,
    Press,
    Scroll,
    Select,
    TabFocus,
    Type,
)
from sojourn.envs.web.browser import aims
from sojourn.envs.web.browser.protocol import A_FILE, MAX_LINES, NO_PAGE_AFTER, NO_PAGE_BEFORE, Observation
from sojourn.envs.web.browser.text.client import Client
from sojourn.envs.web.browser.text.document import (
    Document,
    Element,
    form_of,
    is_checked,
    is_disabled,
    is_focusable,
    is_text_field,
    is_valued,
    kind_of,
    value_of,
)
from sojourn.envs.web.browser.text.forms import (
    Submission,
    default_button,
    first_invalid,
    is_submit,
    submission,
    submits_without_button,
    typed_into,
)
from sojourn.envs.web.browser.text.tab import Tab
from sojourn.envs.web.browser.urls import joined, typed, without_fragment
from sojourn.envs.web.browser.wsgi import WsgiApp
from sojourn.errors import EnvError

_ACTIVE = frozenset({"a", "button", "input", "select", "textarea", "label", "summary"})


class TextBrowser:
    """A window on the sites of one episode, which `app` answers for; other hosts than `hosts` do not exist.

    With `deadline_s`, each action runs in a thread and fails with `EnvError` when a site takes longer: for sites that
    are not trusted to answer. Our own need none, for tests bound the time of their pages; and with fifty episodes at
    once, threads cost a third of a step.
    """

    def __init__(
        self, app: WsgiApp, hosts: Set[str], *, max_lines: int = MAX_LINES, deadline_s: float | None = None
    ) -> None:
        self._client = Client(app, hosts)
        self._max_lines = max_lines
        self._deadline_s = deadline_s
        self._tabs = [Tab()]
        self._at = 0

    async def open(self, url: str, cookies: Mapping[str, str]) -> None:
        """Show `url` in the first tab."""
        for host, header in cookies.items():
            self._client.set_cookies(host, header)
        await self._bounded(lambda: self._visit(typed(url)))

    async def observe(self) -> Observation:
        """What is shown now."""
        return self._seen()

    async def act(self, action: PageAction) -> str | None:
        """Do `action`."""
        return await self._bounded(lambda: self._act(action))

    async def close(self) -> None:
        """Forget all pages."""
        self._tabs, self._at = [Tab()], 0

    async def _bounded(self, work: Callable[[], str | None]) -> str | None:
        if self._deadline_s is None:
            return work()
        try:
            return await asyncio.wait_for(asyncio.to_thread(work), self._deadline_s)
        except TimeoutError as error:
            raise EnvError(f"a site took longer than {self._deadline_s:g} s to answer") from error

    @property
    def _tab(self) -> Tab:
        return self._tabs[self._at]

    @property
    def _document(self) -> Document:
        return self._tab.document

    def _seen(self) -> Observation:
        tab = self._tab
        titles = tuple(tab.title for tab in self._tabs)
        return Observation(
            tree=tab.tree, url=tab.url, titles=titles, tab=self._at, top=tab.entry.top, max_lines=self._max_lines
        )

    def _act(self, action: PageAction) -> str | None:
        match action:
            case Click():
                chosen = aims.as_select(self._tab.tree, action)
                return self._select(chosen) if chosen else self._click(aims.clicked(self._tab.tree, action).ref)
            case Type():
                return self._type(action)
            case Select():
                return self._select(action)
            case Hover():
                aims.aimed(self._tab.tree, action)
                return None
            case Press(keys=keys):
                return self._press(aims.keys(keys))
            case Scroll(down=down):
                return self._scroll(down)
            case Goto(url=url):
                return self._visit(typed(url))
            case GoBack():
                return self._move(-1, NO_PAGE_BEFORE)
            case GoForward():
                return self._move(1, NO_PAGE_AFTER)
            case NewTab() | TabFocus() | CloseTab():
                self._change_tab(action)
                return None

    # ------------------------------------------------------------------------------------------------ tabs and pages

    def _change_tab(self, action: NewTab | TabFocus | CloseTab) -> None:
        if isinstance(action, TabFocus):
            self._at = aims.tab(action.index, len(self._tabs))
            return
        if isinstance(action, NewTab):
            aims.check_tabs(len(self._tabs))
            self._tabs.append(Tab())
        else:
            del self._tabs[self._at]
            self._tabs = self._tabs or [Tab()]
        self._at = len(self._tabs) - 1

    def _scroll(self, down: bool) -> str | None:
        entry, top = self._tab.entry, self._seen().scrolled(down=down)
        if top == entry.top:
            return "The page ends here." if down else "The page begins here."
        entry.top = top
        return None

    def _move(self, by: int, end: str) -> str | None:
        tab = self._tab
        if not tab.move(by):
            return end
        if tab.entry.must_refetch:
            fetched = self._client.fetch(tab.url) if tab.entry.method == "GET" else tab.not_sent_again()
            tab.refresh(fetched)
        return None

    def _visit(self, url: str, *, referrer: str = "", new_tab: bool = False) -> str | None:
        """Go to `url`, from the page `referrer` if a link led to it."""
        if "#" in url and without_fragment(url) == without_fragment(self._tab.url) and not new_tab:
            self._tab.jump(url)
            return None
        return self._request(Submission(url=url, new_tab=new_tab, is_form=False), referrer)

    def _request(self, request: Submission, referrer: str) -> str | None:
        """Make a request and show what comes of it."""
        fetched = self._client.fetch(
            request.url,
            method=request.method,
            body=request.body,
            content_type=request.content_type,
            referrer=referrer,
        )
        if fetched.remark is not None:
            return fetched.remark
        if request.new_tab and len(self._tabs) < aims.MAX_TABS:
            self._tabs.append(Tab())
            self._at = len(self._tabs) - 1
        # a link to the same address makes no new entry of the history, a form does, as in Chromium
        self._tab.show(fetched, in_place=not request.is_form and request.url == self._tab.url)
        return None

    # --------------------------------------------------------------------------------------------------------- clicks

    def _click(self, element: Element) -> str | None:
        active = element
        while active is not None and not self._is_active(active):
            active = active.getparent()
        self._focus_at(element if active is None else active)
        return None if active is None else self._activate(active)

    def _is_active(self, element: Element) -> bool:
        if element.tag == "a":
            return "href" in element.attrib
        return element.tag in _ACTIVE

    def _focus_at(self, element: Element) -> None:
        """Give the focus to the innermost element around `element` that takes it, else to none."""
        self._document.clicked = element
        while element is not None and not is_focusable(element):
            element = element.getparent()
        self._document.focus = element
        self._tab.changed()

    def _activate(self, element: Element) -> str | None:
        """What a click does to a link or control."""
        if is_disabled(element) and element.tag != "a":
            return None
        if element.tag == "a":
            return self._follow(element)
        if element.tag == "label":
            control = self._document.labelled(element)
            if control is None:
                return None
            self._focus_at(control)
            return self._activate(control)
        if element.tag == "summary":
            self._toggle_details(element)
        elif is_submit(element):
            form = form_of(self._document, element)
            return None if form is None else self._submit(form, element)
        elif element.tag == "input" and kind_of(element) in ("checkbox", "radio"):
            is_radio = kind_of(element) == "radio"
            self._document.set_checked(element, is_radio or not is_checked(element))
        elif kind_of(element) == "reset":
            self._reset(element)
        return None

    def _follow(self, link: Element) -> str | None:
        if "download" in link.attrib:
            return A_FILE
        url = joined(self._tab.url, link.get("href", ""))
        if url is None:
            return None
        return self._visit(url, referrer=self._tab.url, new_tab=link.get("target") == "_blank")

    def _toggle_details(self, summary: Element) -> None:
        details = summary.getparent()
        if details is not None and details.tag == "details":
            if "open" in details.attrib:
                details.attrib.pop("open")
            else:
                details.set("open", "")

    def _reset(self, button: Element) -> None:
        """Put a form's controls back to what the page said."""
        form = form_of(self._document, button)
        fresh = Document(self._tab.entry.html)
        for ours, original in zip(self._document.controls, fresh.controls, strict=True):
            if form_of(self._document, ours) is not form:
                continue
            if ours.tag == "select":
                chosen = [i for i, option in enumerate(original.iter("option")) if "selected" in option.attrib]
                options = list(ours.iter("option"))
                self._document.select(ours, {options[i] for i in chosen})
            elif ours.tag == "input" and kind_of(ours) in ("checkbox", "radio"):
                self._document.set_checked(ours, is_checked(original))
            else:
                self._document.set_value(ours, value_of(original))

    def _submit(self, form: Element, submitter: Element | None) -> str | None:
        invalid = first_invalid(self._document, form, submitter)
        if invalid is not None:
            element, remark = invalid
            self._focus_at(element)
            return remark
        request = submission(self._document, self._tab.url, form, submitter)
        return None if request is None else self._request(request, self._tab.url)

    # ----------------------------------------------------------------------------------------------------------- keys

    def _type(self, action: Type) -> str | None:
        node, text = aims.field(self._tab.tree, action)
        element = node.ref
        self._document.set_value(element, typed_into(element, text))
        self._focus_at(element)
        return self._enter() if action.enter else None

    def _select(self, action: Select) -> str | None:
        node, option = aims.choice(self._tab.tree, action)
        self._document.select(node.ref, {option.ref})
        self._focus_at(node.ref)
        return None

    def _press(self, keys: str) -> str | None:
        focus = self._document.focus
        if keys == "Enter":
            return self._enter()
        if keys in ("Tab", "Shift+Tab"):
            self._move_focus(-1 if keys.startswith("Shift") else 1)
        elif keys in ("Space", " ") and focus is not None and not is_text_field(focus):
            return self._activate(focus) if focus.tag in ("button", "input") else None
        elif keys in ("ArrowDown", "ArrowUp") and focus is not None and focus.tag == "select":
            self._step_option(focus, 1 if keys == "ArrowDown" else -1)
        elif focus is not None and is_text_field(focus):
            self._edit(focus, keys)
        return None

    def _edit(self, field: Element, key: str) -> None:
        """A key in a field, where the cursor is at the end."""
        if "readonly" in field.attrib:
            return
        value = value_of(field)
        if key == "Backspace":
            value = value[:-1]
        elif len(key) == 1 or key == "Space":
            value = typed_into(field, value + (" " if key == "Space" else key))
        self._document.set_value(field, value)
        self._tab.changed()

    def _step_option(self, select: Element, by: int) -> None:
        options = [option for option in select.iter("option") if not is_disabled(option)]
        chosen = [i for i, option in enumerate(options) if "selected" in option.attrib]
        at = (chosen[-1] if chosen else 0) + by
        if 0 <= at < len(options):
            self._document.select(select, {options[at]})
            self._tab.changed()

    def _move_focus(self, by: int) -> None:
        """Go to the next element that takes the focus, from the one that has it or from where the last click was."""
        document = self._document
        elements = [element for element in document.root.iter() if isinstance(element.tag, str)]
        start = document.focus if document.focus is not None else document.clicked
        at = elements.index(start) if start in elements else (-1 if by > 0 else len(elements))
        ahead = elements[at + 1 :] if by > 0 else elements[:at][::-1]
        document.focus = next((el for el in ahead if is_focusable(el) and el.get("tabindex") != "-1"), None)
        self._tab.changed()

    def _enter(self) -> str | None:
        element = self._document.focus
        if element is None:
            return None
        if element.tag in ("a", "button", "summary"):
            return self._activate(element)
        if element.tag == "textarea":
            if "readonly" not in element.attrib:
                self._document.set_value(element, typed_into(element, value_of(element) + "\n"))
                self._tab.changed()
            return None
        if element.tag != "input":
            return None
        if is_submit(element):
            return self._activate(element)
        form = form_of(self._document, element)
        if form is None or not (
            is_text_field(element) or is_valued(element) or kind_of(element) in ("checkbox", "radio")
        ):
            return None
        button = default_button(self._document, form)
        if button is not None:
            return None if is_disabled(button) else self._submit(form, button)
        return self._submit(form, None) if submits_without_button(self._document, form) else None
