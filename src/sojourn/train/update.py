"""One update of the policy: advantages, loss, passes over the batch, optimiser steps.

Axes: R rows · N trained tokens, flat, in row order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from sojourn.algorithms.losses import is_clipped, kl_k3, ppo_clip
from sojourn.algorithms.masked import token_weights
from sojourn.algorithms.table import Episodes, find_algorithm
from sojourn.config import AlgorithmConfig, OptimConfig
from sojourn.engine.protocol import AdamParams, Engine
from sojourn.rollout.samples import Batch
from sojourn.train.differentiate import differentiate


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateResult:
    """What an update did."""

    metrics: dict[str, float]
    num_steps: int
    """Optimiser steps applied."""
    nonfinite_rows: tuple[int, ...]
    """Rows of the batch whose loss was not finite; the update stopped there, the weights untouched by it."""
    entropy: float | None
    """Mean entropy of a trained token, in nats; None when there was no token."""


@dataclass(kw_only=True)
class PolicyLoss:
    """Clipped policy gradient, with KL to the reference and an entropy bonus; a sum over rows (`RowLoss`).

    Every token has its weight, so that the sum is the mean that the configuration names, however the rows are cut
    into micro-batches.
    """

    algorithm: AlgorithmConfig
    entropy_coef: float
    offsets: list[int]
    """Row r has the tokens ``offsets[r]:offsets[r + 1]``."""
    weight_N: Tensor
    advantage_N: Tensor
    old_logprobs_N: Tensor | None
    """None: the step is the first at these weights, so the old policy is the new one."""
    reference_logprobs_N: Tensor | None
    sums: dict[str, float] = field(default_factory=dict)
    nonfinite_rows: list[int] = field(default_factory=list)

    def __call__(self, rows: Sequence[int], logprobs_N: Tensor, entropy_N: Tensor) -> Tensor:
        index_N = torch.cat([torch.arange(self.offsets[r], self.offsets[r + 1]) for r in rows])
        weight_N, advantage_N = _on(logprobs_N, self.weight_N[index_N], self.advantage_N[index_N])
        old_N = logprobs_N.detach()
        if self.old_logprobs_N is not None:
            (old_N,) = _on(logprobs_N, self.old_logprobs_N[index_N])
        low, high = self.algorithm.clip_low, self.algorithm.clip_high
        policy_N = ppo_clip(logprobs_N, old_N, advantage_N, low=low, high=high)
        loss_N = policy_N - self.entropy_coef * entropy_N
        self._add("loss/policy", weight_N, policy_N)
        self._add("loss/entropy", weight_N, entropy_N)
        self._add("ratio/clipped_share", weight_N, is_clipped(logprobs_N, old_N, advantage_N, low=low, high=high))
        self._add("ratio/old_kl", weight_N, kl_k3(logprobs_N.detach(), old_N))
        if self.reference_logprobs_N is not None:
            (reference_N,) = _on(logprobs_N, self.reference_logprobs_N[index_N])
            kl_N = kl_k3(logprobs_N, reference_N)
            loss_N = loss_N + self.algorithm.kl_coef * kl_N
            self._add("loss/kl", weight_N, kl_N)
        loss = (weight_N * loss_N).sum()
        if not bool(torch.isfinite(loss)):
            self.nonfinite_rows += self._nonfinite(rows, loss_N)
        return loss

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


def learning_rate_at(config: OptimConfig, update: int, updates: int) -> float:
    """Learning rate of `update` (0-based) of `updates`: warm-up, then decay."""
    warm = min(1.0, (update + 1) / (config.warmup_updates + 1))
    span = max(updates - config.warmup_updates, 1)
    done = min(max(update - config.warmup_updates, 0) / span, 1.0)
    shape = {"none": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}[config.decay]
    floor = 1.0 if config.decay == "none" else config.final_fraction
    return config.learning_rate * warm * (floor + (1.0 - floor) * shape)


def advantages_of(batch: Batch, config: AlgorithmConfig) -> Tensor:
    """Advantage of each trained token by the configured algorithm. [N]"""
    episodes = Episodes(
        return_R=torch.from_numpy(batch.return_R),
        group_R=torch.from_numpy(batch.group_R),
        row_N=torch.from_numpy(batch.row_N),
        turn_N=torch.from_numpy(batch.turn_N),
        turn_reward_S=torch.from_numpy(batch.turn_reward_S),
        num_turns_R=torch.from_numpy(batch.num_turns_R),
    )
    return find_algorithm(config.name).advantages(episodes, config.divide_by_std)


async def update_policy(
    engine: Engine,
    batch: Batch,
    algorithm: AlgorithmConfig,
    optim: OptimConfig,
    *,
    learning_rate: float,
    entropy: float | None,
    seed: int,
) -> UpdateResult:
    """Train `engine` on `batch`; `entropy` is the last update's, for the floor. Publishing is the caller's."""
    if batch.num_trained == 0:
        return UpdateResult(metrics={}, num_steps=0, nonfinite_rows=(), entropy=entropy)
    is_low = algorithm.entropy_floor == 0.0 or (entropy is not None and entropy < algorithm.entropy_floor)
    entropy_coef = algorithm.entropy_coef if is_low else 0.0
    advantage_N = advantages_of(batch, algorithm)
    old_N = await _old_logprobs(engine, batch, optim)
    reference_N = await _reference_logprobs(engine, batch, algorithm)
    adam = AdamParams(
        learning_rate=learning_rate,
        beta1=optim.beta1,
        beta2=optim.beta2,
        weight_decay=optim.weight_decay,
        max_grad_norm=optim.max_grad_norm,
    )
    totals: dict[str, float] = {}
    num_steps = 0
    for picked in _minibatches(batch, optim, seed):
        loss = _loss(batch, picked, algorithm, entropy_coef, advantage_N, old_N, reference_N)
        if loss is None:
            continue
        outputs = await differentiate(engine, [batch.rows[r] for r in picked], loss)
        if num_steps == 0:
            totals["ratio/sampler_kl"] = _sampler_kl(batch, picked, outputs.logprobs_N)
        if loss.nonfinite_rows:
            engine.zero_grad()
            bad = tuple(int(picked[r]) for r in loss.nonfinite_rows)
            return UpdateResult(metrics=totals, num_steps=num_steps, nonfinite_rows=bad, entropy=entropy)
        stats = await engine.optim_step(adam)
        if not stats.is_applied:
            bad = tuple(int(r) for r in picked)
            return UpdateResult(metrics=totals, num_steps=num_steps, nonfinite_rows=bad, entropy=entropy)
        num_steps += 1
        for name, value in {**loss.sums, "optim/grad_norm": stats.grad_norm}.items():
            totals[name] = totals.get(name, 0.0) + value
    metrics = {k: v if k == "ratio/sampler_kl" else v / max(num_steps, 1) for k, v in totals.items()}
    metrics |= {"optim/learning_rate": learning_rate, "optim/entropy_coef": entropy_coef}
    return UpdateResult(
        metrics=metrics, num_steps=num_steps, nonfinite_rows=(), entropy=metrics.get("loss/entropy", entropy)
    )


async def _old_logprobs(engine: Engine, batch: Batch, optim: OptimConfig) -> Tensor | None:
    if optim.old_logprobs == "sampler":
        return torch.from_numpy(batch.sampler_logprobs_N)
    if optim.epochs * optim.minibatches == 1:
        return None  # the only step is taken at the old policy itself
    return torch.from_numpy((await engine.forward(batch.rows)).logprobs_N)


async def _reference_logprobs(engine: Engine, batch: Batch, algorithm: AlgorithmConfig) -> Tensor | None:
    if algorithm.kl_coef == 0.0:
        return None
    return torch.from_numpy((await engine.forward(batch.rows, role="reference")).logprobs_N)


def _minibatches(batch: Batch, optim: OptimConfig, seed: int) -> list[np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Row indices of each optimiser step: every epoch a new seeded partition of the rows that train a token."""
    trained = np.flatnonzero([row.num_trained > 0 for row in batch.rows])
    generator = np.random.default_rng(seed)
    steps = []
    for _ in range(optim.epochs):
        order = generator.permutation(trained) if optim.minibatches > 1 else trained
        steps += [np.sort(part) for part in np.array_split(order, optim.minibatches) if len(part)]
    return steps


