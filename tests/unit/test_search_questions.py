"""Generated questions on two dozen invented countries: every check can fail, and what is kept passes all of them."""

from __future__ import annotations

import pickle
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path as File

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.search.chance import digest, draw
from sojourn.envs.search.questions.checks import (
    Candidates,
    HopFinder,
    hides_answers,
    is_found,
    is_unique,
    missed_at_once,
)
from sojourn.envs.search.questions.drawing import candidates
from sojourn.envs.search.questions.generate import Made, generate, num_wanted
from sojourn.envs.search.questions.graph import Graph, Path
from sojourn.envs.search.questions.plain_text import folded, mentions
from sojourn.envs.search.questions.relations import COUNTRIES, DESCRIBED, FROM_COUNTRY, LOCATED, VALUES
from sojourn.envs.search.questions.report import QuestionChecks
from sojourn.envs.search.questions.splits import HOPS, SPLITS, TRAIN_MIX, Sizes, divide, held_out_pairs
from sojourn.envs.search.questions.store import QuestionFile, write_questions
from sojourn.envs.search.questions.wording import Answers, question_text
from sojourn.envs.search.records import Entity, Fact, Hit, Passage
from sojourn.errors import ConfigError, DataError

COUNTRY_ROWS = """
Arvania    Melk      Mount Tasso    Dawn over Tasso      Kesh krona
Bolvia     Sorrin    Grey Horn      Our Grey Horn        bolar
Cantria    Vellen    Peak Ombra     Bells of Ombra       cantrin
Dorland    Hask      Stone Table    March of the Stones  dormark
Estria     Pellow    Mount Quill    Feather and Quill    estrin
Fenmark    Ruswick   Low Down       Reeds in the Wind    fenny
Galdor     Timmen    Mount Ferrum   Iron Song            galdin
Hestia     Ockham    Flame Crest    Keepers of Fire      hestar
Istrane    Lubbock   Cold Finger    Winter Psalm         istrol
Jorvia     Nessing   Wolf Tooth     Howl at Evening      jorvin
Kaldera    Brimm     Smoke Cone     Ash and Ember        kaldo
Lorrin     Savoy     Mount Pallas   Hymn of Wisdom       lorrel
Mardane    Estwick   Salt Ridge     White as Salt        mardin
Nordhal    Fryst     Ice Crown      Under the Crown      nordal
Ostrava    Weir      Mount Lynx     Eyes of the Lynx     ostrel
Pelagia    Harbour   Gull Rock      Wings on the Water   pelar
Quendor    Zork      Flathead       Great Underground    zorkmid
Rovinia    Bracken   Fern Top       Green Is Our Road    rovin
Sundara    Opal      Mount Mirage   Desert Rose          sundar
Tarragon   Thyme     Herb Hill      Scent of Summer      tarrel
Umbria     Dusk      Shadow Peak    Evening Star         umbrel
Valdora    Merrin    Mount Golden   Coins of Sunlight    valdin
Westmere   Lakeside  Reed Bank      Still Waters         westar
Xanthia    Yellow    Sulphur Dome   Saffron Fields       xanthin
Yarrow     Millford  Mount Herbal   Balm and Blessing    yarrin
"""
NAMES, CAPITALS, PEAKS, ANTHEMS, CURRENCIES = (
    [row[first:end].strip() for row in COUNTRY_ROWS.strip().splitlines()]
    for first, end in ((0, 11), (11, 21), (21, 36), (36, 57), (57, 80))
)
STEPS = {"largest_export_partner": 3, "largest_import_partner": 7, "longest_land_border": 11}
"""Relation -> how far down the table the other country stands."""
SIZES = Sizes(train=120, validation=4, test=6)


class Facts:
    """Facts in memory."""

    def __init__(self, entities: Sequence[Entity], facts: Sequence[Fact]) -> None:
        self.entities = {entity.entity_id: entity for entity in entities}
        self.rows = {(fact.subject, fact.relation): fact for fact in facts}

    def get(self, subject: str, relation: str) -> Fact | None:
        return self.rows.get((subject, relation))

    def without(self, fact: Fact, *others: Fact) -> Facts:
        """The same without a fact and with others."""
        kept = [row for row in self.rows.values() if row != fact]
        return Facts([*self.entities.values()], [*kept, *others])


