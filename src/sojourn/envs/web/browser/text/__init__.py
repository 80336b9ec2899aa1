"""The text browser: HTML to accessibility tree, forms, cookies, tabs and history, in process."""

from sojourn.envs.web.browser.text.browser import TextBrowser

__all__ = ["TextBrowser"]
