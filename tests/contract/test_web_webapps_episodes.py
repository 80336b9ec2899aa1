"""Oscar, Spirit and Trac as an environment: every task by its script, isolation, replay, and what is not enough.

Needs the extra ``webapps``; skipped without it.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from sojourn.config import cache_dir
from sojourn.envs.contract import (
    check_commands,
    check_determinism,
    check_garbage,
    check_life,
    check_memory,
    check_oracle,
    check_panels,
    check_tasks,
)
from sojourn.envs.web.actions import Stop, parse
from sojourn.envs.web.browser.text import TextBrowser
from sojourn.envs.web.browser.wsgi import call
from sojourn.envs.web.checks.diff import TableChange, changes
from sojourn.envs.web.webapps import WebApps
from sojourn.envs.web.webapps.effects import SIDE_EFFECTS
from sojourn.envs.web.webapps.hosts import CUSTOMER, FORUM_HOST, HOSTS, MERCHANT, SHOP_HOST, TRACKER_HOST
from sojourn.envs.web.webapps.seed.template import templates
from sojourn.envs.web.webapps.tasks.all_tasks import all_tasks
from sojourn.envs.web.webapps.tasks.task import AppTask, Look
from sojourn.envs.web.webapps.world import AppsWorld
from sojourn.errors import ConfigError, MissingDependencyError
from sojourn.types import Task

pytestmark = [
    pytest.mark.skipif(
        not all(find_spec(name) for name in ("oscar", "spirit", "trac")), reason="needs the extra webapps"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the applications' own
]


@pytest.fixture(scope="module", autouse=True)
def a_quiet_log() -> None:
    logging.getLogger("django").setLevel(logging.CRITICAL)  # 404 pages are what some tests ask for


@cache
def scenario() -> WebApps:
    return WebApps()


def sample(count: int) -> list[Task]:
    tasks = scenario().tasks("test")
    return [tasks[i * len(tasks) // count] for i in range(count)]


def differences(world: AppsWorld) -> dict[str, TableChange]:
    found: dict[str, TableChange] = {}
    for name, database in world.episode.databases.items():
        found |= changes(database, templates()[name])
    return found


async def played(task: AppTask) -> tuple[dict[str, TableChange], list[str]]:
    """What the task's script changes, and what it sees on the way."""
    world = AppsWorld.restore(templates())
    browser = TextBrowser(world, frozenset(HOSTS.values()))
    await browser.open(task.start, AppsWorld.cookies(task.shop_user))
    seen = [await browser.observe()]
    for action in task.solve(Look(lambda: seen[-1].tree)):
        parsed = parse(action)
        if isinstance(parsed, Stop):
            break
        await browser.act(parsed)
        seen.append(await browser.observe())
    found = differences(world)
    world.close()
    return found, [observation.text for observation in seen]


@cache
def end_states() -> Mapping[str, dict[str, TableChange]]:
    return {name: asyncio.run(played(task))[0] for name, task in all_tasks().items()}


# ----------------------------------------------------------------------------------------------------------- tasks


def test_there_are_tasks_of_every_kind_on_every_application() -> None:
    tasks = all_tasks().values()
    assert len(tasks) >= 40
    assert {task.category for task in tasks} == {"shop", "dashboard", "forum", "tracker", "across"}
    for category in ("shop", "dashboard", "forum", "tracker"):
        assert any(task.answer for task in tasks if task.category == category)
        assert any(task.end.expected for task in tasks if task.category == category)
    assert len({task.goal for task in tasks}) == len(tasks)


def test_the_split_is_for_evaluation_only() -> None:
    assert scenario().splits == ("test",)
    with pytest.raises(ConfigError):
        scenario().tasks("train")
    check_tasks(scenario())
    check_panels(WebApps)


def test_categories_narrow_the_tasks() -> None:
    assert {task.category for task in WebApps(categories=["forum", "across"]).tasks("test")} == {"forum", "across"}
    with pytest.raises(ConfigError, match="shop"):
        WebApps(categories=["shopp"])


def test_pages_may_be_pruned_to_what_the_listed_commands_act_on() -> None:
    pruned = WebApps(prune=True, max_commands=10, max_answers=0)
    assert pruned.env_id == f"{scenario().env_id}+pruned=10+answers=0"
    for task in sample(4):
        narrow = next(each for each in pruned.tasks("test") if each.task_id == task.task_id)
        told, whole = asyncio.run(first_seen(pruned, narrow)), asyncio.run(first_seen(scenario(), task))
        assert len(told.splitlines()) < min(25, len(whole.splitlines()))
    assert check_oracle(pruned, narrow, max_turns=15, admissible=False) is not None


async def first_seen(of: WebApps, task: Task) -> str:
    env = of.make()
    told = (await env.reset(task)).observation
    await env.close()
    return told


def test_every_task_is_solved_by_its_script_and_paid_once() -> None:
    for task in scenario().tasks("test"):
        assert check_oracle(scenario(), task, max_turns=15, admissible=False) is not None


