"""Answers are read as what they should be, whole, and then compared: nothing is right by luck."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.web.checks.addresses import Target, same_address
from sojourn.envs.web.checks.answers import (
    NO_ANSWER,
    NOT_AVAILABLE,
    AddressAnswer,
    DateAnswer,
    DurationAnswer,
    LengthAnswer,
    NumberAnswer,
    PhoneAnswer,
    RightAnswer,
    cents,
    day,
    money,
    number,
    several,
    text,
)

KINDS: dict[str, tuple[RightAnswer, tuple[str, ...], tuple[str, ...]]] = {
    "text": (
        text("Trattoria Farrow"),
        (
            "Trattoria Farrow",
            "trattoria  farrow",
            '"Trattoria Farrow"',
            "Trattoria Farrow.",
            "\u201cTrattoria Farrow\u201d",
        ),
        ("", "Trattoria", "Trattoria Farrow, Fallowgate", "It is Trattoria Farrow", "Farrow Trattoria", "N/A"),
    ),
    "text with an abbreviation": (text("Andre K.", "Andre K"), ("Andre K.", "andre k"), ("Andre", "Andre K. K.")),
    "money": (
        cents(104_900),
        ("$1,049.00", "1049", "$1049", "1049.00 USD", "1,049.00 dollars", "USD 1049", "us$1,049.00."),
        ("", "$1,049.01", "10.49", "$104,900", "about $1,049.00", "$1,049.00 or $2", "1049 EUR", "10,49.00", "$"),
    ),
    "negative money": (cents(-250), ("-$2.50", "-2.50"), ("$2.50", "2.50", "--2.50")),
    "number": (
        number(3, "reviews"),
        ("3", "3 reviews", "3.0", "+3", "3."),
        ("", "three", "13", "30", "3 of 5", "3 products", "-3", "3-3", "reviews", "3 reviews 3", "0x3"),
    ),
    "length": (
        LengthAnswer(metres=182_600, tolerance=50),
        ("182.6 km", "182.6km", "182600 m", "182.6 kilometres", "182.64 km"),
        ("", "182.6", "182.7 km", "183 km", "182.6 miles", "182.6 m", "km"),
    ),
    "duration": (
        DurationAnswer(minutes=139),
        ("2 h 19 min", "2h19min", "2 hours 19 minutes", "2 hours and 19 minutes", "139 min", "2:19", "139 minutes"),
        ("", "2 h", "19 min", "2.19 h", "139", "139 h", "h", "2 h 19 s"),
    ),
    "whole hours": (DurationAnswer(minutes=120), ("2 h", "120 min", "2 h 0 min", "2:00"), ("2", "2 min")),
    "date": (
        day("2024-05-29 10:36:00"),
        ("2024-05-29", "May 29, 2024", "May 29th, 2024", "29 May 2024", "5/29/2024", "may 29 2024", "05/29/24"),
        ("", "29/05/2024", "May 2024", "2024", "May 29, 2023", "2024-05-29 10:36", "on May 29, 2024", "2024-5-32"),
    ),
    "phone": (
        PhoneAnswer(value="021 864041"),
        ("021 864041", "021864041", "021-864041", "(021) 864041"),
        ("", "21 864041", "021 864041 ext 2", "021 8640411", "phone: 021 864041", "-"),
    ),
    "address": (
        AddressAnswer(value="http://reddit.com/f/travel?t=week"),
        (
            "http://reddit.com/f/travel?t=week",
            "reddit.com/f/travel/?t=week",
            "https://www.reddit.com/f/travel?t=week&x=",
        ),
        ("", "http://reddit.com/f/travel", "http://reddit.com/f/Travel?t=week", "t=week", "http://[", "see reddit.com"),
    ),
    "names": (
        several([text("Ann"), text("Bob")]),
        ("Ann, Bob", "Bob; Ann", "Ann and Bob", "[Ann, Bob]", "- Ann\n- Bob"),
        ("", "Ann", "Ann, Bob, Carl", "Ann, Ann", "Ann Bob", "Ann, Bob, Bob"),
    ),
    "names in order": (
        several([text("Ann"), text("Bob")], is_ordered=True),
        ("Ann, Bob", "Ann; Bob"),
        ("Bob, Ann", "Ann", "Ann, Bob, Ann"),
    ),
    "amounts": (
        several([cents(104_900), cents(5_000)]),
        ("$1,049.00, $50.00", "$50; $1,049.00", "50 and 1,049.00"),
        ("$1,049.00", "$1,049.00, $50.00, $50.00", "$1,04 9.00, $50"),
    ),
    "names with commas": (
        several([text("Wok, 28 cm"), text("Pan, small")]),
        ("Wok, 28 cm; Pan, small", "Pan, small\nWok, 28 cm"),
        ("Wok, 28 cm, Pan, small", "Wok; 28 cm; Pan; small"),
    ),
    "impossible": (NOT_AVAILABLE, ("N/A", "n/a", "NA", "not applicable", "N/A."), ("", "none", "0", "N", "N/A or 5")),
    "nothing": (NO_ANSWER, ("", "  "), ("done", "N/A", "0", ".")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_accepted_and_what_is_not(kind: str) -> None:
    right, accepted, refused = KINDS[kind]
    assert [said for said in accepted if not right.is_given_by(said)] == []
    assert [said for said in refused if right.is_given_by(said)] == []


RIGHT = st.one_of(
    st.from_regex(r"[A-Z][a-z]{1,8}(?: [A-Z][a-z.,&]{1,8}[a-z]){0,2}", fullmatch=True).map(text),
    st.integers(-(10**7), 10**7).map(cents),
    st.decimals(-1000, 1000, places=2).map(number),
    st.integers(1, 10**6).map(lambda metres: LengthAnswer(metres=metres)),
    st.integers(1, 3000).map(lambda minutes: DurationAnswer(minutes=minutes)),
    st.dates(date(1970, 1, 1), date(2060, 1, 1)).map(lambda d: DateAnswer(day=d)),
    st.from_regex(r"0[0-9]{2} [0-9]{6}", fullmatch=True).map(lambda s: PhoneAnswer(value=s)),
)


@given(RIGHT)
def test_an_answer_as_an_expert_writes_it_is_right(right: RightAnswer) -> None:
    assert right.is_given_by(right.value)
    assert right.is_given_by(f"  {right.value}\n")
    assert right.is_given_by(f'"{right.value}"')


@given(
    RIGHT, st.sampled_from(["The answer is ", "not ", "1 or ", "x "]), st.sampled_from([" or so", " and 7", " x", " !"])
)
def test_words_around_an_answer_make_it_wrong(right: RightAnswer, before: str, behind: str) -> None:
    assert not right.is_given_by(before + right.value)
    assert not right.is_given_by(right.value + behind)


@given(RIGHT, st.text(max_size=40))
def test_any_text_can_be_asked_about(right: RightAnswer, said: str) -> None:
    for answer in (right, several([right, right]), NOT_AVAILABLE, NO_ANSWER, AddressAnswer(value="http://a.example/")):
        assert answer.is_given_by(said) in (True, False)


@given(st.integers(-(10**7), 10**7), st.integers(-(10**7), 10**7))
def test_amounts_are_right_to_the_cent(right: int, said: int) -> None:
    assert cents(right).is_given_by(cents(said).value) == (right == said)
    assert money(Decimal(right) / 100).is_given_by(cents(said).value) == (right == said)


@given(st.decimals(-1000, 1000, places=3), st.decimals(-1000, 1000, places=3))
def test_numbers_are_compared_as_numbers(right: Decimal, said: Decimal) -> None:
    assert NumberAnswer(number=right).is_given_by(f"{said:,f}") == (right == said)


@given(st.dates(date(1970, 1, 1), date(2060, 1, 1)), st.integers(-40, 40))
def test_only_the_same_day_is_right(right: date, off: int) -> None:
    said = right + timedelta(days=off)
    for form in ("%Y-%m-%d", "%B %d, %Y", "%d %b %Y", "%m/%d/%Y"):
        assert DateAnswer(day=right).is_given_by(said.strftime(form)) == (off == 0)


NAMES = st.lists(st.from_regex(r"[A-Z][a-z]{1,8}", fullmatch=True), min_size=1, max_size=5, unique_by=str.casefold)


@given(NAMES, st.randoms(use_true_random=False))
def test_a_list_has_each_item_once_in_any_order_or_in_the_one(names: list[str], rng: object) -> None:
    right, ordered = several([text(n) for n in names]), several([text(n) for n in names], is_ordered=True)
    mixed = list(names)
    rng.shuffle(mixed)  # type: ignore[attr-defined]
    for separator in (", ", "; ", "\n"):
        assert right.is_given_by(separator.join(mixed))
        assert ordered.is_given_by(separator.join(mixed)) == (mixed == names)
        assert not right.is_given_by(separator.join([*names, "Other1"]))
        assert not right.is_given_by(separator.join([*names, names[0]]))
        assert not right.is_given_by(separator.join(names[1:]))


# ------------------------------------------------------------------------------------------------------- addresses


def test_addresses_are_the_same_whatever_does_not_matter_in_them() -> None:
    assert same_address("http://www.reddit.com/f/x/", "http://reddit.com:80/f/x")
    assert same_address("http://a.example/s?b=2&a=1&c=", "http://a.example/s?a=1&b=2")
    assert same_address("http://a.example/wiki/Old%20Town", "http://a.example/wiki/Old Town")
    assert not same_address("http://a.example/s?a=1", "http://a.example/s?a=1&a=2")
    assert not same_address("http://a.example/s?a=1", "http://b.example/s?a=1")
    assert not same_address("http://a.example/X", "http://a.example/x")
    assert not same_address("http://[", "http://a.example/")


def test_a_page_may_have_fields_with_their_usual_values_and_other_addresses() -> None:
    usual = {"sort": "position", "dir": "asc"}
    page = Target(url="http://a.example/c?sort=price", usual=usual, ignored=("t",), others=("http://a.example/d",))
    assert page.is_shown_at("http://a.example/c?sort=price&dir=asc&brand=&price_from=")
    assert page.is_shown_at("http://a.example/c?t=5&sort=price")
    assert page.is_shown_at("http://a.example/d?sort=position")
    assert not page.is_shown_at("http://a.example/c?sort=position")
    assert not page.is_shown_at("http://a.example/c?sort=price&dir=desc")
    assert not page.is_shown_at("http://a.example/c")
    assert not page.is_shown_at("http://a.example/c?sort=price&brand=Other")
    assert not page.is_shown_at("http://[")


@given(
    st.dictionaries(st.sampled_from("abcd"), st.from_regex(r"[a-z0-9 ]{1,5}", fullmatch=True)), st.permutations("abcd")
)
def test_the_order_of_fields_does_not_matter(fields: dict[str, str], order: list[str]) -> None:
    def address(names: list[str]) -> str:
        return "http://a.example/s?" + "&".join(f"{n}={fields[n].replace(' ', '+')}" for n in names if n in fields)

    assert same_address(address(list("abcd")), address(order))
