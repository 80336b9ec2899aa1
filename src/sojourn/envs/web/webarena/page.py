"""The page that an episode ended on, as the first data set's checks want it: real addresses, JavaScript."""

from __future__ import annotations

from typing import Any

from sojourn.envs.web.actions import Goto
from sojourn.envs.web.browser.chromium import ChromiumBrowser
from sojourn.envs.web.browser.chromium.aliases import Aliases
from sojourn.envs.web.webarena.sites import Sites


class EndPage:
    """The current tab of a browser whose sites are behind a `SiteProxy`."""

    def __init__(self, browser: ChromiumBrowser, sites: Sites, url: str) -> None:
        self._browser = browser
        self._sites = sites
        self._names = Aliases(sites.hosts)
        self.url = sites.real(url)

    async def goto(self, url: str) -> None:
        """Open a real address in this tab."""
        await self._browser.act(Goto(url=self._sites.shown(url)))
        self.url = self._sites.real((await self._browser.observe()).url)

    async def content(self) -> str:
        """The document as it is now."""
        return str(await self.evaluate("() => document.documentElement.outerHTML"))

    async def evaluate(self, expression: str) -> Any:
        """The value of a function without arguments; texts have the real addresses in them."""
        # the browser's own tools: a check is no action of an agent
        value = await self._browser.evaluate(f"({expression})()")
        return self._with_real_names(value) if isinstance(value, str) else value

    def _with_real_names(self, text: str) -> str:
        for host, origin in self._sites.real_origins.items():
            text = text.replace(f"http://{self._names.outer_host(host)}", origin)
        return text
