"""Web search without a net: recordings, what is read of an answer, and what is left out of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from sojourn.envs.search.retrieve import open_retriever
from sojourn.envs.search.retrieve.recording import Recording
from sojourn.envs.search.retrieve.web_apis import WEB_APIS
from sojourn.errors import ConfigError, EnvError

ANSWERS: dict[str, dict[str, Any]] = {
    "serper": {
        "answerBox": {"answer": "Paris"},
        "knowledgeGraph": {"title": "Paris"},
        "organic": [
            {"title": "Paris - <b>Wiki</b>", "link": "https://en.example.org/Paris", "snippet": "Capital &amp; city"},
            {"title": "Mirror", "link": "https://mirror.blocked.org/x", "snippet": "leak"},
            {"title": "Not of them", "link": "https://notblocked.org/x", "snippet": "fine"},
        ],
    },
    "brave": {
        "infobox": {"results": [{"title": "Paris"}]},
        "web": {
            "results": [
                {
                    "title": "Paris",
                    "url": "https://en.example.org/Paris",
                    "description": "<strong>Capital</strong> city.",
                    "extra_snippets": ["On the Seine.", 3],
                },
                {"title": "Mirror", "url": "https://blocked.org/x", "description": "leak"},
            ]
        },
    },
    "tavily": {
        "answer": "Paris",
        "results": [
            {"title": "Paris", "url": "https://en.example.org/Paris", "content": "Capital city", "score": 0.9},
            {"title": "Mirror", "url": "https://BLOCKED.org./x", "content": "leak"},
        ],
    },
    "searxng": {
        "answers": ["Paris"],
        "infoboxes": [{"content": "Paris"}],
        "results": [
            {"title": None, "url": "https://en.example.org/Paris", "content": "Capital city"},
            {"title": "Mirror", "url": "http://[bad", "content": "an address that is none"},
            {"title": "no address", "content": "x"},
            "no hit at all",
        ],
    },
}
QUERY = "capital of France"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    recording = Recording(tmp_path, is_replay=False)
    for name, answer in ANSWERS.items():
        recording.keep(name, QUERY, 5, answer)
    return tmp_path


def search(name: str, query: str, k: int, **options: Any) -> list[Any]:
    async def ask() -> list[Any]:
        retriever = open_retriever(f"web:{name}", **options)
        (hits,) = await retriever.search([query], k)
        await retriever.close()
        return hits

    return asyncio.run(ask())


@pytest.mark.parametrize("name", WEB_APIS)
def test_a_replay_needs_no_key_and_gives_hits_without_answer_boxes(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in (key for api in WEB_APIS.values() for key in api.key_variables):
        monkeypatch.delenv(variable, raising=False)
    hits = search(name, QUERY, 5, replay=str(folder), blocked_domains=["blocked.org"])
    assert hits[0].passage.passage_id == "https://en.example.org/Paris"
    assert hits[0].passage.text.startswith("Capital")
    assert "<" not in hits[0].passage.title + hits[0].passage.text
    shown = " ".join(f"{hit.passage.title} {hit.passage.text}" for hit in hits)
    assert "leak" not in shown
    assert "Paris" not in " ".join(hit.passage.text for hit in hits)  # what only the answer boxes say


def test_entities_and_several_snippets_are_joined_into_one_text(folder: Path) -> None:
    assert search("serper", QUERY, 5, replay=str(folder))[0].passage.text == "Capital & city"
    assert search("brave", QUERY, 5, replay=str(folder))[0].passage.text == "Capital city. On the Seine."
    assert [
        hit.passage.title for hit in search("serper", QUERY, 5, replay=str(folder), blocked_domains=["blocked.org"])
    ] == [
        "Paris - Wiki",
        "Not of them",
    ]


def test_a_replay_that_lacks_an_answer_is_an_error_and_never_the_net(folder: Path) -> None:
    for query, k in ((QUERY, 4), ("something else", 5)):
        with pytest.raises(EnvError, match="not among the recordings, and a replay does not ask the net"):
            search("serper", query, k, replay=str(folder))
    with pytest.raises(ConfigError, match="there is no folder"):
        search("serper", QUERY, 5, replay=str(folder / "nowhere"))


def test_a_spoiled_recording_is_an_error(folder: Path) -> None:
    for path in folder.rglob("*.json"):
        path.write_text("{")
    with pytest.raises(EnvError, match="cannot be read"):
        search("serper", QUERY, 5, replay=str(folder))


@pytest.mark.parametrize("answer", [{"message": "quota"}, {"organic": {"a": 1}}, {"organic": "text"}])
def test_an_answer_without_a_list_of_hits_is_an_error(tmp_path: Path, answer: dict[str, Any]) -> None:
    Recording(tmp_path, is_replay=False).keep("serper", QUERY, 5, answer)
    with pytest.raises(EnvError, match="web search serper: expected"):
        search("serper", QUERY, 5, replay=str(tmp_path))


def test_brave_leaves_its_list_out_where_it_found_nothing(tmp_path: Path) -> None:
    Recording(tmp_path, is_replay=False).keep("brave", QUERY, 5, {"type": "search"})
    assert search("brave", QUERY, 5, replay=str(tmp_path)) == []


@pytest.mark.parametrize("name", WEB_APIS)
def test_without_its_variable_the_service_is_not_opened(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in WEB_APIS[name].key_variables:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f"from the environment: set {WEB_APIS[name].key_variables[0]}"):
        open_retriever(f"web:{name}")


def test_a_recording_has_the_query_and_nothing_secret(folder: Path) -> None:
    rows = [json.loads(path.read_text()) for path in folder.rglob("*.json")]
    assert {row["service"] for row in rows} == set(WEB_APIS)
    assert all(set(row) == {"service", "query", "k", "answer"} for row in rows)
    assert list(folder.rglob("*.tmp")) == []
