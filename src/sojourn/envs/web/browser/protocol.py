"""What a browser is to an environment: it opens a page, shows it, and acts on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from sojourn.envs.web.actions import PageAction
from sojourn.envs.web.browser.wsgi import WsgiApp
from sojourn.envs.web.tree import Tree, tab_line

MAX_LINES = 400
"""Lines of a page that are shown at once, unless the options say otherwise."""
NO_PAGE_BEFORE, NO_PAGE_AFTER = "There is no page before this one.", "There is no page after this one."

NOT_FILLED = "The form was not sent: the field that has the focus must be filled out."
NOT_TAKEN = "The form was not sent: the field that has the focus does not take this value."
NO_PAGE = "The site sent no page."
A_FILE = "The link leads to a file, which was not downloaded."


def error_message(host: str, code: str) -> str:
    """What an error page says of a host."""
    messages = {
        "ERR_NAME_NOT_RESOLVED": f"The server of {host} could not be found.",
        "ERR_TOO_MANY_REDIRECTS": f"{host} redirected you too many times.",
        "ERR_CACHE_MISS": "This page was the answer to a form, which is not sent again.",
    }
    return messages.get(code, f"{host} did not send a page.")


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What a browser shows."""

    tree: Tree
    url: str
    titles: tuple[str, ...]
    """Titles of the tabs, in the order in which they were opened."""
    tab: int
    """Which of them is shown."""
    top: int
    """The first line shown, counted from 0."""
    max_lines: int
    """Lines shown at once."""

    @cached_property
    def text(self) -> str:
        """The tabs, an empty line, the page; at the end, where it is cut, what part of it is shown."""
        lines = self.tree.texts[self.top : self.top + self.max_lines]
        total = len(self.tree.texts)
        cut = "" if len(lines) == total else f"\n(lines {self.top + 1} to {self.top + len(lines)} of {total})"
        return f"{tab_line(self.titles, self.tab)}\n\n" + "\n".join(lines) + cut

    def pruned(self, ids: Iterable[int]) -> str:
        """The tabs, an empty line, and of the whole page the lines of these ids, not indented."""
        lines = [self.tree.texts[node_id - 1].lstrip("\t") for node_id in ids]
        return f"{tab_line(self.titles, self.tab)}\n\n" + "\n".join(lines)

    @property
    def title(self) -> str:
        """Title of the page shown."""
        return self.titles[self.tab]

    def scrolled(self, *, down: bool) -> int:
        """`top` after scrolling by what is shown at once."""
        last = max(0, (len(self.tree.texts) - 1) // self.max_lines * self.max_lines)
        return min(last, self.top + self.max_lines) if down else max(0, self.top - self.max_lines)


class Browser(Protocol):
    """The window of one episode."""

    async def open(self, url: str, cookies: Mapping[str, str]) -> None:
        """Show `url` in the first tab, with `cookies` (host -> value of a ``Cookie`` header) set before."""

    async def observe(self) -> Observation:
        """What is shown now."""

    async def act(self, action: PageAction) -> str | None:
        """Do `action` on what was last observed; returns a remark for the agent where there is one to make.

        Raises `ActionError` for an action that cannot be done here (nothing has changed then), `EnvError` for a
        failure of the browser or of a site.
        """

    async def close(self) -> None:
        """Free everything; may be called twice."""


MakeBrowser = Callable[[WsgiApp], Browser]
"""Opens a browser on the sites of one episode."""
