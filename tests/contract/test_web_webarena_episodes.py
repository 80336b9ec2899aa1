"""The official WebArena without its sites: the verified evaluators on made-up traces, and the rest on made-up sites.

Nothing here says how an agent does on the real sites; it says that tasks, log-ins, requests and judgements fit.
Needs the environment of webarena-verified (see `SOJOURN_WEBARENA_PYTHON`) and, for the sites, a Chromium.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.contract.webarena_sites import made_up_sites

from sojourn.envs.contract import check_garbage, check_life, check_tasks
from sojourn.envs.web.browser.wsgi import call
from sojourn.envs.web.webarena.answers import final_answer
from sojourn.envs.web.webarena.checks import Ending, original_reward
from sojourn.envs.web.webarena.helpers import helpers_on
from sojourn.envs.web.webarena.judge import ChatJudge
from sojourn.envs.web.webarena.login import LOG_INS, log_in
from sojourn.envs.web.webarena.panels import TEST_IDS, category
from sojourn.envs.web.webarena.proxy import SiteProxy
from sojourn.envs.web.webarena.sites import SHOWN, Sites
from sojourn.envs.web.webarena.tasks import OfficialTask, Original, Program, official_task
from sojourn.envs.web.webarena.verified import DEFECTIVE, Verified, interpreter
from sojourn.errors import ConfigError, EnvError, MissingDependencyError
from sojourn.types import StepResult, Task

needs_playwright = pytest.mark.skipif(find_spec("playwright") is None, reason="needs playwright and a Chromium")


@pytest.fixture(scope="module")
def verified() -> Iterator[Verified]:
    try:
        worker = Verified(interpreter())
    except MissingDependencyError as error:
        pytest.skip(str(error))
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def tasks(verified: Verified) -> Mapping[int, OfficialTask]:
    return {task.number: task for task in map(official_task, verified.tasks())}


@pytest.fixture(scope="module")
def sites() -> Iterator[Sites]:
    with made_up_sites() as addresses:
        yield Sites(addresses=addresses)


def visited(url: str, method: str = "GET", status: int = 200) -> dict[str, Any]:
    return {
        "request": {"url": url, "method": method, "headers": [{"name": "accept", "value": "text/html"}]},
        "response": {
            "status": status,
            "headers": [],
            "redirectURL": "",
            "content": {"mimeType": "text/html", "text": ""},
        },
    }


HOME = visited("http://onestopmarket.com/")


# ------------------------------------------------------------------------------------------- the verified evaluators


def test_all_tasks_are_there_and_in_the_papers_categories(tasks: Mapping[int, OfficialTask]) -> None:
    assert sorted(tasks) == list(range(812))
    assert {n for name, ids in TEST_IDS.items() for n in ids if category(tasks[n].sites) != name} == set()
    assert sum(task.original.needs_judge for task in tasks.values()) == 118
    assert {task.kind for task in tasks.values()} == {"RETRIEVE", "MUTATE", "NAVIGATE"}


@pytest.mark.parametrize(("answer", "reward"), [("Quest Lumaflex™ Band", 1), ("Sprite Yoga Strap", 0), ("N/A", 0)])
def test_an_answer_is_judged(verified: Verified, tasks: Any, answer: str, reward: float) -> None:
    record = final_answer(answer, kind=tasks[0].kind, item=tasks[0].item)
    assert verified.evaluate(0, record, [HOME]).reward == reward


@pytest.mark.parametrize(("query", "reward"), [("batteries+for+iphone+13", 1), ("batteries", 0)])
def test_an_address_is_judged_by_the_recorded_requests(verified: Verified, query: str, reward: float) -> None:
    events = [HOME, visited(f"http://onestopmarket.com/catalogsearch/result/?q={query}")]
    verdict = verified.evaluate(277, final_answer("", kind="NAVIGATE", item=None), events)
    assert verdict.reward == reward
    assert dict(verdict.parts)["AgentResponseEvaluator"] == 1


def test_a_change_is_judged_by_what_was_posted(verified: Verified) -> None:
    post = visited("http://gitlab.com/primer/design/notes?target_id=139245&target_type=merge_request", "POST")
    note = '{"note": {"noteable_type": "MergeRequest", "note": "Thanks, working on reviews"}}'
    post["request"]["postData"] = {"mimeType": "application/json", "text": note}
    record = final_answer("", kind="MUTATE", item=None)
    assert verified.evaluate(389, record, [HOME, post]).reward == 1
    assert verified.evaluate(389, record, [HOME]).reward == 0


def test_what_can_not_be_found_is_the_not_found_status(verified: Verified, tasks: Any) -> None:
    impossible = 8  # the first of the tasks whose verified answer is that nothing is to be found
    record = final_answer("N/A", kind=tasks[impossible].kind, item=tasks[impossible].item)
    assert verified.evaluate(impossible, record, [HOME]).reward == 1
    found = final_answer("3", kind=tasks[impossible].kind, item=tasks[impossible].item)
    assert verified.evaluate(impossible, found, [HOME]).reward == 0


JUNK = (
    *("", "x", "N/A", "[1, {}]", "[[1]]", "{}", "null", "[null]", "true", "12; b", "1e400", "NaN", "$", "-", "1/0"),
    *("12:99", "2023-13-45", "http://[bad", "\ud800", '{"status": "NO"}', '{"status": "SUCCESS", "task_type": 7}'),
    *('{"status": "SUCCESS", "retrieved_data": [1, null, {"a": []}]}', '{"status": "SUCCESS", "retrieved_data": 5}'),
)


def test_whatever_is_answered_is_judged_but_for_the_tasks_that_never_are(verified: Verified, tasks: Any) -> None:
    refused = set()
    for number, task in tasks.items():
        for answer in (JUNK[number % len(JUNK)], JUNK[(number * 7 + 3) % len(JUNK)]):
            try:
                verified.evaluate(number, final_answer(answer, kind=task.kind, item=task.item), [HOME])
            except EnvError:
                refused.add(number)
    assert refused == DEFECTIVE


def test_what_can_not_be_judged_is_an_error_and_never_zero(verified: Verified) -> None:
    record = final_answer("x", kind="RETRIEVE", item="string")
    with pytest.raises(EnvError, match="no request events"):
        verified.evaluate(0, record, [])
    with pytest.raises(EnvError):
        verified.evaluate(0, record, [{"neither": "request nor answer"}])
    with pytest.raises(EnvError):
        verified.evaluate(9_999, record, [HOME])
    assert verified.evaluate(0, record, [HOME]).reward == 0  # and the worker goes on


def test_a_worker_that_is_gone_fails_the_call() -> None:
    try:
        worker = Verified(interpreter())
    except MissingDependencyError as error:
        pytest.skip(str(error))
    worker.close()
    worker.close()
    with pytest.raises(EnvError, match=r"gone|ended"):
        worker.evaluate(0, final_answer("x", kind="RETRIEVE", item="string"), [HOME])


def test_a_worker_that_is_forgotten_ends() -> None:
    try:
        worker = Verified(interpreter())
    except MissingDependencyError as error:
        pytest.skip(str(error))
    process = worker._process
    assert process.poll() is None
    del worker
    gc.collect()
    assert process.poll() == 0


def test_an_interpreter_without_the_package_is_named(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -S -I "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(MissingDependencyError, match="webarena-verified"):
        Verified(bare)


# ------------------------------------------------------------------------------------------------- log-in and proxy


@pytest.mark.parametrize("site", LOG_INS)
def test_a_log_in_goes_through_the_sites_own_form(sites: Sites, site: str) -> None:
    assert log_in(sites, site) == "visit=1; session=known"


def test_a_log_in_that_is_refused_says_so(sites: Sites, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    wrong = replace(LOG_INS["REDDIT"], password="wrong")
    monkeypatch.setitem(LOG_INS, "REDDIT", wrong)  # type: ignore[arg-type]
    with pytest.raises(EnvError, match="REDDIT"):
        log_in(sites, "REDDIT")


def test_requests_are_forwarded_translated_and_recorded(sites: Sites) -> None:
    proxy = SiteProxy(sites)
    real = sites.addresses["SHOPPING"]
    page = call(proxy, "GET", "http://onestopmarket.com/", {"Cookie": "session=known"})
    assert b"Emma Lopez" in page.body
    assert b'href="http://onestopmarket.com/moved"' in page.body
    assert b"http://wikipedia.org/wiki" in page.body
    assert real.encode() not in page.body
    moved = call(proxy, "GET", "http://onestopmarket.com/moved", {})
    assert (moved.status, moved.header("location")) == (302, "http://onestopmarket.com/landing")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    call(proxy, "POST", "http://gitlab.com/note?x=1", headers, b"note=hello+there")
    call(proxy, "GET", "http://gitlab.com/style.css", {})
    first, second, third = proxy.events  # a style sheet is no event
    assert first["request"]["url"] == f"{real}/"
    assert (second["response"]["status"], second["response"]["redirectURL"]) == (302, f"{real}/landing")
    assert third["request"]["url"] == f"{sites.addresses['GITLAB']}/note?x=1"
    assert third["request"]["postData"] == {"mimeType": headers["Content-Type"], "text": "note=hello+there"}


def test_no_other_host_is_asked_and_no_cookie_is_for_another_domain(sites: Sites) -> None:
    proxy = SiteProxy(sites)
    assert call(proxy, "GET", "http://example.com/", {}).status == 404
    assert proxy.events == []
    cookie = call(proxy, "GET", "http://reddit.com/login", {}).header("set-cookie")
    assert cookie == "visit=1; path=/"


def test_a_site_that_does_not_answer_fails_the_episode() -> None:
    nobody = Sites(addresses=dict.fromkeys(SHOWN, "") | {"MAP": "http://127.0.0.1:9"})
    with pytest.raises(EnvError, match=r"127\.0\.0\.1:9"):
        call(SiteProxy(nobody), "GET", "http://openstreetmap.org/", {})


# ----------------------------------------------------------------------------------------------- the whole, in Chromium


@pytest.fixture(scope="module")
def configured(sites: Sites, verified: Verified) -> Iterator[pytest.MonkeyPatch]:
    patch = pytest.MonkeyPatch()
    for name, address in sites.addresses.items():
        patch.setenv(name, address)
    yield patch
    patch.undo()
    from sojourn.envs.web.browser.chromium import close_chromium

    close_chromium()


@pytest.fixture(scope="module")
def scenario(configured: pytest.MonkeyPatch) -> Iterator[Any]:
    pytest.importorskip("playwright")
    from sojourn.envs.web.webarena import WebArena

    made = WebArena()
    yield made
    made.close()


@pytest.fixture(scope="module")
def by_first_checks(configured: pytest.MonkeyPatch) -> Iterator[Any]:
    pytest.importorskip("playwright")
    from sojourn.envs.web.webarena import WebArena

    made = WebArena(evaluator="original")
    yield made
    made.close()


def official(scenario: Any, number: int) -> Task:
    found = [task for split in scenario.splits for task in scenario.tasks(split) if task.task_id == str(number)]
    assert len(found) == 1
    task: Task = found[0]
    return task


def episode(scenario: Any, number: int, *actions: Any) -> list[StepResult]:
    async def run() -> list[StepResult]:
        env = scenario.make()
        try:
            results = [await env.reset(official(scenario, number))]
            for action in actions:
                text = action(env.observation.tree) if callable(action) else action
                results += [await env.step(text)]
            return results
        finally:
            await env.close()

    return asyncio.run(run())


def typed(text: str) -> Any:
    return lambda tree: f"type [{tree.find('textbox', 'Search')[0]}] [{text}] [1]"


@needs_playwright
def test_the_panels_are_the_papers(scenario: Any) -> None:
    assert {split: len(scenario.tasks(split)) for split in scenario.splits} == {"train": 372, "test": 50, "other": 387}
    check_tasks_of(scenario)
    assert [scenario.left_out(split) for split in scenario.splits] == [(), (), (699, 700, 811)]


def check_tasks_of(scenario: Any) -> None:
    check_tasks(scenario)
    for split in scenario.splits:
        assert scenario.panel(split).tasks == scenario.tasks(split)


@needs_playwright
def test_without_a_judge_its_tasks_are_left_out(by_first_checks: Any) -> None:
    counts = {split: len(by_first_checks.tasks(split)) for split in by_first_checks.splits}
    left = {split: len(by_first_checks.left_out(split)) for split in by_first_checks.splits}
    assert {split: counts[split] + left[split] for split in counts} == {"train": 372, "test": 50, "other": 390}
    assert left["test"] == 14
    assert sum(left.values()) == 118


@needs_playwright
def test_an_agent_sees_webarenas_names_and_is_logged_in(scenario: Any) -> None:
    first, results = episode(scenario, 277, typed("batteries for iphone 13"))
    assert "URL: http://onestopmarket.com/\n" in first.observation
    assert "Welcome, Emma Lopez!" in first.observation
    assert "http://onestopmarket.com/catalogsearch/result/?q=batteries" in results.observation
    assert "127.0.0.1" not in first.observation + results.observation


@needs_playwright
@pytest.mark.parametrize(("query", "reward"), [("batteries for iphone 13", 1), ("chargers", 0)])
def test_a_search_is_judged_by_its_requests(scenario: Any, query: str, reward: float) -> None:
    last = episode(scenario, 277, typed(query), "stop []")[-1]
    assert (last.terminated, last.reward, last.success) == (True, reward, reward == 1)


@needs_playwright
def test_an_answer_is_judged_at_the_end(scenario: Any) -> None:
    assert episode(scenario, 0, "stop [Quest Lumaflex™ Band]")[-1].reward == 1
    assert episode(scenario, 0, "stop [something else]")[-1].reward == 0


@needs_playwright
@pytest.mark.parametrize(("path", "reward"), [("dashboard/todos", 1), ("dashboard", 0)])
def test_the_first_checks_look_at_the_address(by_first_checks: Any, path: str, reward: float) -> None:
    assert episode(by_first_checks, 44, f"goto [http://gitlab.com/{path}]", "stop []")[-1].reward == reward


@needs_playwright
@pytest.mark.parametrize(("number", "reward"), [(482, 1), (481, 0)])
def test_the_first_checks_look_at_the_page_by_a_script(by_first_checks: Any, number: int, reward: float) -> None:
    """Task 482 wants yjlou to be a guest, which the made-up page of members says; of 481's member it knows nothing."""
    assert episode(by_first_checks, number, "stop []")[-1].reward == reward


