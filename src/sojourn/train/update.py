"""One update of the policy: credit, loss, passes over the batch, optimiser steps.

Axes: R rows · N trained tokens, flat, in row order.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sojourn.algorithms import kl
from sojourn.algorithms.losses.table import find_loss
from sojourn.algorithms.masked import token_weights
from sojourn.algorithms.table import Algorithm, find_algorithm
from sojourn.config import AlgorithmConfig, CriticConfig, OptimConfig
from sojourn.engine.protocol import AdamParams, Engine
from sojourn.rollout.samples import Batch, IntArray
from sojourn.train.credit import cut_metrics, episodes_of
from sojourn.train.critic import Values, accumulate, critic_loss, critic_of, critic_step, value_metrics, values_of
from sojourn.train.differentiate import differentiate
from sojourn.train.policy_loss import PolicyLoss


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateSettings:
    """What an update is told, besides its batch."""

    algorithm: AlgorithmConfig
    optim: OptimConfig
    learning_rate: float
    seed: int
    """Of the partition into mini-batches."""
    critic: CriticConfig = field(default_factory=CriticConfig)
    kl_coef: float = 0.0
    """In force; an adaptive one changes from update to update."""
    entropy: float | None = None
    """The last update's mean entropy, for the floor."""
    version: int | None = None
    """Of the weights that are about to be trained; tokens of older ones get an importance weight. None: all are new."""
    trains_policy: bool = True
    """False while only the critic is being warmed up."""

    @property
    def entropy_coef(self) -> float:
        """Of the entropy bonus, in force: with a floor, only while the entropy is known to be below it."""
        floor = self.algorithm.entropy_floor
        is_low = floor == 0.0 or (self.entropy is not None and self.entropy < floor)
        return self.algorithm.entropy_coef if is_low else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class UpdateResult:
    """What an update did."""

    metrics: dict[str, float]
    num_steps: int
    """Optimiser steps of the policy that were applied."""
    nonfinite_rows: tuple[int, ...]
    """Rows of the batch whose loss was not finite; the update stopped there, the weights untouched by it."""
    entropy: float | None
    """Mean entropy of a trained token, in nats; None when there was no token."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All that is fixed before an update's first step."""

    algorithm: Algorithm
    advantage_N: Tensor
    target_N: Tensor | None
    values: Values | None
    old_N: Tensor | None
    """Log-probs of the old policy; None: those of the first step."""
    reference_N: Tensor | None
    metrics: dict[str, float]


async def update_policy(engine: Engine, batch: Batch, settings: UpdateSettings) -> UpdateResult:
    """Train `engine` on `batch`. Publishing is the caller's."""
    if batch.num_trained == 0:
        return UpdateResult(metrics={}, num_steps=0, nonfinite_rows=(), entropy=settings.entropy)
    plan = await _plan(engine, batch, settings)
    is_shared = plan.target_N is not None and settings.critic.kind == "shared"
    metrics = dict(plan.metrics)
    if plan.target_N is not None and not is_shared:
        metrics |= await _fit_critic(engine, batch, settings, plan)
    if not (settings.trains_policy or is_shared):
        return UpdateResult(metrics=metrics, num_steps=0, nonfinite_rows=(), entropy=settings.entropy)
    steps = _PolicySteps(engine=engine, batch=batch, settings=settings, plan=plan, is_shared=is_shared)
    for picked in _minibatches(batch, settings.optim.epochs, settings.optim.minibatches, settings.seed):
        if not await steps.take(picked):
            break
    metrics |= steps.metrics()
    return UpdateResult(
        metrics=metrics,
        num_steps=steps.num_steps,
        nonfinite_rows=steps.nonfinite_rows,
        entropy=settings.entropy if steps.nonfinite_rows else metrics.get("loss/entropy", settings.entropy),
    )


