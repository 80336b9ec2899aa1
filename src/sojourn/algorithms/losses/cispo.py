"""CISPO: the importance weight is clipped, the token never loses its gradient. Axis: N trained tokens, flat."""

from __future__ import annotations

from torch import Tensor


def cispo(logprob_N: Tensor, old_logprob_N: Tensor, advantage_N: Tensor, *, low: float, high: float) -> Tensor:
    """-stop(clip(ρ, 1 - low, 1 + high)) A logprob, with ρ = exp(logprob - old_logprob).

    CISPO, arXiv:2506.13585 equations 4 and 5 (which leave the lower bound away: low = 1). At ρ = 1 it is REINFORCE.
    [N] -> [N]
    """
    weight_N = (logprob_N.detach() - old_logprob_N).exp().clamp(1.0 - low, 1.0 + high)
    return -weight_N * advantage_N * logprob_N


def is_weight_clipped(logprob_N: Tensor, old_logprob_N: Tensor, *, low: float, high: float) -> Tensor:
    """True where `cispo` uses a bound instead of the ratio. [N]"""
    ratio_N = (logprob_N.detach() - old_logprob_N).exp()
    return (ratio_N < 1.0 - low) | (ratio_N > 1.0 + high)
