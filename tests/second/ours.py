"""What our functions make of `inputs.json`, in the shapes in which the other libraries' answers are kept.

Axes: B rows · N trained tokens, flat, in row order · S turns of all rows, flat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from tests.second.inputs import FOURS, Inputs
from torch import Tensor

from sojourn.algorithms import kl
from sojourn.algorithms.advantages.gigpo import anchor_advantages
from sojourn.algorithms.advantages.reinforce_plus_plus import returns_to_go
from sojourn.algorithms.episodes import Episodes, Estimate
from sojourn.algorithms.losses.table import Tokens, find_loss
from sojourn.algorithms.losses.value import value_loss
from sojourn.algorithms.masked import LossMean, token_weights
from sojourn.algorithms.table import find_algorithm
from sojourn.config import AlgorithmConfig
from sojourn.engine.token_outputs import Targets, token_outputs
from sojourn.train.policy_loss import PolicyLoss

INPUTS = Inputs.load()
ROW_N, FLAT = INPUTS.row, INPUTS.flat
CUT = {"bootstrap_R": INPUTS["bootstrap"]}
"""Rows that were cut, with the critic's value of where they stood."""
SEQUENCE = {"low": "sequence_low", "high": "sequence_high"}
"""Bounds for ratios of rows."""

Outputs = Mapping[str, Any]


def setting(name: str) -> float:
    return INPUTS.setting(name)


def weights(mean: LossMean) -> Tensor:
    return token_weights(ROW_N, mean, constant=int(setting("constant")))


# -------------------------------------------------------------------------------------------------- ours: advantages


def episodes(**changed: Tensor) -> Episodes:
    """The inputs as an estimator sees them."""
    reward_B = INPUTS["reward"].sum(1)
    fields = {
        "return_R": reward_B,
        "group_R": INPUTS["group"],
        "horizon_R": torch.full_like(INPUTS["group"], 9),
        "is_cut_R": INPUTS["bootstrap"] != 0,
        "num_turns_R": INPUTS["num_turns"],
        "turn_reward_S": INPUTS["turn_reward"],
        "anchor_S": INPUTS["anchor"],
        "row_N": ROW_N,
        "turn_N": FLAT("turn"),
        "version_N": torch.zeros_like(ROW_N),
        "penalty_N": torch.zeros(len(ROW_N), dtype=torch.float64),
        "value_N": FLAT("value"),
        "bootstrap_R": torch.zeros_like(reward_B),
    }
    return Episodes(**(fields | changed))


EPISODES = episodes()


def estimate(name: str, given: Episodes = EPISODES, **changed: Any) -> Estimate:
    config = AlgorithmConfig(name=name, gamma=setting("gamma"), gae_lambda=setting("lam"), **changed)
    return find_algorithm(name).estimate(given, config)


def gae_of(changed: Mapping[str, Tensor]) -> Outputs:
    """By token, of episodes with other fields."""
    found = estimate("ppo", episodes(**changed))
    return {"advantage": found.advantage_N, "target": found.target_N}


def by_turn() -> Outputs:
    """Of the turns that have a trained token."""
    found, first_N = estimate("ppo_turn"), EPISODES.is_first_of_turn_N
    assert found.target_N is not None
    return {"advantage": found.advantage_N[first_N], "target": found.target_N[first_N]}


def to_go() -> Tensor:
    return returns_to_go(INPUTS["turn_reward"], INPUTS.row_of_turn, gamma=setting("gamma"))


def turns_of_gigpo(divide_by_std: bool) -> Outputs:
    given = (INPUTS["turn_reward"], INPUTS.row_of_turn, INPUTS["anchor"])
    advantage_S = anchor_advantages(*given, gamma=setting("gamma"), divide_by_std=divide_by_std)
    return {"advantage": advantage_S, "to_go": to_go()}


def of_fours(estimator: Callable[..., Tensor], given: Episodes = EPISODES, **options: Any) -> Outputs:
    """A row-level estimator on the groups of four."""
    rows = list(FOURS)
    return {"advantage": estimator(given.penalised_return_R[rows], INPUTS["group"][rows], **options)}


def with_kl_in_reward(logprob: str) -> Episodes:
    return episodes(penalty_N=setting("kl_coef") * kl.k1(FLAT(logprob), FLAT("reference_logprob")))


# ------------------------------------------------------------------------------------------------------ ours: losses


def scalar(weight_N: Tensor, compute: Callable[[Tensor], Tensor], at: str = "logprob") -> Outputs:
    """The weighted sum of what `compute` makes of `at`, and its gradient."""
    given_N = FLAT(at).requires_grad_()
    loss = (weight_N * compute(given_N)).sum()
    return {"loss": loss, "gradient": torch.autograd.grad(loss, given_N)[0]}


def per_token(
    name: str, logprob_N: Tensor, *, advantage: str = "advantage", low: str = "low", high: str = "high", **options: Any
) -> tuple[Tensor, Tensor]:
    """A loss of the table, and where it was clipped. `low` and `high` name settings."""
    advantage_N = INPUTS[advantage][ROW_N] if advantage == "row_advantage" else FLAT(advantage)
    tokens = Tokens(logprob_N=logprob_N, old_logprob_N=FLAT("old_logprob"), advantage_N=advantage_N, row_N=ROW_N)
    low_bound = 1.0 if low == "none" else setting(low)
    return find_loss(name).compute(tokens, low_bound, setting(high), AlgorithmConfig(**options))


