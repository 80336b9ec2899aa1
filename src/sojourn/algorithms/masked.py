"""Weights that turn a sum over trained tokens into a mean; the denominator is named, never implied.

Axes: R rows · N trained tokens, flat.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

LossMean = Literal["token", "sequence", "constant"]


def token_weights(row_N: Tensor, mean: LossMean, *, constant: int = 1) -> Tensor:
    """Weight of each trained token, so that ``(weight * x).sum()`` is the mean that `mean` names. [N] -> [N]

    ``token``: 1 / (number of trained tokens). ``sequence``: 1 / (number of rows with a trained token × number of
    trained tokens of the row), the mean over episodes of their token means. ``constant``: 1 / (number of rows with a
    trained token × `constant`), so that a token weighs the same in a long and in a short episode and in every update
    (Dr. GRPO, arXiv:2503.20783). No token: no weight.
    """
    if mean == "token":
        return torch.full(row_N.shape, 1.0 / max(row_N.numel(), 1))
    count_R = torch.bincount(row_N)
    num_rows = max(int((count_R > 0).sum()), 1)
    if mean == "constant":
        return torch.full(row_N.shape, 1.0 / (num_rows * constant))
    return 1.0 / (count_R[row_N].to(torch.float32) * num_rows)
