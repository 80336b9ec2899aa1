"""``sojourn search``: an index made, looked at and served by processes of their own, under Search-R1's protocol."""

from __future__ import annotations

import asyncio
import http.client
import io
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from tests.contract.served_process import ROOT, address, ended, serving

from sojourn.cli.entry import main
from sojourn.envs.search.atlas import open_atlas
from sojourn.envs.search.questions import are_made
from sojourn.envs.search.records import Hit
from sojourn.envs.search.retrieve import open_retriever
from sojourn.envs.search.retrieve.text_index import TextIndex
from sojourn.envs.search.scenario import Search
from sojourn.errors import EnvError

CLI = [sys.executable, "-m", "sojourn.cli"]
NUM_PASSAGES = 3000
QUICK = {"first_pause_s": 0.01, "open_s": 0.2, "cache": 0}


def contents(n: int) -> str:
    return f'"Place {n}"\nPlace {n} lies in region {n % 37}. Its river is called River{n * 7919 % 1009}.'


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "wiki.jsonl"
    path.write_text("".join(json.dumps({"id": str(n), "contents": contents(n)}) + "\n" for n in range(NUM_PASSAGES)))
    return path


@pytest.fixture(scope="module")
def folder(corpus: Path) -> Path:
    made = corpus.parent / "index"
    code, said, told = cli("search", "index", "--jsonl", str(corpus), "--out", str(made))
    assert (code, told) == (0, "")
    assert f"{NUM_PASSAGES} passages indexed" in said
    return made