def test_an_oracle_made_anew_for_each_turn_goes_on_where_the_last_was() -> None:
    async def solved(task: Task) -> float:
        env = scenario().make()
        result = await env.reset(task)
        while not result.terminated:
            action = await scenario().oracle(env).next_action()
            assert action == await scenario().oracle(env).next_action()  # asking twice is no turn
            assert action is not None
            result = await env.step(action)
        await env.close()
        return result.reward

    assert [asyncio.run(solved(task)) for task in sample(3)] == [1.0, 1.0, 1.0]


def test_giving_up_at_once_is_never_enough() -> None:
    async def given_up(task: Task) -> float:
        env = scenario().make()
        await env.reset(task)
        result = await env.step("stop []")
        await env.close()
        assert result.terminated
        return result.reward

    assert {task.task_id for task in scenario().tasks("test") if asyncio.run(given_up(task))} == set()


def test_a_question_is_not_answered_by_guessing_that_it_has_no_answer() -> None:
    right = {name for name, task in all_tasks().items() if task.answer and task.answer.is_given_by("N/A")}
    assert right == {"shop-price-none", "forum-author-none", "tracker-codename-none"}


def test_no_task_is_solved_by_what_another_one_asks_for() -> None:
    asked = {name: task.end for name, task in all_tasks().items() if task.end.expected}
    confused = {
        (name, other)
        for name, end in asked.items()
        for other, found in end_states().items()
        if name != other and end.is_reached(found, SIDE_EFFECTS)
    }
    assert confused == set()


def test_a_question_allows_no_change() -> None:
    questions = [task for task in all_tasks().values() if not task.end.expected]
    states = {name: found for name, found in end_states().items() if all_tasks()[name].end.expected}
    assert len(states) > 20
    assert not any(question.end.is_reached(found, SIDE_EFFECTS) for question in questions for found in states.values())


def test_two_done_at_once_are_neither() -> None:
    one, two = end_states()["tracker-milestone"], end_states()["shop-address"]
    both = {**one, **two}
    assert not all_tasks()["tracker-milestone"].end.is_reached(both, SIDE_EFFECTS)
    assert not all_tasks()["shop-address"].end.is_reached(both, SIDE_EFFECTS)


# -------------------------------------------------------------------------------------------------------- contract


def test_an_environment_lives_for_one_episode() -> None:
    for task in sample(3):
        check_life(scenario(), task)


def test_garbage_is_answered_and_costs_nothing() -> None:
    for task in sample(3):
        check_garbage(scenario(), task)


def test_the_same_actions_give_the_same_results() -> None:
    tasks = sample(4)
    for seed, task in enumerate(tasks):
        check_determinism(scenario, task, tasks[seed - 1], seed)


def test_admissible_commands_are_accepted_and_free() -> None:
    (task,) = (task for task in scenario().tasks("test") if task.task_id == "forum-location")
    check_commands(scenario(), task)


def test_nothing_leaks() -> None:
    check_memory(scenario(), split="test", num_episodes=12, max_growth_bytes=1_000_000)


def test_a_script_sees_the_same_pages_again() -> None:
    for name in ("shop-buy", "shop-wish-170", "forum-publish", "tracker-new", "dashboard-category"):
        task = all_tasks()[name]
        state = random.getstate()
        assert asyncio.run(played(task)) == asyncio.run(played(task))
        assert random.getstate() == state


# ------------------------------------------------------------------------------------------------------- isolation


def get(world: AppsWorld, host: str, path: str, user: str | None = CUSTOMER.user) -> Any:
    cookie = AppsWorld.cookies(user).get(host, "")
    return call(world, "GET", f"http://{host}{path}", {"Cookie": cookie})


def test_episodes_see_nothing_of_each_other() -> None:
    changed, pristine = AppsWorld.restore(templates()), AppsWorld.restore(templates())
    changed.episode.databases["django"].execute("UPDATE catalogue_product SET title = 'Zanzibar' WHERE id = 1")
    changed.episode.databases["django"].execute("UPDATE spirit_topic_topic SET title = 'Zanzibar'")
    changed.episode.databases["trac"].execute("UPDATE ticket SET summary = 'Zanzibar' WHERE id = 5")
    changed.episode.databases["trac"].execute("UPDATE component SET name = 'Zanzibar' WHERE name = 'Berths'")
    for database in changed.episode.databases.values():
        database.commit()
    for _ in range(2):
        for host, path in (
            (SHOP_HOST, "/catalogue/"),
            (FORUM_HOST, "/"),
            (TRACKER_HOST, "/ticket/5"),
            (TRACKER_HOST, "/newticket"),
        ):
            assert b"Zanzibar" in get(changed, host, path).body
            assert b"Zanzibar" not in get(pristine, host, path).body
    assert differences(pristine).keys() <= {"basket_basket", "session", "session_attribute", "spirit_user_userprofile"}


