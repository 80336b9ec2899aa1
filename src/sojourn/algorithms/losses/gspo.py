"""GSPO: one ratio per episode. Axes: N trained tokens, flat, in row order · R rows."""

from __future__ import annotations

import torch
from torch import Tensor


def sequence_ratio(logprob_N: Tensor, old_logprob_N: Tensor, row_N: Tensor) -> Tensor:
    """exp of the mean of (logprob - old_logprob) over each token's row; the gradient is spread over the row. [N]"""
    num_rows = int(row_N.max()) + 1 if row_N.numel() else 0
    count_R = torch.bincount(row_N, minlength=num_rows).clamp(min=1).to(logprob_N.dtype)
    difference_N = logprob_N - old_logprob_N
    total_R = torch.zeros(num_rows, dtype=logprob_N.dtype, device=logprob_N.device).index_add(0, row_N, difference_N)
    return (total_R / count_R).exp()[row_N]


def gspo(
    logprob_N: Tensor, old_logprob_N: Tensor, advantage_N: Tensor, row_N: Tensor, *, low: float, high: float
) -> Tensor:
    """-min(sA, clip(s, 1 - low, 1 + high) A), with s the geometric mean of the row's token ratios.

    GSPO-token, arXiv:2507.18071 equations 14 and 15: s is that of the sequence, its gradient reaches each token through
    that token alone, so that advantages may differ by token; with one advantage per row and the mean over rows of token
    means it is GSPO (equation 5). A row of one token gives `ppo_clip`. [N] -> [N]
    """
    ratio_N = sequence_ratio(logprob_N.detach(), old_logprob_N, row_N) * (logprob_N - logprob_N.detach()).exp()
    clipped_N = ratio_N.clamp(1.0 - low, 1.0 + high)
    return -torch.minimum(ratio_N * advantage_N, clipped_N * advantage_N)
