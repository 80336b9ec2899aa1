"""One page of Chromium over the DevTools protocol: what it is doing, and what is done to it.

A page has settled when the scripts that an action set off have run, no navigation is asked for or under way, and no
request is in flight. All of it is told by events and by promises that the page itself resolves; nothing sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from sojourn.envs.web.browser.protocol import A_FILE, NO_PAGE, NOT_FILLED, NOT_TAKEN
from sojourn.envs.web.browser.urls import BLANK
from sojourn.errors import EnvError

_TURN = "new Promise(done => setTimeout(() => setTimeout(done)))"
"""Resolved after the page has handled what was in its queue: a form that was submitted has asked for its navigation."""
_WORLD, _BINDING = "sojourn", "sojournRemark"
_REMARKS = {"missing": NOT_FILLED, "refused": NOT_TAKEN, "file": A_FILE}
_WATCH = """let told = false;
addEventListener('invalid', event => {
  event.preventDefault();
  if (told) return;
  told = true;
  setTimeout(() => { told = false; });
  event.target.focus();
  sojournRemark(event.target.validity.valueMissing ? 'missing' : 'refused');
}, true);
addEventListener('click', event => {
  if (event.defaultPrevented || !event.target.closest?.('a[download][href]')) return;
  event.preventDefault();
  sojournRemark('file');
});"""
"""Reports a form that is not sent, which Chromium would say in a bubble that goes away after a time, and a link that
is for downloading, of which it tells when the page may have settled.
"""
_BUSY_TYPES = frozenset({"Document", "XHR", "Fetch", "Script", "Stylesheet"})
_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "text/plain"})
"""Never downloaded unless attached: one whose load is given up has made room for another page."""
_GONE = ("Target closed", "Target crashed", "has been closed", "Connection closed", "Session closed")


class PageGone(Exception):  # noqa: N818 (no error of ours: it becomes an EnvError)
    """The page or the browser has ended."""


class Page:
    """A tab; everything here runs on the browser's own loop."""

    def __init__(self, page: Any, session: Any) -> None:
        self.page = page
        self._session = session
        self._frame = ""
        self._loading: set[str] = set()
        self._requested: set[str] = set()
        self._in_flight: dict[str, str] = {}
        self._files: set[str] = set()
        self._changed = asyncio.Event()
        self.url: str = page.url or BLANK
        self.title = ""
        self.error: str | None = None
        """Code of the error that is shown in place of a page, such as ``ERR_NAME_NOT_RESOLVED``."""
        self._document_error = ""
        self.num_documents = 0
        """How many documents it has shown; another number means another page."""
        self.num_popups = 0
        self.remarks: list[str] = []
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_closed = False
        """Whether it was closed, by a script of its own or by us, and did not crash."""

    @classmethod
    async def attach(cls, page: Any) -> Page:
        """Watch a page of playwright's."""
        session = await page.context.new_cdp_session(page)
        made = cls(page, session)
        made._listen()
        watch = {"source": _WATCH, "worldName": _WORLD, "runImmediately": True}
        await asyncio.gather(
            session.send("Page.enable"),
            session.send("Network.enable"),
            session.send("Runtime.enable"),
            session.send("Runtime.addBinding", {"name": _BINDING, "executionContextName": _WORLD}),
            session.send("Page.addScriptToEvaluateOnNewDocument", watch),
        )
        tree = await session.send("Page.getFrameTree")
        made._frame = tree["frameTree"]["frame"]["id"]
        return made

    def _listen(self) -> None:
        on = self._session.on
        on("Page.frameRequestedNavigation", lambda e: self._note(self._requested.add, e["frameId"], e))
        on("Page.frameStartedNavigating", lambda e: self._note(self._loading.add, e["frameId"], e))
        on("Page.frameStartedLoading", lambda e: self._note(self._loading.add, e["frameId"], e))
        on("Page.frameStoppedLoading", lambda e: self._stopped(e["frameId"]))
        on("Page.frameDetached", lambda e: self._stopped(e["frameId"]))
        on("Page.frameNavigated", lambda e: self._navigated(e["frame"]))
        on("Page.navigatedWithinDocument", self._moved)
        on("Page.windowOpen", lambda e: self._opened())
        on("Runtime.bindingCalled", self._told)
        on("Network.requestWillBeSent", self._sent)
        on("Network.responseReceived", self._received)
        on("Network.loadingFinished", lambda e: self._done(e["requestId"]))
        on("Network.loadingFailed", self._failed)
        on("Page.downloadWillBegin", lambda e: self._remark(A_FILE))  # a script's; links are told of before it
        self.page.on("dialog", self._dialog)
        self.page.on("crash", lambda _: self._end())
        self.page.on("close", lambda _: self._closed())

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._gone.done()

    # --------------------------------------------------------------------------------------------------------- events

    def _note(self, add: Any, frame: str, event: Mapping[str, Any]) -> None:
        if event.get("disposition", "currentTab") == "currentTab":
            add(frame)
        self._changed.set()

    def _stopped(self, frame: str) -> None:
        self._loading.discard(frame)
        self._requested.discard(frame)
        self._changed.set()

    def _navigated(self, frame: Mapping[str, Any]) -> None:
        if frame["id"] != self._frame:
            return
        unreachable = frame.get("unreachableUrl")
        self.url = unreachable or frame["url"] + frame.get("urlFragment", "")
        self.error = (self._document_error or "ERR_FAILED") if unreachable else None
        self.num_documents += 1
        self._in_flight.clear()
        self._files.clear()

    def _moved(self, event: Mapping[str, Any]) -> None:
        if event["frameId"] == self._frame:
            self.url = event["url"]
        self._stopped(event["frameId"])

    def _opened(self) -> None:
        self.num_popups += 1
        self._changed.set()

    def _sent(self, event: Mapping[str, Any]) -> None:
        if event.get("type") in _BUSY_TYPES:
            self._in_flight[event["requestId"]] = event["type"]

    def _received(self, event: Mapping[str, Any]) -> None:
        if event.get("type") != "Document":
            return
        response = event["response"]
        headers = {name.lower(): value for name, value in response["headers"].items()}
        if response["status"] in (204, 205):
            self._remark(NO_PAGE)
        elif (
            headers.get("content-disposition", "").lower().startswith("attachment")
            or response["mimeType"] not in _PAGE_TYPES
        ):
            self._files.add(event["requestId"])

    def _done(self, request: str) -> None:
        self._in_flight.pop(request, None)
        self._changed.set()

    def _failed(self, event: Mapping[str, Any]) -> None:
        if event.get("type") == "Document":
            self._document_error = event.get("errorText", "").removeprefix("net::")
            # Chromium gives up what it does not show. Its event of a download may come after the page has settled.
            if event["requestId"] in self._files and event.get("errorText") == "net::ERR_ABORTED":
                self._remark(A_FILE)
        self._done(event["requestId"])

    def _told(self, event: Mapping[str, Any]) -> None:
        if event["name"] == _BINDING:
            self._remark(_REMARKS[event["payload"]])

    def _remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)
        self._changed.set()

    def _dialog(self, dialog: Any) -> None:
        self._remark(f"The page opened a dialog, which was dismissed: {dialog.message[:200]!r}")
        task = asyncio.ensure_future(dialog.dismiss())
        task.add_done_callback(lambda done: done.cancelled() or done.exception())

    def _closed(self) -> None:
        self.is_closed = True
        self._end()

    def _end(self) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._changed.set()

    # ------------------------------------------------------------------------------------------------------- commands

    async def send(self, method: str, **arguments: Any) -> Any:
        """One command. Raises `PageGone`, or playwright's error where Chromium refuses it."""
        sent = asyncio.ensure_future(self._session.send(method, arguments))
        # a page that crashes answers no more, not even with an error
        try:
            await asyncio.wait((sent, self._gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not sent.done():
                sent.cancel()
        if not sent.done():
            raise PageGone("the page crashed or was closed")
        try:
            return sent.result()
        except Exception as error:
            if self.is_gone or any(sign in str(error) for sign in _GONE):
                raise PageGone(str(error)) from error
            raise

    async def settle(self) -> None:
        """Wait until nothing is going on. Raises `PageGone`."""
        while True:
            await self._turn()
            if not (self._loading or self._requested or self._in_flight):
                return
            while (self._loading or self._requested or self._in_flight) and not self.is_gone:
                self._changed.clear()
                await self._changed.wait()
            if self.is_gone:
                raise PageGone("the page has ended")

    async def _turn(self) -> None:
        """Let the page handle what is in its queue."""
        try:
            await self.send("Runtime.evaluate", expression=_TURN, awaitPromise=True)
        except PageGone:
            raise
        except Exception:
            # the document went away meanwhile: a navigation is under way, and its events say so
            await asyncio.sleep(0)

    async def stop(self) -> None:
        """Give up loading what does not come."""
        self._loading.clear()
        self._requested.clear()
        self._in_flight.clear()
        await self.send("Page.stopLoading")

    async def center(self, node: int) -> tuple[float, float] | None:
        """The middle of an element's first box, scrolled into view; None for what has no box."""
        try:
            await self.send("DOM.scrollIntoViewIfNeeded", backendNodeId=node)
            quads = (await self.send("DOM.getContentQuads", backendNodeId=node))["quads"]
        except PageGone:
            raise
        except Exception:
            return None
        for quad in quads:
            xs, ys = quad[0::2], quad[1::2]
            if max(xs) - min(xs) > 0 and max(ys) - min(ys) > 0:
                return sum(xs) / 4, sum(ys) / 4
        return None

    async def mouse(self, x: float, y: float, *, press: bool) -> None:
        """Move the pointer to a place and, with `press`, click there."""
        place = {"x": x, "y": y}
        button = {**place, "button": "left", "clickCount": 1}
        work = [self.send("Input.dispatchMouseEvent", type="mouseMoved", **place)]
        if press:
            work.append(self.send("Input.dispatchMouseEvent", type="mousePressed", **button))
            work.append(self.send("Input.dispatchMouseEvent", type="mouseReleased", **button))
        await asyncio.gather(*work)

    async def value(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def apply(self, node: int, function: str, *arguments: Any, other: int | None = None) -> Any:
        """The value of a JavaScript function called on an element, with `other`, an element, as its first argument."""
        target = (await self.send("DOM.resolveNode", backendNodeId=node))["object"]["objectId"]
        passed = [{"value": value} for value in arguments]
        if other is not None:
            found = (await self.send("DOM.resolveNode", backendNodeId=other))["object"]["objectId"]
            passed.insert(0, {"objectId": found})
        answer = await self.send(
            "Runtime.callFunctionOn",
            functionDeclaration=function,
            objectId=target,
            arguments=passed,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            raise EnvError(f"Chromium: {answer['exceptionDetails'].get('text', 'a script failed')}")
        return answer["result"].get("value")
