"""Promise 5: a schedule is a pure function of the update number, or of its own saved state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.config import FixedHorizon, LinearHorizon, StepwiseHorizon, SuccessHorizon
from sojourn.errors import DataError
from sojourn.horizon import HorizonState, advanced, horizon_at, unreachable_warning

START = HorizonState()


def test_the_papers_schedule_changes_at_exactly_100_and_200():
    paper = StepwiseHorizon(stages=(10, 20, 30), every=100)
    at = {update: horizon_at(paper, update, START) for update in (0, 99, 100, 101, 199, 200, 5000)}
    assert at == {0: 10, 99: 10, 100: 20, 101: 20, 199: 20, 200: 30, 5000: 30}


def test_fixed_never_changes():
    assert {horizon_at(FixedHorizon(turns=7), update, START) for update in range(300)} == {7}


def test_linear_by_hand():
    linear = LinearHorizon(start=4, end=10, over=3)
    assert [horizon_at(linear, update, START) for update in range(5)] == [4, 6, 8, 10, 10]


@given(st.integers(1, 30), st.integers(0, 30), st.integers(1, 50), st.integers(0, 100))
def test_linear_grows_and_stays_inside(start: int, more: int, over: int, update: int):
    linear = LinearHorizon(start=start, end=start + more, over=over)
    now, after = horizon_at(linear, update, START), horizon_at(linear, update + 1, START)
    assert start <= now <= after <= start + more
    assert horizon_at(linear, over, START) == start + more


def test_success_triggered_waits_for_a_full_window_above_the_threshold():
    schedule = SuccessHorizon(stages=(2, 4, 8), threshold=0.5, window=2)
    state, seen = START, []
    for success in (0.9, 0.0, 0.9, 0.9, 0.4, 0.6, 1.0, 1.0):
        seen.append(horizon_at(schedule, 0, state))
        state = advanced(schedule, state, success)
    # the window (0.9, 0.0) is below 0.5 on average; (0.0, 0.9) too; (0.9, 0.9) passes; then it starts empty
    assert seen == [2, 2, 2, 2, 4, 4, 8, 8]


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(0, 40))
def test_a_saved_state_resumes_the_same_schedule(successes: list[float], cut: int):
    schedule = SuccessHorizon(stages=(2, 4, 8), threshold=0.6, window=3)
    straight = resumed = START
    for number, success in enumerate(successes):
        straight = advanced(schedule, straight, success)
        resumed = advanced(schedule, resumed, success)
        if number == cut:
            resumed = HorizonState.from_json(resumed.to_json())
    assert straight == resumed


def test_schedules_that_do_not_adapt_keep_no_state():
    assert advanced(StepwiseHorizon(stages=(1, 2), every=3), START, 1.0) is START


@pytest.mark.parametrize(
    ("schedule", "updates", "warns"),
    [
        (StepwiseHorizon(stages=(10, 20, 30), every=100), 200, True),
        (StepwiseHorizon(stages=(10, 20, 30), every=100), 201, False),
        (LinearHorizon(start=1, end=9, over=50), 50, True),
        (LinearHorizon(start=1, end=9, over=50), 51, False),
        (SuccessHorizon(stages=(1, 2, 3), window=5), 10, True),
        (SuccessHorizon(stages=(1, 2, 3), window=5), 11, False),
        (FixedHorizon(turns=3), 1, False),
    ],
)
def test_it_warns_when_the_last_stage_cannot_be_reached(schedule, updates, warns):
    assert (unreachable_warning(schedule, updates) is not None) == warns


def test_a_damaged_state_is_refused():
    with pytest.raises(DataError, match="horizon state"):
        HorizonState.from_json({"stage": 1})
