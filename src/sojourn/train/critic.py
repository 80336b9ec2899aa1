"""The critic's part of an update: values of states, and fitting them to the estimator's targets.

Axes: R rows · N trained tokens, flat, in row order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sojourn.algorithms.losses.value import explained_variance, value_loss
from sojourn.config import CriticConfig
from sojourn.engine.protocol import AdamParams, Engine, FusesValues, Row, TrainsCritic, ValueLoss
from sojourn.errors import ConfigError
from sojourn.rollout.samples import Batch, IntArray


@dataclass(frozen=True, kw_only=True, slots=True)
class Values:
    """The critic's values of a batch, before it is updated."""

    before_N: Tensor
    """Of the state before each trained token."""
    after_R: Tensor
    """Of the state after each row's last token (before the environment's answer to it); 0 for a row without a token."""


def critic_of(engine: Engine) -> TrainsCritic:
    """`engine` as one that has a critic; raises `ConfigError` if it has none."""
    if not isinstance(engine, TrainsCritic) or "critic" not in engine.info().roles:
        raise ConfigError("this algorithm needs a critic, and the engine has none")
    return engine


async def values_of(engine: Engine, batch: Batch) -> Values:
    """Values before each trained token and after each row."""
    limit = engine.info().max_length
    rows = [_with_end(row, limit) for row in batch.rows]
    values = torch.from_numpy(await critic_of(engine).forward_values(rows))
    parts = torch.split(values, [row.num_trained for row in rows])
    counts = [row.num_trained for row in batch.rows]
    before = [part[:count] for part, count in zip(parts, counts, strict=True)]
    after = [part[-1] if part.numel() else torch.zeros(()) for part in parts]
    return Values(
        before_N=torch.cat(before) if before else torch.zeros(0),
        after_R=torch.stack(after) if after else torch.zeros(0),
    )


def _with_end(row: Row, limit: int) -> Row:
    """`row` with one more token, whose own id no value depends on: the value before it is that after the row.

    A row that fills the context has no room for it; the value before its last trained token stands in.
    """
    if row.num_trained == 0 or row.num_tokens >= limit:
        return Row(token_ids=row.token_ids, mask=row.mask)
    return Row(token_ids=np.append(row.token_ids, row.token_ids[-1]), mask=np.append(row.mask, True))


@dataclass(kw_only=True)
class CriticLoss:
    """Mean value loss over the trained tokens of a step; a sum over rows (`ValueLoss`)."""

    offsets: list[int]
    old_value_N: Tensor
    target_N: Tensor
    clip: float | None
    total: float = 0.0

    def __call__(self, rows: Sequence[int], values_N: Tensor) -> Tensor:
        index_N = torch.cat([torch.arange(self.offsets[r], self.offsets[r + 1]) for r in rows])
        old_N, target_N = self.old_value_N[index_N].to(values_N.device), self.target_N[index_N].to(values_N.device)
        loss = value_loss(values_N, old_N, target_N, clip=self.clip).sum() / max(self.target_N.numel(), 1)
        self.total += float(loss.detach())
        return loss


async def accumulate(engine: Engine, rows: Sequence[Row], loss: ValueLoss) -> None:
    """Add the gradient of `loss` over `rows` to the critic's: fused where the engine can, else in two steps."""
    if isinstance(engine, FusesValues):
        await engine.forward_backward_values(rows, loss)
        return
    critic = critic_of(engine)
    values_N = torch.from_numpy((await critic.forward_values(rows)).copy()).requires_grad_()
    loss(range(len(rows)), values_N).backward()  # type: ignore[no-untyped-call]
    assert values_N.grad is not None
    await critic.backward_values(rows, values_N.grad.numpy())


def critic_step(config: CriticConfig) -> AdamParams:
    """The critic's optimiser step."""
    return AdamParams(learning_rate=config.learning_rate, max_grad_norm=config.max_grad_norm)


def critic_loss(batch: Batch, picked: IntArray, values: Values, target_N: Tensor, clip: float | None) -> CriticLoss:
    """The loss over the rows `picked` of `batch`."""
    index_N, offsets = batch.tokens_of(picked)
    return CriticLoss(offsets=offsets, old_value_N=values.before_N[index_N], target_N=target_N[index_N], clip=clip)


def value_metrics(values: Values, target_N: Tensor) -> dict[str, float]:
    """How good the values were before this update."""
    return {
        "critic/explained_variance": explained_variance(values.before_N, target_N),
        "critic/value_mean": float(values.before_N.mean()) if values.before_N.numel() else 0.0,
        "critic/target_mean": float(target_N.mean()) if target_N.numel() else 0.0,
    }
