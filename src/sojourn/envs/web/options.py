"""Options that the environments in a browser have in common: limits, the id they give, and the browser."""

from __future__ import annotations

from collections.abc import Iterable, Set
from functools import partial
from typing import Literal, get_args

from sojourn.envs.web.actions import FORMS
from sojourn.envs.web.browser.protocol import MAX_LINES, MakeBrowser
from sojourn.envs.web.browser.text import TextBrowser
from sojourn.envs.web.commands import MAX_ANSWERS
from sojourn.envs.web.episode import Limits
from sojourn.errors import ConfigError, unknown_name

BrowserName = Literal["text", "chromium"]

_SEEN = """\
{aim} You see a page as its accessibility tree: each line has the id of an element in brackets, its role, its name and \
its state. Actions:
{forms}
click, type, select and hover take the id of an element on the page. type replaces what the field holds and presses \
Enter afterwards unless the last argument is 0. {end}"""
_END = """\
goto opens an address in the current tab. When the objective is done, end with stop and the answer; stop [] where no \
answer is asked for, stop [N/A] where it is impossible.
The sites: {sites}."""


def instructions(aim: str, sites: Iterable[str]) -> str:
    """What an agent is told before an episode on `sites` (addresses, with what they are) that `stop` ends."""
    return instructions_ending(aim, _END.format(sites=", ".join(sites)))


def instructions_ending(aim: str, end: str) -> str:
    """What an agent is told before an episode that ends otherwise: `end` says how."""
    return _SEEN.format(aim=aim, forms="\n".join(FORMS.values()), end=end)


def check_browser(browser: str) -> None:
    """Raise `ConfigError` for a browser that there is not."""
    if browser not in get_args(BrowserName):
        raise unknown_name("Web browser", browser, get_args(BrowserName))


def checked_limits(
    *, max_steps: int | None, max_lines: int, max_commands: int, max_answers: int, prune: bool
) -> Limits:
    """The limits that the options say. Raises `ConfigError` for one that leaves nothing."""
    given = (
        ("max_steps", max_steps, 1),
        ("max_lines", max_lines, 10),
        ("max_commands", max_commands, 8),
        ("max_answers", max_answers, 0),
    )
    for name, value, least in given:
        if value is not None and value < least:
            raise ConfigError(f"Web: {name} must be >= {least}, got {value}")
    return Limits(max_steps=max_steps, max_commands=max_commands, max_answers=max_answers, prunes=prune)


def env_id(version: str, limits: Limits, *, browser: str, max_lines: int) -> str:
    """A version and the options that change an episode."""
    changed = [] if browser == "text" else [f"browser={browser}"]
    changed += [] if limits.max_steps is None else [f"max_steps={limits.max_steps}"]
    changed += [] if max_lines == MAX_LINES else [f"max_lines={max_lines}"]
    if limits.prunes:  # what is listed is what is seen
        changed.append(f"pruned={limits.max_commands}")
        changed += [] if limits.max_answers == MAX_ANSWERS else [f"answers={limits.max_answers}"]
    return "+".join([version, *changed])


def browser_maker(browser: BrowserName, hosts: Set[str], max_lines: int, *, deadline_s: float | None) -> MakeBrowser:
    """What opens a browser on sites at `hosts`; `deadline_s` bounds what the text browser waits for a page.

    Raises `MissingDependencyError` where there is no Chromium to open.
    """
    if browser == "text":
        return partial(TextBrowser, hosts=hosts, max_lines=max_lines, deadline_s=deadline_s)
    from sojourn.envs.web.browser.chromium import ChromiumBrowser  # only when asked for: playwright is an extra
    from sojourn.envs.web.browser.chromium.launch import require_chromium

    require_chromium()
    return partial(ChromiumBrowser, hosts=hosts, max_lines=max_lines)
