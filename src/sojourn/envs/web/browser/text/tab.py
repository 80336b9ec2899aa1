"""A tab of the text browser: its history and the page it shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sojourn.envs.web.browser.protocol import error_message
from sojourn.envs.web.browser.text.accessibility import accessibility_tree
from sojourn.envs.web.browser.text.client import Fetched
from sojourn.envs.web.browser.text.document import Document, Edit
from sojourn.envs.web.browser.urls import BLANK, host_of
from sojourn.envs.web.tree import Tree, lay_out, page_error

MAX_HISTORY = 50
"""Pages a tab remembers, as in Chromium."""


@dataclass(slots=True, kw_only=True)
class Entry:
    """A page of the history, with what is needed to show it again as it was left."""

    url: str
    html: bytes = b""
    error: str | None = None
    method: str = "GET"
    must_refetch: bool = False
    edits: dict[int, Edit] = field(default_factory=dict)
    top: int = 0


def _entry(fetched: Fetched) -> Entry:
    return Entry(
        url=fetched.url,
        html=fetched.html,
        error=fetched.error,
        method=fetched.method,
        must_refetch=fetched.must_refetch,
    )


class Tab:
    """One tab. It shows `document`, the page of the history that it is at."""

    def __init__(self) -> None:
        self._history = [Entry(url=BLANK)]
        self._at = 0
        self._document: Document | None = None
        self._tree: Tree | None = None

    @property
    def entry(self) -> Entry:
        """The page of the history that is shown."""
        return self._history[self._at]

    @property
    def url(self) -> str:
        """Its address."""
        return self.entry.url

    @property
    def title(self) -> str:
        """Its title; of a page that is an error, the host."""
        return host_of(self.url) if self.entry.error is not None else self.document.title

    @property
    def is_blank(self) -> bool:
        """Whether nothing was opened in it yet."""
        return len(self._history) == 1 and self.url == BLANK

    def show(self, fetched: Fetched, *, in_place: bool = False) -> None:
        """Go to a page, `in_place` of the present one or after it; what came after it in the history is forgotten."""
        entry = _entry(fetched)
        if in_place:
            self._history[self._at] = entry
        else:
            self._push(entry)
        self._forget()

    def jump(self, url: str) -> None:
        """Go to another place of the same page."""
        self.document.focus = None  # read by now: both entries share what is edited in it
        if url != self.url:
            self._push(replace(self.entry, url=url))
        self.changed()

    def _push(self, entry: Entry) -> None:
        keep = [] if self.is_blank else self._history[: self._at + 1]
        self._history = [*keep, entry][-MAX_HISTORY:]
        self._at = len(self._history) - 1

    def move(self, by: int) -> bool:
        """Go back or forward in the history; whether there was a page to go to."""
        if not 0 <= self._at + by < len(self._history):
            return False
        self._at += by
        self.entry.top = 0
        self._forget()
        return True

    def refresh(self, fetched: Fetched) -> None:
        """Show what was fetched anew for the page of the history that it is at."""
        fresh = _entry(fetched)
        fresh.edits = self.entry.edits
        self._history[self._at] = fresh
        self._forget()

    def not_sent_again(self) -> Fetched:
        """What is shown for a page that would have to be asked for by sending a form once more."""
        entry = self.entry
        return Fetched(url=entry.url, error="ERR_CACHE_MISS", method=entry.method, must_refetch=True)

    def _forget(self) -> None:
        """Another page is shown than before: it is read when it is asked for."""
        self._document = self._tree = None

    @property
    def document(self) -> Document:
        """The page, read when it is asked for: a tab that was opened for an address never shows a blank one."""
        if self._document is None:
            entry = self.entry
            self._document = Document(entry.html)
            if entry.edits:
                edits, self._document.edits = entry.edits, entry.edits
                self._document.restore(dict(edits))
            else:
                entry.edits = self._document.edits
        return self._document

    def changed(self) -> None:
        """The document was changed: the tree is made anew when it is asked for."""
        self._tree = None

    @property
    def tree(self) -> Tree:
        """What the page shows."""
        if self._tree is None:
            error = self.entry.error
            if error is None:
                self._tree = lay_out(accessibility_tree(self.document))
            else:
                host = host_of(self.url)
                self._tree = lay_out(page_error(host, error_message(host, error), error))
        return self._tree