@needs_playwright
def test_scripts_reach_the_sites_too(scenario: Any) -> None:
    last = episode(scenario, 277, "goto [http://onestopmarket.com/scripted]")[-1]
    assert "fetched" in last.observation


@needs_playwright
def test_links_between_the_sites_work_and_others_lead_nowhere(scenario: Any) -> None:
    def encyclopedia(tree: Any) -> str:
        return f"click [{tree.find('link', 'Encyclopedia')[0]}]"

    _, wiki, nowhere = episode(scenario, 277, encyclopedia, "goto [http://example.com]")
    assert "WIKIPEDIA /wiki" in wiki.observation
    assert "cannot be reached" in nowhere.observation


@needs_playwright
def test_a_task_on_two_sites_opens_a_tab_for_each(scenario: Any) -> None:
    first = episode(scenario, 97)[0]
    assert "Tab 0 (current): Map" in first.observation
    assert "Tab 1: Wikipedia" in first.observation


@needs_playwright
def test_an_environment_lives_for_one_episode(scenario: Any) -> None:
    check_life(scenario, official(scenario, 277))
    check_garbage(scenario, official(scenario, 277))


@needs_playwright
def test_options_that_do_not_fit_together_are_refused(configured: pytest.MonkeyPatch) -> None:
    from sojourn.envs.web.webarena import WebArena

    with pytest.raises(ConfigError, match="judge_model"):
        WebArena(evaluator="original", judge_url="http://127.0.0.1:9")
    with pytest.raises(ConfigError, match="original"):
        WebArena(judge_url="http://127.0.0.1:9", judge_model="m")
    with pytest.raises(ConfigError, match="original"):
        WebArena(evaluator="first")  # type: ignore[arg-type]


