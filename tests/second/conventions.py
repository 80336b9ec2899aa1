"""Where verl or TRL keeps to another convention: ours as it is, and ours after just that change.

Why ours differs is in docs/second_implementations.md, a row for each convention.

Axes: B rows · R rows of the groups of four · N trained tokens, flat, in row order · S turns of all rows, flat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from tests.second import ours
from tests.second.inputs import FOURS, LONELY_GROUP
from tests.second.ours import CUT, FLAT, INPUTS, ROW_N, SEQUENCE, Outputs, policy, setting, weights
from torch import Tensor

from sojourn.algorithms import kl
from sojourn.algorithms.advantages.groups import EPSILON, whitened
from sojourn.algorithms.advantages.grpo import grpo
from sojourn.algorithms.advantages.reinforce_plus_plus import returns_to_go
from sojourn.algorithms.advantages.rloo import rloo
from sojourn.algorithms.losses.ppo import ppo_clip


class Difference(NamedTuple):
    """Outputs of one recorded answer in which the library keeps to another convention."""

    convention: str
    """Its row in docs/second_implementations.md."""
    library: str
    answer: str
    outputs: tuple[str, ...]
    plain: Callable[[], Outputs]
    """Ours, which must not be theirs."""
    adjusted: Callable[[], Outputs]
    """Ours after the change that the row names, which must be."""


IS_LONELY_N = (INPUTS["group"] == LONELY_GROUP)[ROW_N]
IS_FOUR_B = torch.isin(torch.arange(len(INPUTS.mask)), torch.tensor(FOURS))
RETURN_B = ours.EPISODES.return_R
ROWS_SHARE = int(INPUTS.mask.any(1).sum()) / len(INPUTS.mask)
"""Rows with a trained token among all rows."""


def as_verl(whitened_N: Tensor, raw_N: Tensor) -> Tensor:
    """Whitened values with verl's denominator: sqrt(variance + 1e-8) for standard deviation + 1e-6."""
    return whitened_N * (raw_N.std() + EPSILON) / (raw_N.var() + 1e-8).sqrt()


def turns_with_lonely(divide_by_std: bool) -> Outputs:
    """A state that was seen once has the turn's return to go for its advantage."""
    anchor_S, found = INPUTS["anchor"], ours.turns_of_gigpo(divide_by_std)
    is_lonely_S = (anchor_S[:, None] == anchor_S).sum(1) == 1
    factor = 1 / (1 + EPSILON) if divide_by_std else 1.0
    return {"advantage": torch.where(is_lonely_S, factor * found["to_go"], found["advantage"])}


def advantage(name: str) -> Outputs:
    return {"advantage": ours.estimate(name).advantage_N}


def with_lonely(name: str, factor: float = 1.0) -> Outputs:
    """A group of one has its return, times `factor`, for its advantage."""
    return {"advantage": torch.where(IS_LONELY_N, factor * RETURN_B[ROW_N], ours.estimate(name).advantage_N)}


def baseline_with_lonely() -> Outputs:
    centred_N = with_lonely("dr_grpo")["advantage"]
    return {"advantage": as_verl(whitened(centred_N), centred_N)}


def baseline_of_larger_groups(adjusts: bool) -> Outputs:
    found_N = ours.estimate("reinforce_plus_plus_baseline").advantage_N[~IS_LONELY_N]
    centred_N = ours.estimate("dr_grpo").advantage_N[~IS_LONELY_N]
    return {"advantage": as_verl(found_N, centred_N) if adjusts else found_N}


def plus_plus_as_verl() -> Outputs:
    to_go_N = returns_to_go(ours.EPISODES.token_reward_N, ROW_N, gamma=setting("gamma"))
    return {"advantage": as_verl(ours.estimate("reinforce_plus_plus").advantage_N, to_go_N)}


def gae_as_verl(**changed: Tensor) -> Outputs:
    found = ours.gae_of(changed)
    return {"advantage": as_verl(found["advantage"], found["target"] - FLAT("value")), "target": found["target"]}


def gae_without_late_rewards() -> Outputs:
    """As if the rewards that came after the action's last token had not been."""
    is_late_S = torch.zeros(len(INPUTS["turn_reward"]), dtype=torch.bool)
    is_late_S[ours.EPISODES.place_N[INPUTS.late_reward()[1][INPUTS.mask]]] = True
    return gae_as_verl(turn_reward_S=INPUTS["turn_reward"].masked_fill(is_late_S, 0.0))


def turns_as_verl() -> Outputs:
    raw = ours.by_turn()["target"] - FLAT("value")[ours.EPISODES.is_first_of_turn_N]
    return {"advantage": as_verl(whitened(raw), raw)}


def fours_over(deviation_R: Tensor) -> Outputs:
    return {"advantage": ours.of_fours(grpo, divide_by_std=False)["advantage"] / (deviation_R + 1e-4)}