def cli(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and error of ``sojourn ARGUMENTS``."""
    said, told = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(told):
        code = main(arguments)
    return code, said.getvalue(), told.getvalue()


def served(folder: Path, *arguments: str) -> Any:
    return serving(["sojourn.cli", "search", "serve", str(folder), "--port", "0", *arguments])


def post(url: str, body: object, **headers: str) -> tuple[int, Any]:
    """What a client that only knows HTTP gets, as Search-R1's does."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/retrieve", content, {"Content-Type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def found(url: str, queries: list[str], k: int = 3, **options: Any) -> list[list[Hit]]:
    async def ask() -> list[list[Hit]]:
        retriever = open_retriever(url, **QUICK | options)
        try:
            return await retriever.search(queries, k)
        finally:
            await retriever.close()

    return asyncio.run(ask())


QUERIES = [f"Which river flows through Place {n}?" for n in range(0, 1000, 5)]


def test_what_is_served_is_what_the_index_finds(shared: str, folder: Path) -> None:
    index = TextIndex(folder)
    assert found(shared, QUERIES, k=4) == index.search_now(QUERIES, 4)
    assert found(shared, ["?!", "the"], k=4)[0] == []
    asyncio.run(index.close())


def passages_to_string(row: list[dict[str, Any]]) -> str:
    """As Search-R1's generation loop writes what it has found into the context."""
    shown = ""
    for number, entry in enumerate(row):
        text = entry["document"]["contents"]
        title = text.split("\n")[0]
        rest = "\n".join(text.split("\n")[1:])
        shown += f"Doc {number + 1}(Title: {title}) {rest}\n"
    return shown


def test_a_client_of_search_r1_is_answered_in_its_own_form(shared: str) -> None:
    status, answer = post(shared, {"queries": QUERIES, "topk": 3, "return_scores": True})
    assert status == 200
    assert [len(row) for row in answer["result"]] == [3] * len(QUERIES)
    assert passages_to_string(answer["result"][1]).startswith('Doc 1(Title: "Place 5") Place 5 lies in region 5.')
    best = answer["result"][1][0]
    assert set(best) == {"document", "score"}
    assert best["document"]["id"] == "5"
    assert best["document"]["contents"] == contents(5)
    assert [e["score"] for e in answer["result"][1]] == sorted((e["score"] for e in answer["result"][1]), reverse=True)
    _, plain = post(shared, {"queries": ["Place 5"], "topk": None})
    assert plain["result"][0][0]["contents"] == contents(5)  # without the wrapper, as theirs has it
    assert len(plain["result"][0]) == 3
    _, bare = post(shared, {"queries": ["Place 5"]})
    assert bare == plain


@pytest.mark.parametrize(
    ("body", "status", "match"),
    [
        ({"queries": ["x"] * 1025}, 413, "queries"),
        ({"queries": ["x" * 20_001]}, 413, "queries.0"),
        ({"queries": []}, 422, "queries"),
        ({"queries": "x"}, 422, "queries"),
        ({"queries": [3]}, 422, "queries.0"),
        ({"queries": ["x"], "topk": 21}, 422, "topk"),
        ({"queries": ["x"], "topk": 0}, 422, "topk"),
        ({}, 422, "queries"),
        (b"{", 422, "JSON"),
        (b"[]", 422, "body"),
    ],
    ids=lambda value: str(value)[:24] if not isinstance(value, int) else str(value),
)
def test_what_is_too_much_or_no_call_is_refused(shared: str, body: object, status: int, match: str) -> None:
    said, answer = post(shared, body)
    assert said == status
    assert match in json.dumps(answer)
    assert post(shared, {"queries": ["Place 5"]})[0] == 200


def test_a_body_that_is_too_long_is_refused_before_it_is_sent(shared: str) -> None:
    connection = http.client.HTTPConnection(shared.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/retrieve")
    connection.putheader("Content-Length", str(17 << 20))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, b"at most" in answer.read()) == (413, True)
    connection.close()


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[str]:
    with served(folder) as url:
        yield url


@pytest.mark.parametrize(
    "query", ["a AND (", 'title:"x', "*", "<answer>x</answer>", "\x00", "\ud800Place 5", "x" * 20_000, "the " * 5_000]
)
def test_a_hostile_query_is_answered(shared: str, query: str) -> None:
    status, answer = post(shared, {"queries": [query, "Place 5"], "topk": 1, "return_scores": True})
    assert status == 200
    assert answer["result"][1][0]["document"]["id"] == "5"


def test_many_clients_at_once_get_their_own_answers(shared: str) -> None:
    wrong: list[int] = []

    def client(number: int) -> None:
        for n in range(number, number + 20):
            _, answer = post(shared, {"queries": [f"Place {n}"], "topk": 1, "return_scores": True})
            if answer["result"][0][0]["document"]["id"] != str(n):
                wrong.append(n)

    threads = [threading.Thread(target=client, args=(number * 20,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_health_says_what_is_served(shared: str, folder: Path) -> None:
    with urllib.request.urlopen(f"{shared}/health") as answer:
        said = json.load(answer)
    assert said == {"status": "ok", "retriever": str(folder), "identity": said["identity"], "topk": 3}
    assert said["identity"].startswith("text-")


def test_a_token_is_wanted_where_one_is_set(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = tmp_path / "token"
    token.write_text("open-sesame-0123456789\n")
    with served(folder, "--token-file", str(token)) as url:
        assert post(url, {"queries": ["Place 5"]})[0] == 401
        with pytest.raises(EnvError, match="status 401"):
            found(url, ["Place 5"])
        monkeypatch.setenv("RETRIEVER_TOKEN", "open-sesame-0123456789")
        assert found(url, ["Place 5"], token_variable="RETRIEVER_TOKEN")[0]


def test_a_server_over_a_server_tells_its_failure(folder: Path) -> None:
    with served(folder) as inner, served_spec(inner) as outer:
        assert found(outer, ["Place 5"]) == found(inner, ["Place 5"])
        status, answer = post(outer, {"queries": ["Place 6"], "topk": 1})
        assert status == 200, answer
    with served_spec(inner) as outer:
        status, answer = post(outer, {"queries": ["Place 6"], "topk": 1})
        assert status == 503
        assert "Cannot connect" in answer["detail"]


def served_spec(spec: str) -> Any:
    options = ("--options", "max_tries=1", "timeout_s=5")
    return serving(["sojourn.cli", "search", "serve", spec, "--port", "0", *options])


@contextmanager
def started(folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [*CLI, "search", "serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with ended(process):
        yield process, address(process)


def test_a_server_that_is_killed_is_an_error_and_its_successor_is_found(folder: Path) -> None:
    async def story() -> None:
        with started(folder, 0) as (process, url):
            port = int(url.rpartition(":")[2])
            retriever = open_retriever(url, **QUICK, failures_to_open=1, max_tries=2)
            before = await retriever.search(QUERIES, 3)
            process.send_signal(signal.SIGKILL)
            process.wait()
            for _ in range(2):
                with pytest.raises(EnvError, match=url):
                    await retriever.search(QUERIES, 3)
        with started(folder, port):
            await asyncio.sleep(0.3)  # until the breaker lets one try
            assert await retriever.search(QUERIES, 3) == before
        await retriever.close()

    asyncio.run(story())


def test_a_server_ends_by_a_signal_and_leaves_the_index_as_it_was(folder: Path) -> None:
    before = sorted((path.name, path.stat().st_size) for path in folder.rglob("*"))
    with started(folder, 0) as (process, url):
        assert found(url, ["Place 5"])[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert sorted((path.name, path.stat().st_size) for path in folder.rglob("*")) == before


def test_an_episode_of_the_paper_s_questions_over_a_server_and_its_failure(folder: Path, tmp_path: Path) -> None:
    rows = [
        {"question": f"Which river flows through Place {n}", "golden_answers": [f"River{n * 7919 % 1009}"]}
        for n in range(300)
    ]
    for name in ("nq/test.jsonl", "nq/train.jsonl"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    async def story() -> None:
        with started(folder, 0) as (process, url):
            scenario = Search(
                retriever=url,
                retriever_options=QUICK,
                questions=str(tmp_path),
                partial_questions=True,
            )
            task = scenario.tasks("test")[5]
            assert (task.task_id, task.category) == ("5", "NQ")
            env = scenario.make()
            assert "Which river flows through Place 5?" in (await env.reset(task)).observation
            shown = await env.step("<search>river through Place 5</search>")
            assert f"River{5 * 7919 % 1009}" in shown.observation
            end = await env.step(f"<answer>river{5 * 7919 % 1009}</answer>")
            assert (end.reward, end.terminated, end.success) == (1.0, True, True)
            other = scenario.make()
            await other.reset(scenario.tasks("train")[0])
            process.kill()
            process.wait()
            with pytest.raises(EnvError, match=f"retriever at {url}"):
                await other.step("<search>river</search>")
            await scenario.retriever.close()

    asyncio.run(story())


# ------------------------------------------------------------------------------------------------------ command line


def test_a_query_prints_hits_for_people_and_for_programs(folder: Path) -> None:
    code, said, told = cli("search", "query", str(folder), "Which river flows through Place 5?", "--k", "2")
    assert (code, told) == (0, "")
    assert said.startswith("1. Place 5  [5]  (")
    rows = json.loads(cli("search", "query", str(folder), "Place 5", "--k", "1", "--json")[1])
    assert rows[0]["title"] == "Place 5"
    assert cli("search", "query", str(folder), "?!")[1] == "nothing found\n"


@pytest.mark.usefixtures("search_cache")
def test_an_atlas_is_made_and_searched_by_its_name() -> None:
    code, said, _ = cli("search", "build", "atlas-mini-cf", "--seed", "3")
    assert code == 0
    assert re.match(r"atlas-mini-cf: [45]\d{4} passages in ", said)
    assert re.search(r"^questions: [1-9]\d+ train, [1-9]\d+ validation, [1-9]\d+ test, [1-9]\d+ test-ood$", said, re.M)
    assert are_made(open_atlas("atlas-mini-cf", 3))
    for name, seed, is_so in (("atlas-mini", 0, True), ("atlas-mini-cf", 3, False)):
        options = ["--options", f"seed={seed}"] if seed else []
        code, said, told = cli("search", "query", name, "What is the capital of France?", *options)
        assert code == 0, told
        assert said.startswith("1. France: capital  [factbook/fr/capital]")
        assert ("Paris" in said) == is_so


def test_errors_of_the_command_line_say_what_to_do(folder: Path, corpus: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"id": "1", "contents": "x"}\n{"id": "2"}\n')
    twins = tmp_path / "twins.jsonl"
    twins.write_text('{"id": "1", "contents": "x"}\n{"id": "1", "contents": "y"}\n')
    new = str(tmp_path / "new")
    for arguments, match in (
        (("index", "--jsonl", str(bad), "--out", new), "bad.jsonl:2: expected a JSON object with 'id' and 'contents'"),
        (("index", "--jsonl", str(twins), "--out", new), "'1' is that of passages 0 and 1"),
        (("index", "--jsonl", "nowhere.jsonl", "--out", new), "there is no file nowhere.jsonl"),
        (("index", "--jsonl", str(corpus), "--out", str(folder)), "exists already"),
        (("query", "nowhere", "x"), "unknown retriever 'nowhere'"),
        (("query", str(tmp_path), "x"), "holds no index"),
        (("query", str(folder), "x", "--options", "nprobe=3"), "unknown option"),
        (("query", str(folder), "x", "--options", "nprobe"), "expected KEY=VALUE"),
        (("query", str(folder), "x", "--options", "cache=3"), "got 'cache'"),
        (("serve", str(folder), "--host", "0.0.0.0"), "needs a token"),
        (("build", "atlantis"), "invalid choice"),
    ):
        code, said, told = cli("search", *arguments)
        assert (code, said) == (2, ""), (arguments, told)
        assert match in told, (arguments, told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl", "twins.jsonl"]


def test_a_port_that_is_taken_is_said(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, told = cli("search", "serve", str(folder), "--port", str(taken.getsockname()[1]))
    assert code == 2
    assert "is taken" in told


def test_an_index_that_is_killed_while_it_is_made_leaves_no_half_of_one(corpus: Path, tmp_path: Path) -> None:
    many = tmp_path / "many.jsonl"
    with many.open("w") as file:
        for n in range(60_000):
            file.write(json.dumps({"id": str(n), "contents": contents(n)}) + "\n")
    out = tmp_path / "out"
    command = [*CLI, "search", "index", "--jsonl", str(many), "--out", str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with ended(process):
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob(".out.*.tmp")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
        process.wait()
    assert not out.exists()
    assert cli("search", "index", "--jsonl", str(corpus), "--out", str(out))[0] == 0
    assert list(tmp_path.glob(".out.*")) == []
    assert TextIndex(out).search_now(["Place 5"], 1)[0][0].passage.passage_id == "5"