class Overlap:
    """Finds by the number of common words, those of the title twice; of equals the first in the order of ids."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._rows = [
            (passage, {*folded(passage.title).split()}, {*folded(passage.text).split()}) for passage in passages
        ]
        self.num_queries = 0

    def search_now(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.num_queries += len(queries)
        return [[Hit(passage=passage) for passage in self._best({*folded(query).split()}, k)] for query in queries]

    def _best(self, words: set[str], k: int) -> list[Passage]:
        ranked = sorted(self._rows, key=lambda row: (-2 * len(words & row[1]) - len(words & row[2]), row[0].passage_id))
        return [passage for passage, _, _ in ranked[:k]]


def world() -> tuple[Facts, list[Passage]]:
    """Countries with capital, peak, anthem, currency and three ways on; every third has an airport."""
    ids = [f"country/{name.lower()}" for name in NAMES]
    entities = [
        Entity(entity_id=i, kind="country", name=n, aliases=(f"Land of {n}",)) for i, n in zip(ids, NAMES, strict=True)
    ]
    facts: list[Fact] = []
    passages: list[Passage] = []

    def state(subject: str, relation: str, value: str, text: str, title: str, target: str | None = None) -> None:
        passage_id = f"{subject}/{relation}"
        passages.append(Passage(passage_id=passage_id, title=title, text=text))
        facts.append(Fact(subject=subject, relation=relation, value=value, target=target, passage_id=passage_id))

    columns = {"capital": CAPITALS, "highest_point": PEAKS, "anthem": ANTHEMS, "currency": CURRENCIES}
    for row, (country, name) in enumerate(zip(ids, NAMES, strict=True)):
        for relation, column in columns.items():
            words = relation.replace("_", " ")
            state(country, relation, column[row], f"The {words} of {name} is {column[row]}.", f"{name} {words}")
        for relation, offset in STEPS.items():
            other, words = (row + offset) % len(ids), relation.replace("_", " ")
            text = f"The {words} of {name} is {NAMES[other]}."
            state(country, relation, NAMES[other], text, f"{name} {words}", ids[other])
        if row % 3 == 0:
            code = name[:3].upper()
            airport = f"airport/{code.lower()}"
            entities.append(Entity(entity_id=airport, kind="airport", name=f"{code} Field"))
            state(
                airport,
                "country",
                name,
                f"The airport with IATA code {code} lies in {name}.",
                f"{code} airport",
                country,
            )
            facts.append(replace(facts[-1], relation="iata_code", value=code, target=None))
    return Facts(entities, facts), passages


FACTS, PASSAGES = world()


@pytest.fixture(scope="module")
def made() -> tuple[list[Made], QuestionChecks]:
    return generate(FACTS, Overlap(PASSAGES), SIZES, atlas="invented", progress=lambda new: None)


def path_to(*relations: str, start: str = "country/arvania", kind: str = "capital") -> Path:
    graph = Graph(FACTS)
    first = next(s for s in graph.starts if s.described == start and s.kind == kind)
    facts, country = [], first.country
    for relation in relations:
        fact = FACTS.get(country, relation)
        assert fact is not None
        facts.append(fact)
        country = fact.target or country
    return Path(start=first, facts=tuple(facts))


# ----------------------------------------------------------------------------------------------------------- wording


def test_a_path_becomes_one_sentence_and_its_key_says_it() -> None:
    path = path_to("largest_export_partner", "anthem")
    assert path.key == "capital? country/arvania > largest_export_partner > anthem"
    assert path.countries == ("country/arvania", "country/dorland")
    text = question_text(path)
    assert text.endswith("?")
    assert text.count("Melk") == 1
    assert "Arvania" not in text
    assert "Dorland" not in text
    assert "{" not in text
    assert text == question_text(path_to("largest_export_partner", "anthem"))


def test_every_relation_is_worded() -> None:
    for relation, wording in FROM_COUNTRY.items():
        assert all(phrase.count("{x}") == 1 for phrase in (*wording.asks, *wording.nouns, *wording.queries)), relation
        # what follows the innermost country of six could no longer be told from what belongs to it
        assert all(phrase.rstrip("?").endswith("{x}") for phrase in (*wording.asks, *wording.nouns)), relation
        assert all(ask[0].isupper() and ask.endswith("?") for ask in wording.asks), relation
        assert bool(wording.nouns) == (relation in COUNTRIES)
    for start in (*DESCRIBED.values(), *(rule.wording for rule in LOCATED.values())):
        assert all(phrase.count("{v}") == 1 for phrase in (*start.nouns, *start.queries))
        assert all(noun.startswith("the country ") for noun in start.nouns)


def test_paraphrases_are_all_used(made: tuple[list[Made], QuestionChecks]) -> None:
    texts = [row.question.text for row in made[0]]
    for kind in ("capital", "anthem"):
        for noun in DESCRIBED[kind].nouns:
            assert any(noun.partition("{v}")[0] in text for text in texts)
    for ask in FROM_COUNTRY["anthem"].asks:
        assert any(text.startswith(ask.partition("{x}")[0]) for text in texts)


# ------------------------------------------------------------------------------------------------- the checks can fail


def test_check_1_fails_if_an_alias_of_another_country_fits_the_description() -> None:
    path = path_to("anthem")
    assert is_unique(path, FACTS, Candidates(FACTS))
    other = FACTS.rows["country/bolvia", "capital"]
    ambiguous = FACTS.without(other, replace(other, aliases=("MELK",)))
    assert not is_unique(path, ambiguous, Candidates(ambiguous))


def test_check_1_fails_if_the_description_is_short_for_another() -> None:
    path = path_to("capital", kind="currency")
    assert is_unique(path, FACTS, Candidates(FACTS))
    other = FACTS.rows["country/bolvia", "currency"]
    for value, expected in (("Bolvian Kesh krona", False), ("kroner", True), ("Kesh-krona of Bolvia", False)):
        changed = FACTS.without(other, replace(other, value=value))
        assert is_unique(path, changed, Candidates(changed)) is expected


def test_check_1_fails_if_the_facts_lead_elsewhere_or_nowhere() -> None:
    path = path_to("largest_export_partner", "anthem")
    assert is_unique(path, FACTS, Candidates(FACTS))
    bridge, answer = path.facts
    for changed in (
        FACTS.without(bridge, replace(bridge, target="country/estria", value="Estria")),
        FACTS.without(answer, replace(answer, value="Another Song")),
        FACTS.without(answer),
        FACTS.without(bridge),
    ):
        assert not is_unique(path, changed, Candidates(changed))


def test_check_1_takes_an_airport_to_its_country() -> None:
    path = path_to("anthem", start="airport/arv", kind="airport")
    assert is_unique(path, FACTS, Candidates(FACTS))
    code = FACTS.rows["airport/dor", "iata_code"]
    twice = FACTS.without(code, replace(code, value="ARV"))
    assert not is_unique(path, twice, Candidates(twice))


def test_check_2_fails_if_an_answer_stands_in_the_question_in_any_spelling() -> None:
    text = "What is the capital of the country whose anthem is “São Tomé, my Home”?"
    assert hides_answers(text, ("Tome",)) is False
    assert hides_answers(text, ("Elsewhere", "sao-tome")) is False
    assert hides_answers(text, ("Tom", "my house", "home what")) is True


def test_check_3_fails_if_one_search_brings_an_answer() -> None:
    passages = [Passage(passage_id=str(n), title=f"Peak {n}", text="peak " * (9 - n)) for n in range(5)]
    passages[2] = replace(passages[2], text="peak and answer")
    passages[4] = replace(passages[4], text="fourth answer")
    assert missed_at_once(["peak"] * 3, [["Answer"], ["fourth answer"], ["x", "peak and"]], Overlap(passages)) == [
        False,
        True,  # it is the fifth hit
        False,
    ]


def test_check_4_fails_if_the_passage_is_not_among_the_first_five() -> None:
    passages = [Passage(passage_id=str(n), title="Peak", text="") for n in range(7)]
    assert is_found("peak", "4", Overlap(passages))
    assert not is_found("peak", "5", Overlap(passages))


def test_check_4_takes_another_query_where_the_first_fails_and_asks_once() -> None:
    path = path_to("anthem")
    finder = Overlap(PASSAGES)
    hops = HopFinder(FACTS, finder)
    found = hops.hops(path)
    assert found is not None
    assert [hop.reached for hop in found] == ["Arvania", "Dawn over Tasso"]
    asked = finder.num_queries
    assert hops.hops(path) == found
    assert finder.num_queries == asked
    first, second = FROM_COUNTRY["anthem"].queries
    decoys = [Passage(passage_id=f"a{n}", title=first.replace("{x}", "Arvania"), text="") for n in range(5)]
    again = HopFinder(FACTS, Overlap([*PASSAGES, *decoys])).hops(path)
    assert again is not None
    assert again[1].query == second.replace("{x}", "Arvania")
    gone = [passage for passage in PASSAGES if passage.passage_id != path.facts[0].passage_id]
    assert HopFinder(FACTS, Overlap(gone)).hops(path) is None


def no_anthems(facts: Facts, passages: list[Passage]) -> tuple[Facts, list[Passage]]:
    return facts, [passage for passage in passages if not passage.passage_id.endswith("anthem")]


def anthems_everywhere(facts: Facts, passages: list[Passage]) -> tuple[Facts, list[Passage]]:
    return facts, [replace(passage, text=f"{passage.text} {' '.join(ANTHEMS)}") for passage in passages]


def aliased(relations: Sequence[str], further: int) -> Facts:
    """Every value of `relations` may also be called by the capital of the country `further` down the table."""
    rows = []
    for fact in FACTS.rows.values():
        if fact.relation in relations:
            row = NAMES.index(fact.subject.partition("/")[2].title())
            rows.append(replace(fact, aliases=(CAPITALS[(row + further) % len(CAPITALS)],)))
        else:
            rows.append(fact)
    return Facts([*FACTS.entities.values()], rows)


@pytest.mark.parametrize(
    ("counted", "spoil"),
    [
        ("hop_not_found", no_anthems),
        ("found_at_once", anthems_everywhere),
        ("not_unique", lambda facts, passages: (aliased(["capital"], 1), passages)),
        (
            "answer_in_question",
            lambda facts, passages: (aliased(["anthem", "currency", "highest_point"], 0), passages),
        ),
    ],
)
def test_what_fails_a_check_is_dropped_and_counted(
    counted: str,
    spoil: Callable[[Facts, list[Passage]], tuple[Facts, list[Passage]]],
    made: tuple[list[Made], QuestionChecks],
) -> None:
    facts, passages = spoil(FACTS, PASSAGES)
    rows, checks = generate(facts, Overlap(passages), SIZES, atlas="spoilt", progress=lambda new: None)
    dropped, before = (sum(getattr(tally, counted) for tally in c.tallies) for c in (checks, made[1]))
    assert dropped > before + 10
    assert rows  # what the spoilt part has nothing to do with


# ---------------------------------------------------------------------------------------------------- what is generated


def test_what_is_kept_passes_every_check(made: tuple[list[Made], QuestionChecks]) -> None:
    rows, _ = made
    finder, meant = Overlap(PASSAGES), Candidates(FACTS)
    for row in rows[::3]:
        question = row.question
        assert is_unique(row.path, FACTS, meant)
        assert hides_answers(question.text, question.answers)
        assert missed_at_once([question.text], [question.answers], finder) == [True]
        assert all(is_found(hop.query, hop.passage_id, finder) for hop in question.hops)
        assert question.hops[-1].reached == question.answers[0] == row.path.facts[-1].value
        assert len(question.hops) == row.path.num_hops
        assert question.question_id.startswith(f"{row.path.num_hops}/")


def test_no_question_is_there_twice(made: tuple[list[Made], QuestionChecks]) -> None:
    rows, _ = made
    for distinct in (
        {row.question.question_id for row in rows},
        {row.question.text for row in rows},
        {row.path.key for row in rows},
    ):
        assert len(distinct) == len(rows)


def test_no_path_comes_to_a_country_twice(made: tuple[list[Made], QuestionChecks]) -> None:
    assert all(len(set(row.path.countries)) == len(row.path.countries) for row in made[0])


def test_no_answer_is_too_common(made: tuple[list[Made], QuestionChecks]) -> None:
    times = Counter((row.question.split, row.path.num_hops, folded(row.question.answers[0])) for row in made[0])
    assert all(count <= SIZES.per_answer(split, hops) for (split, hops, _), count in times.items())
    assert max(times.values()) == 2


def test_splits_share_no_start_and_ood_keeps_its_countries_and_pairs(made: tuple[list[Made], QuestionChecks]) -> None:
    paths = {split: [row.path for row in made[0] if row.question.split == split] for split in SPLITS}
    assert all(paths.values())
    starts = {
        split: {place for p in rows for place in (p.start.described, p.start.country)} for split, rows in paths.items()
    }
    for first, second in ((a, b) for a in SPLITS for b in SPLITS if a < b):
        assert starts[first].isdisjoint(starts[second])
    others = [path for split in SPLITS if split != "test-ood" for path in paths[split]]
    seen_countries = {country for path in others for country in path.countries}
    seen_pairs = {pair for path in others for pair in path.pairs}
    for path in paths["test-ood"]:
        assert path.start.country not in seen_countries
        assert not seen_pairs.issuperset(path.pairs)


def test_the_tests_are_equal_over_hops_and_train_has_its_mix(made: tuple[list[Made], QuestionChecks]) -> None:
    kept = {(tally.split, tally.hops): tally.kept for tally in made[1].tallies}
    for split in ("test", "test-ood"):
        assert len({kept[split, hops] for hops in HOPS}) == 1
        assert kept[split, 2] > 0
    assert sum(TRAIN_MIX.values()) == pytest.approx(1)
    assert all(kept["train", hops] <= SIZES.wanted("train", hops) for hops in HOPS)
    assert made[1].num_kept == len(made[0]) <= num_wanted(SIZES)


def test_the_tallies_add_up(made: tuple[list[Made], QuestionChecks]) -> None:
    for tally in made[1].tallies:
        dropped = tally.capped + tally.not_unique + tally.answer_in_question + tally.hop_not_found + tally.found_at_once
        assert tally.drawn == dropped + tally.surplus + tally.kept
        rows = [row for row in made[0] if (row.question.split, row.path.num_hops) == (tally.split, tally.hops)]
        assert len(rows) == tally.kept
        assert tally.surplus >= 0
    assert QuestionChecks.from_json(made[1].as_json()) == made[1]
    assert made[1].table().count("\n") == len(made[1].tallies) + 2


def test_the_same_facts_give_the_same_questions(made: tuple[list[Made], QuestionChecks]) -> None:
    shuffled = Facts([*reversed(FACTS.entities.values())], [*reversed(FACTS.rows.values())])
    again, checks = generate(shuffled, Overlap(PASSAGES[::-1]), SIZES, atlas="invented", progress=lambda new: None)
    assert [row.question for row in again] == [row.question for row in made[0]]
    assert checks == made[1]


def test_a_fifth_of_the_countries_is_held_out_and_some_pairs_of_every_relation() -> None:
    division = divide(Graph(FACTS))
    assert Counter(division.split_of.values()) == {"train": 14, "validation": 2, "test": 4, "test-ood": 5}
    firsts = Counter(first for first, _ in held_out_pairs())
    assert {*firsts} == {*COUNTRIES, *(f"{kind}?" for kind in (*DESCRIBED, *LOCATED))}
    assert {*firsts.values()} == {3}


def test_candidates_end_when_there_is_nothing_new() -> None:
    graph = Graph(FACTS)
    division = divide(graph)
    found = [path.key for path in candidates(graph, division, "validation", 2)]
    every = {
        path.key
        for start in graph.starts
        for fact in graph.steps[start.country]
        if division.allows("validation", path := Path(start=start, facts=(fact,)))
    }
    assert {*found} == every
    assert len(found) == len(every)


# ----------------------------------------------------------------------------------------------------- starts, answers


def test_a_start_says_something_but_not_the_name_of_its_country() -> None:
    def kinds(facts: Facts) -> set[str]:
        return {start.kind for start in Graph(facts).starts if start.country == "country/arvania"}

    assert kinds(FACTS) == {"capital", "highest_point", "anthem", "currency", "airport"}
    peak = FACTS.rows["country/arvania", "highest_point"]
    for value in ("Arvania Peak", "unnamed location", "Grey Horn", "the land"):
        assert "highest_point" not in kinds(FACTS.without(peak, replace(peak, value=value)))
    assert "highest_point" in kinds(FACTS.without(peak, replace(peak, value="Another Peak")))
    demonym = replace(peak, relation="demonym", value="Kesh")
    assert "currency" not in kinds(FACTS.without(peak, demonym))


def test_a_value_of_many_countries_is_no_answer() -> None:
    def steps(shared: int) -> int:
        rows = [
            replace(f, value="euro") if f.relation == "currency" and NAMES.index(f.subject[8:].title()) < shared else f
            for f in FACTS.rows.values()
        ]
        graph = Graph(Facts([*FACTS.entities.values()], rows))
        return sum(fact.value == "euro" for rows in graph.steps.values() for fact in rows)

    assert steps(5) == 5
    assert steps(6) == 0


def test_an_alias_that_names_another_country_is_not_accepted() -> None:
    twins = [
        replace(e, aliases=("Twin", f"Old {e.name}")) if e.name in NAMES[:2] else e for e in FACTS.entities.values()
    ]
    answers = Answers(Graph(Facts(twins, [*FACTS.rows.values()])))
    fact = FACTS.rows["country/yarrow", "largest_export_partner"]
    assert fact.value == "Cantria"
    assert answers.of(fact) == ("Cantria", "Land of Cantria")
    to_twin = next(f for f in FACTS.rows.values() if f.value == "Bolvia")
    assert answers.of(to_twin) == ("Bolvia", "Old Bolvia")


def test_a_code_is_accepted_only_as_initials() -> None:
    def accepted(*aliases: str) -> tuple[str, ...]:
        entities = [replace(e, aliases=aliases) if e.name == "Cantria" else e for e in FACTS.entities.values()]
        fact = FACTS.rows["country/yarrow", "largest_export_partner"]
        return Answers(Graph(Facts(entities, [*FACTS.rows.values()]))).of(fact)

    assert accepted("United Lands of Cantria", "ULC", "CT", "AND") == ("Cantria", "United Lands of Cantria", "ULC")


def test_an_alias_of_a_place_that_is_no_capital_does_not_matter() -> None:
    places = [
        Entity(entity_id="city/melk", kind="city", name="Melk", aliases=("Melk City",)),
        Entity(entity_id="city/other", kind="city", name="Elsewhere", aliases=("Melk City",)),
    ]
    capital = FACTS.rows["country/arvania", "capital"]
    rows = FACTS.without(capital, replace(capital, target="city/melk")).rows.values()
    facts = Facts([*FACTS.entities.values(), *places], [*rows])
    assert Answers(Graph(facts)).of(facts.rows["country/arvania", "capital"]) == ("Melk", "Melk City")


# --------------------------------------------------------------------------------------------------------------- texts


@given(st.text())
def test_folding_leaves_single_words_and_is_stable(text: str) -> None:
    once = folded(text)
    assert folded(once).split() == once.split()
    assert once == f" {' '.join(once.split())} " or once == " "


@given(st.lists(st.sampled_from(["sun", "Sún", "moon", "of"]), min_size=1), st.integers(0, 9), st.integers(1, 9))
def test_a_text_mentions_every_run_of_its_words_and_no_part_of_one(words: list[str], first: int, count: int) -> None:
    some = words[first : first + count]
    assert mentions(", ".join(words), " ".join(some).upper()) == bool(some)
    assert not mentions(" ".join(words), "su")


def test_choices_hang_on_their_key_alone() -> None:
    assert draw("a", 1) == draw("a", 1) != draw("a", 2)
    assert digest("question", "x") == f"{draw('question', 'x'):064x}"[:16]
    assert digest("question", "x") == "01f70ca77bb5cc19"


# --------------------------------------------------------------------------------------------------------------- store


@pytest.fixture
def file(made: tuple[list[Made], QuestionChecks], tmp_path: File) -> QuestionFile:
    write_questions(tmp_path / "questions.sqlite", *made)
    assert [path.name for path in tmp_path.iterdir()] == ["questions.sqlite"]
    return QuestionFile(tmp_path / "questions.sqlite")


def test_questions_come_back_as_they_were(file: QuestionFile, made: tuple[list[Made], QuestionChecks]) -> None:
    assert file.checks == made[1]
    assert len(file) == len(made[0])
    for split in SPLITS:
        rows = [row for row in made[0] if row.question.split == split]
        listed = file.questions(split)
        assert [*listed] == [row.question for row in rows]
        assert len(listed) == len(rows)
        assert listed[len(rows) - 1] == listed[-1] == rows[-1].question
        assert listed[1:3] == [row.question for row in rows[1:3]]
        with pytest.raises(IndexError):
            listed[len(rows)]
    for row in made[0][::5]:
        assert file.question(row.question.question_id) == row.question
        assert file.path_of(row.question.question_id) == row.path.key


def test_a_file_that_cannot_be_written_is_said_to_be(made: tuple[list[Made], QuestionChecks], tmp_path: File) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_questions(tmp_path / "absent" / "questions.sqlite", *made)
    (tmp_path / ".questions.sqlite.tmp").write_text("left by a writer that was killed")
    write_questions(tmp_path / "questions.sqlite", *made)
    assert [path.name for path in tmp_path.iterdir()] == ["questions.sqlite"]


def test_questions_of_some_hop_counts(file: QuestionFile) -> None:
    some = file.questions("train", hops=[5, 3])
    assert [*some] == [question for question in file.questions("train") if question.category in ("3 hops", "5 hops")]
    assert [some[place] for place in range(len(some))] == [*some]
    for wrong in ([], [1], [2, 7]):
        with pytest.raises(ConfigError, match="hops must be some of"):
            file.questions("train", hops=wrong)


def test_wrong_names_are_told(file: QuestionFile, tmp_path: File) -> None:
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        file.questions("trian")
    for read in (file.question, file.path_of):
        with pytest.raises(DataError, match="no question '2/nothing'"):
            read("2/nothing")
    (tmp_path / "text").write_text("not a database, but long enough to be one " * 99)
    for wrong in ("text", "absent"):
        with pytest.raises(DataError, match="holds no questions"):
            QuestionFile(tmp_path / wrong)


def test_a_file_may_be_pickled_and_read_by_threads(file: QuestionFile) -> None:
    ids = [question.question_id for question in file.questions("train")]
    other = pickle.loads(pickle.dumps(file))
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.extend(other.question(i).question_id for i in ids)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(ids * 3)


def walked(relations: Sequence[str]) -> Iterator[tuple[str, str]]:
    return pairwise(relations)


def test_values_end_a_path_and_countries_may() -> None:
    assert not {*VALUES} & {*COUNTRIES}
    assert [*walked(path_to("largest_export_partner", "anthem").relations)] == [
        ("capital?", "largest_export_partner"),
        ("largest_export_partner", "anthem"),
    ]