async def _plan(engine: Engine, batch: Batch, settings: UpdateSettings) -> Plan:
    config = settings.algorithm
    algorithm = find_algorithm(config.name)
    old_N = await _old_logprobs(engine, batch, settings.optim)
    reference_N, penalty_N, metrics = None, None, {}
    if config.kl_coef > 0.0:
        reference_N = torch.from_numpy((await engine.forward(batch.rows, role="reference")).logprobs_N)
        metrics["optim/kl_coef"] = settings.kl_coef
    if reference_N is not None and config.kl_in == "reward":
        now_N = old_N if old_N is not None else torch.from_numpy((await engine.forward(batch.rows)).logprobs_N)
        kl_N = kl.ESTIMATES[config.kl_estimator](now_N, reference_N)
        penalty_N, reference_N = settings.kl_coef * kl_N, None
        metrics["kl/reward"] = float(kl_N.mean())
    values = await values_of(engine, batch) if algorithm.needs_critic else None
    episodes = episodes_of(batch, config, penalty_N=penalty_N, values=values)
    estimate = algorithm.estimate(episodes, config)
    metrics |= cut_metrics(batch, config, episodes)
    if values is not None and estimate.target_N is not None:
        metrics |= value_metrics(values, estimate.target_N)
    return Plan(
        algorithm=algorithm,
        advantage_N=estimate.advantage_N,
        target_N=estimate.target_N,
        values=values,
        old_N=old_N,
        reference_N=reference_N,
        metrics=metrics,
    )


async def _old_logprobs(engine: Engine, batch: Batch, optim: OptimConfig) -> Tensor | None:
    if optim.old_logprobs == "sampler":
        return torch.from_numpy(batch.sampler_logprobs_N)
    if optim.epochs * optim.minibatches == 1:
        return None  # the only step is taken at the old policy itself
    return torch.from_numpy((await engine.forward(batch.rows)).logprobs_N)


async def _fit_critic(engine: Engine, batch: Batch, settings: UpdateSettings, plan: Plan) -> dict[str, float]:
    """The steps of a critic with a model of its own."""
    config = settings.critic
    assert plan.values is not None
    assert plan.target_N is not None
    losses, norms = [], []
    for picked in _minibatches(batch, config.epochs, config.minibatches, settings.seed):
        loss = critic_loss(batch, picked, plan.values, plan.target_N, config.value_clip)
        await accumulate(engine, [batch.rows[r] for r in picked], loss)
        stats = await critic_of(engine).step_critic(critic_step(config))
        losses.append(loss.total)
        norms.append(stats.grad_norm)
    return {"critic/loss": sum(losses) / len(losses), "critic/grad_norm": sum(norms) / len(norms)}


