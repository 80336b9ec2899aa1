"""What an advantage estimator sees, and what it answers.

Axes: R rows (episodes) · N trained tokens, flat, in row order · S turns of all rows, flat, in row order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Episodes:
    """All episodes of an update, turn by turn and token by token; failed ones are not among them."""

    return_R: Tensor
    """Sum of the step rewards."""
    group_R: Tensor
    """Index of the task's group."""
    horizon_R: Tensor
    """Turn limit that was in force."""
    is_cut_R: Tensor
    """True where the horizon, the token budget or the context ended the episode while the task was open."""
    num_turns_R: Tensor
    turn_reward_S: Tensor
    """Reward of each turn's step."""
    anchor_S: Tensor
    """Index of the state the turn was taken in: equal for turns of one group that saw the same observation."""
    row_N: Tensor
    """Row of each trained token."""
    turn_N: Tensor
    """Turn, within its row, of each trained token."""
    version_N: Tensor
    """Policy version that sampled each trained token."""
    penalty_N: Tensor
    """Subtracted from the reward of each trained token (the KL, where it is in the reward); zeros otherwise."""
    value_N: Tensor | None = None
    """The critic's value of the state before each trained token; None without a critic."""
    bootstrap_R: Tensor | None = None
    """The critic's value of the state an episode was cut in, 0 where it had ended; None without a critic."""

    @cached_property
    def first_turn_R(self) -> Tensor:
        """Position in S of each row's first turn."""
        return torch.cumsum(self.num_turns_R, 0) - self.num_turns_R

    @cached_property
    def place_N(self) -> Tensor:
        """Position in S of each trained token's turn."""
        return self.first_turn_R[self.row_N] + self.turn_N

    @cached_property
    def penalised_return_R(self) -> Tensor:
        """Return of each row minus its tokens' penalties."""
        return self.return_R.index_add(0, self.row_N, -self.penalty_N)

    @cached_property
    def credited_reward_S(self) -> Tensor:
        """Reward of each turn, such that every reward belongs to a turn with a trained token, if its row has one.

        The reward of a turn in which nothing was a choice goes to the latest turn before it that had one, else to the
        first after it. Without this a reward could fall where no token is trained.
        """
        num_turns = int(self.turn_reward_S.shape[0])
        has_token = torch.zeros(num_turns, dtype=torch.bool)
        has_token[self.place_N] = True
        if bool(has_token.all()):
            return self.turn_reward_S
        row_S = torch.repeat_interleave(torch.arange(self.num_turns_R.shape[0]), self.num_turns_R)
        position_S = torch.arange(num_turns)
        before_S = torch.cummax(torch.where(has_token, position_S, -1), 0).values
        last = num_turns
        after_S = torch.where(has_token, position_S, last).flip(0).cummin(0).values.flip(0)
        is_before = (before_S >= 0) & (row_S[before_S.clamp(min=0)] == row_S)
        after_S = after_S.clamp(max=num_turns - 1)
        is_after = has_token[after_S] & (row_S[after_S] == row_S)
        target_S = torch.where(is_before, before_S, torch.where(is_after, after_S, position_S))
        return torch.zeros_like(self.turn_reward_S).index_add_(0, target_S, self.turn_reward_S)

    @cached_property
    def is_last_of_turn_N(self) -> Tensor:
        """True at the last trained token of each turn."""
        place_N = self.place_N
        is_last_N = torch.ones(place_N.shape, dtype=torch.bool)
        is_last_N[:-1] = place_N[1:] != place_N[:-1]
        return is_last_N

    @cached_property
    def is_first_of_turn_N(self) -> Tensor:
        """True at the first trained token of each turn."""
        place_N = self.place_N
        is_first_N = torch.ones(place_N.shape, dtype=torch.bool)
        is_first_N[1:] = place_N[1:] != place_N[:-1]
        return is_first_N

    @cached_property
    def token_reward_N(self) -> Tensor:
        """Each turn's reward at its last trained token, minus every token's penalty."""
        reward_N = self.credited_reward_S[self.place_N] * self.is_last_of_turn_N
        return reward_N - self.penalty_N


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What an estimator answers."""

    advantage_N: Tensor
    """How much better each trained token did than expected."""
    target_N: Tensor | None = None
    """What the critic's value of each trained token should have been; None where no critic is used."""
