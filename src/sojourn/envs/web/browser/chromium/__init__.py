"""A real browser: one Chromium for all episodes of the process, a context each."""

from sojourn.envs.web.browser.chromium.browser import ChromiumBrowser
from sojourn.envs.web.browser.chromium.host import close_chromium

__all__ = ["ChromiumBrowser", "close_chromium"]
