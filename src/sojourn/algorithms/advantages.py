"""Advantages: how much better an episode did than expected. Pure functions of tensors.

Axes: R rows (episodes). `group_R` holds the index of the task's group that a row belongs to.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sojourn.errors import ConfigError

EPSILON = 1e-6


def grpo(return_R: Tensor, group_R: Tensor, *, divide_by_std: bool = True) -> Tensor:
    """Group mean as baseline, optionally divided by the group's sample standard deviation (n - 1) plus 1e-6.

    GRPO, arXiv:2402.03300 section 4.1; without the division: Dr. GRPO, arXiv:2503.20783. A group of one gets 0, and so
    does a group whose returns are all equal. [R] -> [R]
    """
    _check(return_R, group_R)
    centred_R = return_R - _group_mean(return_R, group_R)
    if not divide_by_std:
        return centred_R
    return centred_R / (_group_std(centred_R, group_R) + EPSILON)


def rloo(return_R: Tensor, group_R: Tensor, *, divide_by_std: bool = False) -> Tensor:
    """Mean of the *other* members as baseline (leave-one-out), equal to n/(n-1) times the centred return.

    RLOO, arXiv:2402.14740 equation 2 (no division by the standard deviation there). A group of one gets 0.
    [R] -> [R]
    """
    _check(return_R, group_R)
    size_R = _group_size(group_R)
    centred_R = return_R - _group_mean(return_R, group_R)
    advantage_R = centred_R * size_R / (size_R - 1).clamp(min=1)
    if not divide_by_std:
        return advantage_R
    return advantage_R / (_group_std(centred_R, group_R) + EPSILON)


def _check(return_R: Tensor, group_R: Tensor) -> None:
    if return_R.ndim != 1 or return_R.shape != group_R.shape:
        raise ConfigError(f"expected returns and groups of one shape [R], got {return_R.shape} and {group_R.shape}")


def _group_sum(value_R: Tensor, group_R: Tensor) -> Tensor:
    """Sum over the group of each row. [R] -> [R]"""
    num_groups = int(group_R.max()) + 1 if group_R.numel() else 0
    total_G = torch.zeros(num_groups, dtype=value_R.dtype).index_add_(0, group_R, value_R)
    return total_G[group_R]


def _group_size(group_R: Tensor) -> Tensor:
    return _group_sum(torch.ones(group_R.shape[0]), group_R)


def _group_mean(value_R: Tensor, group_R: Tensor) -> Tensor:
    return _group_sum(value_R, group_R) / _group_size(group_R)


def _group_std(centred_R: Tensor, group_R: Tensor) -> Tensor:
    """Sample standard deviation of each row's group; 0 for a group of one."""
    degrees_R = (_group_size(group_R) - 1).clamp(min=1)
    return (_group_sum(centred_R.square(), group_R) / degrees_R).sqrt()
