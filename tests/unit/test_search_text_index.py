"""The embedded index: what it finds, in which order, and that no query means anything but words."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.passage_file import PASSAGES, PassageFile, PassageWriter
from sojourn.envs.search.retrieve.text_index import TextIndex, build_text_index
from sojourn.envs.search.retrieve.words import MAX_STOP_WORDS, MAX_TERMS, plain_query, query_terms, words
from sojourn.errors import DataError, EnvError


def passage(passage_id: str, title: str, text: str) -> Passage:
    return Passage(passage_id=passage_id, title=title, text=text)


CORPUS = (
    passage("fr/capital", "France: capital", "The capital of France is Paris. It lies on the Seine."),
    passage("gm/capital", "The Gambia: capital", "The capital of The Gambia is Banjul, and it is what it is."),
    passage("br/city", "São Paulo", "São Paulo is the largest city of Brazil."),
    passage("twin/1", "Twin", "The same words stand here."),
    passage("twin/2", "Twin", "The same words stand here."),
    passage("twin/3", "Twin", "The same words stand here."),
    passage("who", "The Who", "An English band."),
    passage("in-text", "Rivers", "Banjul is at the mouth of the river; Banjul has a port. Banjul, Banjul."),
    passage("in-title", "Banjul", "A port city on an island in the estuary of a river in western Africa."),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("index") / "corpus"
    build_text_index(CORPUS, made, total=len(CORPUS))
    return made


@pytest.fixture(scope="module")
def index(folder: Path) -> Iterator[TextIndex]:
    opened = TextIndex(folder)
    yield opened
    asyncio.run(opened.close())


def found(index: TextIndex, query: str, k: int = 3) -> list[str]:
    return [hit.passage.passage_id for hit in index.search_now([query], k)[0]]


def test_a_question_finds_its_country_and_not_the_one_with_the_most_common_words(index: TextIndex) -> None:
    assert found(index, "What is the capital of France?")[0] == "fr/capital"
    assert found(index, "what is the capital of the gambia")[0] == "gm/capital"


def test_a_word_in_the_title_weighs_more_than_in_the_text(index: TextIndex) -> None:
    assert found(index, "Banjul")[0] == "in-title"


def test_accents_and_case_do_not_matter_on_either_side(index: TextIndex) -> None:
    for query in ("sao paulo", "SÃO PAULO", "São Paulo", "Sa\u0303o Paulo"):
        assert found(index, query)[0] == "br/city"


def test_equals_are_in_the_order_of_the_corpus_whatever_k(index: TextIndex) -> None:
    for k in (1, 2, 3, 9):
        assert found(index, "twin same words", k)[:3] == ["twin/1", "twin/2", "twin/3"][:k]


def test_several_segments_order_equals_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sojourn.envs.search.retrieve.text_index.WRITER_BYTES", 15_000_000)
    filler = " ".join(f"filler{n}" for n in range(300))
    passages = [passage(f"p{n}", "x" if n % 20 else "Twin", f"same {filler}{n % 7}") for n in range(6000)]
    build_text_index(passages, tmp_path / "many")
    many = TextIndex(tmp_path / "many")
    assert many._searcher.num_segments > 1, "the writer's memory was meant to be too small for one"
    assert found(many, "twin", 4) == ["p0", "p20", "p40", "p60"]
    asyncio.run(many.close())


def test_a_query_of_stop_words_alone_still_finds_a_band(index: TextIndex) -> None:
    assert "who" in found(index, "the who", 9)


@pytest.mark.parametrize("query", ["", "   ", "?!", "***", "\x00", "\ud800", "—"])
def test_a_query_without_words_finds_nothing(index: TextIndex, query: str) -> None:
    assert index.search_now([query], 3) == [[]]
    assert plain_query(query) == ""


HOSTILE = [
    "a AND (",
    'title:"x',
    "nosuch:field",
    "-france",
    "<answer>France</answer>",
    "*",
    "[a TO z]",
    "france^9999",
    "france~2",
    'france" OR "1"="1',
    "text:*",
    "/fr.*/",
    "a" * 100_000,
    "the " * 50_000,
    " ".join(f"w{n}" for n in range(5000)),
    "\x00france\ud800",
    "🎉 capital",
]


@pytest.mark.parametrize("query", HOSTILE, ids=lambda query: query[:12].encode("ascii", "replace").decode())
def test_a_query_is_words_and_never_a_language(index: TextIndex, query: str) -> None:
    terms = query_terms(query)
    assert len(terms) <= MAX_TERMS
    assert all(term.isalnum() and len(term) <= 64 for term in terms)
    assert len(index.search_now([query], 3)[0]) <= 3


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=300), st.integers(0, 25))
def test_any_text_is_answered(index: TextIndex, query: str, k: int) -> None:
    (hits,) = index.search_now([query], k)
    values = [hit.relevance for hit in hits]
    assert len(hits) <= k
    assert values == sorted(values, key=lambda value: -(value or 0.0))
    wanted = set(query_terms(query))
    for hit in hits:
        assert wanted & {*words(hit.passage.title), *words(hit.passage.text)}


@given(st.text(max_size=3000))
def test_terms_are_distinct_and_do_not_change_when_made_again(query: str) -> None:
    terms = query_terms(query)
    assert len(set(terms)) == len(terms) <= MAX_TERMS
    assert query_terms(" ".join(terms)) == terms
    assert plain_query(plain_query(query)) == plain_query(query)


def test_stop_words_stay_only_where_there_is_nothing_else() -> None:
    assert query_terms("What is the capital of France") == ["capital", "france"]
    assert query_terms("what is it of to the in") == ["what", "is", "it", "of"]
    assert MAX_STOP_WORDS == 4


def test_one_and_many_queries_and_threads_answer_alike(index: TextIndex) -> None:
    queries = [f"{first} {second}" for first in ("capital", "same", "banjul") for second in ("france", "river", "city")]
    alone = [index.search_now([query], 3)[0] for query in queries]
    assert asyncio.run(index.search(queries * 50, 3)) == alone * 50
    assert asyncio.run(index.search(queries[:2], 3)) == alone[:2]


def test_passages_come_back_by_id_and_in_order(index: TextIndex) -> None:
    assert tuple(index.passages()) == CORPUS
    assert [index.passage(one.passage_id) for one in CORPUS] == list(CORPUS)
    with pytest.raises(DataError, match="no passage 'nowhere'"):
        index.passage("nowhere")


def test_one_content_has_one_identity_and_another_another(index: TextIndex, tmp_path: Path) -> None:
    build_text_index(iter(CORPUS), tmp_path / "same")
    build_text_index(CORPUS[:-1], tmp_path / "other")
    same, other = TextIndex(tmp_path / "same"), TextIndex(tmp_path / "other")
    assert same.identity == index.identity != other.identity
    assert "tantivy" in index.identity


def test_an_index_may_be_empty(tmp_path: Path) -> None:
    build_text_index([], tmp_path / "empty", total=0)
    assert TextIndex(tmp_path / "empty").search_now(["france"], 3) == [[]]


def test_what_a_text_file_cannot_hold_is_left_out(tmp_path: Path) -> None:
    build_text_index([passage("a", "ti\x00tle", "te\ud800xt \U0001f389\n<answer>")], tmp_path / "odd")
    index = TextIndex(tmp_path / "odd")
    assert index.passage("a") == passage("a", "title", "text \U0001f389\n<answer>")
    assert found(index, "title") == ["a"]


def test_progress_and_the_promised_number(tmp_path: Path) -> None:
    told: list[int] = []
    many = [passage(str(n), "t", "x") for n in range(2500)]
    build_text_index(many, tmp_path / "many", total=2500, progress=told.append)
    assert told == [1000, 2000, 2500]
    with pytest.raises(DataError, match="expected 9 passages, got 2500"):
        build_text_index(many, tmp_path / "wrong", total=9)
    assert [path.name for path in tmp_path.iterdir()] == ["many"]


def refused(corpus: Sequence[Passage] | Iterator[Passage], folder: Path, match: str) -> None:
    with pytest.raises(DataError, match=match):
        build_text_index(corpus, folder)
    assert not list(folder.parent.glob(".*tmp"))


def test_two_passages_of_one_id_are_refused_by_name(tmp_path: Path) -> None:
    refused([passage("a", "x", "x"), passage("b", "x", "x"), passage("a", "y", "y")], tmp_path / "n", "'a'.*0 and 2")
    refused([passage("", "title", "x")], tmp_path / "n", "no id")
    assert not (tmp_path / "n").exists()


def test_a_folder_that_holds_something_is_not_touched(folder: Path) -> None:
    refused(CORPUS, folder, "exists already")
    TextIndex(folder)


def disk_full() -> Iterator[Passage]:
    yield CORPUS[0]
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    refused(disk_full(), tmp_path / "index", "disk of .* is full")
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_an_index_is_said(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match="holds no index"):
        TextIndex(tmp_path)
    for name, spoil, match in (
        ("format", lambda at: rewrite(at, format=99), "format 99"),
        ("engine", lambda at: rewrite(at, engine="tantivy-v0"), "build it again"),
        ("count", lambda at: rewrite(at, num_passages=3), "3 passages expected"),
        ("cut", lambda at: (at / PASSAGES).write_bytes(b"[]\n"), "do not belong together"),
        ("segments", lambda at: shutil.rmtree(at / "tantivy"), "cannot be opened"),
        ("json", lambda at: (at / "index.json").write_text("{"), "does not describe"),
    ):
        copy = tmp_path / name
        shutil.copytree(folder, copy)
        spoil(copy)
        with pytest.raises(DataError, match=match):
            TextIndex(copy)


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_folder_that_may_only_be_read_is_opened_without_a_trace(
    index: TextIndex, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*.lock"))
    before = sorted(path.name for path in copy.rglob("*"))
    monkeypatch.setattr("os.access", lambda path, mode: False)  # chmod would not stop the superuser
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    reading = TextIndex(copy)
    assert found(reading, "capital of france", 9) == found(index, "capital of france", 9)
    assert sorted(path.name for path in copy.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_closed_index_says_so(folder: Path) -> None:
    closed = TextIndex(folder)
    asyncio.run(closed.close())
    asyncio.run(closed.close())
    with pytest.raises(EnvError, match="closed"):
        closed.search_now(["france"], 1)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=60)), max_size=20))
def test_any_passage_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("file")
    writer = PassageWriter(folder)
    kept = [writer.add(passage(f"{n}", title, text)) for n, (title, text) in enumerate(rows)]
    writer.finish()
    with PassageFile(folder) as file:
        assert list(file) == kept
        assert [file.number(one.passage_id) for one in kept] == list(range(len(kept)))
