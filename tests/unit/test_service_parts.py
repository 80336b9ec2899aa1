"""The small parts of the service and its client: codes, frames, tokens, options, names."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.cli.scenarios import FOREIGN, open_scenario
from sojourn.cli.serve import environment_options
from sojourn.errors import ConfigError
from sojourn.service.client import RemoteScenario, sendable
from sojourn.service.frames import FrameProtocol
from sojourn.service.server import read_token
from sojourn.service.transport import _http
from sojourn.service.wire import STATUS, Code, ServiceError, to_json

PAGE = Path(__file__).resolve().parents[2] / "docs" / "service.md"


def test_every_code_has_a_status_and_only_failures_of_the_environment_are_in_the_500s_besides_full() -> None:
    assert set(STATUS) == set(Code)
    assert {code for code, status in STATUS.items() if status >= 500} == {
        Code.ENV_FAILED,
        Code.ENV_TIMEOUT,
        Code.FULL,
        Code.DRAINING,
    }


def test_the_page_lists_every_code_with_its_status() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {code.value: str(status) for code, status in STATUS.items()}


def test_an_error_has_one_body() -> None:
    error = ServiceError(Code.WRONG_INDEX, "expected step 2, got 3", episode_id="abc")
    body = {"code": "wrong_index", "message": "expected step 2, got 3", "episode_id": "abc"}
    assert (error.status, json.loads(error.body())) == (409, body)


@given(st.text())
def test_any_action_can_be_sent_and_text_is_sent_as_it_is(action: str) -> None:
    sent = sendable(action)
    assert json.loads(to_json({"action": sent}))["action"] == sent
    assert sent == action or any("\ud800" <= char <= "\udfff" for char in action)


def test_what_is_no_character_is_replaced() -> None:
    assert sendable("a\ud800b") == "a\ufffdb"
    assert sendable("🙂 ж") == "🙂 ж"


@given(st.lists(st.lists(st.tuples(st.integers(), st.binary(max_size=50)), max_size=5), max_size=6), st.data())
def test_frames_arrive_whole_however_they_are_cut(said: list[list[Any]], data: st.DataObject) -> None:
    class Pipe:
        def __init__(self) -> None:
            self.sent = b""

        def write(self, payload: bytes) -> None:
            self.sent += payload

    async def exchange() -> list[Any]:
        pipe, heard = Pipe(), []
        sender = FrameProtocol(lambda rows: None, lambda: None)
        sender.connection_made(pipe)  # type: ignore[arg-type]
        for rows in said:
            for row in rows:
                sender.send(row)
            await asyncio.sleep(0)
        receiver = FrameProtocol(heard.extend, lambda: None)
        left = pipe.sent
        while left:
            size = data.draw(st.integers(1, len(left)))
            receiver.data_received(left[:size])
            left = left[size:]
        return heard

    assert asyncio.run(exchange()) == [row for rows in said for row in rows]


def test_every_kind_of_call_has_a_path_of_its_own() -> None:
    paths = {kind: _http({"call": kind, "episode_id": "e"})[:2] for kind in ("commands", "oracle", "close", "step")}
    assert paths == {
        "commands": ("GET", "/v1/episodes/e/commands"),
        "oracle": ("GET", "/v1/episodes/e/oracle"),
        "close": ("DELETE", "/v1/episodes/e"),
        "step": ("POST", "/v1/episodes/e/steps"),
    }


def test_options_of_served_environments_are_read_as_toml() -> None:
    assert environment_options(["textcraft"], ["depths=[1,2]"]) == {"textcraft": {"depths": [1, 2]}}
    found = environment_options(["babyai", "my.module:Make"], ["babyai.style=reminder", "my.module:Make.size=3"])
    assert found == {"babyai": {"style": "reminder"}, "my.module:Make": {"size": 3}}
    for pair in ("size=3", "other.size=3", "babyai.size"):
        with pytest.raises(ConfigError, match=r"NAME\.KEY=VALUE"):
            environment_options(["babyai", "textcraft"], [pair])


def test_a_token_is_long_enough_and_printable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOJOURN_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("SOJOURN_TOKEN", "0123456789abcdef")
    assert read_token(None) == "0123456789abcdef"
    for text in ("short", "0123456789abcd\x07f", "жжжжжжжжжжжжжжжж"):
        path = tmp_path / "token"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match="at least 16 printable"):
            read_token(path)
    with pytest.raises(ConfigError, match="cannot read"):
        read_token(tmp_path / "nowhere")


def test_environments_are_opened_by_every_kind_of_name() -> None:
    assert open_scenario("textcraft", {"depths": [1]}).env_id == "textcraft-v1"
    assert open_scenario("tests.toys:Buttons").env_id == "buttons-v1"
    assert isinstance(open_scenario("http://127.0.0.1:1", {"env": "babyai"}), RemoteScenario)
    with pytest.raises(ConfigError, match="did you mean 'textcraft'"):
        open_scenario("textcarft")
    with pytest.raises(ConfigError, match=r"environment 'http://127\.0\.0\.1:1' refused options"):
        open_scenario("http://127.0.0.1:1", {"colour": "red"})
    for name in FOREIGN:
        with pytest.raises(ConfigError, match=f"environment '{name}' refused options"):
            open_scenario(name, {"nonsense": 1})


@pytest.mark.parametrize("url", ["http://", "http://127.0.0.1:1?x=1", "127.0.0.1:8000", "ftp://host"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="expected a URL"):
        RemoteScenario(url)


def test_a_service_that_does_not_run_is_named() -> None:
    with pytest.raises(ConfigError, match=r"http://127\.0\.0\.1:1: URLError.*is it running"):
        _ = open_scenario("http://127.0.0.1:1").env_id
