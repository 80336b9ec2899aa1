"""The loss of one optimiser step, over rows, and what is measured of it.

Axes: R rows of the step · N trained tokens of these rows, flat, in row order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from sojourn.algorithms import kl
from sojourn.algorithms.losses.reinforce import truncated_weight
from sojourn.algorithms.losses.table import Loss, Tokens
from sojourn.config import AlgorithmConfig


@dataclass(kw_only=True)
class PolicyLoss:
    """A policy loss of the table, with KL to the reference and an entropy bonus; a sum over rows (`RowLoss`).

    Every token has its weight, so that the sum is the mean that the configuration names, however the rows are cut
    into micro-batches.
    """

    loss: Loss
    algorithm: AlgorithmConfig
    entropy_coef: float
    kl_coef: float
    """Of the KL in the loss; 0 where it is in the reward."""
    offsets: list[int]
    """Row r has the tokens ``offsets[r]:offsets[r + 1]``."""
    weight_N: Tensor
    advantage_N: Tensor
    old_logprobs_N: Tensor | None
    """None: the step is the first at these weights, so the old policy is the new one."""
    sampler_logprobs_N: Tensor
    is_stale_N: Tensor
    """True where older weights than those being trained drew the token."""
    reference_logprobs_N: Tensor | None
    sums: dict[str, float] = field(default_factory=dict)
    nonfinite_rows: list[int] = field(default_factory=list)

    def __call__(self, rows: Sequence[int], logprobs_N: Tensor, entropy_N: Tensor) -> Tensor:
        spans = [torch.arange(self.offsets[r], self.offsets[r + 1]) for r in rows]
        index_N = torch.cat(spans)
        row_N = torch.cat([torch.full(span.shape, k) for k, span in enumerate(spans)])
        weight_N, advantage_N, row_N = _on(logprobs_N, self.weight_N[index_N], self.advantage_N[index_N], row_N)
        old_N = logprobs_N.detach()
        if self.old_logprobs_N is not None:
            (old_N,) = _on(logprobs_N, self.old_logprobs_N[index_N])
        tokens = Tokens(logprob_N=logprobs_N, old_logprob_N=old_N, advantage_N=advantage_N, row_N=row_N)
        policy_N, is_clipped_N = self.loss.compute(tokens, self.clip_low, self.clip_high, self.algorithm)
        if self.algorithm.sampler_correction or bool(self.is_stale_N.any()):
            policy_N = policy_N * self._sampler_weight(weight_N, old_N, index_N)
        loss_N = policy_N - self.entropy_coef * entropy_N
        self._add("loss/policy", weight_N, policy_N)
        self._add("loss/entropy", weight_N, entropy_N)
        self._add("ratio/clipped_share", weight_N, is_clipped_N)
        self._add("ratio/old_kl", weight_N, kl.k3(logprobs_N.detach(), old_N))
        if self.reference_logprobs_N is not None:
            (reference_N,) = _on(logprobs_N, self.reference_logprobs_N[index_N])
            kl_N = kl.ESTIMATES[self.algorithm.kl_estimator](logprobs_N, reference_N)
            loss_N = loss_N + self.kl_coef * kl_N
            self._add("loss/kl", weight_N, kl_N)
        loss = (weight_N * loss_N).sum()
        if not bool(torch.isfinite(loss)):
            self.nonfinite_rows += self._nonfinite(rows, loss_N)
        return loss

    @property
    def clip_low(self) -> float:
        """The lower bound in force."""
        return self.loss.clip_low if self.algorithm.clip_low is None else self.algorithm.clip_low

    @property
    def clip_high(self) -> float:
        """The upper bound in force."""
        return self.loss.clip_high if self.algorithm.clip_high is None else self.algorithm.clip_high

    def _sampler_weight(self, weight_N: Tensor, old_N: Tensor, index_N: Tensor) -> Tensor:
        """Truncated ratio of the old policy to the weights that drew each token; 1 where they are the same weights.

        With `sampler_correction` those too, as sampler and trainer differ in their arithmetic.
        """
        sampler_N, is_stale_N = _on(old_N, self.sampler_logprobs_N[index_N], self.is_stale_N[index_N])
        is_weighed_N = torch.ones_like(is_stale_N) if self.algorithm.sampler_correction else is_stale_N
        cap = self.algorithm.importance_cap
        self._add("ratio/stale_share", weight_N, is_stale_N)
        self._add("ratio/sampler_capped_share", weight_N, is_weighed_N & ((old_N - sampler_N).exp() > cap))
        return torch.where(is_weighed_N, truncated_weight(old_N, sampler_N, cap), 1.0)

    def _nonfinite(self, rows: Sequence[int], loss_N: Tensor) -> list[int]:
        """Those of `rows` that have a token without a finite loss; all of them if only their sum overflowed."""
        losses = torch.split(loss_N.detach(), [self.offsets[r + 1] - self.offsets[r] for r in rows])
        bad = [r for r, loss_n in zip(rows, losses, strict=True) if not bool(torch.isfinite(loss_n).all())]
        return bad or list(rows)

    def _add(self, name: str, weight_N: Tensor, value_N: Tensor) -> None:
        mean = float((weight_N * value_N.detach().to(weight_N.dtype)).sum())
        self.sums[name] = self.sums.get(name, 0.0) + mean


def _on(like: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(tensor.to(device=like.device) for tensor in tensors)
