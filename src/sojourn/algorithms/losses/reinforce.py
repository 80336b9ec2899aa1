"""REINFORCE with a truncated importance weight. Axis: N trained tokens, flat."""

from __future__ import annotations

from torch import Tensor


def truncated_weight(logprob_N: Tensor, old_logprob_N: Tensor, cap: float) -> Tensor:
    """min(exp(logprob - old_logprob), cap), without a gradient: the bias of the cap buys a bounded variance. [N]

    Truncated importance sampling, Ionides 2008; in RL, arXiv:1802.01561 (V-trace's rho-bar).
    """
    return (logprob_N.detach() - old_logprob_N).exp().clamp(max=cap)


def reinforce(logprob_N: Tensor, old_logprob_N: Tensor, advantage_N: Tensor, *, cap: float) -> Tensor:
    """-stop(min(ρ, cap)) A logprob, with ρ = exp(logprob - old_logprob). On policy it is REINFORCE. [N] -> [N]"""
    return -truncated_weight(logprob_N, old_logprob_N, cap) * advantage_N * logprob_N
