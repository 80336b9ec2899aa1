"""The text browser: what it makes of HTML, what forms send, how it moves, and that no page upsets it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.websites import HOME, HOST, HOSTS, OTHER, Step, Toy, action_of, told

from sojourn.envs.web.actions import ActionError, parse
from sojourn.envs.web.browser.protocol import Observation
from sojourn.envs.web.browser.text import TextBrowser
from sojourn.envs.web.browser.text.accessibility import accessibility_tree
from sojourn.envs.web.browser.text.document import Document
from sojourn.envs.web.browser.urls import canonical, joined, typed
from sojourn.envs.web.tree import lay_out
from sojourn.errors import EnvError


def lines_of(html: str) -> list[str]:
    """The lines of a page without ids and indents, the first left out."""
    texts = lay_out(accessibility_tree(Document(html))).texts[1:]
    return [text.strip("\t").partition("] ")[2] for text in texts]


def play(*steps: Step, toy: Toy | None = None, url: str = HOME, **options: Any) -> list[tuple[Observation, str | None]]:
    """What is seen, with the remark before it, at first and after each step."""

    async def run() -> list[tuple[Observation, str | None]]:
        browser = TextBrowser(toy or Toy(), HOSTS, **options)
        await browser.open(url, {})
        shown: list[tuple[Observation, str | None]] = [(await browser.observe(), None)]
        for step in steps:
            remark = await browser.act(parse(action_of(step, shown[-1][0])))
            shown.append((await browser.observe(), remark))
        await browser.close()
        return shown

    return asyncio.run(run())


def _headers(*names: str) -> list[str]:
    return [f"columnheader {name!r} required: False" for name in names]


# --------------------------------------------------------------------------------------------------------------- trees


@pytest.mark.parametrize(
    ("html", "lines"),
    [
        ("<a href=/x>A <b>b</b></a>", ["link 'A b'"]),
        ("<a href=/x><img alt=Pic>text</a>", ["link 'Pic text'", "img 'Pic'"]),
        ("<a href=/x aria-label=Name>x</a>", ["link 'Name'", "StaticText 'x'"]),
        ("<a>no link</a>", ["StaticText 'no link'"]),
        ("<h2>One<br>two</h2>", ["heading 'One two'"]),
        ("<label for=q>Find</label><input id=q>", ["StaticText 'Find'", "textbox 'Find' required: False"]),
        ("<label>In <input value=v></label>", ["StaticText 'In'", "textbox 'In' required: False", "StaticText 'v'"]),
        ("<label><input type=checkbox checked> Yes</label>", ["checkbox 'Yes' checked: true"]),
        ("<input type=password aria-label=P value=abc>", ["textbox 'P' required: False", "StaticText '•••'"]),
        ("<input type=hidden name=x>", []),
        ("<input type=submit><button>Go</button>", ["button 'Submit'", "button 'Go'"]),
        ("<button disabled>Off</button>", ["button 'Off' disabled: True"]),
        (
            "<select aria-label=S><option>a<option selected>b</select>",
            ["combobox 'S' hasPopup: menu expanded: False", "option 'a' selected: False", "option 'b' selected: True"],
        ),
        (
            "<table><tr><th>H<th>I</tr><tr><td>1<td>2</tr></table>",
            ["table ''", "row ''", *_headers("H", "I"), "row ''", "cell '1'", "cell '2'"],
        ),
        ("<table><tr><th>r<td>1</table>", ["table ''", "row ''", "rowheader 'r' required: False", "cell '1'"]),
        ("<table><tr><td>1<td>2</table>", ["LayoutTableCell '1'", "LayoutTableCell '2'"]),
        ("<ul><li>a<li>b</ul>", ["StaticText 'a'", "StaticText 'b'"]),
        ("<p hidden>a</p><p aria-hidden=true>b</p><p style='display:none'>c</p><script>d</script>", []),
        ("<details><summary>S</summary>in</details>", ["DisclosureTriangle 'S' expanded: False"]),
        ("<div role=button>x</div><p role=alert>y</p>", ["button 'x'", "alert '' live: assertive atomic: True "
         "relevant: 'additions text'", "StaticText 'y'"]),
        ("<nav aria-label=Main><a href=/>x</a></nav>", ["navigation 'Main'", "link 'x'"]),
        ("<img alt=''><img><img alt=z>", ["img 'z'"]),
    ],
)  # fmt: skip
def test_elements_are_named_and_described_as_chromium_does(html: str, lines: list[str]) -> None:
    assert lines_of(html) == lines


TAGS = ["a href=/x", "p", "div", "table", "tr", "td", "th", "select", "option", "label", "label for=i", "input id=i"]
TAGS += ["form", "button", "textarea", "ul", "li", "h1", "details", "summary", "fieldset", "legend", "br", "img alt=x"]
TAGS += ["input type=checkbox", "input type=number value=x", "script", "title", "svg", "iframe", "span aria-label=y"]
MARKUP = st.one_of(
    st.sampled_from([f"<{tag}>" for tag in TAGS] + [f"</{tag.split()[0]}>" for tag in TAGS]),
    st.sampled_from(["<!--", "-->", "<![CDATA[", "&amp;", "&#0;", "<?xml version='1.0' encoding='utf-16'?>", "\x00"]),
    st.text(max_size=8),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(MARKUP, max_size=30).map("".join))
def test_any_text_is_some_page(html: str) -> None:
    tree = lay_out(accessibility_tree(Document(html)))
    assert len(tree.text.split("\n")) == len(tree.lines) >= 1


def test_deep_pages_are_no_trouble() -> None:
    assert lines_of("<div>" * 5_000 + "deep") in ([], ["StaticText 'deep'"])
    lines_of("<a href=x>" * 3_000)
    lines_of("<table><tr><td>" * 300 + "x")


class OnePage:
    """A site of one page, whatever is asked for."""

    def __init__(self, html: str) -> None:
        self.html = html.encode("utf-8", errors="replace")

    def __call__(self, environ: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/html")])
        return [self.html]


@settings(max_examples=40, deadline=None)
@example("<textarea>\x01\ufffe")
@example("<form><input value='&#1;'><input type=reset>")
@given(st.lists(MARKUP, max_size=30).map("".join))
def test_any_page_can_be_acted_on(html: str) -> None:
    async def run() -> None:
        browser = TextBrowser(OnePage(html), HOSTS)
        await browser.open(HOME, {})
        count = len((await browser.observe()).tree.lines)
        forms = ("click [{}]", "type [{}] [7] [1]", "select [{}] [x] ", "hover [{}]")
        for number in range(1, count + 1):
            for form in (*forms, "press [Tab]", "press [Enter]", "go_back"):
                try:
                    await browser.act(parse(form.format(number)))
                except ActionError:
                    continue
        await browser.observe()

    asyncio.run(run())


# ----------------------------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Toy.Example:80", "http://toy.example/"),
        ("http://x.example/a/../b/./c?q=a b#f g", "http://x.example/b/c?q=a%20b#f%20g"),
        ('http://x.example/<"é">?', "http://x.example/%3C%22%C3%A9%22%3E?"),
        ("http://x.example:8080/", "http://x.example:8080/"),
        ("javascript:alert(1)", None),
        ("http://", None),
        ("http://[::1", None),
        ("http://a b/", None),
    ],
)
def test_addresses_are_written_as_chromium_writes_them(url: str, expected: str | None) -> None:
    assert canonical(url) == expected


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_address_is_one_or_none(base: str, reference: str) -> None:
    found = joined(HOME + base, reference)
    assert found is None or canonical(found) == found
    try:
        assert typed(reference).startswith("http://")
    except ActionError:
        return


# ------------------------------------------------------------------------------------------------------ forms, cookies


def test_a_form_sends_what_its_controls_hold() -> None:
    toy = Toy()
    steps: list[Step] = [
        ("type [{}] [b@x.org] [0]", "textbox", "Email"),
        ("select [{}] [Medium]", "combobox", "Size"),
        ("select [{}] [blue]", "listbox", "Tags"),
        ("type [{}] [one\ntwo] [0]", "textbox", "Note"),
        ("click [{}]", "checkbox", "Gift"),
        ("click [{}]", "radio", "Sea"),
        ("click [{}]", "button", "Send"),
    ]
    seen, _ = play(*steps, toy=toy, url=f"{HOME}form")[-1]
    assert seen.url == f"{HOME}done?n=1"
    names, values = zip(*toy.posted[0], strict=True)
    assert " ".join(names) == "name mail count secret size tags note gift way token do"
    assert values == ("Ann", "b@x.org", "2", "", "m", "blue", "one\r\ntwo", "on", "sea", "t~1*", "Send")


def test_enter_presses_the_first_button() -> None:
    toy = Toy()
    play(("type [{}] [Bob] [1]", "textbox", "Name"), toy=toy, url=f"{HOME}form")
    assert dict(toy.posted[0])["do"] == "save"


def test_a_form_that_is_not_filled_out_is_not_sent() -> None:
    toy = Toy()
    shown = play(("click [{}]", "button", "Go"), toy=toy, url=f"{HOME}required")
    assert shown[1][1] == "The form was not sent: the field that has the focus must be filled out."
    assert "textbox 'First' focused: True" in shown[1][0].text
    assert toy.asked == [f"GET {HOST}/required"]


def test_cookies_are_kept_for_each_host() -> None:
    shown = play("goto [toy.example/set]", "goto [reddit.com/cookies]", "goto [toy.example/cookies]")
    said = [seen.tree.lines[2].name for seen, _ in shown[1:]]
    assert said == ["Cookies: mood=good", "Cookies:", "Cookies: mood=good"]
    shown = play("goto [toy.example/set]", "goto [toy.example/unset]")
    assert shown[-1][0].tree.lines[2].name == "Cookies:"


# ------------------------------------------------------------------------------------------------------- moving around


def test_other_hosts_do_not_exist() -> None:
    toy = Toy()
    shown = play("goto [http://example.com/]", "goto [http://127.0.0.1/]", f"goto [http://{OTHER}/x]", toy=toy)
    assert ["ERR_NAME_NOT_RESOLVED" in seen.text for seen, _ in shown] == [False, True, True, False]
    assert toy.asked == [f"GET {HOST}/", f"GET {OTHER}/x"]


def test_redirects_without_end_are_given_up() -> None:
    toy = Toy()
    seen, _ = play("goto [toy.example/loop]", toy=toy)[-1]
    assert "ERR_TOO_MANY_REDIRECTS" in seen.text
    assert len(toy.asked) == 21


def test_what_is_no_page_leaves_the_page_and_says_so() -> None:
    shown = play("goto [toy.example/file]", "goto [toy.example/empty]", "goto [toy.example/huge]")
    assert [remark for _, remark in shown[1:3]] == [
        "The link leads to a file, which was not downloaded.",
        "The site sent no page.",
    ]
    assert {seen.url for seen, _ in shown[:3]} == {HOME}
    assert "larger than 2 MB" in shown[3][0].text


def test_a_page_of_the_history_is_as_it_was_left() -> None:
    toy = Toy()
    shown = play(
        ("click [{}]", "link", "Form"),
        ("type [{}] [Bob] [0]", "textbox", "Name"),
        ("click [{}]", "checkbox", "Gift"),
        "goto [toy.example/table]",
        "go_back",
        toy=toy,
    )
    assert "StaticText 'Bob'" in shown[-1][0].text
    assert "checkbox 'Gift' checked: true" in shown[-1][0].text
    assert toy.asked == [f"GET {HOST}/", f"GET {HOST}/form", f"GET {HOST}/table"]


def test_a_page_that_must_not_be_kept_is_asked_for_again() -> None:
    toy = Toy()
    play(("click [{}]", "link", "Form"), "go_back", toy=toy, url=f"{HOME}?fresh")
    assert toy.asked == [f"GET {HOST}/?fresh", f"GET {HOST}/form", f"GET {HOST}/?fresh"]


def test_tabs_open_and_close() -> None:
    shown = play(
        ("click [{}]", "link", "Form in a tab"), "tab_focus [0]", "new_tab", "close_tab", "close_tab", "close_tab"
    )
    assert [(seen.titles, seen.tab) for seen, _ in shown] == [
        (("Toy site",), 0),
        (("Toy site", "Form"), 1),
        (("Toy site", "Form"), 0),
        (("Toy site", "Form", ""), 2),
        (("Toy site", "Form"), 1),
        (("Toy site",), 0),
        (("",), 0),
    ]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("click [99]", "no element [99]"),
        ("click [1]", "holds several elements"),
        ("type [2] [x] [0]", "cannot type into"),
        ("select [2] [x]", "expected a combobox"),
        ("press [Bogus]", "Expected a key"),
        ("tab_focus [3]", "no tab 3"),
        ("goto [ftp://x/]", "Expected an http address"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(action: str, said: str) -> None:
    async def run() -> None:
        browser = TextBrowser(Toy(), HOSTS)
        await browser.open(HOME, {})
        before = told(await browser.observe(), None)
        with pytest.raises(ActionError) as raised:
            await browser.act(parse(action))
        assert said in str(raised.value)
        assert told(await browser.observe(), None) == before

    asyncio.run(run())


def test_a_site_that_breaks_fails_the_episode() -> None:
    with pytest.raises(EnvError, match="a site failed: RuntimeError: the site broke"):
        play("goto [toy.example/fail]")


def test_a_site_that_does_not_answer_fails_the_episode() -> None:
    released = threading.Event()

    class Slow(Toy):
        def __call__(self, environ: dict[str, Any], start: Any) -> Any:
            if environ["PATH_INFO"] == "/slow":
                released.wait(10)
            return super().__call__(environ, start)

    async def run() -> None:
        browser = TextBrowser(Slow(), HOSTS, deadline_s=0.05)
        await browser.open(HOME, {})
        try:
            await browser.act(parse("goto [toy.example/slow]"))
        finally:
            released.set()

    with pytest.raises(EnvError, match="took longer than"):
        asyncio.run(run())