def policy(name: str, mean: LossMean = "token", **options: Any) -> Outputs:
    """Loss, gradient and clipped share of a loss of the table."""
    outputs = scalar(weights(mean), lambda logprob_N: per_token(name, logprob_N, **options)[0])
    clipped_N = per_token(name, FLAT("logprob"), **options)[1].double()
    return {**outputs, "pg_clipfrac": clipped_N.mean(), "pg_clipfrac_lower": 0.0, "clipped_share": clipped_N.mean()}


def vanilla(mean: LossMean = "token", **options: Any) -> Outputs:
    """PPO with the dual clip, whose share verl counts apart."""
    dual = policy("ppo_clip", mean, dual_clip=setting("dual"))
    single = policy("ppo_clip", mean)["pg_clipfrac"]
    return {**dual, "pg_clipfrac": single, "pg_clipfrac_lower": dual["pg_clipfrac"] - single, "clipped_share": single}


def objective(**options: Any) -> Outputs:
    """Ours as it trains: `PolicyLoss`, with whatever `options` of `AlgorithmConfig` add to it."""
    chosen = AlgorithmConfig(
        importance_cap=setting("cap"), clip_low=setting("low"), clip_high=setting("high"), **options
    )
    loss = PolicyLoss(
        loss=find_loss("ppo_clip"),
        algorithm=chosen,
        entropy_coef=chosen.entropy_coef,
        kl_coef=chosen.kl_coef,
        offsets=[0, *torch.cumsum(INPUTS.mask.sum(1), 0).tolist()],
        weight_N=weights(chosen.loss_mean or "token"),
        advantage_N=FLAT("advantage"),
        old_logprobs_N=FLAT("old_logprob"),
        sampler_logprobs_N=FLAT("sampler_logprob"),
        is_stale_N=torch.zeros_like(ROW_N).bool(),
        reference_logprobs_N=FLAT("reference_logprob") if chosen.kl_coef else None,
    )
    given = [FLAT("logprob").requires_grad_(), FLAT("entropy").requires_grad_()]
    total = loss(range(len(INPUTS.mask)), *given)
    gradients = torch.autograd.grad(total, given)
    return {
        "loss": total,
        "gradient": gradients[0],
        "entropy_gradient": gradients[1],
        "clipped_share": loss.sums["ratio/clipped_share"],
    }


def at_entropy(**options: Any) -> Outputs:
    found = objective(entropy_coef=setting("entropy_coef"), **options)
    return {**found, "gradient": found["entropy_gradient"]}


def critic(clip: float | None, mean: LossMean) -> Outputs:
    given = (FLAT("old_value"), FLAT("target"))
    return scalar(weights(mean), lambda value_N: value_loss(value_N, *given, clip=clip), at="value")


def estimate_of_kl(name: str) -> Outputs:
    logprob_N = FLAT("logprob").requires_grad_()
    value_N = kl.ESTIMATES[name](logprob_N, FLAT("reference_logprob"))
    return {"value": value_N, "gradient": torch.autograd.grad(value_N.sum(), logprob_N)[0]}


def of_logits(temperature: float) -> Outputs:
    """Log-probabilities and entropies as the engine computes them, and their gradients."""
    logits = INPUTS["logits"].requires_grad_()
    ids = INPUTS["ids"]
    targets = Targets(ids_N=ids.flatten(), temperature_N=torch.full((ids.numel(),), temperature), allowed=None)
    found = token_outputs(logits.flatten(0, 1), targets, lambda hidden, columns: hidden, max_logits=1000)
    gradients = [torch.autograd.grad(output.sum(), logits, retain_graph=True)[0] for output in found]
    return {
        "logprob": found[0].reshape(ids.shape),
        "entropy": found[1].reshape(ids.shape),
        "logprob_gradient": gradients[0],
        "entropy_gradient": gradients[1],
    }


def extreme(
    name: str,
    bound: Callable[[Tensor], Tensor] = lambda log_ratio: log_ratio,
    mean: LossMean = "token",
    old: float = 0.0,
) -> Outputs:
    """A loss of the table at log-ratios of ±25, which `bound` may bound first."""
    logprob = INPUTS["extreme_log_ratio"].flatten().requires_grad_()
    row_N = torch.tensor([0, 0, 0, 1, 1, 1])
    tokens = Tokens(
        logprob_N=bound(logprob - old) + old,
        old_logprob_N=torch.full((6,), old, dtype=torch.float64),
        advantage_N=INPUTS["extreme_advantage"].flatten(),
        row_N=row_N,
    )
    loss_N = find_loss(name).compute(tokens, setting("low"), setting("high"), AlgorithmConfig())[0]
    loss = (token_weights(row_N, mean) * loss_N).sum()
    return {"loss": loss, "gradient": torch.autograd.grad(loss, logprob)[0], "elsewhere": 0.0}
