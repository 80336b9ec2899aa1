"""Plot and report come from the run's files alone, and say no more than the intervals allow."""

from pathlib import Path

import pytest
from PIL import Image
from tests.unit.samples_of_record import config, evaluation, write_run

from sojourn.errors import DataError
from sojourn.evaluate.caveats import caveats
from sojourn.evaluate.history import read_history
from sojourn.evaluate.plot import write_plot
from sojourn.evaluate.report import horizon_text, report_text, write_report
from sojourn.record.jsonl import LineWriter
from sojourn.record.run_dir import RunDir


def text_of(path: Path) -> str:
    return report_text(read_history(path))


def test_the_report_holds_what_a_reader_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["anywhere/sojourn", "train", "toy.toml"])
    run = write_run(tmp_path / "toy")
    text = write_report(run).read_text()
    for part in (
        "GRPO on all weights of `base` in `tests.toys:Buttons`",
        "12 of 12 updates, horizon 3 → 6 → 9 turns, a stage every 4 updates",
        "|  | tasks | random | oracle | before training | after 12 updates (best on validation) |",
        "| one | 5 | 10.0 % [0.0, 20.0] | 100.0 % [90.0, 100.0] | 20.0 % [10.0, 30.0] | 70.0 % [60.0, 80.0] |",
        "| **all** | 20 |",
        "before training and after 12 updates do not overlap: the policy improved on this panel",
        "![Success, horizon, turns and return by update](plot.png)",
        "360 episodes, 10,800 action tokens; horizon reached 9 turns",
        "| success | 20.0 % | 65.8 % |",
        "Updates took 12 min 00 s in all (collect 8 min 00 s, train 4 min 00 s; evaluations are not in it)",
        "Peak memory of the process 812 MiB",
        "24 of 384 training episodes failed (env_error 24, sampler_error 0, timeout 0)",
        "one run with one seed",
        "```\nsojourn train toy.toml\n",
        "torch ",
    ):
        assert part in text, part
    assert run.plot.exists()


@pytest.mark.parametrize(("gain", "verdict"), [(0.1, "overlap: this panel alone"), (-0.2, "the policy improved")])
def test_the_verdict_follows_the_intervals(tmp_path: Path, gain: float, verdict: str) -> None:
    write_run(tmp_path / "toy", gain=gain)
    assert (verdict in text_of(tmp_path / "toy")) == (gain > 0)


def test_a_policy_that_got_worse_is_said_to_have(tmp_path: Path) -> None:
    run = write_run(tmp_path / "toy")
    LineWriter(run.evaluations).append(evaluation(update=13, success=0.0, panel="buttons-v1/test").to_json())
    LineWriter(run.evaluations).append(evaluation(update=0, success=0.9).to_json())
    assert "got worse" in text_of(run.path)


def test_evaluations_made_apart_are_listed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "toy")
    assert "Other evaluations" not in text_of(run.path)
    LineWriter(run.evaluations).append(evaluation("policy@12", 12, 0.6, horizon=30).to_json())
    assert "| policy@12 | buttons-v1/test | 30 | 20 x 1 | 60.0 % [50.0, 70.0] |" in text_of(run.path)


def test_a_run_that_has_only_begun_has_a_report_too(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "toy", config()) as run:
        text = write_report(run).read_text()
    assert "The final panel has not been evaluated" in text
    assert "The run is not complete: 0 of 3 updates." in text
    assert not run.plot.exists()
    with pytest.raises(DataError, match="nothing to plot yet"):
        write_plot([read_history(run.path)], run.plot)


def test_caveats(tmp_path: Path) -> None:
    run = write_run(tmp_path / "toy", horizon={"kind": "stepwise", "stages": [3, 6, 9], "every": 40})
    LineWriter(run.metrics).append(
        {"update": 12, "train/failed_episodes": 500, "train/groups_zero_variance": 900, "train/unparsable_share": 0.5}
    )
    LineWriter(run.evaluations).append(evaluation(update=12, horizon=9).to_json())
    text = "\n".join(caveats(read_history(run.path)))
    parts = [
        "The horizon's last stage",
        "training episodes failed",
        "equal returns",
        "readable action",
        "limits changed",
    ]
    for part in parts:
        assert part in text


def test_runs_are_overlaid_and_the_picture_is_a_picture(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_run(tmp_path / name, updates=40 if name == "a" else 8)
    out = tmp_path / "both.png"
    write_plot([read_history(tmp_path / name) for name in ("a", "b")], out)
    with Image.open(out) as picture:
        assert picture.size[0] > 1000
        assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 50
    with pytest.raises(DataError, match=r"\.xyz"):
        write_plot([read_history(tmp_path / "a")], tmp_path / "a.xyz")


@pytest.mark.parametrize(
    ("horizon", "text"),
    [
        ({"kind": "fixed", "turns": 4}, "fixed at 4 turns"),
        ({"kind": "linear", "start": 2, "end": 8, "over": 5}, "from 2 to 8 turns over 5 updates"),
        ({"kind": "success", "stages": [2, 4]}, "2 → 4 turns, the next stage at 60% success over 5 updates"),
    ],
)
def test_schedules_in_words(horizon: dict[str, object], text: str) -> None:
    assert horizon_text(config(horizon=horizon).horizon) == text
