"""The live view shows the run; without a terminal there are plain lines."""

import io

import pytest
from rich.console import Console
from tests.unit.samples_of_record import evaluation

from sojourn.cli.live import LiveProgress, duration, make_progress, sparkline
from sojourn.record.progress import PlainProgress


def test_without_a_terminal_progress_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert isinstance(make_progress(), PlainProgress)


@pytest.mark.parametrize(
    ("values", "line"), [([0.0, 0.5, 1.0], "▁▅█"), ([], ""), ([2.0, 2.0], "██"), ([-1.0, 9.0], "▁█")]
)
def test_sparklines(values: list[float], line: str) -> None:
    assert sparkline(values, 0.0, 1.0) == line


def test_durations() -> None:
    assert [duration(s) for s in (0, 67.9, 3725)] == ["0:00", "1:07", "1:02:05"]


def screen(live: LiveProgress, console: Console) -> str:
    with console.capture() as capture:
        console.print(live.view())
    return capture.get()


def test_the_view_tells_how_far_how_well_and_how_fast() -> None:
    now = [0.0]
    console = Console(file=io.StringIO(), force_terminal=True, width=110, color_system=None)
    live = LiveProgress(console, clock=lambda: now[0])
    live.begin("toy [x]", 10, 2)
    assert "time left unknown" in screen(live, console)
    live.evaluation(evaluation(agent="random", update=None, success=0.1))
    live.evaluation(evaluation(update=0, success=0.6))
    live.phase("collect")
    for update in (2, 3):
        now[0] += 30.0
        metrics = {"horizon": 6.0, "train/success": update / 4, "train/return": 0.5, "train/turns": 3.0}
        timings = {"time/collect": 20.0, "time/train": 9.0, "rate/action_tokens_per_s": 1234.0, "memory/peak_mb": 800.0}
        live.update(update, metrics, timings)
    live.evaluation(evaluation(update=4, success=0.5))
    text = screen(live, console)
    live.end()
    live.end()
    for part in (
        "toy [x]",
        "update 4/10",
        "1:00 elapsed, 3:00 left",
        "horizon  ",
        "75.0%",
        "50.0 %  [40.0, 60.0]  buttons-v1/test after 4 updates",
        "best",
        "60.0 %",
        "collect for 1:00",
        "collect 20.0 s, train 9.0 s",
        "1,234 action tokens/s, peak 800 MiB",
    ):
        assert part in text, (part, text)
