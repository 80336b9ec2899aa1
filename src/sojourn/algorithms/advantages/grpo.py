"""GRPO: the group's mean as baseline. Axis: R rows (episodes)."""

from __future__ import annotations

from torch import Tensor

from sojourn.algorithms.advantages.groups import EPSILON, check_shapes, group_centred, group_std


def grpo(return_R: Tensor, group_R: Tensor, *, divide_by_std: bool = True) -> Tensor:
    """Group mean as baseline, optionally divided by the group's sample standard deviation (n - 1) plus 1e-6.

    GRPO, arXiv:2402.03300 section 4.1; without the division: Dr. GRPO, arXiv:2503.20783. A group of one gets 0, and so
    does a group whose returns are all equal. [R] -> [R]
    """
    check_shapes(return_R, group_R)
    centred_R = group_centred(return_R, group_R)
    if not divide_by_std:
        return centred_R
    return centred_R / (group_std(centred_R, group_R) + EPSILON)
