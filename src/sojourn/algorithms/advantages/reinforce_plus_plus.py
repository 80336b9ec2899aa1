"""REINFORCE++: returns to go without a critic, normalised over the whole batch of tokens."""

from __future__ import annotations

import torch
from torch import Tensor

from sojourn.algorithms.advantages.gae import padded
from sojourn.algorithms.advantages.groups import group_centred, group_size, whitened


def returns_to_go(reward_N: Tensor, row_N: Tensor, *, gamma: float) -> Tensor:
    """Discounted sum of each token's reward and those after it in its row; one step is one trained token. [N] -> [N]"""
    if reward_N.numel() == 0:
        return reward_N.clone()
    layout = padded(row_N)
    reward_RL = layout.spread(reward_N)
    running_R = torch.zeros(reward_RL.shape[0], dtype=reward_N.dtype)
    columns = []
    for step in range(reward_RL.shape[1] - 1, -1, -1):
        running_R = reward_RL[:, step] + gamma * running_R
        columns.append(running_R)
    return layout.gather(torch.stack(columns[::-1], dim=1))


def reinforce_plus_plus(reward_N: Tensor, row_N: Tensor, *, gamma: float = 1.0) -> Tensor:
    """Returns to go, minus their mean over all trained tokens, divided by their standard deviation.

    REINFORCE++, arXiv:2501.03262 equations 5 to 7 (the KL to the reference is a penalty on each token's reward).
    Every token with the same return to go gets 0. [N] -> [N]
    """
    return whitened(returns_to_go(reward_N, row_N, gamma=gamma))


def reinforce_plus_plus_baseline(return_R: Tensor, group_R: Tensor, row_N: Tensor) -> Tensor:
    """Return minus the group's mean, then normalised over all trained tokens of groups with more than one member.

    REINFORCE++-baseline, arXiv:2501.03262 section 3.3. A group of one, having no baseline, gets 0. [R] -> [N]
    """
    centred_N = group_centred(return_R, group_R)[row_N]
    has_others_N = (group_size(group_R) > 1)[row_N]
    advantage_N = torch.zeros_like(centred_N)
    advantage_N[has_others_N] = whitened(centred_N[has_others_N])
    return advantage_N
