"""Rows cut into micro-batches under a token budget.

Axes: B rows of a micro-batch · T tokens, padded · N trained tokens, flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sojourn.engine.protocol import Row
from sojourn.engine.token_outputs import Targets


@dataclass(frozen=True, kw_only=True, slots=True)
class MicroBatch:
    """A few rows as tensors, padded on the right: under a causal mask no real token sees the padding."""

    rows: tuple[int, ...]
    """Indices into the call's rows."""
    ids_BT: Tensor
    position_N: Tensor
    """Flat index into [B·T] of the position whose output predicts each trained token (the one before it)."""
    targets: Targets
    flat_N: Tensor
    """Where each trained token is among the trained tokens of the whole call."""


def microbatches(rows: Sequence[Row], max_tokens: int, device: torch.device) -> list[MicroBatch]:
    """Longest rows first, as many to a micro-batch as fit `max_tokens` with padding (one row at least).

    Rows that train no token are left out. The first micro-batch is the largest: memory trouble shows at once. Raises
    `ValueError` for a temperature that is not positive, or a token outside what it was confined to.
    """
    for index, row in enumerate(rows):
        _check(index, row)
    starts = np.concatenate([[0], np.cumsum([row.num_trained for row in rows])]).astype(np.int64)
    order = sorted((i for i, row in enumerate(rows) if row.num_trained), key=lambda i: (-rows[i].num_tokens, i))
    groups: list[list[int]] = []
    for index in order:
        if groups and (len(groups[-1]) + 1) * rows[groups[-1][0]].num_tokens <= max_tokens:
            groups[-1].append(index)
        else:
            groups.append([index])
    return [_microbatch(rows, group, starts, device) for group in groups]


def _microbatch(rows: Sequence[Row], group: list[int], starts: np.ndarray, device: torch.device) -> MicroBatch:
    width = rows[group[0]].num_tokens
    ids_BT = np.zeros((len(group), width), dtype=np.int64)
    for line, index in enumerate(group):
        ids_BT[line, : rows[index].num_tokens] = rows[index].token_ids
    trained = [np.flatnonzero(rows[index].mask) for index in group]
    counts = [len(positions) for positions in trained]
    position_N = np.concatenate([line * width + positions - 1 for line, positions in enumerate(trained)])
    temperature_N = np.repeat(np.array([rows[index].temperature for index in group], dtype=np.float32), counts)
    flat_N = np.concatenate([np.arange(starts[index], starts[index + 1]) for index in group])
    return MicroBatch(
        rows=tuple(group),
        ids_BT=torch.from_numpy(ids_BT).to(device),
        position_N=torch.from_numpy(position_N).to(device),
        targets=Targets(
            ids_N=torch.from_numpy(ids_BT.reshape(-1)[position_N + 1]).to(device),
            temperature_N=torch.from_numpy(temperature_N).to(device),
            allowed=_allowed(rows, group),
        ),
        flat_N=torch.from_numpy(flat_N),
    )


def _check(index: int, row: Row) -> None:
    if not row.temperature > 0:
        raise ValueError(f"row {index}: expected a temperature above 0, got {row.temperature}")
    if row.allowed is not None:
        for token, ids in zip(row.token_ids[row.mask].tolist(), row.allowed, strict=True):
            if ids is not None and token not in ids:
                raise ValueError(f"row {index}: token {token} is not among the {len(ids)} ids it was confined to")


def _allowed(rows: Sequence[Row], group: list[int]) -> tuple[tuple[int, ...] | None, ...] | None:
    if all(rows[index].allowed is None for index in group):
        return None
    return tuple(ids for index in group for ids in (rows[index].allowed or (None,) * rows[index].num_trained))
