"""Sums, means and deviations over groups.

Axes: X entries (rows, turns or tokens), each of the group with its index.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sojourn.errors import ConfigError

EPSILON = 1e-6


def check_shapes(value_X: Tensor, group_X: Tensor) -> None:
    """Raise `ConfigError` unless both are of one shape [X]."""
    if value_X.ndim != 1 or value_X.shape != group_X.shape:
        raise ConfigError(f"expected values and groups of one shape [X], got {value_X.shape} and {group_X.shape}")


def group_sum(value_X: Tensor, group_X: Tensor) -> Tensor:
    """Sum over the group of each entry. [X] -> [X]"""
    num_groups = int(group_X.max()) + 1 if group_X.numel() else 0
    total_G = torch.zeros(num_groups, dtype=value_X.dtype).index_add_(0, group_X, value_X)
    return total_G[group_X]


def group_size(group_X: Tensor) -> Tensor:
    """Number of entries in the group of each entry. [X] -> [X]"""
    return group_sum(torch.ones(group_X.shape[0]), group_X)


def group_mean(value_X: Tensor, group_X: Tensor) -> Tensor:
    """Mean over the group of each entry. [X] -> [X]"""
    return group_sum(value_X, group_X) / group_size(group_X)


def group_centred(value_X: Tensor, group_X: Tensor) -> Tensor:
    """Each entry minus its group's mean, 0 to the last bit where the group's entries are all equal. [X] -> [X]"""
    num_groups = int(group_X.max()) + 1 if group_X.numel() else 0
    least_G = torch.zeros(num_groups, dtype=value_X.dtype).scatter_reduce_(
        0, group_X, value_X, "amin", include_self=False
    )
    # The mean of equal floats need not be that float, and divided by a deviation of the same size the error counts.
    above_X = value_X - least_G[group_X]
    return above_X - group_mean(above_X, group_X)


def group_std(centred_X: Tensor, group_X: Tensor) -> Tensor:
    """Sample standard deviation (n - 1) of each entry's group, given entries minus its mean; 0 for a group of one."""
    degrees_X = (group_size(group_X) - 1).clamp(min=1)
    return (group_sum(centred_X.square(), group_X) / degrees_X).sqrt()


def whitened(value_N: Tensor) -> Tensor:
    """(value - mean) / (sample standard deviation + 1e-6) over all entries; zeros if all are equal or there is one."""
    if value_N.numel() < 2:
        return torch.zeros_like(value_N)
    above_N = value_N - value_N.min()  # as in `group_centred`: all zeros if all are equal
    return (above_N - above_N.mean()) / (above_N.std() + EPSILON)