def deviation_of_fours() -> Tensor:
    """Standard deviation of each row's group, of the groups of four."""
    return RETURN_B[list(FOURS)].view(-1, 4).std(1).repeat_interleave(4)


def rloo_normalised() -> Outputs:
    advantage_R = ours.of_fours(rloo)["advantage"]
    return {"advantage": (advantage_R - advantage_R.mean()) / (advantage_R.std() + 1e-4)}


def times(factor: float, found: Outputs) -> Outputs:
    return {name: factor * found[name] for name in ("loss", "gradient")}


def row_means(value_N: Tensor) -> Tensor:
    """Each row's mean at each of its tokens."""
    total = torch.zeros(len(INPUTS.mask), dtype=value_N.dtype).index_add_(0, ROW_N, value_N)
    return (total / torch.bincount(ROW_N, minlength=len(total)).clamp(min=1))[ROW_N]


def gspo_of_sequences() -> Outputs:
    """The gradient of a row's ratio reaches all of its tokens alike."""
    found = times(ROWS_SHARE, policy("gspo", "sequence", **SEQUENCE))
    return {**found, "gradient": row_means(found["gradient"])}


def share_of_rows_clipped() -> Outputs:
    """Of rows, not of tokens; a row without a trained token has the ratio 1."""
    clipped_N = ours.per_token("gspo", FLAT("logprob"), advantage="row_advantage", **SEQUENCE)[1]
    return {"clipped_share": torch.unique(ROW_N[clipped_N]).numel() / len(INPUTS.mask)}


def rloo_by_row(old: str) -> Outputs:
    """One ratio for a row, that of its whole probability; the mean is over all rows."""
    logprob_N = FLAT("logprob").requires_grad_()
    sums = [torch.zeros(len(INPUTS.mask), dtype=torch.float64).index_add(0, ROW_N, x) for x in (logprob_N, FLAT(old))]
    loss = ppo_clip(*sums, INPUTS["row_advantage"], low=setting("low"), high=setting("high")).mean()
    return {"loss": loss, "gradient": torch.autograd.grad(loss, logprob_N)[0]}


def entropy_of_tokens() -> Outputs:
    """The mean of the loss over rows, that of the entropy over tokens."""
    bonus = setting("entropy_coef") * weights("token")
    loss = ROWS_SHARE * policy("ppo_clip", "sequence")["loss"] - (bonus * FLAT("entropy")).sum()
    return {"loss": loss, "gradient": -bonus}


def extreme_gspo() -> Outputs:
    """The mean log-ratio of both rows is beyond 10: it counts as 10, and nothing is learnt from the rows."""
    rows = INPUTS["extreme_log_ratio"]
    excess = (rows.mean(1) + 12.0 - 10.0).clamp(min=0).repeat_interleave(3)
    assert (excess > 0).all()
    found = ours.extreme("gspo", lambda log_ratio: log_ratio - excess, "sequence", old=-12.0)
    return {"loss": found["loss"], "gradient": torch.zeros(6, dtype=torch.float64)}


def far_k3(bound: float) -> Outputs:
    """Of differences within `bound`, and itself within half of that."""
    far = INPUTS["extreme_log_ratio"].flatten().clamp(-bound, bound)
    half = bound / 2 if bound < 1e9 else torch.inf
    return {"value": kl.k3(far, torch.zeros_like(far)).clamp(-half, half)}


def absolute_k1() -> Outputs:
    found = ours.estimate_of_kl("k1")
    return {"value": found["value"].abs(), "gradient": found["value"].sign()}


def extreme_vanilla() -> Outputs:
    return ours.extreme("ppo_clip", lambda log_ratio: log_ratio.clamp(-20, 20))


ADVANTAGE, LOSS, SHARE, GRADIENT = ("advantage",), ("loss", "gradient"), ("clipped_share",), ("gradient",)
WITH_CUT = "gae_with_the_value_after_a_cut_in_the_last_reward"
PLUS_PLUS, BASELINE = "reinforce_plus_plus", "reinforce_plus_plus_baseline"
BY_TOKEN = "loss gspo with advantages by token"

