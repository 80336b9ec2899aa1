"""Chromium as a browser: what it shares, what it keeps apart, how it fails and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.websites import HOME, HOSTS, Toy, action_of, told

pytest.importorskip("playwright")

from sojourn.envs.web.actions import ActionError, Click, parse
from sojourn.envs.web.browser.chromium import ChromiumBrowser, close_chromium
from sojourn.envs.web.browser.chromium.launch import VARIABLE, find_chromium
from sojourn.envs.web.browser.protocol import Observation
from sojourn.errors import ConfigError, EnvError

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")


@pytest.fixture(scope="module", autouse=True)
def _no_browser_is_left() -> Iterator[None]:
    before = set(processes_of(os.getpid()))  # what other tests of this process keep, such as ScienceWorld's simulators
    yield
    close_chromium()
    assert set(processes_of(os.getpid())) - before == set()


def processes_of(parent: int) -> list[int]:
    """Live processes below `parent`, at any depth."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text()
        except OSError:
            continue
        rest = text.rpartition(")")[2].split()
        if rest[0] != "Z":
            parents[int(stat.parent.name)] = int(rest[1])
    found, left = [], [parent]
    while left:
        at = left.pop()
        children = [pid for pid, above in parents.items() if above == at]
        found += children
        left += children
    return found


def page_of(html: str, others: dict[str, str] | None = None) -> Callable[..., Iterable[bytes]]:
    """A site of one page, and perhaps others at their paths."""
    pages = {"/": html, **(others or {})}

    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        body = pages.get(environ["PATH_INFO"])
        start("200 OK" if body is not None else "404 Not Found", [("Content-Type", "text/html")])
        return [f"<!doctype html><html lang=en><body>{body or 'none'}</body></html>".encode()]

    return app


def play(app: Any, *steps: Any, url: str = HOME, **options: Any) -> list[str]:
    """What is seen at first and after each step."""

    async def run() -> list[str]:
        browser = ChromiumBrowser(app, HOSTS, **options)
        try:
            await browser.open(url, {})
            seen = await browser.observe()
            shown = [told(seen, None)]
            for step in steps:
                remark = await browser.act(parse(action_of(step, seen)))
                seen = await browser.observe()
                shown.append(told(seen, remark))
            return shown
        finally:
            await browser.close()

    return asyncio.run(run())


# --------------------------------------------------------------------------------------------------------- isolation


def test_episodes_at_once_see_nothing_of_each_other() -> None:
    async def episode(number: int) -> tuple[Observation, list[str]]:
        toy = Toy()
        browser = ChromiumBrowser(toy, HOSTS)
        await browser.open(HOME, {"toy.example": f"who=agent{number}"})
        for _ in range(number):
            await browser.act(parse("goto [toy.example/set]"))
        await browser.act(parse(f"goto [toy.example/seen?{number}]"))
        seen = await browser.observe()
        await browser.close()
        return seen, toy.asked

    async def run() -> list[tuple[Observation, list[str]]]:
        return await asyncio.gather(*(episode(number) for number in range(5)))

    for number, (seen, asked) in enumerate(asyncio.run(run())):
        mood = "mood=good, " if number else ""
        assert f"StaticText 'Cookies: {mood}who=agent{number}'" in seen.text
        assert len(asked) == 2 + 2 * number
        assert asked[-1] == f"GET toy.example/seen?{number}"


def test_nothing_outside_the_episode_can_be_reached() -> None:
    reached = threading.Event()

    def serve() -> tuple[Any, int]:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(10.0)

        def wait() -> None:
            try:
                listener.accept()
                reached.set()
            except OSError:
                pass

        threading.Thread(target=wait, daemon=True).start()
        return listener, listener.getsockname()[1]

    listener, port = serve()
    inside = f"""<a href="http://127.0.0.1:{port}/">Local</a><img src="http://127.0.0.1:{port}/x.png">
      <script>fetch('http://localhost:{port}/').catch(() => {{ document.title = 'unreached'; }});</script>"""
    shown = play(
        page_of(inside),
        ("click [{}]", "link", "Local"),
        f"goto [http://127.0.0.1:{port}/]",
        f"goto [localhost:{port}]",
        "goto [https://example.com/]",
        "goto [http://toy.example.test/]",
        f"goto [http://toy.example:{port}/]",  # the site itself, whatever the port
    )
    listener.close()
    assert not reached.is_set()
    assert "unreached" in shown[0]
    assert all("ERR_NAME_NOT_RESOLVED" in text for text in shown[1:-1])
    assert "unreached" in shown[-1]