def test_who_is_logged_in_where_is_the_episodes() -> None:
    world = AppsWorld.restore(templates())
    assert b"Mina Harbour" in get(world, SHOP_HOST, "/dashboard/", MERCHANT.user).body
    assert get(world, SHOP_HOST, "/dashboard/", CUSTOMER.user).status == 403
    assert get(world, SHOP_HOST, "/dashboard/", None).status == 302
    assert b"logged in as" in get(world, TRACKER_HOST, "/wiki").body
    assert call(world, "GET", f"http://{TRACKER_HOST}/newticket", {}).status == 403


def test_episodes_in_many_threads_do_what_they_do_alone() -> None:
    names = ["shop-add-69", "forum-reply-18", "tracker-comment-10", "dashboard-note-100020"] * 3
    alone = {name: asyncio.run(played(all_tasks()[name])) for name in names[:4]}
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda name: asyncio.run(played(all_tasks()[name])), names))
    assert together == [alone[name] for name in names]


def digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def test_nothing_is_written_to_disk() -> None:
    folder = cache_dir() / "web" / "webapps"
    before = digest(folder)
    for name in ("dashboard-hide-KKN33031", "forum-location", "tracker-wiki-edit"):
        asyncio.run(played(all_tasks()[name]))
    assert digest(folder) == before


def test_the_trackers_configuration_is_everybodys_and_stays() -> None:
    world = AppsWorld.restore(templates())
    world.episode.databases["trac"].execute("INSERT INTO permission VALUES ('rosa', 'TRAC_ADMIN')")
    world.episode.databases["trac"].commit()
    page = get(world, TRACKER_HOST, "/admin/general/basics")
    token = page.body.partition(b'name="__FORM_TOKEN" value="')[2].partition(b'"')[0].decode()
    assert token
    cookie = f"{AppsWorld.cookies(None)[TRACKER_HOST]}; trac_form_token={token}"
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    form = f"__FORM_TOKEN={token}&name=Zanzibar&url=&descr=".encode()
    answer = call(world, "POST", f"http://{TRACKER_HOST}/admin/general/basics", headers, form)
    assert answer.status == 500
    assert b"Zanzibar" not in get(AppsWorld.restore(templates()), TRACKER_HOST, "/wiki").body


def test_an_unknown_host_and_a_page_that_is_not_there_are_404() -> None:
    world = AppsWorld.restore(templates())
    assert get(world, "elsewhere.example.com", "/").status == 404
    for host in HOSTS.values():
        assert get(world, host, "/no/such/page").status == 404


def test_an_upload_is_refused() -> None:
    world = AppsWorld.restore(templates())
    body = b'--x\r\nContent-Disposition: form-data; name="avatar"; filename="a.jpg"\r\n\r\nx\r\n--x--\r\n'
    headers = {"Cookie": AppsWorld.cookies(None)[FORUM_HOST], "Content-Type": "multipart/form-data; boundary=x"}
    assert call(world, "POST", f"http://{FORUM_HOST}/user/", headers, body).status in (400, 403)


def test_the_template_is_the_same_whenever_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {name: hashlib.sha256(content).hexdigest() for name, content in templates().items()}
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path))
    made = {name: hashlib.sha256(content).hexdigest() for name, content in templates.__wrapped__().items()}
    assert made == kept
    assert any(tmp_path.rglob("*.db"))


def test_a_world_is_restored_in_milliseconds() -> None:
    templates()
    begun = time.process_time()
    worlds = [AppsWorld.restore(templates()) for _ in range(50)]
    assert (time.process_time() - begun) / 50 < 0.02
    for world in worlds:
        world.close()


# -------------------------------------------------------------------------------------------------------- chromium


IN_CHROMIUM = ("shop-price-KCO02034", "shop-add-69", "shop-buy", "forum-reply-18", "tracker-wiki-edit")
"""Tasks whose scripts happen to hold on pages with styles, too."""


@pytest.mark.skipif(find_spec("playwright") is None, reason="needs playwright and a Chromium")
def test_the_applications_work_in_a_real_browser() -> None:
    from sojourn.envs.web.browser.chromium import close_chromium

    async def solved(name: str) -> float:
        env = in_chromium.make()
        try:
            await env.reset(next(task for task in in_chromium.tasks("test") if task.task_id == name))
            for action in all_tasks()[name].solve(Look(lambda: env.observation.tree)):
                result = await env.step(action)
            return result.reward
        finally:
            await env.close()

    in_chromium = WebApps(browser="chromium")
    assert in_chromium.env_id == "webapps-v1+browser=chromium"
    try:
        assert {name: asyncio.run(solved(name)) for name in IN_CHROMIUM} == dict.fromkeys(IN_CHROMIUM, 1.0)
    except MissingDependencyError as error:
        pytest.skip(str(error))
    finally:
        close_chromium()
