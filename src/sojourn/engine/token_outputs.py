"""Log-probabilities and entropy of trained tokens from hidden states, with as few logits in memory as possible.

Axes: N trained tokens · E hidden size · V vocabulary · U output columns computed (all, or the allowed ids).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

LogitsFn = Callable[[Tensor, Tensor | None], Tensor]
"""(hidden [N, E], columns [U] or None for all) -> logits [N, U]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Targets:
    """Which tokens, and the distributions they are measured under."""

    ids_N: Tensor
    temperature_N: Tensor
    allowed: tuple[tuple[int, ...] | None, ...] | None
    """Per token the ids its distribution is confined to; None for the whole vocabulary."""

    def slice(self, start: int, stop: int) -> Targets:
        """Tokens `start` to `stop`."""
        return Targets(
            ids_N=self.ids_N[start:stop],
            temperature_N=self.temperature_N[start:stop],
            allowed=None if self.allowed is None else self.allowed[start:stop],
        )


def token_outputs(hidden_NE: Tensor, targets: Targets, logits_fn: LogitsFn, max_logits: int) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy [N] of each target, float32.

    The tokens are taken in chunks of at most `max_logits` logits; if that takes more than one chunk, the logits are
    computed again in the backward pass rather than kept.
    """
    columns, blocked = _confinement(targets, hidden_NE.device)
    num_tokens = hidden_NE.shape[0]
    num_columns = len(columns) if columns is not None else logits_fn(hidden_NE[:0], None).shape[-1]
    size = max(1, max_logits // max(1, num_columns))

    def chunk(hidden: Tensor, start: int, stop: int) -> tuple[Tensor, Tensor]:
        mask = None if blocked is None else blocked[start:stop]
        return _outputs(logits_fn(hidden, columns), targets.slice(start, stop), columns, mask)

    if num_tokens <= size:
        return chunk(hidden_NE, 0, num_tokens)
    starts = range(0, num_tokens, size)
    parts = [
        checkpoint(chunk, hidden_NE[start : start + size], start, min(start + size, num_tokens), use_reentrant=False)
        if torch.is_grad_enabled()
        else chunk(hidden_NE[start : start + size], start, min(start + size, num_tokens))
        for start in starts
    ]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def _confinement(targets: Targets, device: torch.device) -> tuple[Tensor | None, Tensor | None]:
    """The columns to compute (sorted; None for all) and which of them are blocked for each token [N, U]."""
    allowed = targets.allowed
    if allowed is None or all(ids is None for ids in allowed):
        return None, None
    if any(ids is None for ids in allowed):
        return None, None  # mixed: `_outputs` blocks row by row over all columns
    union = sorted({token for ids in allowed for token in ids or ()})
    index = {token: column for column, token in enumerate(union)}
    blocked_NU = torch.ones(len(allowed), len(union), dtype=torch.bool)
    rows = [row for row, ids in enumerate(allowed) for _ in ids or ()]
    blocked_NU[rows, [index[token] for ids in allowed for token in ids or ()]] = False
    return torch.tensor(union, device=device), blocked_NU.to(device)


def _outputs(
    logits_NU: Tensor, targets: Targets, columns: Tensor | None, blocked_NU: Tensor | None
) -> tuple[Tensor, Tensor]:
    logits_NU = logits_NU.float() / targets.temperature_N[:, None]
    picked_N = targets.ids_N if columns is None else torch.searchsorted(columns, targets.ids_N)
    if columns is None and targets.allowed is not None:
        blocked_NU = _blocked_rows(logits_NU, targets.allowed)
    if blocked_NU is None:
        logprob_NU = torch.log_softmax(logits_NU, dim=-1)
        entropy_N = -(logprob_NU.exp() * logprob_NU).sum(-1)
    else:
        logprob_NU = torch.log_softmax(logits_NU.masked_fill(blocked_NU, -torch.inf), dim=-1)
        # 0 · -inf is not a number, in the gradient as well: blocked entries leave the product before it is taken.
        entropy_N = -(logprob_NU.exp() * logprob_NU.masked_fill(blocked_NU, 0.0)).sum(-1)
    return logprob_NU.gather(1, picked_N[:, None])[:, 0], entropy_N


def _blocked_rows(logits_NV: Tensor, allowed: Sequence[tuple[int, ...] | None]) -> Tensor | None:
    confined = [(row, ids) for row, ids in enumerate(allowed) if ids is not None]
    if not confined:
        return None
    blocked_NV = torch.zeros(logits_NV.shape, dtype=torch.bool)
    for row, ids in confined:
        blocked_NV[row] = True
        blocked_NV[row, list(ids)] = False
    return blocked_NV.to(logits_NV.device)
