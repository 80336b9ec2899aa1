"""Intervals against hand values, a second implementation, and their own promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.evaluate.intervals import Z_95, bootstrap_over_tasks, wilson

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def test_hand_values() -> None:
    half = wilson(50, 100)
    assert (half.low, half.high) == pytest.approx((0.4038315, 0.5961685), abs=1e-6)
    none = wilson(0, 10)
    assert (none.low, none.high) == pytest.approx((0.0, 0.2775328), abs=1e-6)
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


@given(counts)
def test_the_ends_solve_the_score_equation(count: tuple[int, int]) -> None:
    successes, n = count
    interval = wilson(successes, n)
    for end in (interval.low, interval.high):
        if 0 < end < 1:
            assert abs(successes / n - end) == pytest.approx(Z_95 * (end * (1 - end) / n) ** 0.5, abs=1e-6)


@given(counts)
def test_it_holds_the_rate_and_is_symmetric(count: tuple[int, int]) -> None:
    successes, n = count
    interval, mirror = wilson(successes, n), wilson(n - successes, n)
    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    assert interval.low == pytest.approx(1 - mirror.high, abs=1e-9)


def test_impossible_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="got 3 of 2"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="one count per task"):
        bootstrap_over_tasks([1], [1, 1], seed=0)


def test_the_bootstrap_is_seeded() -> None:
    draws = [bootstrap_over_tasks([0, 1, 2, 3], [3, 3, 3, 3], seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]


def test_whole_tasks_are_drawn_so_repeats_of_alike_episodes_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(0)
    solved = (rng.random(50) < 0.5).astype(int)
    once = wilson(int(solved.sum()), 50)
    often = bootstrap_over_tasks([int(8 * s) for s in solved], [8] * 50, seed=0)
    assert often.high - often.low == pytest.approx(once.high - once.low, rel=0.15)
    naive = wilson(int(8 * solved.sum()), 400)
    assert often.high - often.low > 2 * (naive.high - naive.low)


def test_tasks_without_an_episode_do_not_count() -> None:
    assert bootstrap_over_tasks([1, 0, 0], [2, 2, 0], seed=3) == bootstrap_over_tasks([1, 0], [2, 2], seed=3)


@pytest.mark.parametrize(
    ("successes", "expected"), [([0, 0], wilson(0, 2)), ([4, 4], wilson(2, 2)), ([], wilson(0, 0))]
)
def test_where_all_tasks_agree_wilson_over_tasks_stands_in(successes: list[int], expected: object) -> None:
    assert bootstrap_over_tasks(successes, [4] * len(successes), seed=0) == expected
