"""A window of Chromium for one episode: a context of its own in the browser that all share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Set
from typing import Any, TypeVar

from sojourn.envs.web.actions import (
    ActionError,
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
from sojourn.envs.web.browser.chromium.axtree import nodes_of
from sojourn.envs.web.browser.chromium.host import ChromiumHost, Running, gone, shared_chromium
from sojourn.envs.web.browser.chromium.page import Page, PageGone
from sojourn.envs.web.browser.chromium.server import EPISODE_HEADER, LoopbackServer, Served
from sojourn.envs.web.browser.protocol import MAX_LINES, NO_PAGE_AFTER, NO_PAGE_BEFORE, Observation, error_message
from sojourn.envs.web.browser.urls import BLANK, host_of, typed
from sojourn.envs.web.browser.wsgi import WsgiApp, site_failure
from sojourn.envs.web.tree import Node, Tree, lay_out, page_error
from sojourn.errors import EnvError

T = TypeVar("T")

DEADLINE_S = 20.0
"""Seconds that a page may take to load, and the browser to answer."""
_STILL = "addEventListener('DOMContentLoaded', () => { const s = document.createElement('style'); s.textContent = "
_STILL += "'*{transition:none!important;animation:none!important}'; document.documentElement.append(s); })"
_FOCUS = "function() { this.focus(); if (this.select) this.select(); }"
_SET = """function(value) {
  this.focus(); this.value = value;
  for (const kind of ['input', 'change']) this.dispatchEvent(new Event(kind, {bubbles: true}));
}"""
_CHOOSE = """function(option) {
  this.focus();
  for (const each of this.options) each.selected = each === option;
  for (const kind of ['input', 'change']) this.dispatchEvent(new Event(kind, {bubbles: true}));
}"""
_OPENING = ("Enter", "Space", " ")
"""Keys that would open the list of a menu that has the focus: a window of the system's, where no tree shows what is
chosen. It is not opened; `select` chooses."""
_ON_MENU = "document.activeElement instanceof HTMLSelectElement"


class ChromiumBrowser:
    """A window on the sites of one episode, which `app` answers for; other hosts than `hosts` do not exist."""

    def __init__(
        self, app: WsgiApp, hosts: Set[str], *, max_lines: int = MAX_LINES, deadline_s: float = DEADLINE_S
    ) -> None:
        self._app = app
        self._host: ChromiumHost = shared_chromium(hosts)
        self._aliases = self._host.aliases
        self._max_lines = max_lines
        self._deadline_s = deadline_s
        self._server: LoopbackServer | None = None
        self._key = ""
        self._served: Served | None = None
        self._context: Any = None
        self._pages: list[Page] = []
        self._at = 0
        self._new_pages: asyncio.Queue[Any] = asyncio.Queue()
        self._tops: dict[int, tuple[int, int]] = {}
        self._seen: tuple[Page, int, Tree] | None = None

    async def open(self, url: str, cookies: Mapping[str, str]) -> None:
        """Show `url` in the first tab."""
        await self._run(self._open(typed(url), cookies))

    async def observe(self) -> Observation:
        """What is shown now."""
        return await self._run(self._observe())

    async def act(self, action: PageAction) -> str | None:
        """Do `action` and wait until the page has settled."""
        return await self._run(self._act(action))

    async def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression on the page shown, for checks; agents have no such action."""
        return await self._run(asyncio.wait_for(self._page.value(expression), self._deadline_s))

    async def screenshot(self) -> bytes:
        """The page shown, as a PNG of what is in the window."""
        picture: bytes = await self._run(self._page.page.screenshot())
        return picture

    async def close(self) -> None:
        """Close the context with all that it holds."""
        if self._host.is_usable:
            await self._host.run(self._close())

    async def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if not self._host.is_usable:
            work.close()
            raise EnvError("Chromium was closed while an episode was open")
        try:
            result = await self._host.run(work)
        except PageGone as error:
            raise self._failure() or gone(error) from error
        except TimeoutError as error:
            raise EnvError(f"Chromium did not answer within {self._deadline_s:g} s") from error
        except Exception as error:
            if type(error).__module__.startswith("playwright"):
                raise gone(error) from error
            raise
        failure = self._failure()
        if failure is not None:
            raise failure
        return result

    def _failure(self) -> EnvError | None:
        """What a site raised, as the failure of the episode."""
        failure = None if self._served is None else self._served.failure
        return None if failure is None else site_failure(failure)

    # ------------------------------------------------------------------------------------------------- opening, seeing

    async def _open(self, url: str, cookies: Mapping[str, str]) -> None:
        await self._host.opened(lambda running: self._begin(running, cookies))
        await self._in_time(self._goto(url))

    async def _begin(self, running: Running, cookies: Mapping[str, str]) -> None:
        """A context of its own with one empty page."""
        self._server = running.server
        self._key, self._served = running.server.add(self._app)
        self._context = await running.browser.new_context(
            accept_downloads=False,
            reduced_motion="reduce",
            viewport={"width": 1280, "height": 720},
            locale="en-US",
            timezone_id="UTC",
            extra_http_headers={EPISODE_HEADER: self._key},
        )
        self._context.set_default_timeout(self._deadline_s * 1000)
        await self._context.add_init_script(_STILL)
        if cookies:
            await self._context.add_cookies(list(self._cookies(cookies)))
        self._context.on("page", self._new_pages.put_nowait)
        self._pages = [await self._new_page()]

    def _cookies(self, cookies: Mapping[str, str]) -> list[dict[str, str]]:
        found = []
        for host, header in cookies.items():
            for pair in header.split(";"):
                name, equals, value = pair.strip().partition("=")
                if equals:
                    found.append({"name": name, "value": value, "url": f"http://{self._aliases.outer_host(host)}/"})
        return found

    async def _new_page(self) -> Page:
        await self._context.new_page()
        return await Page.attach(await self._new_pages.get())

    @property
    def _page(self) -> Page:
        return self._pages[self._at]

    async def _tree(self) -> Tree:
        """The tree of the current page as it is now."""
        page = self._page
        if page.error is not None:
            host = host_of(self._aliases.inner(page.url))
            page.title = host
            root = page_error(host, error_message(host, page.error), page.error)
        else:
            answer = await asyncio.wait_for(page.send("Accessibility.getFullAXTree"), self._deadline_s)
            root = nodes_of(answer["nodes"])
            page.title = " ".join(root.name.split())
        return lay_out(root)

    async def _observe(self) -> Observation:
        page = self._page
        tree = await self._tree()
        self._seen = (page, page.num_documents, tree)
        document, top = self._tops.get(id(page), (0, 0))
        return Observation(
            tree=tree,
            url=self._aliases.inner(page.url),
            titles=tuple(each.title for each in self._pages),
            tab=self._at,
            top=top if document == page.num_documents else 0,
            max_lines=self._max_lines,
        )

    async def _seen_tree(self) -> Tree:
        """The tree that the agent saw last, if it is of the page that is shown."""
        page = self._page
        if self._seen is not None and self._seen[:2] == (page, page.num_documents):
            return self._seen[2]
        return (await self._observe()).tree

    # ---------------------------------------------------------------------------------------------------------- acting

    async def _act(self, action: PageAction) -> str | None:
        page = self._page
        page.remarks.clear()
        remark = await self._in_time(self._do(action))
        return " ".join([*([remark] if remark else []), *page.remarks]) or None

    async def _in_time(self, work: Coroutine[Any, Any, str | None]) -> str | None:
        """Do `work` and wait for what it sets off, popups too; a remark where a page does not come."""
        page = self._page
        try:
            async with asyncio.timeout(self._deadline_s):
                remark = await work
                if remark is None:
                    await self._page.settle()
                    await self._adopt_popups()
                return remark
        except PageGone:
            if not page.is_closed or len(self._pages) == 1:
                raise
            self._pages.remove(page)
            self._at = len(self._pages) - 1
            await self._page.page.bring_to_front()
            return "The page closed its tab."
        except TimeoutError:
            await asyncio.wait_for(self._page.stop(), self._deadline_s)
            return f"The page did not finish loading within {self._deadline_s:g} s."

    async def _do(self, action: PageAction) -> str | None:
        tree = await self._seen_tree()
        match action:
            case Click():
                chosen = aims.as_select(tree, action)
                await (self._select(chosen, tree) if chosen else self._click(aims.clicked(tree, action)))
            case Type():
                await self._type(action, tree)
            case Select():
                await self._select(action, tree)
            case Hover():
                place = await self._page.center(aims.aimed(tree, action).ref)
                if place is not None:
                    await self._page.mouse(*place, press=False)
            case Press(keys=keys):
                await self._press(aims.keys(keys))
            case Scroll(down=down):
                return await self._scroll(down)
            case Goto(url=url):
                return await self._goto(typed(url))
            case GoBack():
                return None if await self._move(-1) else NO_PAGE_BEFORE
            case GoForward():
                return None if await self._move(1) else NO_PAGE_AFTER
            case NewTab() | TabFocus() | CloseTab():
                await self._change_tab(action)
        return None

    async def _adopt_popups(self) -> None:
        """Make pages that the current one opened tabs, the last of them the current tab."""
        opener = self._page
        while opener.num_popups:
            opener.num_popups -= 1
            opened = await self._new_pages.get()
            if len(self._pages) >= aims.MAX_TABS:
                await opened.close()
                continue
            page = await Page.attach(opened)
            self._pages.append(page)
            self._at = len(self._pages) - 1
            await opened.wait_for_load_state("load")
            await page.settle()
            page.url = opened.url

    async def _goto(self, url: str) -> str | None:
        await self._page.send("Page.navigate", url=self._aliases.outer(url))
        return None

    async def _move(self, by: int) -> bool:
        history = await self._page.send("Page.getNavigationHistory")
        entries, at = history["entries"], history["currentIndex"] + by
        if not 0 <= at < len(entries) or entries[at]["url"] == BLANK:
            return False
        await self._page.send("Page.navigateToHistoryEntry", entryId=entries[at]["id"])
        return True

    async def _scroll(self, down: bool) -> str | None:
        observation = await self._observe()
        top = observation.scrolled(down=down)
        if top == observation.top:
            return "The page ends here." if down else "The page begins here."
        self._tops[id(self._page)] = (self._page.num_documents, top)
        return None

    async def _change_tab(self, action: NewTab | TabFocus | CloseTab) -> None:
        if isinstance(action, TabFocus):
            self._at = aims.tab(action.index, len(self._pages))
        elif isinstance(action, NewTab):
            aims.check_tabs(len(self._pages))
            self._pages.append(await self._new_page())
            self._at = len(self._pages) - 1
        else:
            closed = self._pages.pop(self._at)
            self._tops.pop(id(closed), None)
            await closed.page.close()
            if not self._pages:
                self._pages = [await self._new_page()]
            self._at = len(self._pages) - 1
        await self._page.page.bring_to_front()

    async def _press(self, keys: str) -> None:
        if keys in _OPENING and await self._page.value(_ON_MENU):
            return
        await self._page.page.keyboard.press(keys)

    async def _click(self, node: Node) -> None:
        if node.role == "combobox" and not node.is_text_field and not node.is_disabled:
            await self._page.apply(node.ref, "function() { this.focus(); }")
            return
        place = await self._page.center(node.ref)
        if place is None:
            raise ActionError("This element cannot be clicked: it takes no room on the page.")
        await self._page.mouse(*place, press=True)

    async def _type(self, action: Type, tree: Tree) -> None:
        node, text = aims.field(tree, action)
        page = self._page
        if node.is_text_field:
            await page.apply(node.ref, _FOCUS)
            if text:
                await page.send("Input.insertText", text=text)
            else:
                await page.page.keyboard.press("Delete")
        else:
            await page.apply(node.ref, _SET, text)
        if action.enter:
            await page.page.keyboard.press("Enter")

    async def _select(self, action: Select, tree: Tree) -> None:
        node, option = aims.choice(tree, action)
        await self._page.apply(node.ref, _CHOOSE, other=option.ref)

    async def _close(self) -> None:
        context, self._context = self._context, None
        if self._server is not None:
            self._server.remove(self._key)
        if context is not None:
            try:
                await asyncio.wait_for(context.close(), self._deadline_s)
            except TimeoutError:
                return  # a page that hangs; its process ends with the browser
            except Exception as error:
                if not type(error).__module__.startswith("playwright"):
                    raise  # a browser that is gone has closed it already
