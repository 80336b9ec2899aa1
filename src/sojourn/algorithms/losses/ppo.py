"""PPO's clipped loss, with separate bounds and the dual clip. Axis: N trained tokens, flat."""

from __future__ import annotations

import torch
from torch import Tensor


def ppo_clip(
    logprob_N: Tensor,
    old_logprob_N: Tensor,
    advantage_N: Tensor,
    *,
    low: float,
    high: float,
    dual: float | None = None,
) -> Tensor:
    """-min(ρA, clip(ρ, 1 - low, 1 + high) A) with ρ = exp(logprob - old_logprob).

    PPO, arXiv:1707.06347 equation 7; separate bounds: DAPO, arXiv:2503.14476 equation 10. With `dual` = c > 1 the
    objective of a negative advantage is not less than cA (arXiv:1912.09729 equation 5): without it a token made much
    likelier has an unbounded loss. At ρ = 1 the gradient is that of REINFORCE. [N] -> [N]
    """
    ratio_N = (logprob_N - old_logprob_N).exp()
    clipped_N = ratio_N.clamp(1.0 - low, 1.0 + high)
    objective_N = torch.minimum(ratio_N * advantage_N, clipped_N * advantage_N)
    if dual is not None:
        objective_N = torch.where(advantage_N < 0, torch.maximum(objective_N, dual * advantage_N), objective_N)
    return -objective_N


def is_clipped(
    logprob_N: Tensor,
    old_logprob_N: Tensor,
    advantage_N: Tensor,
    *,
    low: float,
    high: float,
    dual: float | None = None,
) -> Tensor:
    """True where `ppo_clip` has no gradient because its ratio left the bounds on the side it was pushed to. [N]"""
    ratio_N = (logprob_N - old_logprob_N).exp()
    is_out_N = ((advantage_N > 0) & (ratio_N > 1.0 + high)) | ((advantage_N < 0) & (ratio_N < 1.0 - low))
    if dual is not None:
        is_out_N |= (advantage_N < 0) & (ratio_N > dual)
    return is_out_N
