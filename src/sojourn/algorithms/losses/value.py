"""The critic's loss. Axis: N trained tokens, flat."""

from __future__ import annotations

import torch
from torch import Tensor


def value_loss(value_N: Tensor, old_value_N: Tensor, target_N: Tensor, *, clip: float | None) -> Tensor:
    """Half the squared error; with `clip`, the larger of it and that of the value kept within `clip` of the old one.

    As in PPO's implementations (arXiv:2005.12729 section 3). [N] -> [N]
    """
    error_N = (value_N - target_N).square()
    if clip is not None:
        near_N = old_value_N + (value_N - old_value_N).clamp(-clip, clip)
        error_N = torch.maximum(error_N, (near_N - target_N).square())
    return 0.5 * error_N


def explained_variance(value_N: Tensor, target_N: Tensor) -> float:
    """1 - Var(target - value) / Var(target): 1 is perfect, 0 is no better than a constant; 0 if no target varies."""
    if target_N.numel() < 2 or float(target_N.var()) < 1e-12:
        return 0.0
    return 1.0 - float((target_N - value_N).var() / target_N.var())
