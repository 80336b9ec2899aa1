"""Generalised advantage estimation, by token and by turn.

Axes: R rows · L longest row in steps, padded on the right · N steps of all rows, flat.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """Where flat entries are in a padded matrix."""

    line_N: Tensor
    """Index, among the rows that have an entry, of each entry's row."""
    step_N: Tensor
    """Position of each entry within its row."""
    row_R: Tensor
    """Number of each line's row."""

    def spread(self, value_N: Tensor) -> Tensor:
        """[N] -> [R, L], zeros where a row has ended."""
        shape = (int(self.row_R.shape[0]), int(self.step_N.max()) + 1)
        matrix_RL = torch.zeros(shape, dtype=value_N.dtype)
        matrix_RL[self.line_N, self.step_N] = value_N
        return matrix_RL

    def gather(self, value_RL: Tensor) -> Tensor:
        """[R, L] -> [N]"""
        return value_RL[self.line_N, self.step_N]


def padded(row_N: Tensor) -> Layout:
    """The layout of entries in row order, given the row of each; there must be one entry at least."""
    row_R, line_N, count_R = torch.unique_consecutive(row_N, return_inverse=True, return_counts=True)
    start_R = torch.cumsum(count_R, 0) - count_R
    return Layout(line_N=line_N, step_N=torch.arange(row_N.shape[0]) - start_R[line_N], row_R=row_R)


def gae(
    reward_N: Tensor, value_N: Tensor, row_N: Tensor, bootstrap_R: Tensor, *, gamma: float, lam: float
) -> tuple[Tensor, Tensor]:
    """Advantage and target (advantage + value) of each step of each row. [N] -> [N], [N]

    delta_t = r_t + gamma V_{t+1} - V_t, A_t = delta_t + gamma lam A_{t+1} (arXiv:1506.02438 equation 16). V after a
    row's last step is `bootstrap_R` of its row: 0 where the episode had ended, the critic's value where it was cut and
    the cut is to be bootstrapped. lam = 1 gives return to go minus value; lam = 0 the one-step error.
    """
    if reward_N.numel() == 0:
        return reward_N.clone(), reward_N.clone()
    layout = padded(row_N)
    reward_RL, value_RL = layout.spread(reward_N), layout.spread(value_N)
    is_real_RL = layout.spread(torch.ones_like(reward_N)).bool()
    next_value_R = bootstrap_R[layout.row_R].to(value_N.dtype)
    advantage_R = torch.zeros_like(next_value_R)
    columns = []
    for step in range(reward_RL.shape[1] - 1, -1, -1):
        is_real_R = is_real_RL[:, step]
        delta_R = reward_RL[:, step] + gamma * next_value_R - value_RL[:, step]
        advantage_R = torch.where(is_real_R, delta_R + gamma * lam * advantage_R, advantage_R)
        next_value_R = torch.where(is_real_R, value_RL[:, step], next_value_R)
        columns.append(advantage_R)
    advantage_N = layout.gather(torch.stack(columns[::-1], dim=1))
    return advantage_N, advantage_N + value_N


def turn_gae(
    turn_reward_N: Tensor,
    value_N: Tensor,
    row_N: Tensor,
    is_first_of_turn_N: Tensor,
    bootstrap_R: Tensor,
    *,
    gamma: float,
    lam: float,
) -> tuple[Tensor, Tensor]:
    """GAE in which one step is one turn: all tokens of a turn share its advantage and its target. [N] -> [N], [N]

    `turn_reward_N` holds each token's whole turn's reward; the value of a turn is that of its first trained token.
    Discounting by turn does not depend on how many tokens an action takes (as in arXiv:2402.19446's high level).
    """
    if value_N.numel() == 0:
        return value_N.clone(), value_N.clone()
    turn_index_N = torch.cumsum(is_first_of_turn_N.long(), 0) - 1
    first_K = is_first_of_turn_N.nonzero()[:, 0]
    advantage_K, target_K = gae(
        turn_reward_N[first_K], value_N[first_K], row_N[first_K], bootstrap_R, gamma=gamma, lam=lam
    )
    return advantage_K[turn_index_N], target_K[turn_index_N]