# ----------------------------------------------------------------------------------------------------------- judge


@pytest.mark.parametrize(
    ("said", "right"), [("It is CORRECT.", True), ("partially correct", False), ("This is incorrect", False)]
)
def test_a_judge_is_asked_over_http(said: str, right: bool) -> None:
    with chat_server(said) as (url, asked):
        assert asyncio.run(ChatJudge(url, "judge-1").is_same("Who?", "Ann", "It was Ann")) is right
    assert asked[0]["model"] == "judge-1"
    assert "student answer: It was Ann" in asked[0]["messages"][1]["content"]


def test_a_judge_without_a_verdict_is_an_error() -> None:
    with chat_server("I would rather not say") as (url, _), pytest.raises(EnvError, match="no verdict"):
        asyncio.run(ChatJudge(url, "judge-1").is_same("Who?", "Ann", "Ann"))
    with pytest.raises(EnvError):
        asyncio.run(ChatJudge("http://127.0.0.1:9", "judge-1").is_same("Who?", "Ann", "Ann"))


def test_a_reason_is_the_same_or_different() -> None:
    for said, right in (("same", True), ("different", False)):
        with chat_server(said) as (url, _):
            assert (
                asyncio.run(ChatJudge(url, "judge-1").is_reason("Find it", "no such order", "there is none")) is right
            )


def chat_server(said: str) -> Any:
    import json
    import threading
    from contextlib import contextmanager
    from http.server import BaseHTTPRequestHandler, HTTPServer

    @contextmanager
    def serving() -> Iterator[tuple[str, list[Any]]]:
        asked: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_POST(self) -> None:
                asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                body = json.dumps({"choices": [{"message": {"content": said}}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", asked
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    return serving()


# ------------------------------------------------------------------------------------------ the shop's REST interface


def test_the_shops_helpers_fail_where_there_is_no_shop(sites: Sites) -> None:
    """The made-up shop has no REST interface: an error of the environment, never a wrong answer."""
    program = Program(url="func:shopping_get_latest_order_url()", locator="", required={"must_include": ["x"]})
    task = Original(intent="", kinds=("program_html",), answers={}, url="", programs=(program,), note="")

    class Nowhere:
        url = ""

        async def goto(self, url: str) -> None:
            """Go nowhere."""

        async def content(self) -> str:
            return ""

        async def evaluate(self, expression: str) -> str:
            return ""

    ending = Ending(answer="", page=Nowhere(), sites=sites, helpers=helpers_on(sites))
    with pytest.raises(EnvError, match="REST"):
        asyncio.run(original_reward(task, ending))
