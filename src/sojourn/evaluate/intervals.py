"""95 % intervals of a success rate.

Axes: K tasks · R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sojourn.record.evaluation import Interval

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""
_NUM_RESAMPLES = 4_000


def wilson(num_successes: int, num_trials: int) -> Interval:
    """Wilson's score interval (Wilson 1927) for independent trials; unlike the normal one it is right near 0 and 1.

    No trial tells nothing: [0, 1].
    """
    if not 0 <= num_successes <= num_trials:
        raise ValueError(f"expected 0 <= successes <= trials, got {num_successes} of {num_trials}")
    if num_trials == 0:
        return Interval(low=0.0, high=1.0)
    rate = num_successes / num_trials
    weight = Z_95**2 / num_trials
    centre = (rate + weight / 2) / (1 + weight)
    half = Z_95 * math.sqrt(rate * (1 - rate) / num_trials + weight / (4 * num_trials)) / (1 + weight)
    # rounding must not push the interval past its own point estimate or out of [0, 1]
    return Interval(low=max(0.0, min(centre - half, rate)), high=min(1.0, max(centre + half, rate)))


def bootstrap_over_tasks(successes_K: Sequence[int], episodes_K: Sequence[int], seed: int) -> Interval:
    """Percentile bootstrap of sum(successes) / sum(episodes) that draws whole tasks.

    Episodes of one task are alike, so they are not independent trials; tasks are. Where every resample is the same
    (all rates 0, or all 1) the bootstrap has nothing to say and Wilson's interval over the tasks stands in for it.
    """
    if len(successes_K) != len(episodes_K):
        raise ValueError(f"expected one count per task, got {len(successes_K)} and {len(episodes_K)}")
    kept = [(s, n) for s, n in zip(successes_K, episodes_K, strict=True) if n > 0]
    num_tasks = len(kept)
    successes, episodes = (np.array([pair[k] for pair in kept], dtype=np.float64) for k in (0, 1))
    if num_tasks == 0 or successes.sum() in (0, episodes.sum()):
        return wilson(0 if successes.sum() == 0 else num_tasks, num_tasks)
    counts_RK = np.random.default_rng(seed).multinomial(num_tasks, [1 / num_tasks] * num_tasks, size=_NUM_RESAMPLES)
    rate_R = (counts_RK @ successes) / (counts_RK @ episodes)
    low, high = np.quantile(rate_R, [0.025, 0.975])
    return Interval(low=float(low), high=float(high))
