"""The algorithms by name, and what each needs. Adding one is adding a function and a row here, or naming your own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from sojourn.algorithms.advantages.gae import gae, turn_gae
from sojourn.algorithms.advantages.gigpo import anchor_advantages
from sojourn.algorithms.advantages.groups import whitened
from sojourn.algorithms.advantages.grpo import grpo
from sojourn.algorithms.advantages.reinforce_plus_plus import reinforce_plus_plus, reinforce_plus_plus_baseline
from sojourn.algorithms.advantages.rloo import rloo
from sojourn.algorithms.episodes import Episodes, Estimate
from sojourn.algorithms.losses.table import find_loss
from sojourn.algorithms.masked import LossMean
from sojourn.config import AlgorithmConfig, TrainConfig
from sojourn.errors import ConfigError, unknown_name

Estimator = Callable[[Episodes, AlgorithmConfig], Estimate]


@dataclass(frozen=True, kw_only=True, slots=True)
class Algorithm:
    """One row of the table."""

    estimate: Estimator
    source: str
    """Where it was published."""
    loss: str = "ppo_clip"
    """Used where `algorithm.loss` names none; a row of the table of losses."""
    loss_mean: LossMean = "token"
    """Used where `algorithm.loss_mean` names none."""
    min_group_size: int = 1
    """Smallest `rollout.group_size` it can work with."""
    needs_critic: bool = False
    is_group_relative: bool = True
    """Whether a group whose returns are all equal has no gradient, so that it may be left out."""


def _group_relative(advantages: Callable[..., torch.Tensor], *, divides: bool) -> Estimator:
    """One advantage for all tokens of an episode, from its group; `divides` by its deviation where nothing is said."""

    def estimate(episodes: Episodes, config: AlgorithmConfig) -> Estimate:
        divide = divides if config.divide_by_std is None else config.divide_by_std
        advantage_R = advantages(episodes.penalised_return_R, episodes.group_R, divide_by_std=divide)
        return Estimate(advantage_N=advantage_R[episodes.row_N])

    return estimate


def _reinforce(episodes: Episodes, config: AlgorithmConfig) -> Estimate:
    """Return minus the mean over the update's episodes: the plainest baseline, none of the task's own."""
    return_R = episodes.penalised_return_R
    advantage_R = return_R - return_R.mean() if return_R.numel() > 1 else torch.zeros_like(return_R)
    return Estimate(advantage_N=advantage_R[episodes.row_N])


def _reinforce_plus_plus(episodes: Episodes, config: AlgorithmConfig) -> Estimate:
    return Estimate(advantage_N=reinforce_plus_plus(episodes.token_reward_N, episodes.row_N, gamma=config.gamma))


def _reinforce_plus_plus_baseline(episodes: Episodes, config: AlgorithmConfig) -> Estimate:
    return_R = episodes.penalised_return_R
    return Estimate(advantage_N=reinforce_plus_plus_baseline(return_R, episodes.group_R, episodes.row_N))


def _gigpo(episodes: Episodes, config: AlgorithmConfig) -> Estimate:
    divide = True if config.divide_by_std is None else config.divide_by_std
    episode_R = grpo(episodes.penalised_return_R, episodes.group_R, divide_by_std=divide)
    row_S = torch.repeat_interleave(torch.arange(episodes.num_turns_R.shape[0]), episodes.num_turns_R)
    turn_S = anchor_advantages(
        episodes.turn_reward_S, row_S, episodes.anchor_S, gamma=config.gamma, divide_by_std=divide
    )
    return Estimate(advantage_N=episode_R[episodes.row_N] + config.turn_weight * turn_S[episodes.place_N])


def _ppo(episodes: Episodes, config: AlgorithmConfig) -> Estimate:
    value_N, bootstrap_R = _values(episodes)
    advantage_N, target_N = gae(
        episodes.token_reward_N, value_N, episodes.row_N, bootstrap_R, gamma=config.gamma, lam=config.gae_lambda
    )
    return Estimate(advantage_N=whitened(advantage_N), target_N=target_N)


def _ppo_turn(episodes: Episodes, config: AlgorithmConfig) -> Estimate:
    value_N, bootstrap_R = _values(episodes)
    penalty_S = torch.zeros_like(episodes.turn_reward_S).index_add_(0, episodes.place_N, episodes.penalty_N)
    advantage_N, target_N = turn_gae(
        (episodes.credited_reward_S - penalty_S)[episodes.place_N],
        value_N,
        episodes.row_N,
        episodes.is_first_of_turn_N,
        bootstrap_R,
        gamma=config.gamma,
        lam=config.gae_lambda,
    )
    return Estimate(advantage_N=whitened(advantage_N), target_N=target_N)


def _values(episodes: Episodes) -> tuple[torch.Tensor, torch.Tensor]:
    if episodes.value_N is None or episodes.bootstrap_R is None:
        raise ConfigError("this algorithm needs a critic, and the engine was made without one")
    return episodes.value_N, episodes.bootstrap_R


_grpo = _group_relative(grpo, divides=True)

ALGORITHMS: Mapping[str, Algorithm] = {
    "grpo": Algorithm(estimate=_grpo, min_group_size=2, source="arXiv:2402.03300"),
    "dr_grpo": Algorithm(
        estimate=_group_relative(grpo, divides=False), min_group_size=2, loss_mean="constant", source="arXiv:2503.20783"
    ),
    "rloo": Algorithm(estimate=_group_relative(rloo, divides=False), min_group_size=2, source="arXiv:2402.14740"),
    "gspo": Algorithm(estimate=_grpo, min_group_size=2, loss="gspo", loss_mean="sequence", source="arXiv:2507.18071"),
    "cispo": Algorithm(estimate=_grpo, min_group_size=2, loss="cispo", source="arXiv:2506.13585"),
    "gigpo": Algorithm(estimate=_gigpo, min_group_size=2, source="arXiv:2505.10978"),
    "reinforce": Algorithm(
        estimate=_reinforce, loss="reinforce", is_group_relative=False, source="Williams 1992, with truncated weights"
    ),
    "reinforce_plus_plus": Algorithm(estimate=_reinforce_plus_plus, is_group_relative=False, source="arXiv:2501.03262"),
    "reinforce_plus_plus_baseline": Algorithm(
        estimate=_reinforce_plus_plus_baseline, min_group_size=2, is_group_relative=False, source="arXiv:2501.03262"
    ),
    "ppo": Algorithm(estimate=_ppo, needs_critic=True, is_group_relative=False, source="arXiv:1707.06347"),
    "ppo_turn": Algorithm(
        estimate=_ppo_turn, needs_critic=True, is_group_relative=False, source="arXiv:1506.02438, a step is a turn"
    ),
}


def find_algorithm(name: str) -> Algorithm:
    """The algorithm called `name`: a row of the table, or ``module:attribute`` of your own `Algorithm`.

    Raises `ConfigError` listing the known ones.
    """
    module_name, colon, attribute = name.partition(":")
    if not colon:
        if name not in ALGORITHMS:
            raise unknown_name("algorithm", name, ALGORITHMS)
        return ALGORITHMS[name]
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"algorithm.name = {name!r} cannot be imported: {error}") from error
    if not isinstance(found, Algorithm):
        raise ConfigError(f"algorithm.name = {name!r}: expected a sojourn.algorithms.table.Algorithm, got {found!r}")
    return found


def check_algorithm(config: TrainConfig) -> Algorithm:
    """The algorithm that `config` names; raises `ConfigError`, naming both keys, for a combination that cannot work."""
    chosen, algorithm = config.algorithm, find_algorithm(config.algorithm.name)
    find_loss(chosen.loss or algorithm.loss)
    if config.rollout.group_size < algorithm.min_group_size:
        raise ConfigError(
            f"algorithm.name = {chosen.name!r} needs rollout.group_size >= {algorithm.min_group_size} "
            f"(got {config.rollout.group_size})"
        )
    if chosen.horizon_cut == "bootstrap" and not algorithm.needs_critic:
        raise ConfigError(
            "algorithm.horizon_cut = 'bootstrap' needs an algorithm with a critic "
            f"(got algorithm.name = {chosen.name!r})"
        )
    return algorithm
