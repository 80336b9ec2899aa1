"""What stands round a retriever: tries and breaker, batches, the cache, the wire's forms, names and options."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.search import retrieve
from sojourn.envs.search.records import Hit, Passage
from sojourn.envs.search.retrieve import open_retriever
from sojourn.envs.search.retrieve.corpus_file import CorpusFile, read_corpus
from sojourn.envs.search.retrieve.documents import document_of, hits_of, passage_of, row_of, split_contents
from sojourn.envs.search.retrieve.gather import Batched, Cached
from sojourn.envs.search.retrieve.guard import Guard, Limits, RefusedError, TransientError
from sojourn.envs.search.retrieve.line_file import LineFile, fingerprint
from sojourn.envs.search.retrieve.opensearch import few_words
from sojourn.envs.search.retrieve.text_index import build_text_index
from sojourn.envs.search.retrieve.words import plain_query, storable
from sojourn.errors import ConfigError, DataError, EnvError, MissingDependencyError

# ----------------------------------------------------------------------------------------------------------- guard


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def guarded(**limits: float) -> tuple[Guard, Clock]:
    clock = Clock()
    return Guard("engine", Limits(**limits), clock=clock, sleep=clock.sleep), clock  # type: ignore[arg-type]


def failing(times: int, error: Callable[[], Exception]) -> tuple[Callable[[], Awaitable[str]], list[int]]:
    """A call that fails `times` times, and how often it was made."""
    made: list[int] = []

    async def attempt() -> str:
        made.append(1)
        if len(made) <= times:
            raise error()
        return "answer"

    return attempt, made


def test_what_may_pass_is_tried_again_after_growing_jittered_pauses() -> None:
    guard, clock = guarded(max_tries=4, first_pause_s=1.0)
    attempt, made = failing(3, lambda: TransientError("status 503"))
    assert asyncio.run(guard.call(attempt)) == "answer"
    assert len(made) == 4
    for pause, middle in zip(clock.pauses, (1.0, 2.0, 4.0), strict=True):
        assert middle * 0.5 <= pause <= middle * 1.5


def test_retry_after_is_honoured_up_to_a_limit() -> None:
    guard, clock = guarded(max_tries=3, max_pause_s=20.0)
    attempt, _ = failing(2, iter([TransientError("429", 7.0), TransientError("429", 3600.0)]).__next__)
    assert asyncio.run(guard.call(attempt)) == "answer"
    assert 7.0 <= clock.pauses[0] <= 7.7
    assert 20.0 <= clock.pauses[1] <= 22.0


def test_a_failure_names_the_boundary_the_reason_and_the_tries() -> None:
    guard, _ = guarded()
    attempt, made = failing(9, lambda: TransientError("status 500: 'boom'"))
    with pytest.raises(EnvError, match=r"engine: status 500: 'boom' \(3 tries\)"):
        asyncio.run(guard.call(attempt))
    assert len(made) == 3


def test_what_is_refused_is_not_tried_again_and_opens_nothing() -> None:
    guard, _ = guarded(failures_to_open=1)
    attempt, made = failing(5, lambda: RefusedError("status 401"))
    for _ in range(5):
        with pytest.raises(EnvError, match="status 401"):
            asyncio.run(guard.call(attempt))
    assert len(made) == 5
    assert asyncio.run(guard.call(attempt)) == "answer"


def test_no_answer_in_time_is_a_failure() -> None:
    guard, _ = guarded(timeout_s=0.01, max_tries=2)

    async def hang() -> str:
        await asyncio.sleep(60)
        return ""

    with pytest.raises(EnvError, match=r"no answer within 0\.01 s \(2 tries\)"):
        asyncio.run(guard.call(hang))


def test_the_breaker_opens_after_failures_in_a_row_and_one_call_finds_out_when_it_may_close() -> None:
    guard, clock = guarded(max_tries=1, failures_to_open=2, open_s=10.0)
    attempt, made = failing(3, lambda: TransientError("down"))

    async def fails(match: str) -> None:
        with pytest.raises(EnvError, match=match):
            await guard.call(attempt)

    async def story() -> None:
        await fails("down")
        await fails("down")
        await fails("not asked, since it failed 2 times in a row; it is tried again in 10 s")
        assert len(made) == 2
        clock.now += 10.5
        await fails("down")  # the probe, which opens it anew
        await fails("not asked")
        assert len(made) == 3
        clock.now += 10.5
        assert await guard.call(attempt) == "answer"
        assert await guard.call(attempt) == "answer"

    asyncio.run(story())


def test_a_cancelled_probe_leaves_the_way_open_for_the_next() -> None:
    guard, clock = guarded(max_tries=1, failures_to_open=1, open_s=1.0)
    attempt, _ = failing(1, lambda: TransientError("down"))

    async def hang() -> str:
        await asyncio.sleep(60)
        return ""

    async def story() -> None:
        with pytest.raises(EnvError):
            await guard.call(attempt)
        clock.now += 2.0
        probe = asyncio.create_task(guard.call(hang))
        await asyncio.sleep(0)
        with pytest.raises(EnvError, match="not asked"):
            await guard.call(attempt)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert await guard.call(attempt) == "answer"

    asyncio.run(story())


def test_a_call_from_before_says_nothing_of_the_probe() -> None:
    guard, clock = guarded(max_tries=1, failures_to_open=1, open_s=1.0)
    attempt, _ = failing(1, lambda: TransientError("down"))
    until = asyncio.Event()

    async def waits() -> str:
        await until.wait()
        raise TransientError("late")

    async def story() -> None:
        early = asyncio.create_task(guard.call(waits))
        await asyncio.sleep(0)
        with pytest.raises(EnvError, match="down"):
            await guard.call(attempt)
        clock.now += 2.0
        probe = asyncio.create_task(guard.call(lambda: asyncio.sleep(0.02, "answer")))
        await asyncio.sleep(0)
        until.set()
        assert "late" in str((await asyncio.gather(early, return_exceptions=True))[0])
        with pytest.raises(EnvError, match="not asked"):
            await guard.call(attempt)
        assert await probe == "answer"
        assert await guard.call(attempt) == "answer"

    asyncio.run(story())


@pytest.mark.parametrize("wrong", [{"timeout_s": 0}, {"max_tries": 0}, {"max_bytes": -1}, {"open_s": -1.0}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Limits(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------- batches and cache


class Engine:
    """Answers every query with itself, after a turn of the loop; remembers what it was asked."""

    identity = "echo"

    def __init__(self, pause_s: float = 0.0, failures: int = 0) -> None:
        self.requests: list[list[str]] = []
        self.in_flight = self.most_in_flight = 0
        self._pause_s = pause_s
        self._failures = failures
        self.num_closed = 0

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.requests.append(list(queries))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self._pause_s)
        self.in_flight -= 1
        if len(self.requests) <= self._failures:
            raise EnvError("engine is down")
        return [[echo(query)] * k for query in queries]

    async def close(self) -> None:
        self.num_closed += 1


def echo(query: str) -> Hit:
    return Hit(passage=Passage(passage_id=query, title="", text=query))


def ids(hits: Sequence[Sequence[Hit]]) -> list[list[str]]:
    return [[hit.passage.passage_id for hit in row] for row in hits]


def test_queries_of_many_episodes_leave_in_one_request_and_come_back_to_whom_they_belong() -> None:
    engine = Engine()

    async def story() -> None:
        batched = Batched(engine.search, "echo")
        queries = [f"q {n}" for n in range(100)]
        found = await asyncio.gather(*(batched.search([query], 2) for query in queries))
        assert [ids(hits) for hits in found] == [[[query, query]] for query in queries]

    asyncio.run(story())
    assert [len(request) for request in engine.requests] == [100]


def test_batches_and_requests_in_flight_are_limited_and_k_is_kept_apart() -> None:
    engine = Engine(pause_s=0.005)

    async def story() -> None:
        batched = Batched(engine.search, "echo", max_batch=10, max_in_flight=3)
        rows = await asyncio.gather(*(batched.search([f"q {n}"], 1 + n % 2) for n in range(200)))
        assert [len(row[0]) for row in rows] == [1 + n % 2 for n in range(200)]

    asyncio.run(story())
    assert max(map(len, engine.requests)) == 10
    assert engine.most_in_flight == 3


def test_a_query_without_words_finds_nothing_and_is_not_sent() -> None:
    engine = Engine()
    batched = Batched(engine.search, "echo")
    assert ids(asyncio.run(batched.search(["?!", "a\x00 \n b", "\ud800"], 1))) == [[], ["a b"], []]
    assert engine.requests == [["a b"]]


def test_a_failed_batch_fails_each_of_its_callers_and_the_next_goes_well() -> None:
    engine = Engine(failures=1)

    async def story() -> None:
        batched = Batched(engine.search, "echo")
        failed = await asyncio.gather(*(batched.search([f"q{n}"], 1) for n in range(3)), return_exceptions=True)
        assert [str(error) for error in failed] == ["engine is down"] * 3
        assert ids(await batched.search(["q"], 1)) == [["q"]]

    asyncio.run(story())


def test_a_cancelled_caller_takes_nothing_from_the_others() -> None:
    engine = Engine(pause_s=0.01)

    async def story(make: Callable[[], Batched | Cached]) -> None:
        retriever = make()
        first = asyncio.create_task(retriever.search(["same"], 1))
        second = asyncio.create_task(retriever.search(["same"], 1))
        await asyncio.sleep(0.005)
        first.cancel()
        assert ids(await second) == [["same"]]
        assert first.cancelled() or (await asyncio.gather(first, return_exceptions=True))

    asyncio.run(story(lambda: Batched(engine.search, "echo")))
    asyncio.run(story(lambda: Cached(engine, 10)))


def test_an_engine_that_answers_too_few_is_an_error() -> None:
    async def short(queries: Sequence[str], k: int) -> list[list[Hit]]:
        return [[]]

    with pytest.raises(EnvError, match="1 answers to 2 queries"):
        asyncio.run(Batched(short, "short").search(["a", "b"], 1))


def test_k_and_batches_have_caps() -> None:
    engine = Engine()
    with pytest.raises(ConfigError, match="1 to 20, got 21"):
        asyncio.run(Batched(engine.search, "echo").search(["a"], 21))
    assert asyncio.run(Batched(engine.search, "echo").search(["a"], 0)) == [[]]
    with pytest.raises(ConfigError, match="1 to 1024"):
        Batched(engine.search, "echo", max_batch=2000)
    with pytest.raises(ConfigError):
        Cached(engine, 0)


def test_what_a_group_asks_at_the_same_time_goes_out_once() -> None:
    engine = Engine(pause_s=0.01)

    async def story() -> None:
        cached = Cached(engine, 100)
        found = await asyncio.gather(*(cached.search([" capital   of France"], 1) for _ in range(8)))
        assert [ids(hits) for hits in found] == [[["capital of France"]]] * 8
        assert ids(await cached.search(["capital of France", "new", "new"], 1)) == [
            ["capital of France"],
            ["new"],
            ["new"],
        ]

    asyncio.run(story())
    assert engine.requests == [["capital of France"], ["new"]]


def test_the_cache_forgets_the_oldest_knows_k_apart_and_keeps_no_failure() -> None:
    engine = Engine(failures=1)

    async def story() -> None:
        cached = Cached(engine, 2)
        with pytest.raises(EnvError):
            await cached.search(["a"], 1)
        await cached.search(["a"], 1)
        assert ids(await cached.search(["a"], 2)) == [["a", "a"]]
        await cached.search(["a"], 1)  # known, and now the newest
        await cached.search(["b"], 1)
        await cached.search(["a"], 1)
        await cached.search(["a"], 2)  # was forgotten
        await cached.close()

    asyncio.run(story())
    assert engine.requests == [["a"], ["a"], ["a"], ["b"], ["a"]]
    assert engine.num_closed == 1


def test_an_answer_that_a_caller_changes_stays_as_it_was() -> None:
    async def story() -> None:
        cached = Cached(Engine(), 2)
        (await cached.search(["a"], 1))[0].clear()
        assert ids(await cached.search(["a"], 1)) == [["a"]]

    asyncio.run(story())


def test_one_retriever_serves_one_event_loop_after_another() -> None:
    engine = Engine()
    cached = Cached(Batched(engine.search, "echo"), 10)
    for n in range(3):
        assert ids(asyncio.run(cached.search([f"q{n}", "again"], 1))) == [[f"q{n}"], ["again"]]
    assert engine.requests == [["q0", "again"], ["q1"], ["q2"]]


# -------------------------------------------------------------------------------------------------------- wire forms


@pytest.mark.parametrize(
    ("document", "passage"),
    [
        ({"id": "7", "contents": '"A Title"\nThe text.\nMore.'}, ("7", "A Title", "The text.\nMore.")),
        ({"id": 7, "contents": "Bare title\ntext"}, ("7", "Bare title", "text")),
        ({"id": "7", "title": '"T"', "text": "x", "contents": '"T"\nx'}, ("7", "T", "x")),
        ({"id": "7", "text": "only text"}, ("7", "", "only text")),
        ({"id": "7", "contents": "one line"}, ("7", "", "one line")),
    ],
)
def test_documents_are_read_in_every_form(document: object, passage: tuple[str, str, str]) -> None:
    found = passage_of(document)
    assert (found.passage_id, found.title, found.text) == passage


def test_a_text_is_a_document_whose_id_is_what_it_says() -> None:
    assert passage_of('"T"\nx') == passage_of({"contents": '"T"\nx'}) == passage_of({"id": None, "contents": '"T"\nx'})
    assert passage_of("a").passage_id != passage_of("b").passage_id
    assert passage_of("a").passage_id.startswith("sha-")


@pytest.mark.parametrize("document", [None, 3, [], {}, {"contents": 3}, {"id": "x", "title": "t"}])
def test_what_is_no_document_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match="expected a document"):
        passage_of(document)


def test_hits_are_cut_to_k_and_need_no_relevance() -> None:
    rows = [
        {"document": {"id": "1", "contents": "a"}, "score": 2},
        {"document": "text"},
        {"id": "3", "contents": "c"},
        5,
    ]
    hits = hits_of(rows, 3)
    assert [hit.relevance for hit in hits] == [2.0, None, None]
    assert [hit.passage.text for hit in hits] == ["a", "text", "c"]
    with pytest.raises(ValueError, match="expected a document"):
        hits_of(rows, 4)
    with pytest.raises(ValueError, match="expected a list"):
        hits_of({"a": 1}, 3)


@given(
    st.text(min_size=1, max_size=20), st.text(max_size=20).filter(lambda t: "\n" not in t and t == t.strip()), st.text()
)
def test_a_passage_survives_our_own_wire(passage_id: str, title: str, text: str) -> None:
    passage_id, title, text = storable(passage_id), storable(title).strip('"'), storable(text)
    title = title.strip()
    passage = Passage(passage_id=passage_id if passage_id.strip() else "x", title=title, text=text)
    sent = json.loads(json.dumps(row_of(Hit(passage=passage, relevance=1.5))))
    assert hits_of([sent], 1) == [Hit(passage=passage, relevance=1.5)]
    assert split_contents(document_of(passage)["contents"]) == (passage.title, text)


@given(st.text(max_size=3000))
def test_an_opensearch_query_stays_below_the_engine_s_limit_of_clauses(query: str) -> None:
    sent = few_words(plain_query(query))
    most = len(sent.split()) if sent.isascii() else len(sent)
    assert most * 3 < 1024  # three fields, each word or sign a clause in each
    assert few_words("What is the capital of France?") == "What is the capital of France"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("\ud800x\x00"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["document", "id", "contents", "title", "text", "score", "x"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=4))
def test_whatever_a_server_says_is_passages_that_can_be_shown_or_refused(row: list[object]) -> None:
    try:
        hits = hits_of(row, 3)
    except ValueError:
        return
    for hit in hits:
        f"{hit.passage.passage_id}{hit.passage.title}{hit.passage.text}".encode()
        json.dumps(row_of(hit), allow_nan=False)


@pytest.mark.parametrize("said", [float("nan"), float("inf"), 10**400, True, "3", None])
def test_relevance_that_cannot_be_compared_is_none(said: object) -> None:
    assert hits_of([{"document": "x", "score": said}], 1)[0].relevance is None


# ------------------------------------------------------------------------------------------------------------ corpus


def test_a_corpus_is_read_in_both_forms_and_numbered_where_it_has_no_ids(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_bytes(b'\xef\xbb\xbf{"id": "x", "contents": "\\"T\\"\\ntext"}\n\n{"contents": "no id"}\r\n')
    second.write_text('{"id": 9, "title": "U", "text": "more"}')
    told: list[int] = []
    found = [(p.passage_id, p.title, p.text) for p in read_corpus([first, second], told.append)]
    assert found == [("x", "T", "text"), ("1", "", "no id"), ("9", "U", "more")]
    assert told[-1] == first.stat().st_size + second.stat().st_size


@pytest.mark.parametrize("line", ["{", "[1]", '"text"', '{"id": "x"}', "\xff"])
def test_a_bad_line_is_named_with_its_file(tmp_path: Path, line: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(b'{"id": "a", "contents": "x"}\n' + line.encode("latin-1") + b"\n")
    with pytest.raises(DataError, match=r"bad\.jsonl:2: expected a JSON object with 'id' and 'contents'"):
        list(read_corpus([path]))
    with pytest.raises(DataError, match="cannot read"):
        list(read_corpus([tmp_path / "nowhere.jsonl"]))


@given(st.lists(st.binary(max_size=12).map(lambda line: line.replace(b"\n", b" ")), max_size=20), st.booleans())
def test_lines_are_those_that_python_reads(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], ends_in_newline: bool
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file"
    path.write_bytes(b"\n".join(lines) + (b"\n" if ends_in_newline else b""))
    with path.open("rb") as file:
        expected = list(file)
    found = LineFile(path)
    assert [found[n] for n in range(len(found))] == expected
    with pytest.raises(IndexError):
        found[len(expected)]
    found.close()


def test_where_lines_begin_is_kept_for_large_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.envs.search.retrieve.line_file._PIECE_BYTES", 64)
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(f'{{"id": "{n}", "contents": "text {n}"}}\n' for n in range(100)))
    for _ in range(2):
        corpus = CorpusFile(path)
        assert [corpus[n].text for n in range(len(corpus))] == [f"text {n}" for n in range(100)]
        corpus.close()
    (kept,) = tmp_path.glob(".corpus.jsonl.*.npy")
    assert len(np.load(kept)) == 101
    before = fingerprint(path)
    path.write_text(path.read_text() + '{"id": "new", "contents": "text"}\n')
    assert len(LineFile(path)) == 101  # the table of the file as it was does not count
    assert fingerprint(path) != before


# ------------------------------------------------------------------------------------------------------------- names


def test_a_folder_is_opened_by_its_path_with_a_cache_before_it(tmp_path: Path) -> None:
    build_text_index([Passage(passage_id="a", title="France", text="Paris")], tmp_path / "i")
    retriever = open_retriever(str(tmp_path / "i"))
    assert isinstance(retriever, Cached)
    assert not isinstance(open_retriever(str(tmp_path / "i"), cache=0), Cached)
    assert ids(asyncio.run(retriever.search(["paris"], 3))) == [["a"]]
    asyncio.run(retriever.close())


@pytest.mark.parametrize(
    ("spec", "options", "match"),
    [
        ("nowhere", {}, "unknown retriever 'nowhere': expected atlas"),
        ("ftp://x", {}, "unknown retriever"),
        ("", {}, "unknown retriever"),
        ("http://x", {"timout_s": 3}, "did you mean 'timeout_s'"),
        ("http://x", {"nprobe": 3}, "unknown option"),
        ("http://x", {"timeout_s": "soon"}, "retriever option timeout_s"),
        ("http://x", {"max_tries": 0}, "max_tries must be more than 0"),
        ("http://x", {"cache": -1}, "cache must be 0 or more"),
        ("http://x", {"max_batch": 5000}, "max_batch must be 1 to 1024"),
        ("http://user:secret@x", {}, "must hold no password"),
        ("http://", {}, "expected an address"),
        ("http://x:99999", {}, "expected an address"),
        ("http://x/?q=1", {}, "expected an address"),
        ("http://x", {"token_variable": "NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE is not set"),
        ("opensearch:http://x:9200", {}, "expected opensearch:http://host:9200/INDEX"),
        ("opensearch:http://x:9200/A B", {}, "expected opensearch:http://host:9200/INDEX"),
        ("web:altavista", {}, "unknown web search 'altavista'"),
        ("web:serper", {"record": "a", "replay": "b"}, "exclude each other"),
        ("web:serper", {"per_second": 0}, "per_second must be more than 0"),
        ("web:serper", {"blocked_domains": "x.org"}, "retriever option blocked_domains"),
    ],
)
def test_a_name_or_option_that_is_wrong_says_what_was_expected(
    spec: str, options: dict[str, object], match: str
) -> None:
    with pytest.raises(ConfigError, match=match) as caught:
        open_retriever(spec, **options)  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)


def test_identities_tell_retrievers_apart() -> None:
    specs = ("http://a", "http://b", "http://a/sub", "opensearch:http://a:9200/i", "opensearch:http://a:9200/j")
    assert len({open_retriever(spec).identity for spec in specs}) == len(specs)
    assert open_retriever("http://a/retrieve").identity == open_retriever("http://a").identity


@pytest.mark.parametrize(
    ("spec", "package", "extra"),
    [
        ("http://x", "aiohttp", "search"),
        ("opensearch:http://x/i", "aiohttp", "search"),
        ("web:serper", "aiohttp", "search"),
        ("faiss:index", "faiss", "faiss"),
        ("FOLDER", "tantivy", "search"),
    ],
)
def test_a_package_that_is_absent_is_named_with_what_installs_it(
    spec: str, package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_text_index([], tmp_path / "i")
    for name in ("wire", "search_r1", "opensearch", "web_apis", "faiss_index"):
        if module := sys.modules.get(f"{retrieve.__name__}.{name}"):
            monkeypatch.setattr(retrieve, name, module)  # so that it is this one again afterwards
            monkeypatch.delitem(sys.modules, module.__name__)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=rf"{package}.* is not installed.*sojourn\[{extra}\]"):
        open_retriever(spec.replace("FOLDER", str(tmp_path / "i")))
