"""Retrievers over real processes: Search-R1's servers with their quirks, OpenSearch, web search, FAISS."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.contract.search_servers import ranked
from tests.contract.served_process import serving

from sojourn.envs.search.records import Hit, Retriever
from sojourn.envs.search.retrieve import open_retriever
from sojourn.envs.search.retrieve.encoders import make_encoder
from sojourn.errors import ConfigError, DataError, EnvError

QUICK = {"first_pause_s": 0.01, "open_s": 0.2, "cache": 0}
SERVERS = "tests.contract.search_servers"


def asked(address: str) -> list[Any]:
    with urllib.request.urlopen(f"{address}/asked") as answer:
        found: list[Any] = json.load(answer)
    return found


def run(retriever: Retriever, queries: Sequence[str], k: int = 3) -> list[list[Hit]]:
    async def ask() -> list[list[Hit]]:
        try:
            return await retriever.search(queries, k)
        finally:
            await retriever.close()

    return asyncio.run(ask())


def titles(hits: Sequence[Hit]) -> list[str]:
    return [hit.passage.title for hit in hits]


# --------------------------------------------------------------------------------------------------------- Search-R1


@pytest.mark.parametrize("quirks", [[], ["drops_score"], ["ignores_topk"], ["strings"], ["parts"], ["slow"]], ids=str)
def test_every_flavour_of_search_r1_is_understood(quirks: list[str]) -> None:
    with serving([SERVERS, "search-r1", *quirks]) as address:
        hits, none, more = run(open_retriever(address, **QUICK), ["capital of France", "?!", "Iron"], k=2)
    assert [(hit.passage.title, hit.passage.text) for hit in hits] == [
        d[0][1:] for d in ranked("capital of france")[:2]
    ]
    assert titles(more)[0] == "Iron"
    assert none == []
    assert all((hit.relevance is None) == ("drops_score" in quirks) for hit in hits)
    if "strings" in quirks or "parts" in quirks:
        assert all(hit.passage.passage_id.startswith("sha-") for hit in hits)


def test_fewer_hits_than_asked_for_are_what_there_is() -> None:
    with serving([SERVERS, "search-r1", "fewer"]) as address:
        assert [len(hits) for hits in run(open_retriever(address, **QUICK), ["France", "Iron"], k=5)] == [1, 1]


@pytest.mark.parametrize(
    ("quirk", "match"),
    [
        ("html500", r"status 500: '<html>.*\(3 tries\)"),
        ("html200", "expected JSON, got '<html>Login"),
        ("other", "no 'result' in"),
        ("loses_one", "expected 2 lists in 'result'"),
        ("redirects", r"it redirects to 'http://198\.51\.100\.7/retrieve'; only the configured address"),
        ("huge", "longer than 1000000 bytes"),
    ],
)
def test_a_server_that_fails_is_an_error_that_names_it(quirk: str, match: str) -> None:
    with serving([SERVERS, "search-r1", quirk]) as address:
        with pytest.raises(EnvError, match=match) as caught:
            run(open_retriever(address, **QUICK, max_bytes=1_000_000), ["France", "Iron"])
        assert address in str(caught.value)
        assert len(asked(address)) == (3 if quirk == "html500" else 1)


def test_a_server_that_hangs_once_is_asked_again_and_one_that_always_hangs_is_given_up() -> None:
    with serving([SERVERS, "search-r1", "hangs"]) as address:
        start = time.monotonic()
        (hits,) = run(open_retriever(address, **QUICK, timeout_s=0.5), ["Iron"])
        assert titles(hits)[0] == "Iron"
        assert time.monotonic() - start < 5
    match = r"no answer within 0\.2 s \(2 tries\)"
    with serving([SERVERS, "search-r1", "hangs", "always"]) as address, pytest.raises(EnvError, match=match):
        run(open_retriever(address, **QUICK, timeout_s=0.2, max_tries=2), ["Iron"])


def test_a_server_that_is_busy_is_left_alone_as_long_as_it_wants() -> None:
    with serving([SERVERS, "search-r1", "busy"]) as address:
        start = time.monotonic()
        (hits,) = run(open_retriever(address, **QUICK), ["Iron"])
        assert titles(hits)[0] == "Iron"
        assert time.monotonic() - start >= 1.0
    with serving([SERVERS, "search-r1", "flaky"]) as address:
        assert titles(run(open_retriever(address, **QUICK), ["Iron"])[0])[0] == "Iron"


def test_nothing_listens_is_an_error_and_then_the_breaker_opens() -> None:
    with serving([SERVERS, "search-r1"]) as address:
        pass  # and is gone

    async def story() -> None:
        retriever = open_retriever(address, **QUICK | {"open_s": 60}, failures_to_open=2)
        for match in ("Cannot connect", "Cannot connect", "not asked, since it failed 2 times in a row"):
            with pytest.raises(EnvError, match=match):
                await retriever.search(["Iron"], 3)
        await retriever.close()

    asyncio.run(story())


def test_a_wave_of_episodes_is_a_few_requests_and_a_group_asks_once() -> None:
    queries = [f"capital {n % 32}" for n in range(256)]  # 32 groups of 8

    async def story(address: str) -> list[list[list[Hit]]]:
        retriever = open_retriever(address, first_pause_s=0.01)
        found = await asyncio.gather(*(retriever.search([query], 3) for query in queries))
        again = await asyncio.gather(*(retriever.search([query], 3) for query in queries))
        assert again == found
        await retriever.close()
        return found

    with serving([SERVERS, "search-r1"]) as address:
        found = asyncio.run(story(address))
        requests = asked(address)
    assert len(found) == 256
    assert sorted(query for request in requests for query in request["queries"]) == sorted(set(queries))
    assert len(requests) <= 4
    assert {request["topk"] for request in requests} == {3}
    assert all(request["return_scores"] is True for request in requests)


def test_one_retriever_serves_several_loops_and_leaves_no_connection_open() -> None:
    with serving([SERVERS, "search-r1"]) as address:
        retriever = open_retriever(address, **QUICK)
        for _ in range(3):
            assert titles(asyncio.run(retriever.search(["Iron"], 1))[0]) == ["Iron"]
            gc.collect()  # what is left open warns, and a warning is an error


def test_a_cancelled_episode_leaves_the_others_their_answer() -> None:
    async def story(address: str) -> None:
        retriever = open_retriever(address, cache=100)
        asking = [asyncio.create_task(retriever.search(["Iron"], 1)) for _ in range(4)]
        await asyncio.sleep(0.05)
        asking[0].cancel()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert all(not isinstance(hits, BaseException) and titles(hits[0]) == ["Iron"] for hits in found[1:])
        await retriever.close()

    with serving([SERVERS, "search-r1", "slow"]) as address:
        asyncio.run(story(address))
        assert len(asked(address)) == 1


HOSTILE = [
    "a AND (",
    'title:"x',
    "\x00France\ud800",
    "<answer>France</answer>",
    "*",
    "x" * 100_000,
    '"}],"topk":9}',
    "🎉",
]


def test_hostile_queries_are_one_line_of_text_on_the_wire() -> None:
    with serving([SERVERS, "search-r1"]) as address:
        found = run(open_retriever(address, **QUICK), HOSTILE)
        sent = [query for request in asked(address) for query in request["queries"]]
    assert len(found) == len(HOSTILE)
    assert all(len(query) <= 2000 and query.isprintable() for query in sent)
    assert len(sent) == len(HOSTILE) - 2  # without a word, nothing is asked


# -------------------------------------------------------------------------------------------------------- OpenSearch


def test_opensearch_is_asked_by_match_one_alone_and_many_together() -> None:
    with serving([SERVERS, "opensearch"]) as address:
        (hits,) = run(open_retriever(f"opensearch:{address}/wiki", **QUICK), ["capital of Kenya"], k=2)
        assert [(h.passage.passage_id, h.passage.title) for h in hits] == [("4", "Kenya"), ("1", "France")]
        many = run(open_retriever(f"opensearch:{address}/wiki", **QUICK), [*HOSTILE, "iron"], k=2)
        assert titles(many[-1]) == ["Iron"]
        requests = asked(address)
    assert [request["size"] for request in requests] == [2, len(HOSTILE) - 1]
    assert list(requests[0]["query"]) == ["multi_match"]


def test_opensearch_says_what_went_wrong() -> None:
    with serving([SERVERS, "opensearch"]) as address:
        with pytest.raises(EnvError, match=r"OpenSearch at .*: status 404"):
            run(open_retriever(f"opensearch:{address}/nowhere", **QUICK), ["iron"])
        with pytest.raises(EnvError, match=r"OpenSearch at .*circuit_breaking_exception"):
            run(open_retriever(f"opensearch:{address}/wiki", **QUICK), ["iron", "poison"])


def test_opensearch_takes_its_password_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([SERVERS, "opensearch", "needs_password"]) as address:
        monkeypatch.delenv("OPENSEARCH_USER", raising=False)
        with pytest.raises(EnvError, match="status 401"):
            run(open_retriever(f"opensearch:{address}/wiki", **QUICK), ["iron"])
        monkeypatch.setenv("OPENSEARCH_USER", "reader")
        with pytest.raises(ConfigError, match="OPENSEARCH_PASSWORD is not set"):
            open_retriever(f"opensearch:{address}/wiki")
        monkeypatch.setenv("OPENSEARCH_PASSWORD", "open sesame")
        assert titles(run(open_retriever(f"opensearch:{address}/wiki", **QUICK), ["iron"])[0]) == ["Iron"]


# -------------------------------------------------------------------------------------------------------- web search

VARIABLES = {"serper": "SERPER_API_KEY", "brave": "BRAVE_API_KEY", "tavily": "TAVILY_API_KEY", "searxng": "SEARXNG_URL"}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_web_search_is_recorded_and_replayed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([SERVERS, "web", *(["wants_key"] if name != "searxng" else [])]) as address:
        monkeypatch.setenv(VARIABLES[name], address if name == "searxng" else "open-sesame-0123")
        options = {**QUICK, "url": address, "record": str(tmp_path), "per_second": 1000}
        (hits,) = run(open_retriever(f"web:{name}", **options), ["capital of Kenya"], k=2)
        assert titles(hits) == ["Kenya", "France"]
        assert run(open_retriever(f"web:{name}", **options), ["capital of Kenya"], k=2) == [hits]
        assert len(asked(address)) == 1  # the second came from the record
    monkeypatch.delenv(VARIABLES[name])
    assert run(open_retriever(f"web:{name}", replay=str(tmp_path), cache=0), ["capital of Kenya"], k=2) == [hits]
    kept = "".join(path.read_text() for path in tmp_path.rglob("*.json"))
    assert "open-sesame" not in kept
    assert "answerBox" not in kept


def test_a_key_stands_in_no_error_and_a_budget_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([SERVERS, "web", "wants_key"]) as address:
        monkeypatch.setenv("SERPER_API_KEY", "wrong-key-42")
        with pytest.raises(EnvError, match=r"status 403: .*no such key.*\*\*\*") as caught:
            run(open_retriever("web:serper", url=address, **QUICK), ["iron"])
        assert "wrong-key-42" not in str(caught.value)
        assert caught.value.__cause__ is None
        monkeypatch.setenv("SERPER_API_KEY", "open-sesame-0123")
        retriever = open_retriever("web:serper", url=address, budget=2, per_second=20.0, **QUICK)
        before = len(asked(address))
        assert run(retriever, ["iron"]) != run(retriever, ["kenya"])
        with pytest.raises(EnvError, match="the budget of 2 requests is spent"):
            run(retriever, ["france"])
        assert len(asked(address)) == before + 2


def test_requests_of_one_key_are_spaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving([SERVERS, "web"]) as address:
        monkeypatch.setenv("SERPER_API_KEY", "k")
        run(open_retriever("web:serper", url=address, per_second=10.0, **QUICK), [f"iron {n}" for n in range(5)])
        at = sorted(row["at"] for row in asked(address))
    assert at[-1] - at[0] >= 0.3


# -------------------------------------------------------------------------------------------------------------- FAISS

DIMENSIONS = 64


def embed(queries: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Unit vectors by hashing words: the same text has the same vector in every process."""
    vectors = np.zeros((len(queries), DIMENSIONS), dtype=np.float32)
    for row, query in enumerate(queries):
        for word in query.lower().split():
            digest = sum((at + 1) * ord(letter) for at, letter in enumerate(word))
            vectors[row, digest % DIMENSIONS] += 1.0
            vectors[row, digest * 7 % DIMENSIONS] -= 0.5
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def too_wide(queries: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.zeros((len(queries), DIMENSIONS + 1), dtype=np.float32)


def broken(queries: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    raise RuntimeError("no such model")


TEXTS = [f"passage {n} of topic {n % 17} and place {n * 31 % 101}" for n in range(400)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("faiss") / "corpus.jsonl"
    rows = [{"id": str(n), "contents": f'"Title {n}"\n{text}'} for n, text in enumerate(TEXTS)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def flat(faiss: Any) -> Any:
    return faiss.IndexFlatIP(DIMENSIONS)


def flat_l2(faiss: Any) -> Any:
    return faiss.IndexFlatL2(DIMENSIONS)


def ivf(faiss: Any) -> Any:
    return faiss.index_factory(DIMENSIONS, "IVF8,Flat", faiss.METRIC_INNER_PRODUCT)


def hnsw(faiss: Any) -> Any:
    return faiss.index_factory(DIMENSIONS, "HNSW16", faiss.METRIC_INNER_PRODUCT)


def written(make: Callable[[Any], Any], path: Path) -> str:
    faiss = pytest.importorskip("faiss")
    index, vectors = make(faiss), embed(TEXTS)
    if not index.is_trained:
        index.train(vectors)
    index.add(vectors)
    faiss.write_index(index, str(path))
    return f"faiss:{path}"


ENCODER = {"encoder": "tests.contract.test_search_retrievers:embed", "cache": 0}


@pytest.mark.parametrize(
    ("make", "options"),
    [(flat, {}), (flat_l2, {}), (ivf, {"nprobe": 8}), (hnsw, {"ef_search": 64})],
    ids=["flat", "flat-l2", "ivf", "hnsw"],
)
def test_faiss_finds_the_passage_whose_text_is_asked_for(
    make: Callable[[Any], Any], options: dict[str, Any], corpus: Path, tmp_path: Path
) -> None:
    spec = written(make, tmp_path / "index")
    retriever = open_retriever(spec, corpus=str(corpus), **options, **ENCODER)
    found = run(retriever, TEXTS[:60], k=3)
    nearest = embed(TEXTS) @ embed(TEXTS[:60]).T
    for n, hits in enumerate(found):
        assert len(hits) == 3
        assert hits[0].passage.text in {TEXTS[at] for at in np.flatnonzero(nearest[:, n] > 0.9999)}
        assert [hit.relevance for hit in hits] == sorted((hit.relevance or 0.0 for hit in hits), reverse=True)
    assert found[7][0].passage.title == "Title 7"


def test_more_cells_find_more_until_all_of_them_find_what_an_exhaustive_search_does(
    corpus: Path, tmp_path: Path
) -> None:
    spec, exhaustive = written(ivf, tmp_path / "index"), written(flat, tmp_path / "flat")

    def relevance(spec: str, **options: Any) -> list[float]:
        found = run(open_retriever(spec, corpus=str(corpus), **options, **ENCODER), TEXTS, k=10)
        return [sum(hit.relevance or 0.0 for hit in hits) for hits in found]

    one, all_of_them = relevance(spec, nprobe=1), relevance(spec, nprobe=8)
    np.testing.assert_allclose(all_of_them, relevance(exhaustive), rtol=1e-5)
    assert sum(one) < sum(all_of_them) - 1.0
    identities = {open_retriever(spec, corpus=str(corpus), nprobe=n, **ENCODER).identity for n in (1, 8)}
    assert len(identities) == 2


def test_many_episodes_at_once_get_their_own_answers_from_faiss(corpus: Path, tmp_path: Path) -> None:
    spec = written(flat, tmp_path / "index")

    async def story() -> None:
        retriever = open_retriever(spec, corpus=str(corpus), **ENCODER)
        found = await asyncio.gather(*(retriever.search([text], 1) for text in TEXTS))
        together = await retriever.search(TEXTS, 1)
        assert [hits[0] for hits in found] == together
        await retriever.close()

    asyncio.run(story())


def test_an_index_that_does_not_fit_says_so(corpus: Path, tmp_path: Path) -> None:
    spec = written(flat, tmp_path / "index")
    short = tmp_path / "short.jsonl"
    short.write_text(corpus.read_text().partition("\n")[0] + "\n")
    with pytest.raises(DataError, match=r"has 400 vectors and .* 1 lines"):
        open_retriever(spec, corpus=str(short), **ENCODER)
    with pytest.raises(ConfigError, match="IndexFlatIP has no nprobe"):
        open_retriever(spec, corpus=str(corpus), nprobe=3, **ENCODER)
    with pytest.raises(DataError, match="there is no index"):
        open_retriever(f"faiss:{tmp_path / 'nowhere'}", corpus=str(corpus), **ENCODER)
    with pytest.raises(DataError, match="cannot be read"):
        open_retriever(f"faiss:{corpus}", corpus=str(corpus), **ENCODER)
    with pytest.raises(ConfigError, match="retriever option corpus"):
        open_retriever(spec, **ENCODER)
    here = "tests.contract.test_search_retrievers"
    for name, match in (("too_wide", r"made \(1, 65\), expected \(1, 64\)"), ("broken", "RuntimeError: no such model")):
        with pytest.raises(EnvError, match=match):
            run(open_retriever(spec, corpus=str(corpus), encoder=f"{here}:{name}", cache=0), ["x"])
    for encoder, match in (
        ("nowhere", "expected the folder"),
        ("no.such:one", "No module"),
        (f"{here}:QUICK", "no function"),
    ):
        with pytest.raises(ConfigError, match=match):
            open_retriever(spec, corpus=str(corpus), encoder=encoder, cache=0)


def test_a_bad_line_of_the_corpus_is_an_error_when_it_is_found(corpus: Path, tmp_path: Path) -> None:
    spec = written(flat, tmp_path / "index")
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join("{\n" if n == 7 else line + "\n" for n, line in enumerate(corpus.read_text().splitlines())))
    assert run(open_retriever(spec, corpus=str(bad), **ENCODER), [TEXTS[8]], k=1)[0]
    with pytest.raises(EnvError, match=r"bad\.jsonl:8: expected a JSON object"):
        run(open_retriever(spec, corpus=str(bad), **ENCODER), [TEXTS[7]], k=1)


def test_a_model_embeds_with_its_prefix_by_the_mean_of_its_tokens(tmp_path: Path) -> None:
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    vocabulary = {word: n for n, word in enumerate(["[PAD]", "[UNK]", "query", ":", "capital", "of", "france", "iron"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(tmp_path)
    torch.manual_seed(0)
    config = BertConfig(vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path)
    encode = make_encoder(str(tmp_path), prefix="query: ", max_tokens=8)
    together = encode(["capital of france", "iron"])
    assert together.shape == (2, 16)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(together[1:], encode(["iron"]), atol=1e-6)  # padding counts for nothing
    with torch.inference_mode():
        hidden = model(torch.tensor([[2, 3, 7]])).last_hidden_state.mean(1)
    np.testing.assert_allclose(together[1], torch.nn.functional.normalize(hidden)[0].numpy(), atol=1e-6)
    assert encode(["iron " * 100]).shape == (1, 16)
    with pytest.raises(DataError, match="holds no model"):
        make_encoder(str(tmp_path.parent), prefix="", max_tokens=8)
