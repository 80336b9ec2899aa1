"""The open benchmarks: the reference's numbers, from the user's files."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from sojourn.envs.search.bank import Bank
from sojourn.envs.search.flashrag import PARTS, FlashRag, accepted_answers, question_text, split_of
from sojourn.envs.search.mending import mended
from sojourn.errors import ConfigError, DataError

PUBLISHED = [
    (0, 3609, "NQ", "test"),
    (3610, 14922, "TriviaQA", "test"),
    (14923, 29189, "PopQA", "test"),
    (29190, 36594, "HotpotQA", "test"),
    (36595, 49170, "2Wiki", "test"),
    (49171, 51587, "MuSiQue", "test"),
    (51588, 51712, "Bamboogle", "test"),
    (51713, 130880, "NQ", "train"),
    (130881, 221327, "HotpotQA", "train"),
]
"""First and last number of each set, as the reference's table has them."""


def write(path: Path, rows: list[dict[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> FlashRag:
    """Every set at its true size; a question says which one it is."""
    folder = tmp_path_factory.mktemp("flashrag")
    for part in PARTS:
        path = folder / part.file
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            "".join(f'{{"question":"{part.file} {n}","golden_answers":["a{n}"]}}\n' for n in range(part.count))
        )
    return FlashRag(folder)


def test_the_table_is_the_reference_s() -> None:
    assert [(p.first, p.end - 1, p.category, "train" if p.is_train else "test") for p in PARTS] == PUBLISHED
    assert all(before.end == after.first for before, after in itertools.pairwise(PARTS))
    assert sum(p.count for p in PARTS if not p.is_train) == 51_713
    assert sum(p.count for p in PARTS if p.is_train) == 169_615


@pytest.mark.parametrize(("first", "last", "category", "split"), PUBLISHED)
def test_a_number_is_a_line_of_its_set(full: FlashRag, first: int, last: int, category: str, split: str) -> None:
    for number, line in ((first, 0), (last, last - first)):
        question = full.question(str(number))
        assert (question.question_id, question.category, question.hops) == (str(number), category, ())
        assert question.text.endswith(f" {line}?")
        assert question.answers[0] == f"a{line}"
        assert question.split in (("train", "validation") if split == "train" else ("test",))


def test_the_splits_hold_every_number_once(full: FlashRag) -> None:
    bank: Bank = full
    sizes, seen = {}, 0
    for split in bank.splits:
        groups = [bank.questions(split, category) for category in bank.categories(split)]
        sizes[split] = sum(map(len, groups))
        numbers = [int(group[i].question_id) for group in groups for i in range(0, len(group), 997)]
        assert numbers == sorted(set(numbers))
        assert all(group[i].split == split for group in groups for i in (0, len(group) - 1))
        seen += sizes[split]
    assert seen == 221_328
    assert sizes["test"] == 51_713
    assert 1_500 < sizes["validation"] < 1_900
    assert bank.categories("test") == ("NQ", "TriviaQA", "PopQA", "HotpotQA", "2Wiki", "MuSiQue", "Bamboogle")
    assert bank.categories("train") == bank.categories("validation") == ("NQ", "HotpotQA")


def test_validation_does_not_hang_on_what_else_is_there(full: FlashRag, tmp_path: Path) -> None:
    rows = [{"question": "q", "golden_answers": ["a"]}] * 500
    write(tmp_path / "hotpotqa/train.jsonl", rows)
    part = FlashRag(tmp_path, any_count=True)
    held = [q.question_id for q in part.questions("validation", "HotpotQA")]
    assert held == [str(n) for n in range(130881, 131381) if split_of(n) == "validation"]
    assert all(full.question(number).split == "validation" for number in held)
    assert len(part.questions("train", "HotpotQA")) == 500 - len(held)


def test_slices_and_negative_places_are_lazy_lists(full: FlashRag) -> None:
    nq = full.questions("test", "NQ")
    assert [q.question_id for q in nq[2:4]] == ["2", "3"]
    assert nq[-1].question_id == "3609"
    with pytest.raises(IndexError):
        nq[3610]


@pytest.mark.parametrize("number", ["221328", "-1", "007", "1.0", "", "x", "٣", "9" * 30])
def test_what_is_no_number_of_the_reference_s_is_refused(full: FlashRag, number: str) -> None:
    with pytest.raises(DataError, match="number from 0 to 221327"):
        full.question(number)


def test_who_has_one_set_has_its_numbers(tmp_path: Path) -> None:
    write(tmp_path / "bamboogle/test.jsonl", [{"question": f"q{n}?", "golden_answers": "x"} for n in range(125)])
    bank = FlashRag(tmp_path)
    assert bank.categories("test") == ("Bamboogle",)
    assert bank.question("51712").text == "q124?"
    with pytest.raises(DataError, match=r"question 0 is of NQ and would be in .*nq.test\.jsonl"):
        bank.question("0")
    with pytest.raises(DataError, match=r"no questions for train: they are in nq/train\.jsonl, hotpotqa/train\.jsonl"):
        bank.categories("train")
    with pytest.raises(ConfigError, match="unknown set of questions"):
        bank.questions("test", "NQ")
    with pytest.raises(ConfigError, match="unknown split"):
        bank.categories("dev")


def test_another_version_of_a_set_is_refused_with_both_counts(tmp_path: Path) -> None:
    write(tmp_path / "nq/test.jsonl", [{"question": "q", "golden_answers": ["a"]}] * 10)
    with pytest.raises(DataError, match="has 10 questions, and the reference's numbers rest on 3610"):
        FlashRag(tmp_path).questions("test", "NQ")
    some = FlashRag(tmp_path, any_count=True)
    assert len(some.questions("test", "NQ")) == 10
    with pytest.raises(DataError, match="holds a part of its set"):
        some.question("10")
    write(tmp_path / "nq/test.jsonl", [{"question": "q", "golden_answers": ["a"]}] * 3611)
    with pytest.raises(DataError, match="has 3611 questions"):
        FlashRag(tmp_path, any_count=True).questions("test", "NQ")


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds none of nq/test\.jsonl"):
        FlashRag(tmp_path)


@pytest.mark.parametrize(
    "line", ['{"question": 3', "[]", '{"question": "q"}', '{"question": "", "golden_answers": ["a"]}']
)
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "nq").mkdir()
    (tmp_path / "nq/test.jsonl").write_text('{"question": "q", "golden_answers": ["a"]}\n' + line + "\n\n")
    bank = FlashRag(tmp_path, any_count=True)
    assert len(bank.questions("test", "NQ")) == 2
    with pytest.raises(DataError, match=r"test\.jsonl:2: expected a line with 'question' and 'golden_answers'"):
        bank.question("1")


def test_the_identity_changes_with_the_content(tmp_path: Path) -> None:
    seen = set()
    for answer in ("a", "b"):
        write(tmp_path / "nq/test.jsonl", [{"question": "q", "golden_answers": [answer]}])
        seen.add(FlashRag(tmp_path, any_count=True).identity)
    assert len(seen) == 2


def test_questions_end_in_a_question_mark_and_answers_are_texts() -> None:
    assert question_text(" who is it ") == "who is it?"
    assert question_text("who is it?") == "who is it?"
    assert accepted_answers(["b", "a", "b", " "]) == ("b", "a")
    assert accepted_answers("one") == ("one",)
    assert accepted_answers([1969, "x"]) == ("1969", "x")
    for wrong in ([], [""], None, [None], {"a": 1}):
        with pytest.raises(ValueError, match="expected"):
            accepted_answers(wrong)


def test_what_a_spreadsheet_made_of_bamboogle_is_mended_beside_the_original() -> None:
    assert mended("20-Apr-66") == ("20-Apr-66", "April 20, 1966", "20 April 1966")
    assert mended("6-Nov-05")[1::2] == ("November 6, 1905", "November 6, 2005")
    assert mended("JosÃ©") == ("JosÃ©", "José")
    for whole in ("José", "1999", "32-Apr-66", "20-Abc-66", "Charles II"):
        assert mended(whole) == (whole,)


def test_only_bamboogle_is_mended(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"question": "when", "golden_answers": ["20-Apr-66"]}]
    write(tmp_path / "bamboogle/test.jsonl", rows)
    write(tmp_path / "nq/test.jsonl", rows)
    bank = FlashRag(tmp_path, any_count=True)
    assert bank.question("51588").answers == ("20-Apr-66", "April 20, 1966", "20 April 1966")
    assert bank.question("0").answers == ("20-Apr-66",)
