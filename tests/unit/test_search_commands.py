"""What names, topics and values are seen in a text, and that commands are made of nothing else."""

# ruff: noqa: RUF001 (quotation marks and dashes are what is tested)

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search_fixture import passages
from tests.unit.test_search_actions import hostile

from sojourn.envs.search.actions import parse_action
from sojourn.envs.search.commands import LISTINGS, Sight
from sojourn.envs.search.neutralise import neutral
from sojourn.envs.search.observation import shown_passages
from sojourn.envs.search.phrases import distinct, given_in, heading, is_code, is_number, names_in, topics_of, values_in
from sojourn.envs.search.records import Passage


@pytest.mark.parametrize(
    ("question", "given_names", "topics"),
    [
        (
            "What is the capital of the country whose national anthem is “La Marseillaise”?",
            ["La Marseillaise"],
            ["capital", "national anthem"],
        ),
        (
            "Which is the most populous of the countries that border the country that registers aircraft as TY?",
            ["TY"],
            ["populous", "border", "registers aircraft"],
        ),
        (
            "What is the currency of the country in which the airport with the IATA code RDN lies?",
            ["RDN", "IATA"],
            ["currency", "airport code"],
        ),
        (
            "What is the top import of the country whose currency is the cordoba?",
            ["cordoba"],
            ["top import", "currency"],
        ),
        (
            "Which city is the capital of the country that has .mp as its internet domain?",
            [".mp"],
            ["city capital", "internet domain"],
        ),
        (
            "What is the legislature of the country in which the element thorium was discovered?",
            [],
            ["legislature", "element thorium discovered"],
        ),
        ("Who wrote it?", [], ["wrote"]),
        ("?", [], []),
    ],
)
def test_a_question_gives_names_and_asks_about_topics(question, given_names, topics):
    assert given_in(question) == given_names
    assert topics_of(question, given_names) == topics


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Its capital is Port of Spain, on Trinidad.", ["Port of Spain", "Trinidad"]),
        ("It borders Bosnia and Herzegovina (932 km) and Serbia.", ["Bosnia and Herzegovina", "932", "Serbia"]),
        ("On 4 July 1776 “The Star” was played by Lauryn", ["4 July 1776", "The Star", "Lauryn"]),
        ("The code of France is .fr or +33.", ["France", ".fr", "+33"]),
        ("nothing at all of the", []),
        ("", []),
    ],
)
def test_names_are_capitals_quotations_numbers_and_codes(text, names):
    assert names_in(text) == names


def test_values_leave_out_what_the_passage_is_about_and_come_by_topic():
    text = "Nepal lies in Asia. The currency of Nepal is the rupee (NPR), 132 to the dollar. It borders India."
    passage = Passage(passage_id="x", title="Nepal: currency", text=text)
    assert [value for _, value in values_in(passage, ["currency"], "What is the currency?")] == [
        "rupee",
        "NPR",
        "Asia",
        "India",
        "132",
    ]
    assert values_in(passage, ["currency"], "Is it the rupee?")[0] == (2, "NPR")


def test_titles_numbers_and_codes_are_told_apart():
    assert [heading(t) for t in ("France: capital", "“Help!” (album)", "A – B", "Plain", ": x")] == [
        "France",
        "Help!",
        "A",
        "Plain",
        ": x",
    ]
    assert [is_number(t) for t in ("1,602", "95%", "+33", "4 July 1776")] == [True, True, False, False]
    assert [is_code(t) for t in ("MYR", "+33", "7", "Mali")] == [True, False, True, False]
    assert distinct(["Mali", "mali", "", "—", "x" * 200]) == ["Mali", "x" * 80]


@pytest.mark.parametrize("limits", LISTINGS.values(), ids=LISTINGS)
@given(
    question=hostile.filter(lambda text: any(map(str.isalnum, text))),
    texts=st.lists(st.tuples(hostile, hostile), max_size=3),
)
@settings(max_examples=50)
def test_every_command_is_accepted_and_made_of_what_is_in_sight(limits, question, texts):
    sight = Sight(neutral(question))
    corpus = [*passages()[:1], *(Passage(passage_id="p", title=title, text=text) for title, text in texts)]
    shown = shown_passages(corpus, 200)
    screen = " ".join([neutral(question), *(f"{p.title} {p.text}" for p in shown)]).lower()
    for _ in range(2):
        commands = sight.commands(limits)
        assert len(set(commands)) == len(commands) >= 1
        for command in commands:
            action = parse_action(command)
            assert all(word in screen for word in action.text.lower().split())
        sight.add(parse_action(commands[0]).text, shown)
