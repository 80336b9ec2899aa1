"""GiGPO: a second, turn-level baseline from turns of one group that were taken in the same state.

Axes: R rows · S turns of all rows, flat.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sojourn.algorithms.advantages.groups import EPSILON, group_centred, group_std
from sojourn.algorithms.advantages.reinforce_plus_plus import returns_to_go


def anchor_advantages(
    turn_reward_S: Tensor, row_S: Tensor, anchor_S: Tensor, *, gamma: float, divide_by_std: bool
) -> Tensor:
    """Discounted return to go of each turn against the other turns taken in the same state. [S] -> [S]

    GiGPO, arXiv:2505.10978 equations 6 to 8: the turns of a group that share an anchor state are compared among
    themselves. A state seen once gets 0; if no state repeats, all do, and GiGPO is GRPO. `anchor_S` must differ
    between groups.
    """
    if turn_reward_S.numel() == 0:
        return turn_reward_S.clone()
    to_go_S = returns_to_go(turn_reward_S, row_S, gamma=gamma)
    index_S = torch.unique(anchor_S, return_inverse=True)[1]
    centred_S = group_centred(to_go_S, index_S)
    if not divide_by_std:
        return centred_S
    return centred_S / (group_std(centred_S, index_S) + EPSILON)
