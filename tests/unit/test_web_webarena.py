"""Official WebArena without its sites: lists, addresses, answers, and the first data set's checks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.web.webarena.answers import final_answer
from sojourn.envs.web.webarena.checks import Ending, Judge, cleaned, includes, is_equal, original_reward
from sojourn.envs.web.webarena.helpers import helpers_on, post_url
from sojourn.envs.web.webarena.panels import (
    NUM_TASKS,
    TEST_IDS,
    category,
    paper_test_ids,
    paper_train_ids,
    remaining_ids,
)
from sojourn.envs.web.webarena.sites import SHOWN, Sites, sites_from
from sojourn.envs.web.webarena.tasks import Original, Program, official_task
from sojourn.envs.web.webarena.verified import VARIABLE, interpreter
from sojourn.errors import ConfigError, DataError, MissingDependencyError

ADDRESSES = {
    "SHOPPING": "http://10.0.0.7:7770",
    "SHOPPING_ADMIN": "http://10.0.0.7:7780/admin",
    "REDDIT": "http://10.0.0.7:9999",
    "GITLAB": "http://10.0.0.7:8023",
    "MAP": "http://10.0.0.7:3000",
    "WIKIPEDIA": "http://10.0.0.7:8888",
    "HOMEPAGE": "http://10.0.0.7",
}
SITES = Sites(addresses=ADDRESSES)


# ---------------------------------------------------------------------------------------------------------- panels


def test_the_lists_hold_every_task_once_in_the_papers_numbers() -> None:
    assert (len(paper_test_ids()), len(paper_train_ids()), len(remaining_ids())) == (50, 372, 390)
    assert sorted([*paper_test_ids(), *paper_train_ids(), *remaining_ids()]) == list(range(NUM_TASKS))


def test_the_test_panel_has_the_papers_categories() -> None:
    assert {name: len(ids) for name, ids in TEST_IDS.items()} == {
        "shopping": 15,
        "CMS": 15,
        "map": 10,
        "GitLab": 5,
        "Reddit": 5,
    }


@pytest.mark.parametrize(
    ("sites", "name"),
    [
        (["shopping"], "shopping"),
        (["shopping_admin"], "CMS"),
        (["gitlab", "reddit"], "GitLab"),
        (["wikipedia", "map"], "map"),
        (["map", "shopping_admin"], "map"),
    ],
)
def test_a_task_has_the_category_of_its_site(sites: list[str], name: str) -> None:
    assert category(sites) == name


# ----------------------------------------------------------------------------------------------------------- sites


def test_sites_need_all_seven_addresses_and_say_which_are_missing() -> None:
    with pytest.raises(ConfigError, match="not set: MAP, HOMEPAGE"):
        sites_from({name: url for name, url in ADDRESSES.items() if name not in ("MAP", "HOMEPAGE")})
    with pytest.raises(ConfigError, match="not so: MAP"):
        sites_from({**ADDRESSES, "MAP": "10.0.0.7:3000"})
    with pytest.raises(ConfigError, match="SHOPPING and MAP share one"):
        sites_from({**ADDRESSES, "MAP": "http://10.0.0.7:7770/map"})
    assert sites_from({**ADDRESSES, "MAP": "http://10.0.0.7:3000/"}) == SITES


@given(st.sampled_from(sorted(SHOWN)), st.sampled_from(["", "/", "/a/b.html", "?q=1", "/x?y=z#end"]))
def test_a_shown_address_is_translated_there_and_back(name: str, rest: str) -> None:
    real = ADDRESSES[name] + rest
    assert SITES.shown(real).startswith(SHOWN[name])
    assert SITES.real(SITES.shown(real)) == real


def test_an_address_of_no_site_stays_as_it_is() -> None:
    assert SITES.real("http://example.com/") == "http://example.com/"
    assert SITES.shown("http://10.0.0.77/x") == "http://10.0.0.77/x"  # begins like the home page's, and is not it


def test_placeholders_of_the_data_set_are_filled_in() -> None:
    assert SITES.filled("__SHOPPING_ADMIN__/sales |OR| __SHOPPING__/x") == (
        "http://10.0.0.7:7780/admin/sales |OR| http://10.0.0.7:7770/x"
    )


# --------------------------------------------------------------------------------------------------------- answers


def answered(text: str, kind: str = "RETRIEVE", item: str | None = "string") -> dict[str, Any]:
    return final_answer(text, kind=kind, item=item)


def test_an_answer_becomes_one_datum_of_the_type_that_is_asked_for() -> None:
    assert answered("Quest Band")["retrieved_data"] == ["Quest Band"]
    assert answered("1,234.50", item="number")["retrieved_data"] == [1234.5]
    assert answered("12", item="number")["retrieved_data"] == [12]
    assert answered("Yes", item="boolean")["retrieved_data"] == [True]
    assert answered("about 12", item="number")["retrieved_data"] == ["about 12"]  # the evaluator's to judge


def test_several_data_are_a_json_list_or_one_a_line() -> None:
    for text in ('["Ann", "Bo"]', "Ann\nBo", "Ann; Bo"):
        assert answered(text)["retrieved_data"] == ["Ann", "Bo"]
    assert answered('{"mode": "walking"}', item="object")["retrieved_data"] == [{"mode": "walking"}]


@pytest.mark.parametrize("text", ["N/A", "n/a", '"N/A"', "N/A."])
def test_not_available_is_the_not_found_status(text: str) -> None:
    record = answered(text)
    assert (record["status"], record["retrieved_data"]) == ("NOT_FOUND_ERROR", None)
    assert record["error_details"]


def test_a_status_or_a_whole_record_may_be_stated() -> None:
    assert answered("PERMISSION_DENIED_ERROR")["status"] == "PERMISSION_DENIED_ERROR"
    stated = answered('{"status": "SUCCESS", "task_type": "NAVIGATE"}')
    assert (stated["status"], stated["task_type"]) == ("SUCCESS", "NAVIGATE")


def test_a_task_that_asks_for_no_data_gets_none() -> None:
    assert answered("done", kind="MUTATE", item=None) == {
        "task_type": "MUTATE",
        "status": "SUCCESS",
        "retrieved_data": None,
        "error_details": None,
    }


@given(st.text(max_size=80), st.sampled_from(["string", "number", "boolean", "object", None]))
def test_whatever_is_answered_makes_a_record(text: str, item: str | None) -> None:
    assert {"task_type", "status"} <= answered(text, item=item).keys()


# ---------------------------------------------------------------------------------------------------------- checks


class RecordedPage:
    """Pages by address, and what expressions give on them."""

    def __init__(self, url: str, pages: Mapping[str, str] | None = None, values: Mapping[str, str] | None = None):
        self.url = url
        self._pages = pages or {}
        self._values = values or {}

    async def goto(self, url: str) -> None:
        self.url = url

    async def content(self) -> str:
        return self._pages[self.url]

    async def evaluate(self, expression: str) -> str:
        return next((value for part, value in self._values.items() if part in expression), "")


class SameWords:
    """A judge that wants the same words, in any order."""

    async def is_same(self, question: str, reference: str, answer: str) -> bool:
        return sorted(reference.split()) == sorted(answer.split())

    async def is_reason(self, task: str, reason: str, answer: str) -> bool:
        return reason in answer


def original(**fields: Any) -> Original:
    plain = {"intent": "Find it", "kinds": (), "answers": {}, "url": "", "programs": (), "note": ""}
    return Original(**{**plain, **fields})


def reward(task: Original, answer: str = "", page: RecordedPage | None = None, judge: Judge | None = None) -> float:
    ending = Ending(answer=answer, page=page or RecordedPage(""), sites=SITES, judge=judge, helpers=helpers_on(SITES))
    return asyncio.run(original_reward(task, ending))


def test_strings_are_compared_without_quotes_blanks_and_case() -> None:
    assert cleaned(' "Quest Band" ') == "quest band"
    assert is_equal("'A b'", "a B")
    assert not is_equal("a", "b")


def test_a_single_character_has_to_stand_alone() -> None:
    assert includes("0", "there are 0 of them", as_token=True)
    assert not includes("0", "there are 10, 0.5 and 2,000 of them", as_token=True)
    assert includes("0", "10")


def test_every_reference_of_a_string_check_has_to_hold() -> None:
    task = original(kinds=("string_match",), answers={"must_include": ["Ann", "Bo"]})
    assert [reward(task, text) for text in ("ann and bo", "Ann", "")] == [1, 0, 0]
    exact = original(kinds=("string_match",), answers={"exact_match": "Ann"})
    assert [reward(exact, text) for text in ("ann", "Ann and Bo")] == [1, 0]
    assert reward(original(kinds=("string_match",), answers={"must_include": ["0"]}), "100") == 0


def test_a_fuzzy_check_is_judged_or_refused_and_never_zero() -> None:
    task = original(kinds=("string_match",), answers={"fuzzy_match": ["two blue hats"]})
    assert task.needs_judge
    with pytest.raises(DataError, match="language model"):
        reward(task, "blue hats two")
    assert reward(task, "blue hats two", judge=SameWords()) == 1
    assert reward(task, "red hats two", judge=SameWords()) == 0


def test_an_impossible_task_wants_its_reason_where_it_is_not_just_refused() -> None:
    task = original(kinds=("string_match",), answers={"fuzzy_match": "N/A"}, note="no such order")
    answers = ("N/A", "There is no such order", "it is blue")
    assert [reward(task, answer, judge=SameWords()) for answer in answers] == [1, 1, 0]


@pytest.mark.parametrize(
    ("reference", "url", "right"),
    [
        ("__GITLAB__/dashboard/todos", "http://10.0.0.7:8023/dashboard/todos/", 1),
        ("__GITLAB__/dashboard/todos", "http://10.0.0.7:8023/dashboard", 0),
        ("__SHOPPING__/search?q=iphone+13", "http://10.0.0.7:7770/search?p=2&q=iphone%2013", 1),
        ("__SHOPPING__/search?q=iphone+13", "http://10.0.0.7:7770/search?q=iphone", 0),
        ("__REDDIT__/f/a |OR| __REDDIT__/f/b", "http://10.0.0.7:9999/f/b/12", 1),
        ("__REDDIT__/f/a |OR| __REDDIT__/f/b", "http://10.0.0.7:9999/f/c", 0),
    ],
)
def test_an_address_has_the_path_and_the_queries_of_a_reference(reference: str, url: str, right: float) -> None:
    assert reward(original(kinds=("url_match",), url=reference), page=RecordedPage(url)) == right


def test_both_checks_of_a_task_have_to_hold_and_the_address_is_the_agents() -> None:
    program = Program(url="__MAP__/other", locator="", required={"must_include": ["route"]})
    task = original(kinds=("program_html", "url_match"), url="__MAP__/directions", programs=(program,))
    pages = {"http://10.0.0.7:3000/other": "<p>the Route</p>"}
    assert reward(task, page=RecordedPage("http://10.0.0.7:3000/directions", pages)) == 1
    assert reward(task, page=RecordedPage("http://10.0.0.7:3000/elsewhere", pages)) == 0


def test_a_program_looks_at_the_last_page_by_its_locator() -> None:
    program = Program(url="last", locator="document.querySelector('#a').value", required={"exact_match": "5 &amp; 6"})
    task = original(kinds=("program_html",), programs=(program,))
    found = RecordedPage("http://10.0.0.7:7770/x", values={"#a": "5 &amp;amp; 6"})
    assert reward(task, page=found) == 1
    assert reward(task, page=RecordedPage("http://10.0.0.7:7770/x")) == 0


def test_a_program_accepts_any_of_its_alternatives() -> None:
    program = Program(url="last", locator="", required={"must_include": ["one |OR| two", "three"]})
    task = original(kinds=("program_html",), programs=(program,))
    found = {text: RecordedPage("u", {"u": text}) for text in ("two three", "one three", "one two")}
    assert [reward(task, page=page) for page in found.values()] == [1, 1, 0]


def test_a_helper_is_called_with_what_the_data_set_writes() -> None:
    role = Program(
        url="last",
        locator="func:gitlab_get_project_memeber_role(__page__, 'yjlou')",
        required={"must_include": ["Guest"]},
    )
    post = Program(url="func:reddit_get_post_url('__last_url__')", locator="", required={"must_include": ["hello"]})
    task = original(kinds=("program_html",), programs=(role, post))
    last = "http://10.0.0.7:9999/f/books/12/title/-/comment/9"
    page = RecordedPage(last, {"http://10.0.0.7:9999/f/books/12/": "Hello"}, {'"@yjlou"': "Guest"})
    assert reward(task, page=page) == 1


def test_an_unknown_helper_or_locator_is_an_error_of_the_data() -> None:
    for locator in ("func:import_os('x')", "alert(1)"):
        program = Program(url="last", locator=locator, required={"exact_match": ""})
        with pytest.raises(DataError):
            reward(original(kinds=("program_html",), programs=(program,)))


def test_a_post_is_found_from_a_comments_address() -> None:
    page = RecordedPage("")
    assert asyncio.run(post_url(page, "http://r.com/f/x/7/title/-/comment/1")) == "http://r.com/f/x/7/"
    for other in ("http://r.com/f/x", "http://r.com/user/7/x/y"):
        assert asyncio.run(post_url(page, other)) == other


# ----------------------------------------------------------------------------------------------------------- tasks


def raw_task() -> dict[str, Any]:
    checks = {"eval_types": ["url_match"], "reference_answers": None, "reference_url": "__MAP__/x", "program_html": []}
    return {
        "task_id": 7,
        "sites": ["map"],
        "start_urls": ["__MAP__"],
        "intent": "Open x",
        "eval": [
            {
                "evaluator": "AgentResponseEvaluator",
                "results_schema": {"type": "null"},
                "expected": {"task_type": "navigate", "status": "SUCCESS"},
            }
        ],
        "original": {"intent": "Show me x", "eval": checks},
    }


def test_a_task_is_read_in_both_of_its_definitions() -> None:
    task = official_task(raw_task())
    assert (task.number, task.kind, task.item, task.original.url) == (7, "NAVIGATE", None, "__MAP__/x")
    assert (task.intent, task.original.intent, task.original.needs_judge) == ("Open x", "Show me x", False)


@pytest.mark.parametrize("missing", ["task_id", "sites", "eval", "original"])
def test_a_task_of_another_shape_is_refused(missing: str) -> None:
    raw = raw_task()
    del raw[missing]
    with pytest.raises(DataError, match="webarena-verified"):
        official_task(raw)


def test_a_missing_interpreter_is_named_with_the_commands_that_make_it(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"pip install 'webarena-verified==1\.2\.3'"):
        interpreter({})
    with pytest.raises(MissingDependencyError, match="nowhere"):
        interpreter({VARIABLE: str(tmp_path / "nowhere")})


def test_a_stated_record_keeps_only_what_can_be_read() -> None:
    stated = '{"status": "SUCCESS", "task_type": 7, "retrieved_data": [1, [2]]}'
    assert answered(stated)["retrieved_data"] == [1, "[2]"]
    assert answered(stated)["task_type"] == "RETRIEVE"
    assert answered(stated, item=None)["retrieved_data"] is None
    assert answered('{"status": "NO"}', item="object")["retrieved_data"] == [{"status": "NO"}]
