"""The policy losses by name, with one signature. Axes: N trained tokens, flat, in row order · R rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from sojourn.algorithms.losses.cispo import cispo, is_weight_clipped
from sojourn.algorithms.losses.gspo import gspo, sequence_ratio
from sojourn.algorithms.losses.ppo import is_clipped, ppo_clip
from sojourn.algorithms.losses.reinforce import reinforce
from sojourn.config import AlgorithmConfig
from sojourn.errors import unknown_name


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """The trained tokens that a loss is taken over."""

    logprob_N: Tensor
    """Carries the gradient."""
    old_logprob_N: Tensor
    advantage_N: Tensor
    row_N: Tensor
    """Index of each token's row; rows are whole."""


LossFn = Callable[[Tokens, float, float, AlgorithmConfig], tuple[Tensor, Tensor]]
"""(tokens, low, high, configuration) -> loss [N], and True where a bound or the cap was in force [N]"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loss:
    """One row of the table."""

    compute: LossFn
    clip_low: float
    """Used where `algorithm.clip_low` names none."""
    clip_high: float


def _ppo_clip(tokens: Tokens, low: float, high: float, config: AlgorithmConfig) -> tuple[Tensor, Tensor]:
    given = (tokens.logprob_N, tokens.old_logprob_N, tokens.advantage_N)
    loss_N = ppo_clip(*given, low=low, high=high, dual=config.dual_clip)
    return loss_N, is_clipped(*given, low=low, high=high, dual=config.dual_clip)


def _gspo(tokens: Tokens, low: float, high: float, config: AlgorithmConfig) -> tuple[Tensor, Tensor]:
    loss_N = gspo(tokens.logprob_N, tokens.old_logprob_N, tokens.advantage_N, tokens.row_N, low=low, high=high)
    log_ratio_N = sequence_ratio(tokens.logprob_N.detach(), tokens.old_logprob_N, tokens.row_N).log()
    return loss_N, is_clipped(log_ratio_N, log_ratio_N * 0, tokens.advantage_N, low=low, high=high)


def _cispo(tokens: Tokens, low: float, high: float, config: AlgorithmConfig) -> tuple[Tensor, Tensor]:
    loss_N = cispo(tokens.logprob_N, tokens.old_logprob_N, tokens.advantage_N, low=low, high=high)
    return loss_N, is_weight_clipped(tokens.logprob_N, tokens.old_logprob_N, low=low, high=high)


def _reinforce(tokens: Tokens, low: float, high: float, config: AlgorithmConfig) -> tuple[Tensor, Tensor]:
    cap = config.importance_cap
    loss_N = reinforce(tokens.logprob_N, tokens.old_logprob_N, tokens.advantage_N, cap=cap)
    return loss_N, (tokens.logprob_N.detach() - tokens.old_logprob_N).exp() > cap


LOSSES: Mapping[str, Loss] = {
    "ppo_clip": Loss(compute=_ppo_clip, clip_low=0.2, clip_high=0.2),
    "gspo": Loss(compute=_gspo, clip_low=3e-4, clip_high=4e-4),
    "cispo": Loss(compute=_cispo, clip_low=1.0, clip_high=0.2),
    "reinforce": Loss(compute=_reinforce, clip_low=1.0, clip_high=1.0),
}


def find_loss(name: str) -> Loss:
    """The loss called `name`; raises `ConfigError` listing the known ones."""
    if name not in LOSSES:
        raise unknown_name("loss", name, LOSSES)
    return LOSSES[name]