@dataclass(kw_only=True)
class _PolicySteps:
    """The policy's optimiser steps of one update, and their means."""

    engine: Engine
    batch: Batch
    settings: UpdateSettings
    plan: Plan
    is_shared: bool
    """The critic is a head on the policy: its gradient is taken with the policy's."""
    num_steps: int = 0
    nonfinite_rows: tuple[int, ...] = ()
    totals: dict[str, float] = field(default_factory=dict)
    sampler_kl: float | None = None

    async def take(self, picked: IntArray) -> bool:
        """One step on the rows `picked`; False if it was not finite, and nothing may follow."""
        rows = [self.batch.rows[r] for r in picked]
        if self.is_shared:
            await self._add_value_gradient(picked)
        if self.settings.trains_policy:
            loss = self._loss(picked)
            outputs = await differentiate(self.engine, rows, loss)
            if self.sampler_kl is None:
                self.sampler_kl = self._sampler_kl(picked, outputs.logprobs_N)
            if loss.nonfinite_rows:
                self.engine.zero_grad()
                self.nonfinite_rows = tuple(int(picked[r]) for r in loss.nonfinite_rows)
                return False
            stats = await self.engine.optim_step(_adam(self.settings))
            if not stats.is_applied:
                self.nonfinite_rows = tuple(int(r) for r in picked)
                return False
            self.num_steps += 1
            self._count({**loss.sums, "optim/grad_norm": stats.grad_norm})
        else:
            self.engine.zero_grad()  # the policy's layers stay as they are while the head warms up
        if self.is_shared:
            stats = await critic_of(self.engine).step_critic(critic_step(self.settings.critic))
            self._count({"critic/grad_norm": stats.grad_norm})
        return True

    async def _add_value_gradient(self, picked: IntArray) -> None:
        assert self.plan.values is not None
        assert self.plan.target_N is not None
        clip = self.settings.critic.value_clip
        loss = critic_loss(self.batch, picked, self.plan.values, self.plan.target_N, clip)
        await accumulate(self.engine, [self.batch.rows[r] for r in picked], loss)
        self._count({"critic/loss": loss.total})

    def _loss(self, picked: IntArray) -> PolicyLoss:
        """The loss over the rows `picked`."""
        config, plan = self.settings.algorithm, self.plan
        index, offsets = self.batch.tokens_of(picked)
        index_N = torch.from_numpy(index)
        row_N = torch.repeat_interleave(torch.arange(len(picked)), torch.from_numpy(np.diff(offsets)))
        return PolicyLoss(
            loss=find_loss(config.loss or plan.algorithm.loss),
            algorithm=config,
            entropy_coef=self.settings.entropy_coef,
            kl_coef=self.settings.kl_coef,
            offsets=offsets,
            weight_N=token_weights(row_N, config.loss_mean or plan.algorithm.loss_mean, constant=config.loss_tokens),
            advantage_N=plan.advantage_N[index_N],
            old_logprobs_N=None if plan.old_N is None else plan.old_N[index_N],
            sampler_logprobs_N=torch.from_numpy(self.batch.sampler_logprobs_N)[index_N],
            is_stale_N=torch.from_numpy(self._is_stale(index)),
            reference_logprobs_N=None if plan.reference_N is None else plan.reference_N[index_N],
        )

    def _is_stale(self, index: IntArray) -> npt.NDArray[np.bool_]:
        """Which of the tokens at `index` older weights than the present ones drew."""
        version = self.settings.version
        return self.batch.version_N[index] < (0 if version is None else version)

    def _sampler_kl(self, picked: IntArray, logprobs_N: npt.NDArray[np.float32]) -> float | None:
        """Mean k3 divergence of the sampler from the trainer at the same weights: 0 but for their arithmetic.

        Taken over the tokens of the present weights; None if there is none.
        """
        index, _ = self.batch.tokens_of(picked)
        is_new_N = ~self._is_stale(index)
        if not is_new_N.any():
            return None
        sampler_N = torch.from_numpy(self.batch.sampler_logprobs_N[index][is_new_N])
        return float(kl.k3(sampler_N, torch.from_numpy(np.asarray(logprobs_N)[is_new_N])).mean())

    def _count(self, values: dict[str, float]) -> None:
        for name, value in values.items():
            self.totals[name] = self.totals.get(name, 0.0) + value

    def metrics(self) -> dict[str, float]:
        """Means over the steps that were taken."""
        found = {name: total / max(self.num_steps, 1) for name, total in self.totals.items()}
        if self.sampler_kl is not None:
            found["ratio/sampler_kl"] = self.sampler_kl
        if self.num_steps and not self.nonfinite_rows:
            found["optim/learning_rate"] = self.settings.learning_rate
            found["optim/entropy_coef"] = self.settings.entropy_coef
        return found


def _adam(settings: UpdateSettings) -> AdamParams:
    optim = settings.optim
    return AdamParams(
        learning_rate=settings.learning_rate,
        beta1=optim.beta1,
        beta2=optim.beta2,
        weight_decay=optim.weight_decay,
        max_grad_norm=optim.max_grad_norm,
    )


def learning_rate_at(config: OptimConfig, update: int, updates: int) -> float:
    """Learning rate of `update` (0-based) of `updates`: warm-up, then decay."""
    warm = min(1.0, (update + 1) / (config.warmup_updates + 1))
    span = max(updates - config.warmup_updates, 1)
    done = min(max(update - config.warmup_updates, 0) / span, 1.0)
    shape = {"none": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}[config.decay]
    floor = 1.0 if config.decay == "none" else config.final_fraction
    return config.learning_rate * warm * (floor + (1.0 - floor) * shape)


def _minibatches(batch: Batch, epochs: int, minibatches: int, seed: int) -> list[IntArray]:
    """Row indices of each optimiser step: every epoch a new seeded partition of the rows that train a token."""
    trained = np.flatnonzero([row.num_trained > 0 for row in batch.rows])
    generator = np.random.default_rng(seed)
    steps = []
    for _ in range(epochs):
        order = generator.permutation(trained) if minibatches > 1 else trained
        steps += [np.sort(part) for part in np.array_split(order, minibatches) if len(part)]
    return steps
