"""Evaluations are data that refuses to be compared across panels."""

import io
from pathlib import Path

import pytest
from tests.unit.samples_of_record import evaluation, summary

from sojourn.errors import DataError
from sojourn.record.evaluation import Evaluation, latest, read_evaluations, require_comparable
from sojourn.record.jsonl import LineWriter
from sojourn.record.progress import NullProgress, PlainProgress, Progress, evaluation_line, success_text


def test_json_and_back_is_equal(tmp_path: Path) -> None:
    original = evaluation(overall=summary(None))
    writer = LineWriter(tmp_path / "e.jsonl")
    writer.append(original.to_json())
    assert read_evaluations(tmp_path / "e.jsonl") == [original]


@pytest.mark.parametrize("change", [{"horizon": 7}, {"panel_sha256": "cd"}, {"repeats": 2}, {"seed": 1}])
def test_other_panels_and_limits_are_not_comparable(change: dict[str, object]) -> None:
    require_comparable(evaluation(), evaluation(agent="random", update=None))
    with pytest.raises(DataError, match=next(iter(change))):
        require_comparable(evaluation(), evaluation(**change))


def test_an_evaluation_taken_again_replaces_the_earlier_one(tmp_path: Path) -> None:
    writer = LineWriter(tmp_path / "e.jsonl")
    for success in (0.1, 0.2):
        writer.append(evaluation(success=success).to_json())
    writer.append(evaluation(update=4).to_json())
    found = read_evaluations(tmp_path / "e.jsonl")
    assert [(e.update, e.overall.success_rate) for e in found] == [(0, 0.2), (4, 0.5)]
    assert latest(found, "policy") == found[1]
    assert latest(found, "oracle") is None


@pytest.mark.parametrize("damage", [{"schema": 9}, {"overall": {}}, {"categories": None}, {"extra": 1}])
def test_a_damaged_evaluation_is_named_with_its_line(tmp_path: Path, damage: dict[str, object]) -> None:
    LineWriter(tmp_path / "e.jsonl").append(evaluation().to_json() | damage)
    with pytest.raises(DataError, match=r"e\.jsonl:1"):
        read_evaluations(tmp_path / "e.jsonl")
    with pytest.raises(DataError):
        Evaluation.from_json({})


def test_lines_for_people() -> None:
    assert evaluation_line(evaluation(update=3)) == (
        "policy after 3 updates on buttons-v1/test: success 50.0 % [40.0, 60.0]"
    )
    assert success_text(summary(None)).startswith("not measured")


def play(progress: Progress) -> None:
    progress.begin("toy", 2, 1)
    progress.phase("collect")
    progress.update(1, {"train/success": 0.25, "horizon": 4, "odd": float("nan")}, {"time/update": 1.0})
    progress.evaluation(evaluation())
    progress.message("hello")
    progress.end()
    progress.end()


def test_plain_progress_says_one_line_a_thing() -> None:
    out = io.StringIO()
    play(PlainProgress(out))
    play(NullProgress())
    lines = out.getvalue().splitlines()
    assert lines[0] == "toy: 2 updates, resumed after update 1"
    assert lines[1] == "update 2/2  horizon 4  success 25.0%  1.0 s"
    assert len(lines) == 4
