"""From a batch to an estimator's `Episodes`: the horizon's cuts, penalties on tokens, the critic's values.

Axes: R rows · N trained tokens, flat · S turns of all rows, flat.
"""

from __future__ import annotations

import torch
from torch import Tensor

from sojourn.algorithms.episodes import Episodes
from sojourn.config import AlgorithmConfig
from sojourn.rollout.samples import Batch
from sojourn.train.critic import Values


def episodes_of(
    batch: Batch, config: AlgorithmConfig, *, penalty_N: Tensor | None = None, values: Values | None = None
) -> Episodes:
    """What the configured estimator sees of `batch`.

    With ``horizon_cut = "penalty"`` the last reward of an episode that the horizon cut is smaller by
    `horizon_penalty`; with ``"bootstrap"`` its value goes on where it was cut, else a cut counts as an end.
    """
    return_R = torch.from_numpy(batch.return_R)
    turn_reward_S = torch.from_numpy(batch.turn_reward_S)
    num_turns_R = torch.from_numpy(batch.num_turns_R)
    is_cut_R = torch.from_numpy(batch.is_cut_R)
    if config.horizon_cut == "penalty":
        lost_R = config.horizon_penalty * is_cut_R.to(return_R.dtype)
        last_R = torch.cumsum(num_turns_R, 0) - 1
        return_R = return_R - lost_R
        turn_reward_S = turn_reward_S.index_add(0, last_R[is_cut_R], -lost_R[is_cut_R])
    bootstrap_R = None
    if values is not None:
        is_going_on_R = is_cut_R if config.horizon_cut == "bootstrap" else torch.zeros_like(is_cut_R)
        bootstrap_R = torch.where(is_going_on_R, values.after_R, torch.zeros_like(values.after_R))
    return Episodes(
        return_R=return_R,
        group_R=torch.from_numpy(batch.group_R),
        horizon_R=torch.from_numpy(batch.horizon_R),
        is_cut_R=is_cut_R,
        num_turns_R=num_turns_R,
        turn_reward_S=turn_reward_S,
        anchor_S=torch.from_numpy(batch.anchor_S),
        row_N=torch.from_numpy(batch.row_N),
        turn_N=torch.from_numpy(batch.turn_N),
        version_N=torch.from_numpy(batch.version_N),
        penalty_N=torch.zeros(batch.num_trained) if penalty_N is None else penalty_N,
        value_N=None if values is None else values.before_N,
        bootstrap_R=bootstrap_R,
    )


def cut_metrics(batch: Batch, config: AlgorithmConfig, episodes: Episodes) -> dict[str, float]:
    """What the treatment of the horizon's cuts did in this update."""
    num_cut = int(batch.is_cut_R.sum())
    metrics = {"cut/episodes": float(num_cut)}
    if config.horizon_cut == "mask":
        metrics["cut/masked_tokens"] = float(batch.num_masked)
    if config.horizon_cut == "penalty":
        metrics["cut/penalty"] = config.horizon_penalty * num_cut
    if config.horizon_cut == "bootstrap" and episodes.bootstrap_R is not None:
        metrics["cut/bootstrap_mean"] = float(episodes.bootstrap_R[episodes.is_cut_R].mean()) if num_cut else 0.0
    return metrics