# ------------------------------------------------------------------------------------------------ pages that misbehave


def test_a_dialog_is_dismissed_and_told() -> None:
    html = "<button onclick=\"document.title = confirm('Sure?\\n[9] button') ? 'yes' : 'no'\">Ask</button>"
    _, after = play(page_of(html), ("click [{}]", "button", "Ask"))
    assert "Tab 0 (current): no" in after
    assert "dialog, which was dismissed: 'Sure?\\n[9] button'" in after


def test_a_window_that_a_script_opens_is_a_tab() -> None:
    html = "<button onclick=\"window.open('/two')\">Open</button>"
    app = page_of(html, {"/two": "<title>Two</title><p>second</p>"})
    _, after, back = play(app, ("click [{}]", "button", "Open"), "close_tab")
    assert "Tab 1 (current): Two" in after
    assert "second" in after
    assert "Tab 0 (current)" in back


def test_a_window_that_closes_itself_is_gone_and_the_episode_goes_on() -> None:
    app = page_of("<a href=/two target=_blank>Open</a>", {"/two": "<button onclick='window.close()'>Done</button>"})
    _, opened, after = play(app, ("click [{}]", "link", "Open"), ("click [{}]", "button", "Done"))
    assert "Tab 1 (current)" in opened
    assert "Tab 0 (current)" in after
    assert after.endswith("The page closed its tab.")


def test_checks_may_ask_the_page_and_take_its_picture() -> None:
    async def run() -> tuple[object, bytes]:
        browser = ChromiumBrowser(Toy(), HOSTS)
        await browser.open(HOME, {})
        found = await browser.evaluate("document.links.length"), await browser.screenshot()
        await browser.close()
        return found

    count, picture = asyncio.run(run())
    assert isinstance(count, int)
    assert count > 10
    assert picture.startswith(b"\x89PNG")


def test_what_a_script_does_later_is_waited_for() -> None:
    html = """<button onclick="fetch('/data').then(r => r.text()).then(t => { document.title = 'got'; })">Load</button>
      <button onclick="setTimeout(() => { location.href = '/two'; })">Go</button>"""
    app = page_of(html, {"/data": "x", "/two": "<title>Two</title>"})
    _, loaded, gone = play(app, ("click [{}]", "button", "Load"), ("click [{}]", "button", "Go"))
    assert "Tab 0 (current): got" in loaded
    assert gone.startswith("http://toy.example/two\n")


def test_a_page_that_does_not_come_is_given_up_with_a_remark() -> None:
    def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/slow":
            released.wait(20)
        start("200 OK", [("Content-Type", "text/html")])
        return [b"<a href=/slow>Slow</a>"]

    released = threading.Event()
    try:
        _, after = play(app, ("click [{}]", "link", "Slow"), deadline_s=1.0)
    finally:
        released.set()
    assert after.startswith(HOME)
    assert after.endswith("The page did not finish loading within 1 s.")


def test_a_page_that_hangs_fails_the_episode_and_no_other() -> None:
    with pytest.raises(EnvError, match="did not answer within 1 s"):
        play(page_of("<button onclick='while (true);'>Hang</button>"), ("click [{}]", "button", "Hang"), deadline_s=1.0)
    assert "Toy site" in play(Toy())[0]


def test_a_site_that_breaks_fails_the_episode() -> None:
    with pytest.raises(EnvError, match="the site broke"):
        play(Toy(), "goto [toy.example/fail]")


def test_an_action_on_what_is_not_there_changes_nothing() -> None:
    async def run() -> None:
        browser = ChromiumBrowser(page_of("<p>text</p>"), HOSTS)
        await browser.open(HOME, {})
        before = await browser.observe()
        with pytest.raises(ActionError, match="no element \\[99\\]"):
            await browser.act(Click(node=99))
        assert (await browser.observe()).text == before.text
        await browser.close()
        await browser.close()

    asyncio.run(run())


