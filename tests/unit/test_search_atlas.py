"""The atlas on a small world: what is a value, what passages say, what facts are, what a seed changes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.search.atlas import RELATIONS, values
from sojourn.envs.search.atlas.build import render
from sojourn.envs.search.atlas.counterfactual import deranged, is_harmless, permuted
from sojourn.envs.search.atlas.factbook import RENDERED, fields_of, prose_of
from sojourn.envs.search.atlas.facts import FILE, FactCollector, Facts
from sojourn.envs.search.atlas.manifest import Manifest, load_manifest, save_manifest
from sojourn.envs.search.atlas.markup import MAX_WORDS, pieces, plain, sentence, slug
from sojourn.envs.search.atlas.names import NameTable, key_of, spellings, unaccented, with_article
from sojourn.envs.search.atlas.places import city_id, json_objects
from sojourn.envs.search.atlas.world import Airport, City, Country, Element, Prose, Share, Value, World
from sojourn.envs.search.records import Entity, Fact, Passage
from sojourn.errors import DataError

NAMES = ("Norland", "Sudland", "Ostland", "Westland", "Nether Islands", "Mid-Land")


def small_world() -> World:
    """Six countries in a ring, each with a capital, an anthem, a partner; an airport, a city and an element each."""
    ids = [f"country/{name[:2].lower()}" for name in NAMES]
    countries, capitals, airports, cities, elements = {}, {}, [], [], []
    for number, (entity_id, name) in enumerate(zip(ids, NAMES, strict=True)):
        town = f"Port {name}"
        after, before = ids[(number + 1) % 6], ids[number - 1]
        capital = city_id(entity_id, town)
        capitals[capital] = Entity(entity_id=capital, kind="city", name=town)
        countries[entity_id] = Country(
            entity=Entity(entity_id=entity_id, kind="country", name=name, aliases=(f"Republic of {name}",)),
            with_article=with_article(name),
            values={
                "capital": Value(text=town, target=capital),
                "anthem": Value(text=f"Song {number}", aliases=(f"Lied {number}",), detail=f" (Lied {number})"),
                "currency": Value(text=f"crown {number}", detail=f" (C{number}C)"),
                "currency_code": Value(text=f"C{number}C"),
                "former_name": Value(text=f"Old {name}"),
                "independence_date": Value(text=f"{number + 1} May 1900"),
                "independent_from": Value(text=NAMES[number - 1], target=before),
            },
            former_names=(f"Old {name}",),
            export_partners=(Share(country=after, amount=40.0), Share(country=before, amount=20.0)),
            import_partners=(Share(country=before, amount=30.0), Share(country=after, amount=30.0)),
            trade_year="2023",
            borders=(Share(country=after, amount=100.0 + number), Share(country=before, amount=99.0 + number)),
            area_km2=1000.0 * 2**number,
            population=10_000 * 3**number,
            prose=[
                Prose(topic="Birth rate", text=f"{number} births."),
                Prose(topic="Background", text=f"Its capital is {town}."),
            ],
            remarks={"Capital": f"etymology: {town} is a port"},
        )
        airports.append(
            Airport(
                icao=f"N{number}AA",
                iata=f"N{number}A",
                name=f"{name} Field",
                city=town,
                division="North",
                country=entity_id,
                place="at latitude 1.0",
                city_id=capital,
            )
        )
        city = Entity(entity_id=city_id(entity_id, f"Town {number}"), kind="city", name=f"Town {number}")
        cities.append(
            City(geoname_id=number, name=city.name, country=entity_id, population=20_000, place="at 0", entity=city)
        )
        element = Entity(entity_id=f"element/{name.lower()}ium", kind="element", name=f"{name}ium")
        place = Value(text=name, target=entity_id)
        identity = {"symbol": Value(text=f"X{number}"), "atomic_number": Value(text=str(number + 1))}
        elements.append(
            Element(
                entity=element,
                values={**identity, "discovery_place": place, "discoverer": Value(text=f"Dr {number}")},
                prose=(Prose(topic="uses", text=f"In {name}."),),
            )
        )
    return World(countries=countries, capitals=capitals, airports=airports, elements=elements, cities=cities)


def written(world: World, folder: Path) -> tuple[dict[str, Passage], Facts]:
    collector = FactCollector()
    rendered = list(render(world, collector))
    collector.save(folder)
    passages = {passage.passage_id: passage for passage in rendered}
    assert len(passages) == len(rendered)  # ids occur once
    return passages, Facts.load(folder)


# ---------------------------------------------------------------------------------------------- passages and facts


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
def test_a_passage_contains_the_value_of_each_fact_it_states(tmp_path: Path, seed: int | None) -> None:
    world = small_world() if seed is None else permuted(small_world(), seed)
    passages, facts = written(world, tmp_path)
    assert len(facts) > 100
    assert [fact for fact in facts if fact.value not in passages[fact.passage_id].text] == []
    assert {fact.relation for fact in facts} <= RELATIONS.keys()


def test_a_fact_of_a_country_is_said_in_one_sentence(tmp_path: Path) -> None:
    passages, facts = written(small_world(), tmp_path)
    capital = facts.get("country/ne", "capital")
    assert capital == Fact(
        subject="country/ne",
        relation="capital",
        value="Port Nether Islands",
        target="city/ne/port-nether-islands",
        passage_id="factbook/ne/capital",
    )
    told = passages["factbook/ne/capital"]
    assert (told.title, told.text) == (
        "Nether Islands: capital",
        "The capital of the Nether Islands is Port Nether Islands.",
    )
    assert passages["factbook/ne/capital/more"].text == "etymology: Port Nether Islands is a port."
    assert facts.get("city/ne/port-nether-islands", "country") == Fact(
        subject="city/ne/port-nether-islands",
        relation="country",
        value="Nether Islands",
        target="country/ne",
        aliases=("Republic of Nether Islands",),
        passage_id="factbook/ne/capital",
    )


def value_of(facts: Facts, subject: str, relation: str) -> str | None:
    fact = facts.get(subject, relation)
    return None if fact is None else fact.value


def test_the_largest_and_the_longest_are_facts_unless_two_are_equal(tmp_path: Path) -> None:
    _, facts = written(small_world(), tmp_path)
    assert value_of(facts, "country/no", "largest_export_partner") == "Sudland"
    assert value_of(facts, "country/no", "largest_import_partner") is None  # two with 30 %
    assert value_of(facts, "country/no", "longest_land_border") == "Sudland"
    assert value_of(facts, "country/no", "shortest_land_border") == "Mid-Land"
    assert value_of(facts, "country/su", "largest_neighbour") == "Ostland"
    assert value_of(facts, "country/su", "only_neighbour") is None


def test_neighbours_of_about_equal_size_are_not_compared(tmp_path: Path) -> None:
    world = small_world()
    world.countries["country/os"].area_km2 = 1040.0  # Norland has 1,000
    world.countries["country/we"].population = None
    _, facts = written(world, tmp_path)
    assert value_of(facts, "country/su", "largest_neighbour") is None
    assert value_of(facts, "country/os", "most_populous_neighbour") is None


def test_facts_are_functional() -> None:
    facts = FactCollector()
    fact = Fact(subject="a", relation="capital", value="B", passage_id="p/1")
    facts.add(fact)
    facts.add(replace(fact, passage_id="p/2"))  # said again
    assert len(facts) == 1
    with pytest.raises(DataError, match="a has two values of capital: 'B' and 'C'"):
        facts.add(replace(fact, value="C"))


def test_facts_are_about_known_entities_only(tmp_path: Path) -> None:
    facts = FactCollector()
    facts.add(Fact(subject="city/x", relation="country", value="Y", target="country/y", passage_id="p"))
    with pytest.raises(DataError, match="city/x, country/y"):
        facts.save(tmp_path)


def test_facts_are_found_from_both_ends(tmp_path: Path) -> None:
    _, facts = written(small_world(), tmp_path)
    assert facts.subjects("capital", "Port Norland") == ["country/no"]
    assert facts.subjects("capital", "city/no/port-norland") == ["country/no"]
    assert facts.subjects("capital", "Paris") == []
    assert len(facts.subjects("largest_export_partner", "country/su")) == 1
    assert facts.get("country/no", "colour") is None
    assert list(facts.of("nobody")) == []
    assert [fact.relation for fact in facts.of("airport/n0aa")] == ["iata_code", "icao_code", "country", "city"]
    assert facts.relations() == sorted({fact.relation for fact in facts})
    assert len(facts) == len(list(facts))
    assert len(facts.entities) == len(set(facts.entities)) == 6 * 5  # countries, capitals, airports, cities, elements


def test_an_answer_may_leave_accents_out(tmp_path: Path) -> None:
    world = small_world()
    world.countries["country/no"].values["anthem"] = Value(text="Liberté", aliases=("Österreich",))
    _, facts = written(world, tmp_path)
    anthem = facts.get("country/no", "anthem")
    assert anthem is not None
    assert anthem.aliases == ("Österreich", "Liberte", "Osterreich")


@pytest.mark.parametrize("damage", [b"", b"no zlib", None])
def test_damaged_facts_are_said_to_be(tmp_path: Path, damage: bytes | None) -> None:
    if damage is not None:
        (tmp_path / FILE).write_bytes(damage)
    with pytest.raises(DataError, match="does not hold the facts of an atlas"):
        Facts.load(tmp_path)


def test_a_manifest_survives_the_file(tmp_path: Path) -> None:
    manifest = Manifest(
        name="atlas",
        seed=0,
        layout=1,
        renderer=1,
        packages={"tantivy": "0.27.0"},
        counts={"factbook": 2},
        num_passages=2,
        num_entities=1,
        num_facts=1,
        relations={"capital": 1},
        sha256="0",
        licences={"factbook": "public domain"},
    )
    save_manifest(manifest, tmp_path)
    assert load_manifest(tmp_path) == manifest
    (tmp_path / "manifest.json").write_text('{"name": "atlas"}')
    with pytest.raises(DataError, match="not the manifest of an atlas"):
        load_manifest(tmp_path)


# -------------------------------------------------------------------------------------------------- counterfactual


def triples(facts: Facts) -> set[tuple[str, str, str]]:
    return {(fact.subject, fact.relation, fact.value) for fact in facts}


def test_no_fact_stays_true_and_the_values_stay_the_same(tmp_path: Path) -> None:
    _, real = written(small_world(), tmp_path)
    for seed in range(3):
        _, moved = written(permuted(small_world(), seed), tmp_path)
        for relation in ("capital", "anthem", "currency", "former_name", "independence_date", "symbol", "discoverer"):
            rows = {(fact.subject, fact.value) for fact in real if fact.relation == relation}
            other = {(fact.subject, fact.value) for fact in moved if fact.relation == relation}
            assert rows & other == set()
            assert Counter(value for _, value in rows) == Counter(value for _, value in other)
        kept = triples(real) & triples(moved)
        codes = {"iata_code", "icao_code"}  # an airport's id is its code: what has moved is its name and its city
        assert {relation for _, relation, _ in kept} <= {"largest_neighbour", "most_populous_neighbour"} | codes
        airports = {entity_id for entity_id, entity in moved.entities.items() if entity.kind == "airport"}
        assert all(moved.entities[a].name != real.entities[a].name for a in airports)


def test_a_seed_is_a_world(tmp_path: Path) -> None:
    worlds = [triples(written(permuted(small_world(), seed), tmp_path)[1]) for seed in (0, 0, 1)]
    assert worlds[0] == worlds[1]
    assert len(worlds[0] & worlds[2]) < len(worlds[0]) / 2


def test_currency_and_its_code_move_together(tmp_path: Path) -> None:
    _, facts = written(permuted(small_world(), 3), tmp_path)
    for entity_id in small_world().countries:
        number = (value_of(facts, entity_id, "currency") or "")[-1]
        assert value_of(facts, entity_id, "currency_code") == f"C{number}C"


@pytest.mark.parametrize("seed", range(4))
def test_the_map_of_another_world_is_a_map(seed: int) -> None:
    def lengths(world: World) -> dict[tuple[str, str], float]:
        rows = world.countries.items()
        return {(entity_id, share.country): share.amount for entity_id, country in rows for share in country.borders}

    real, moved = lengths(small_world()), lengths(permuted(small_world(), seed))
    assert {(b, a) for a, b in moved} == moved.keys()  # who borders is bordered
    assert sorted(moved.values()) == sorted(real.values())
    assert all(a != b for a, b in moved)


@pytest.mark.parametrize("seed", range(4))
def test_a_capital_lies_in_its_country_wherever_it_is_told(tmp_path: Path, seed: int) -> None:
    passages, facts = written(permuted(small_world(), seed), tmp_path)
    for fact in facts:
        if fact.relation == "capital":
            assert fact.target is not None
            assert value_of(facts, fact.target, "country") == facts.entities[fact.subject].name
        if fact.relation == "city":  # of an airport: its country is that of its city
            assert fact.target is not None
            assert value_of(facts, fact.subject, "country") == value_of(facts, fact.target, "country")
    real = {f"Port {name}": name for name in NAMES}
    for passage in passages.values():
        for town, country in real.items():
            if passage.title == f"{country}: capital":
                assert town not in passage.text


def test_prose_that_could_tell_the_truth_is_left_out(tmp_path: Path) -> None:
    passages, _ = written(permuted(small_world(), 0), tmp_path)
    assert passages["factbook/no/text-birth-rate"].text == "Birth rate of Norland: 0 births."
    assert not any(part in passage_id for passage_id in passages for part in ("background", "/more", "uses"))
    assert not any("latitude" in passage.text or "North" in passage.text for passage in passages.values())


@pytest.mark.parametrize(
    ("topic", "text", "expected"),
    [
        ("Birth rate", "10.88 births/1,000 population (2025 est.).", True),
        ("Real GDP per capita", "Real GDP per capita 2024: $15,400 (2024 est.).", True),
        ("Map references", "Europe.", False),
        ("Terrain", "mostly flat plains; Alps in east.", False),
        ("Exchange rates", "note: uses the euro.", False),
        *((topic, "none.", False) for topic in RENDERED),
    ],
)
def test_harmless_prose_names_nothing(topic: str, text: str, expected: bool) -> None:
    assert is_harmless(Prose(topic=topic, text=text)) is expected


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=4), st.integers(0, 5), max_size=12), st.integers(0, 9))
def test_nobody_is_given_a_forbidden_value_and_none_is_given_twice(owned: dict[str, int], seed: int) -> None:
    given_ = deranged(owned, lambda owner, value: value == owned[owner], (seed,))
    assert all(value != owned[owner] for owner, value in given_.items())
    assert Counter(given_.values()) <= Counter(owned.values())
    assert given_ == deranged(owned, lambda owner, value: value == owned[owner], (seed,))
    most_common = max(Counter(owned.values()).values(), default=0)
    if 3 * most_common <= len(owned):
        assert given_.keys() == owned.keys()


# --------------------------------------------------------------------------------------------------- fields, names

NOTHING = None


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (values.capital, "Paris", ("Paris", ())),
        (values.capital, "Tripoli (Tarabulus)", ("Tripoli", ("Tarabulus",))),
        (values.capital, "Nicosia (Lefkosia/Lefkosa)", ("Nicosia", ("Lefkosia", "Lefkosa"))),
        (values.capital, "Kyiv (Kiev is the transliteration from Russian)", ("Kyiv", ())),
        (values.capital, "Santiago; note - Valparaiso is the seat of the national legislature", ("Santiago", ())),
        (values.capital, "Pretoria (administrative capital); Cape Town (legislative capital)", NOTHING),
        (values.capital, "no official capital; government offices in the Yaren District", NOTHING),
        (values.highest_point, "Tahat 2,908 m", ("Tahat", ())),
        (values.highest_point, "Chimborazo 6,267", ("Chimborazo", ())),
        (values.highest_point, "Golem Korab (Maja e Korabit) 2,764 m", ("Golem Korab", ("Maja e Korabit",))),
        (values.highest_point, "Fako on Mont Cameroun 4,045 m", ("Fako", ("Fako on Mont Cameroun",))),
        (values.highest_point, "K2 (Mt. Godwin-Austen) 8,611 m", NOTHING),
        (values.highest_point, "unnamed elevation 675 m; located 2.5 km southeast of the town", NOTHING),
        (values.highest_point, "1 km SW of The Bluff on Cayman Brac 50 m", NOTHING),
        (values.anthem, '"La Marseillaise" (The Song of Marseille)', ("La Marseillaise", ("The Song of Marseille",))),
        (values.anthem, "\u201cMila Rodino\u201d (Dear Homeland)", ("Mila Rodino", ("Dear Homeland",))),
        (values.anthem, '"Surudi milli" (National Anthem)', ("Surudi milli", ())),
        (values.anthem, 'the Swiss anthem has four names: "Schweizerpsalm" [German]', NOTHING),
        (values.aircraft_prefix, "VQ-H", ("VQ-H", ())),
        (values.aircraft_prefix, "TZ, TT", NOTHING),
        (values.legislature, "Parliament (Knesset)", ("Knesset", ())),
        (values.legislature, "National Diet (Kokkai)", ("National Diet", ("Kokkai",))),
        (values.legislature, "Parliament", NOTHING),
        (values.demonym, "French", ("French", ())),
        (values.demonym, "Chinese or Taiwanese", NOTHING),
        (values.first_good, "natural gas, crude petroleum (2023)", ("natural gas", ())),
        (values.first_good, "fish", NOTHING),
    ],
)
def test_a_field_is_one_value_or_none(read: object, text: str, expected: tuple[str, tuple[str, ...]] | None) -> None:
    assert callable(read)
    value = read(text)
    assert (value and (value.text, value.aliases)) == expected


def test_currencies_are_singular_and_know_their_codes() -> None:
    value = values.currency("Algerian dinars (DZD) per US dollar -", "DZD")
    assert value == Value(text="Algerian dinar", aliases=("Algerian dinars", "DZD"), detail=" (DZD)")
    krone = values.currency("Danish kroner (DKK) per US dollar -", "DKK")
    assert krone is not None
    assert krone.text == "Danish krone"
    assert values.currency("Tuvaluan dollars or Australian dollars (AUD) per US dollar -", "AUD") is None


def test_an_internet_code_needs_both_sources() -> None:
    assert values.internet_code(".fr", ".fr") == Value(text=".fr", aliases=("fr",))
    assert values.internet_code(".ps", "") is not None
    assert values.internet_code(".gb", ".uk") is None
    assert values.internet_code("metropolitan France - .fr; French Guiana - .gf", ".fr") is None


def test_partners_borders_and_numbers_are_read() -> None:
    assert values.shares("USA 10%, Congo, Republic of the 5%, Bahamas, The 3% (2023)") == (
        [("USA", 10.0), ("Congo, Republic of the", 5.0), ("Bahamas, The", 3.0)],
        "2023",
    )
    assert values.borders("Spain (Ceuta) 8 km and Spain (Melilla) 10.5 km; Algeria 1,941 km") == [
        ("Spain", 18.5),
        ("Algeria", 1941.0),
    ]
    assert values.borders("Mali 1,359 km; somewhere else") is None
    assert values.number("643,801 sq km ; 551,500 sq km (metropolitan France)") == 643801.0
    assert values.number("1.4 million (2024)") == 1.4e6
    assert values.number("NA") is None


def test_former_names_and_independence_are_read() -> None:
    assert values.former_names("Siam") == ("Siam",)
    assert values.former_names("Upper Volta, Republic of Upper Volta") == ("Upper Volta", "Republic of Upper Volta")
    assert values.former_names("United Arab Republic (short-lived unification with Syria)") == ()
    assert values.independence("5 July 1962 (from France)") == (Value(text="5 July 1962"), "France")
    assert values.independence("no official date of independence") == (None, "")


def test_names_are_told_apart_and_found() -> None:
    table = NameTable(
        [
            ("cg", ["Republic of the Congo", "Congo (Brazzaville)", "Guinea"]),
            ("bs", ["The Bahamas"]),
            ("gn", ["Guinea"]),
        ]
    )
    assert table.find("Congo, Republic of the") is None  # another order is another name
    assert table.find("congo (brazzaville)") == "cg"
    assert table.find("Bahamas, The") == table.find("Bahamas (Nassau)") == "bs"
    assert table.find("Guinea") is None  # two have it
    assert key_of("St. Vincent & the Grenadines") == key_of("Saint Vincent and the Grenadines")
    assert [with_article(n) for n in ("France", "Netherlands", "The Gambia", "Cook Islands")] == [
        "France",
        "the Netherlands",
        "The Gambia",
        "the Cook Islands",
    ]
    assert [*spellings("Saint Kitts and Nevis")] == ["St. Kitts and Nevis", "Saint Kitts & Nevis"]
    assert unaccented("Brasília") == "Brasilia"


# ---------------------------------------------------------------------------------------------------------- markup


def test_markup_goes_and_words_stay() -> None:
    assert plain("<p>Alg&eacute;rie <em>x</em></p><br>note: <strong>y</strong>") == "Algérie x; note: y"
    assert plain("less <1% and < 2") == "less <1% and < 2"
    assert prose_of(fields_of({"total": {"text": "5 km"}, "text": "long", "note": "<b>note:</b> z"})) == (
        "total: 5 km. long. note: z."
    )
    assert [sentence("a"), sentence("a;"), sentence("a!")] == ["a.", "a.", "a!"]
    assert slug("Côte d'Ivoire (1)") == "cote-d-ivoire-1"


@given(st.text("ab .;", max_size=400), st.integers(1, 9))
def test_pieces_are_short_and_lose_no_word(text: str, limit: int) -> None:
    parts = list(pieces(text, limit))
    assert " ".join(parts).split() == text.split()
    assert all(len(part.split()) <= limit for part in parts)
    assert MAX_WORDS == 150


@pytest.fixture
def large_object(tmp_path: Path) -> Path:
    path = tmp_path / "cities.json"
    rows = {str(n): {"name": f"Town {n} }}{{ é", "n": [n] * 40} for n in range(6_000)}
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    assert path.stat().st_size > 1 << 20  # several blocks
    return path


def test_a_large_object_is_read_one_by_one(large_object: Path) -> None:
    assert sum(row["n"][0] == number for number, row in enumerate(json_objects(large_object))) == 6_000


def test_a_file_that_ends_early_is_an_error(large_object: Path) -> None:
    text = large_object.read_text(encoding="utf-8")
    large_object.write_text(text[: len(text) // 2], encoding="utf-8")
    with pytest.raises(DataError, match="expected an object of objects"):
        list(json_objects(large_object))
