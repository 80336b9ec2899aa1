"""Losses per trained token. Pure functions of tensors; means and denominators are the caller's.

Axes: N trained tokens, flat.
"""

from __future__ import annotations

import torch
from torch import Tensor


def ppo_clip(logprob_N: Tensor, old_logprob_N: Tensor, advantage_N: Tensor, *, low: float, high: float) -> Tensor:
    """-min(ρA, clip(ρ, 1 - low, 1 + high) A) with ρ = exp(logprob - old_logprob).

    PPO, arXiv:1707.06347 equation 7; separate bounds: DAPO, arXiv:2503.14476 equation 10. At ρ = 1 its gradient is
    that of REINFORCE. [N] -> [N]
    """
    ratio_N = (logprob_N - old_logprob_N).exp()
    clipped_N = ratio_N.clamp(1.0 - low, 1.0 + high)
    return -torch.minimum(ratio_N * advantage_N, clipped_N * advantage_N)


def is_clipped(logprob_N: Tensor, old_logprob_N: Tensor, advantage_N: Tensor, *, low: float, high: float) -> Tensor:
    """True where `ppo_clip` has no gradient because its ratio left the bounds on the side it was pushed to. [N]"""
    ratio_N = (logprob_N - old_logprob_N).exp()
    return ((advantage_N > 0) & (ratio_N > 1.0 + high)) | ((advantage_N < 0) & (ratio_N < 1.0 - low))


def kl_k3(logprob_N: Tensor, reference_logprob_N: Tensor) -> Tensor:
    """exp(d) - 1 - d with d = reference - policy: the estimate k3 of KL(policy || reference), never negative.

    J. Schulman, "Approximating KL divergence" (2020); unbiased for tokens drawn from the policy. [N] -> [N]
    """
    difference_N = reference_logprob_N - logprob_N
    return difference_N.exp() - 1.0 - difference_N