def _loss(
    batch: Batch,
    picked: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]],
    algorithm: AlgorithmConfig,
    entropy_coef: float,
    advantage_N: Tensor,
    old_N: Tensor | None,
    reference_N: Tensor | None,
) -> PolicyLoss | None:
    """The loss over the rows `picked`; None when they hold no trained token."""
    index_N = torch.from_numpy(_token_index(batch, picked))
    if index_N.numel() == 0:
        return None
    counts = [batch.rows[r].num_trained for r in picked]
    row_N = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return PolicyLoss(
        algorithm=algorithm,
        entropy_coef=entropy_coef,
        offsets=[0, *np.cumsum(counts).tolist()],
        weight_N=token_weights(row_N, algorithm.loss_mean),
        advantage_N=advantage_N[index_N],
        old_logprobs_N=None if old_N is None else old_N[index_N],
        reference_logprobs_N=None if reference_N is None else reference_N[index_N],
    )


def _token_index(
    batch: Batch, picked: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Positions, among all trained tokens, of those of the rows `picked`. [n]"""
    ends = np.cumsum([row.num_trained for row in batch.rows])
    parts = [np.arange(ends[r] - batch.rows[r].num_trained, ends[r]) for r in picked]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _sampler_kl(
    batch: Batch,
    picked: np.ndarray[tuple[int], np.dtype[np.int64]],
    logprobs_N: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> float:
    """Mean k3 divergence of the sampler from the trainer at the same weights: 0 but for their arithmetic."""
    sampler_N = torch.from_numpy(batch.sampler_logprobs_N[_token_index(batch, picked)])
    return float(kl_k3(sampler_N, torch.from_numpy(np.asarray(logprobs_N))).mean())