# ---------------------------------------------------------------------------------------------------- life and death


async def keep_going(browser: ChromiumBrowser) -> None:
    for _ in range(100):
        await browser.act(parse("goto [toy.example/form]"))


def test_a_crash_fails_the_episodes_and_the_next_gets_a_new_browser() -> None:
    async def run() -> None:
        browser = ChromiumBrowser(Toy(), HOSTS)
        await browser.open(HOME, {})
        for pid in processes_of(os.getpid()):
            if b"--host-resolver-rules" in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        with pytest.raises(EnvError, match="Chromium"):
            await keep_going(browser)
        await browser.close()

    asyncio.run(run())
    assert "Toy site" in play(Toy())[0]


def test_a_crash_of_one_page_is_that_episodes_failure() -> None:
    async def run() -> None:
        crashing, other = ChromiumBrowser(Toy(), HOSTS), ChromiumBrowser(Toy(), HOSTS)
        await crashing.open(HOME, {})
        await other.open(HOME, {})
        page = crashing._page
        crash = asyncio.ensure_future(crashing._host.run(page.send("Page.crash")))
        with pytest.raises(EnvError, match="Chromium"):
            await keep_going(crashing)
        crash.cancel()
        await other.act(parse("goto [toy.example/form]"))
        assert "textbox 'Name'" in (await other.observe()).text
        await crashing.close()
        await other.close()

    asyncio.run(run())


CHILD = """
import asyncio, sys, time
from tests.websites import HOME, HOSTS, Toy
from sojourn.envs.web.browser.chromium import ChromiumBrowser

async def main():
    browser = ChromiumBrowser(Toy(), HOSTS)
    await browser.open(HOME, {})
    await browser.observe()
    print("open", flush=True)
    await asyncio.sleep(60)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("stopped", flush=True)
"""


def start_child() -> tuple[subprocess.Popen[str], list[int]]:
    """A process with an open browser, in a session of its own, and the processes below it."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "open\n", child.stderr and child.stderr.read()
    return child, processes_of(child.pid)


def are_gone(pids: list[int], within_s: float = 20.0) -> bool:
    """Whether all processes end in time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not any(Path(f"/proc/{pid}").exists() and pid in alive() for pid in pids):
            return True
        time.sleep(0.05)
    return False


def alive() -> set[int]:
    """Ids of the processes that are no zombies."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[0] != "Z":
                found.add(int(stat.parent.name))
        except OSError:
            continue
    return found


def test_no_process_outlives_a_parent_that_is_killed() -> None:
    child, below = start_child()
    assert len(below) >= 3  # playwright's driver, the browser, a renderer
    child.kill()
    child.communicate()
    assert are_gone(below)


def test_ctrl_c_ends_everything_in_order() -> None:
    child, below = start_child()
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does it: to all of the group
    out, err = child.communicate(timeout=30)
    assert (out, child.returncode) == ("stopped\n", 0), err
    assert "Error" not in err
    assert are_gone(below)


def test_the_variable_names_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_chromium()
    monkeypatch.setenv(VARIABLE, "no-such-browser")
    with pytest.raises(ConfigError, match=VARIABLE):
        find_chromium()
    if found is not None:
        monkeypatch.setenv(VARIABLE, found)
        assert find_chromium() == found


@pytest.mark.slow
def test_fifty_contexts_live_at_once_and_leave_nothing() -> None:
    async def run() -> None:
        browsers = [ChromiumBrowser(Toy(), HOSTS) for _ in range(50)]
        for browser in browsers:
            await browser.open(HOME, {})
        for browser in browsers:
            await browser.act(parse("goto [toy.example/form]"))
            assert "textbox 'Name'" in (await browser.observe()).text
        for browser in browsers:
            await browser.close()

    play(Toy())
    before = len(processes_of(os.getpid()))
    asyncio.run(run())
    time.sleep(1.0)  # renderers end on their own time
    assert len(processes_of(os.getpid())) <= before + 3
