"""The algorithms by name, and what each needs. Adding one is adding a function and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from sojourn.algorithms import advantages
from sojourn.errors import unknown_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Episodes:
    """What an advantage estimator sees: all episodes of an update, turn by turn.

    Axes: R rows · N trained tokens, flat · S turns of all rows, flat.
    """

    return_R: Tensor
    group_R: Tensor
    row_N: Tensor
    """Row of each trained token."""
    turn_N: Tensor
    """Turn, within its row, of each trained token."""
    turn_reward_S: Tensor
    num_turns_R: Tensor


Advantages = Callable[[Episodes, bool | None], Tensor]
"""(episodes, divide by the group's standard deviation or None for the paper's way) -> advantage of each token [N]"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Algorithm:
    """One row of the table."""

    advantages: Advantages
    min_group_size: int
    source: str
    """Where it was published."""


def _grpo(episodes: Episodes, divide_by_std: bool | None) -> Tensor:
    divide = True if divide_by_std is None else divide_by_std
    return advantages.grpo(episodes.return_R, episodes.group_R, divide_by_std=divide)[episodes.row_N]


def _rloo(episodes: Episodes, divide_by_std: bool | None) -> Tensor:
    return advantages.rloo(episodes.return_R, episodes.group_R, divide_by_std=bool(divide_by_std))[episodes.row_N]


ALGORITHMS: Mapping[str, Algorithm] = {
    "grpo": Algorithm(advantages=_grpo, min_group_size=2, source="arXiv:2402.03300"),
    "rloo": Algorithm(advantages=_rloo, min_group_size=2, source="arXiv:2402.14740"),
}


def find_algorithm(name: str) -> Algorithm:
    """The algorithm called `name`; raises `ConfigError` listing the known ones."""
    if name not in ALGORITHMS:
        raise unknown_name("algorithm", name, ALGORITHMS)
    return ALGORITHMS[name]
