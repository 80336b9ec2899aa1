"""Estimates of KL(policy || reference) from tokens the policy drew, and the coefficient that aims at one.

Axis: N trained tokens, flat. J. Schulman, "Approximating KL divergence" (2020).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor


def k1(logprob_N: Tensor, reference_logprob_N: Tensor) -> Tensor:
    """logprob - reference: unbiased, of either sign. Its gradient *in a loss* has mean 0: for the reward. [N] -> [N]"""
    return logprob_N - reference_logprob_N


def k2(logprob_N: Tensor, reference_logprob_N: Tensor) -> Tensor:
    """Half the squared difference: biased, never negative; its gradient in a loss is that of the KL. [N] -> [N]"""
    return 0.5 * (logprob_N - reference_logprob_N).square()


def k3(logprob_N: Tensor, reference_logprob_N: Tensor) -> Tensor:
    """exp(d) - 1 - d with d = reference - policy: unbiased, never negative. [N] -> [N]"""
    difference_N = reference_logprob_N - logprob_N
    return difference_N.exp() - 1.0 - difference_N


ESTIMATES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"k1": k1, "k2": k2, "k3": k3}


def adapted(coef: float, kl: float, *, target: float, updates: int) -> float:
    """The coefficient for the next update: up when `kl` was above `target`, down when below, by 20 % / `updates`.

    coef · (1 + clip(kl / target - 1, -0.2, 0.2) / updates), arXiv:1909.08593 section 2.2 with its horizon counted in
    updates.
    """
    error = min(max(kl / target - 1.0, -0.2), 0.2)
    return coef * (1.0 + error / updates)