DIFFERENCES = [
    Difference("whitening", "verl", "gae", ADVANTAGE, partial(ours.gae_of, {}), gae_as_verl),
    Difference("whitening", "verl", WITH_CUT, ADVANTAGE, partial(ours.gae_of, CUT), partial(gae_as_verl, **CUT)),
    Difference("whitening", "verl", PLUS_PLUS, ADVANTAGE, partial(advantage, PLUS_PLUS), plus_plus_as_verl),
    Difference(
        "whitening",
        "verl",
        f"{BASELINE}_of_larger_groups",
        ADVANTAGE,
        partial(baseline_of_larger_groups, False),
        partial(baseline_of_larger_groups, True),
    ),
    Difference(
        "whitening",
        "verl",
        "masked_whiten",
        ("whitened",),
        lambda: {"whitened": whitened(FLAT("advantage"))},
        lambda: {"whitened": as_verl(whitened(FLAT("advantage")), FLAT("advantage"))},
    ),
    Difference("whitening by turn", "verl", "gae_by_turn", ADVANTAGE, ours.by_turn, turns_as_verl),
    Difference(
        "group of one",
        "verl",
        "grpo",
        ADVANTAGE,
        partial(advantage, "grpo"),
        partial(with_lonely, "grpo", 1 / 1.000001),
    ),
    Difference(
        "group of one", "verl", "dr_grpo", ADVANTAGE, partial(advantage, "dr_grpo"), partial(with_lonely, "dr_grpo")
    ),
    Difference("group of one", "verl", "rloo", ADVANTAGE, partial(advantage, "rloo"), partial(with_lonely, "rloo")),
    Difference("group of one", "verl", BASELINE, ADVANTAGE, partial(advantage, BASELINE), baseline_with_lonely),
    *(
        Difference(
            "group of one",
            "verl",
            name,
            ADVANTAGE,
            partial(ours.turns_of_gigpo, by_std),
            partial(turns_with_lonely, by_std),
        )
        for name, by_std in (("gigpo_turns", True), ("gigpo_turns_without_std", False))
    ),
    Difference(
        "reward after the action",
        "verl",
        "gae_of_rewards_on_observations",
        ("advantage", "target"),
        partial(ours.gae_of, {}),
        gae_without_late_rewards,
    ),
    Difference(
        "bounds of log-ratios", "verl", "extreme vanilla", LOSS, partial(ours.extreme, "ppo_clip"), extreme_vanilla
    ),
    Difference(
        "bounds of log-ratios",
        "verl",
        "extreme gspo",
        LOSS,
        partial(ours.extreme, "gspo", mean="sequence", old=-12.0),
        extreme_gspo,
    ),
    Difference("bounds of log-ratios", "verl", "extreme k3", ("value",), partial(far_k3, 1e9), partial(far_k3, 20.0)),
    Difference(
        "straight-through k3",
        "verl",
        "kl_penalty k3+",
        GRADIENT,
        partial(ours.estimate_of_kl, "k3"),
        partial(ours.estimate_of_kl, "k2"),
    ),
    Difference(
        "absolute k1", "verl", "kl_penalty abs", ("value", "gradient"), partial(ours.estimate_of_kl, "k1"), absolute_k1
    ),
    Difference(
        "added to the deviation",
        "trl",
        "advantages group",
        ADVANTAGE,
        partial(ours.of_fours, grpo),
        lambda: fours_over(deviation_of_fours()),
    ),
    Difference(
        "deviation of the batch",
        "trl",
        "advantages batch",
        ADVANTAGE,
        partial(ours.of_fours, grpo),
        lambda: fours_over(RETURN_B[list(FOURS)].std()),
    ),
    Difference(
        "deviation of the batch", "trl", "rloo normalised", ADVANTAGE, partial(ours.of_fours, rloo), rloo_normalised
    ),
    Difference(
        "rows without a trained token",
        "trl",
        "loss grpo",
        LOSS,
        partial(policy, "ppo_clip", "sequence"),
        lambda: times(ROWS_SHARE, policy("ppo_clip", "sequence")),
    ),
    Difference(
        "rows without a trained token",
        "trl",
        "loss dr_grpo",
        LOSS,
        partial(policy, "ppo_clip", "constant"),
        lambda: times(ROWS_SHARE, policy("ppo_clip", "constant")),
    ),
    Difference(
        "rows without a trained token",
        "trl",
        "loss gspo",
        LOSS,
        partial(policy, "gspo", "sequence", advantage="row_advantage", **SEQUENCE),
        lambda: times(ROWS_SHARE, policy("gspo", "sequence", advantage="row_advantage", **SEQUENCE)),
    ),
    Difference(
        "share of clipped rows",
        "trl",
        "loss gspo",
        SHARE,
        partial(policy, "gspo", "sequence", advantage="row_advantage", **SEQUENCE),
        share_of_rows_clipped,
    ),
    Difference(
        "gradient of a row's ratio",
        "trl",
        BY_TOKEN,
        GRADIENT,
        partial(policy, "gspo", "sequence", **SEQUENCE),
        gspo_of_sequences,
    ),
    Difference(
        "rows without a trained token",
        "trl",
        BY_TOKEN,
        ("loss",),
        partial(policy, "gspo", "sequence", **SEQUENCE),
        gspo_of_sequences,
    ),
    Difference(
        "mean of the entropy",
        "trl",
        "loss grpo with entropy",
        LOSS,
        partial(ours.at_entropy, loss_mean="sequence"),
        entropy_of_tokens,
    ),
    *(
        Difference(
            "ratio of a row",
            "trl",
            name,
            LOSS,
            partial(policy, "ppo_clip", "constant", advantage="row_advantage"),
            partial(rloo_by_row, old),
        )
        for name, old in (("rloo loss", "old_logprob"), ("rloo loss on policy", "logprob"))
    ),
]
