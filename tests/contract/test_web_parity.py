"""The text browser shows and does what Chromium shows and does: the same trees, addresses, remarks and end states."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Iterator, Mapping

import pytest
from tests.websites import HOME, HOSTS, Step, Toy, action_of, told

pytest.importorskip("playwright")

from sojourn.envs.web.actions import ActionError, parse
from sojourn.envs.web.browser.aims import INTERACTIVE, options_of
from sojourn.envs.web.browser.chromium import ChromiumBrowser, close_chromium
from sojourn.envs.web.browser.protocol import Browser, Observation
from sojourn.envs.web.browser.text import TextBrowser
from sojourn.envs.web.scenario import known_hosts
from sojourn.envs.web.sites.hosts import HOSTS as SITES
from sojourn.envs.web.sites.hosts import LOGINS, ORIGINS
from sojourn.envs.web.sites.world import World, template

CLICK = "click [{}]"


@pytest.fixture(scope="module", autouse=True)
def _no_browser_is_left() -> Iterator[None]:
    yield
    close_chromium()


async def act(browser: Browser, action: str) -> str:
    """What an action was answered with."""
    try:
        return await browser.act(parse(action)) or ""
    except ActionError as error:
        return f"refused: {error}"


async def play(browser: Browser, url: str, steps: list[Step]) -> list[str]:
    """What is seen at first and after each step."""
    await browser.open(url, {})
    seen = await browser.observe()
    shown = [told(seen, None)]
    for step in steps:
        remark = await act(browser, action_of(step, seen))
        seen = await browser.observe()
        shown.append(told(seen, remark))
    await browser.close()
    return shown


SCRIPTS: Mapping[str, tuple[str, list[Step]]] = {
    "history": (
        HOME,
        [
            (CLICK, "link", "Form"),
            "go_back",
            (CLICK, "link", "Table"),
            (CLICK, "DisclosureTriangle", "More"),
            (CLICK, "link", "3"),
            *["go_back"] * 2,
            *["go_forward"] * 3,
        ],
    ),
    "redirects without end": (HOME, [(CLICK, "link", "Loop"), "go_back"]),
    "files": (HOME, [(CLICK, "link", "File"), (CLICK, "link", "Empty"), (CLICK, "link", "Huge"), "go_back"]),
    "downloads": (f"{HOME}downloads", [(CLICK, "link", name) for name in ("A table", "A page", "Numbers")] * 2),
    "tabs": (
        HOME,
        [
            (CLICK, "link", "Form in a tab"),
            "tab_focus [0]",
            "new_tab",
            "goto [toy.example/table]",
            "close_tab",
            "tab_focus [5]",
            "close_tab",
            "close_tab",
            "go_back",
        ],
    ),
    "hosts": (
        HOME,
        [
            (CLICK, "link", "Other host"),
            "go_back",
            (CLICK, "link", "Redirect back"),
            "go_back",
            (CLICK, "link", "Nowhere"),
            "go_back",
        ],
    ),
    "links": (
        HOME,
        [
            *[(CLICK, "link", "Below"), "go_back", (CLICK, "link", "Script"), (CLICK, "link", "Mail")],
            *[(CLICK, "link", "Plain"), "go_back", (CLICK, "link", "Set cookie"), "goto [http://toy.example/unset]"],
        ],
    ),
    "searching": (
        HOME,
        [
            ("type [{}] [a 'b' \"c\" <d>~*é] [1]", "searchbox", "Search"),
            "go_back",
            ("type [{}] [zz] [0]", "searchbox", "Search"),
            (CLICK, "button", "Go"),
        ],
    ),
    "a form": (
        f"{HOME}form",
        [
            ("type [{}] [Bob] [0]", "textbox", "Name"),
            ("type [{}] [bad] [0]", "textbox", "Email"),
            (CLICK, "button", "Save"),
            ("type [{}] [b@x.org] [0]", "textbox", "Email"),
            ("type [{}] [12] [0]", "spinbutton", "Count"),
            (CLICK, "button", "Save"),
            ("type [{}] [1a2] [0]", "spinbutton", "Count"),
            ("type [{}] [7] [0]", "spinbutton", "Count"),
            ("type [{}] [pw] [0]", "textbox", "Secret"),
            ("select [{}] [medium]", "combobox", "Size"),
            ("select [{}] [Large]", "combobox", "Size"),
            ("select [{}] [blue]", "listbox", "Tags"),
            ("type [{}] [two\nlines] [1]", "textbox", "Note"),
            (CLICK, "checkbox", "Gift"),
            (CLICK, "radio", "Sea"),
            (CLICK, "option", "Small"),
            (CLICK, "button", "Nothing"),
            (CLICK, "button", "Drop"),
            (CLICK, "textbox", "Off"),
            ("type [{}] [x] [0]", "textbox", "Off"),
            (CLICK, "button", "Send"),
            "go_back",
            (CLICK, "button", "Save"),
        ],
    ),
    "resetting": (
        f"{HOME}form",
        [
            *[(CLICK, "checkbox", "Gift"), (CLICK, "checkbox", "Gift"), (CLICK, "StaticText", "Name")],
            (CLICK, "combobox", "Size"),
            "press [Enter]",
            (CLICK, "button", "Reset"),
            ("type [{}] [Zed] [1]", "textbox", "Name"),
        ],
    ),
    "required fields": (
        f"{HOME}required",
        [
            (CLICK, "button", "Go"),
            ("type [{}] [1] [1]", "textbox", "First"),
            ("type [{}] [] [1]", "textbox", "First"),
            ("type [{}] [q] [0]", "textbox", "First"),
            (CLICK, "checkbox", "Agree"),
            "press [Enter]",
        ],
    ),
    "keys and addresses": (
        HOME,
        [
            *["press [Tab]"] * 3,
            "press [Shift+Tab]",
            "press [Enter]",
            "press [Bogus]",
            "hover [2]",
            "click [999]",
            "scroll [down]",
            "goto [javascript:alert(1)]",
            "goto [http://evil.example/a b?c=d e#f g]",
            "go_back",
            "goto [HTTP://Toy.Example:80/a/../table]",
            "goto [https://toy.example/table]",
        ],
    ),
    "addresses by TLS": (
        f"{HOME}secure",
        [step for name in ("Own", "Other", "Nowhere", "Sent there") for step in ((CLICK, "link", name), "go_back")]
        + [(CLICK, "button", "Ask")],
    ),
    "options": (
        f"{HOME}options",
        [
            step
            for name in ("Shown", "Two words", "Nothing")
            for step in ((f"select [{{}}] [{name}]", "combobox", "Size"), (CLICK, "button", "Go"), "go_back")
        ],
    ),
    "pages that are not kept": (f"{HOME}?fresh", [(CLICK, "link", "Form"), "go_back"]),
    "a table": (
        f"{HOME}table",
        [
            *[(CLICK, "row", ""), (CLICK, "img", "A mug"), (CLICK, "heading", "Good"), (CLICK, "cell", "$2.00")],
            ("type [{}] [5] [1]", "textbox", "Number"),
            (CLICK, "button", "Buy"),
        ],
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_both_browsers_tell_the_same_story(name: str) -> None:
    url, steps = SCRIPTS[name]
    read, real = Toy(), Toy()
    told_by_text = asyncio.run(play(TextBrowser(read, HOSTS), url, steps))
    assert told_by_text == asyncio.run(play(ChromiumBrowser(real, HOSTS), url, steps))
    assert read.posted == real.posted
    assert (read.asked, read.referrers) == (real.asked, real.referrers)


@pytest.mark.parametrize("lines", [10, 25])
def test_long_pages_scroll_alike(lines: int) -> None:
    steps: list[Step] = ["scroll [up]", *["scroll [down]"] * 5, "scroll [up]", "goto [toy.example/form]", "go_back"]
    text = TextBrowser(Toy(), HOSTS, max_lines=lines)
    real = ChromiumBrowser(Toy(), HOSTS, max_lines=lines)
    shown = asyncio.run(play(text, f"{HOME}long", steps))
    assert shown == asyncio.run(play(real, f"{HOME}long", steps))
    assert f"(lines {lines + 1} to " in shown[2]


# ------------------------------------------------------------------------------------------------------- our own sites

TYPED = ["1", "2", "0", "", "shoes", "a", "emma.lopez@gmail.com", "Password.123", "-1", "hello world", "$3.50"]
TYPED += ["x'y\"<b>&amp;%~ü", "12345"]
FIXED = ["go_back", "go_back", "go_forward", "press [Enter]", "press [Tab]", "new_tab", "close_tab", "tab_focus [0]"]


def drawn(rng: random.Random, seen: Observation) -> str:
    """A random action, most often one that does something."""
    lines = list(enumerate(seen.tree.lines, 1))
    fields = [i for i, line in lines if line.node.is_text_field]
    menus = [(i, line.node) for i, line in lines if line.node.role == "combobox" and not line.node.is_text_field]
    buttons = [i for i, line in lines if line.node.role in ("button", "checkbox", "radio")]
    active = [i for i, line in lines if line.node.role in INTERACTIVE]
    chance = rng.random()
    if chance < 0.3 and fields:
        return f"type [{rng.choice(fields)}] [{rng.choice(TYPED)}] [{int(rng.random() < 0.3)}]"
    if chance < 0.4 and menus:
        number, menu = rng.choice(menus)
        return f"select [{number}] [{rng.choice(options_of(menu)).name}]"
    if chance < 0.52:
        return rng.choice(FIXED)
    if chance < 0.57:
        return f"click [{rng.choice(lines)[0]}]"
    if chance < 0.75 and buttons:
        return f"click [{rng.choice(buttons)}]"
    return f"click [{rng.choice(active)}]" if active else "go_back"


async def walk(site: str, seed: int, steps: int) -> None:
    worlds = World.restore(template()), World.restore(template())
    hosts = known_hosts(SITES)
    text, real = TextBrowser(worlds[0], hosts, max_lines=5_000), ChromiumBrowser(worlds[1], hosts, max_lines=5_000)
    try:
        for browser, world in ((text, worlds[0]), (real, worlds[1])):
            cookies = {SITES[site]: world.log_in(site, LOGINS[site][0])} if site in LOGINS else {}
            await browser.open(ORIGINS[site], cookies)
        rng = random.Random(f"{site}/{seed}")
        done: list[str] = []
        answers = ("", "")
        for _ in range(steps):
            seen, really = await text.observe(), await real.observe()
            assert told(seen, answers[0]) == told(really, answers[1]), done
            action = drawn(rng, seen)
            done.append(f"{seen.url} {action}")
            answers = await act(text, action), await act(real, action)
        assert list(worlds[0].db.iterdump()) == list(worlds[1].db.iterdump()), done
    finally:
        await text.close()
        await real.close()
        for world in worlds:
            world.close()


@pytest.mark.parametrize("site", SITES)
def test_random_walks_through_a_site_are_the_same(site: str) -> None:
    asyncio.run(walk(site, seed=1, steps=30))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 2 + int(os.environ.get("SOJOURN_TEST_WALKS", "1"))))
@pytest.mark.parametrize("site", ["shop", "admin", "code"])  # those with most forms
def test_long_random_walks_through_a_site_are_the_same(site: str, seed: int) -> None:
    asyncio.run(walk(site, seed=seed, steps=60))
