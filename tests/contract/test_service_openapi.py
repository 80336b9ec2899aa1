"""The service is what its OpenAPI says, whatever is sent; and no text leaves an environment speechless."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.services import Service, serving

from sojourn.service.client import RemoteScenario
from sojourn.service.wire import STATUS, Code, StepAnswer
from sojourn.types import StepResult

FAILURES = {Code.ENV_FAILED, Code.ENV_TIMEOUT, Code.FULL, Code.DRAINING}
QUIET = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
CONFORMANCE = [status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with serving(folder, "textcraft", "babyai", "--workers", "1", "--capacity", "64", "--drain-s", "0.1") as running:
        yield running
        assert "Traceback" not in running.log.read_text()


def test_whatever_is_sent_the_answer_is_one_that_the_schema_names(service: Service) -> None:
    api = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) == 11
    statuses: Counter[int] = Counter()

    def check(case: Any) -> None:
        answer = case.call()
        case.validate_response(answer, checks=CONFORMANCE)
        statuses[answer.status_code] += 1
        if answer.status_code >= 400:
            code = Code(answer.json()["code"])
            assert STATUS[code] == answer.status_code
            assert answer.status_code < 500 or code in FAILURES

    for operation in operations:
        QUIET(given(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))(check))()
        with suppress(Unsatisfiable):  # there is nothing to get wrong in a call that says nothing
            QUIET(given(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))(check))()
    assert {200, 204, 404, 422} <= statuses.keys()


BODIES = st.one_of(
    st.binary(max_size=200),
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=20) | st.integers(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)


@QUIET
@given(body=BODIES, path=st.sampled_from(["/v1/episodes", "/v1/batch", "/v1/episodes/abcdefgh/steps"]))
def test_a_body_that_is_not_the_protocol_is_a_bad_request(service: Service, body: bytes, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{service.url}{path}", content=body, headers=headers, trust_env=False)
    assert answer.status_code in (404, 422)
    assert set(answer.json()) == {"code", "message", "episode_id"}


@QUIET
@given(
    actions=st.lists(st.text(max_size=60) | st.sampled_from(["get 1 oak log", "turn left", "go forward"]), max_size=8)
)
@pytest.mark.parametrize("name", ["textcraft", "babyai"])
def test_no_text_makes_an_environment_fail(service: Service, name: str, actions: list[str]) -> None:
    async def play() -> list[StepResult]:
        scenario = RemoteScenario(service.url, env=name)
        env = scenario.make()
        await env.reset(scenario.panel("test").tasks[0])
        try:
            results: list[StepResult] = []
            for action in actions:
                results.append(await env.step(action))
                if results[-1].terminated or results[-1].truncated:
                    break
            return results
        finally:
            await env.close()

    for result in asyncio.run(play()):
        assert result.observation.strip()
        assert result.reward >= 0


def test_a_batch_answers_in_order_and_does_not_wait_for_the_slow(service: Service) -> None:
    task = {"split": "test", "index": 0}
    start = {"call": "start", "env": "textcraft", "task": task, "episode_id": "a-batch-of-mine"}
    calls = [
        start,
        {"call": "commands", "episode_id": "nobody-knows-me"},
        {"call": "start", "env": "babyai", "task": {"split": "test", "index": 10**6}},
        {"call": "close", "episode_id": "never-opened"},
    ]
    answers = post(service, {"calls": calls})
    assert [answer["status"] for answer in answers] == [201, 404, 404, 204]
    assert answers[2]["body"]["code"] == "unknown_task"
    step = {"call": "step", "episode_id": "a-batch-of-mine", "index": 1, "action": "inventory", "commands": True}
    (answer,) = post(service, {"calls": [step]})
    assert StepAnswer.model_validate(answer["body"]).commands
    assert post(service, {"calls": [step, step]}) == [answer, answer]
    slow = {"call": "start", "env": "babyai", "task": task, "episode_id": "slow-to-start"}
    (running,) = post(service, {"calls": [slow], "wait_s": 0})
    assert running == {"status": 202, "body": None}
    (started,) = post(service, {"calls": [slow], "wait_s": 30})
    assert started["status"] == 201
    closes = [{"call": "close", "episode_id": name} for name in ("a-batch-of-mine", "slow-to-start")]
    assert [answer["status"] for answer in post(service, {"calls": closes})] == [204, 204]


def post(service: Service, body: Any) -> list[dict[str, Any]]:
    answer = httpx.post(f"{service.url}/v1/batch", json=body, timeout=60, trust_env=False)
    assert answer.status_code == 200
    answers: list[dict[str, Any]] = answer.json()["answers"]
    return answers


def test_a_body_that_is_too_large_is_not_read(service: Service) -> None:
    answer = httpx.post(f"{service.url}/v1/batch", content=b" " * (17 << 20), trust_env=False)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
