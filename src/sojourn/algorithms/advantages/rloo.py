"""RLOO: the mean of the others as baseline. Axis: R rows (episodes)."""

from __future__ import annotations

from torch import Tensor

from sojourn.algorithms.advantages.groups import EPSILON, check_shapes, group_centred, group_size, group_std


def rloo(return_R: Tensor, group_R: Tensor, *, divide_by_std: bool = False) -> Tensor:
    """Mean of the *other* members as baseline (leave-one-out), equal to n/(n-1) times the centred return.

    RLOO, arXiv:2402.14740 equation 2 (no division by the standard deviation there). A group of one gets 0.
    [R] -> [R]
    """
    check_shapes(return_R, group_R)
    size_R = group_size(group_R)
    centred_R = group_centred(return_R, group_R)
    advantage_R = centred_R * size_R / (size_R - 1).clamp(min=1)
    if not divide_by_std:
        return advantage_R
    return advantage_R / (group_std(centred_R, group_R) + EPSILON)
