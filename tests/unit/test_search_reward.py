"""Answers are marked as the field marks them, and no side term outweighs the answer."""

# ruff: noqa: RUF001 (quotation marks and ligatures are what is tested)

from __future__ import annotations

import re
import string
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.search_fixture import passages, questions

from sojourn.envs.search.normalize import NORMALIZERS, Marks, mark, normalizer, squad, strict
from sojourn.envs.search.records import Passage, Question
from sojourn.envs.search.reward import MAX_SIDE_TERMS, Found, RewardTerms
from sojourn.errors import ConfigError

SQUAD, STRICT = NORMALIZERS["squad"], NORMALIZERS["strict"]
WORDS = [
    "the",
    "a",
    "An",
    "Paris",
    "paris",
    "U.S.",
    "A+",
    "!!!",
    "“x”",
    "Málaga",
    "Malaga",
    "\u00a0",
    "İ",
    "ß",
    "-",
    "ﬁn",
]
answers = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=6).map(" ".join)


def published_normal(s: str) -> str:
    """Written down from the definition of SQuAD's evaluation: lower, remove punctuation, articles, fix white space."""

    def remove_articles(text: str) -> str:
        regex = re.compile(r"\b(a|an|the)\b", re.UNICODE)
        return re.sub(regex, " ", text)

    def white_space_fix(text: str) -> str:
        return " ".join(text.split())

    def remove_punc(text: str) -> str:
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return white_space_fix(remove_articles(remove_punc(s.lower())))


def published_f1(prediction: str, truth: str) -> float:
    left, right = published_normal(prediction).split(), published_normal(truth).split()
    same = sum((Counter(left) & Counter(right)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(left), same / len(right)
    return 2 * precision * recall / (precision + recall)


@given(answers | st.text())
@example("The\u2028A an\ttheme-park")
@example("THE İSTANBUL’S a_b")
def test_squad_is_the_published_normal_form(text):
    assert squad(text) == published_normal(text)


@given(answers, answers)
def test_squad_marks_as_published(answer, gold):
    assert SQUAD.is_match(answer, gold) == (published_normal(answer) == published_normal(gold))
    assert SQUAD.f1(answer, gold) == pytest.approx(published_f1(answer, gold))


@pytest.mark.parametrize("rule", NORMALIZERS.values(), ids=NORMALIZERS)
@given(answer=answers, gold=answers)
def test_f1_is_a_share_that_an_exact_match_completes(rule, answer, gold):
    f1 = rule.f1(answer, gold)
    assert 0.0 <= f1 <= 1.0
    assert f1 == pytest.approx(rule.f1(gold, answer))
    if rule.is_match(answer, gold) and rule.normal(gold):
        assert f1 == 1.0


@given(st.text(st.characters(max_codepoint=127)))
def test_strict_differs_from_squad_outside_ascii_only(text):
    assert strict(text) == squad(text)


@given(answers)
def test_an_answer_that_is_nothing_never_matches_under_strict(gold):
    for nothing in ("", " ", "\u3000"):
        assert not STRICT.is_match(nothing, gold)
        assert STRICT.f1(nothing, gold) == 0.0


@pytest.mark.parametrize(
    ("answer", "gold", "em_squad", "em_strict"),
    [
        ("paris.", "The Paris", True, True),
        ("Malaga", "Málaga", False, True),
        ("Lodz", "Łódź", False, True),
        ("“La Marseillaise”", "La Marseillaise", False, True),
        ("don’t", "don't", False, True),
        ("ﬁnland", "Finland", False, True),
        ("STRASSE", "Straße", False, True),
        ("the", "!!!", True, False),
        ("", "A+", True, False),
        ("a+", "A+", True, True),
        ("The  The", "the the", True, True),
        ("कि", "का", False, False),
        ("twenty-one", "twentyone", True, True),
        ("Lyon", "Paris", False, False),
    ],
)
def test_where_the_two_normalisers_agree_and_where_not(answer, gold, em_squad, em_strict):
    assert (SQUAD.is_match(answer, gold), STRICT.is_match(answer, gold)) == (em_squad, em_strict)


def test_f1_by_hand():
    assert SQUAD.f1("the Federal Republic of Germany", "Germany") == pytest.approx(2 / 5)
    assert SQUAD.f1("b b c", "b c c") == pytest.approx(2 / 3)
    assert STRICT.f1("A+", "A+") == 1.0


def test_the_best_of_all_accepted_answers_counts():
    assert mark("Holland", ("Netherlands", "Holland"), SQUAD) == Marks(em=True, f1=1.0)
    assert mark("North Holland", ("Netherlands", "Holland"), SQUAD).f1 == pytest.approx(2 / 3)


def test_an_unknown_normaliser_lists_the_known():
    with pytest.raises(ConfigError, match="known: squad, strict"):
        normalizer("squid")


# -------------------------------------------------------------------------------------------------------- reward


@given(
    retrieval=st.floats(0, MAX_SIDE_TERMS),
    penalty=st.floats(0, MAX_SIDE_TERMS),
    found=st.floats(0, 1),
    has_searched=st.booleans(),
)
def test_a_right_answer_is_worth_half_a_point_more_whatever_else_happened(retrieval, penalty, found, has_searched):
    if retrieval + penalty > MAX_SIDE_TERMS:
        with pytest.raises(ConfigError, match="the answer dominates"):
            RewardTerms(retrieval=retrieval, no_search_penalty=penalty)
        return
    terms = RewardTerms(retrieval=retrieval, no_search_penalty=penalty)
    right = terms.of_answer(Marks(em=True, f1=1.0), has_searched=False)
    wrong = terms.of_answer(Marks(em=False, f1=0.9), has_searched=has_searched) + retrieval * found
    assert right - wrong >= MAX_SIDE_TERMS - 1e-9


def test_the_plain_reward_is_exact_match():
    terms = RewardTerms()
    assert [terms.of_answer(Marks(em=em, f1=0.7), has_searched=False) for em in (True, False)] == [1.0, 0.0]
    assert RewardTerms(metric="f1").of_answer(Marks(em=False, f1=0.7), has_searched=True) == 0.7


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "bleu"}, "known: em, f1"),
        ({"retrieval": -0.1}, r"retrieval_reward must be in \[0, 0.5\], got -0.1"),
        ({"no_search_penalty": float("nan")}, "no_search_penalty must be in"),
        ({"retrieval": 0.3, "no_search_penalty": 0.3}, "must be <= 0.5"),
    ],
)
def test_terms_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        RewardTerms(**options)


def test_each_gold_passage_counts_once():
    question = questions()["train"][2]
    corpus = {p.passage_id: p for p in passages()}
    gold = [corpus[hop.passage_id] for hop in question.hops]
    found = Found(question, SQUAD)
    assert found.add([corpus["kenya/capital"]]) == 0.0
    growth = [found.add([gold[0]]), found.add([gold[0], gold[1]]), found.add(gold), found.add(gold)]
    assert growth == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.0])
    assert found.share == 1.0


def test_without_a_gold_path_a_passage_with_the_answer_counts():
    question = Question(question_id="1", text="Where?", answers=("New Delhi", "!"), split="test", category="NQ")
    found = Found(question, SQUAD)
    assert found.share == 0.0
    assert found.add([Passage(passage_id="x", title="Delhi", text="Newer Delhi and !")]) == 0.0
    assert found.add([Passage(passage_id="y", title="Delhi", text="It is called new DELHI, in full.")]) == 1.0
    assert found.add([Passage(passage_id="z", title="New Delhi", text="")]) == 0.0
