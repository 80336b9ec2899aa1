"""Drawing tokens: one row of logits and one number in [0, 1) per request, so a draw depends on nothing else.

Axes: N requests drawn together · V vocabulary · K allowed ids, padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sojourn.errors import SamplerError

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_BLOCK = 128  # the inverse CDF is searched in two levels: over blocks of so many ids, then inside one


@dataclass(frozen=True, kw_only=True, slots=True)
class Draw:
    """What to draw from one row of logits."""

    temperature: float
    seed: int
    position: int
    """Number of tokens the completion has already: the same seed gives another number at each position."""
    allowed: tuple[int, ...] | None
    """Ids the draw is confined to; None for the whole vocabulary."""


def uniform(seed: int, position: int) -> float:
    """A number in [0, 1) that is a function of `seed` and `position` alone (SplitMix64).

    52 bits: u times any total then rounds to less than the total.
    """
    state = _mix((seed + _GOLDEN) & _MASK)
    return (_mix((state + (position + 1) * _GOLDEN) & _MASK) >> 12) * 2.0**-52


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


def draw_tokens(logits_NV: Tensor, draws: Sequence[Draw]) -> tuple[list[int], list[float]]:
    """One token per row and its log-probability under the confined, tempered distribution.

    At temperature 0 that distribution is certain of its most likely token: the log-probability is 0. Raises
    `SamplerError` if the logits are not finite.
    """
    tokens = [0] * len(draws)
    logprobs = [0.0] * len(draws)
    for is_confined in (False, True):
        rows = [row for row, draw in enumerate(draws) if (draw.allowed is not None) == is_confined]
        if not rows:
            continue
        chosen = [draws[row] for row in rows]
        picked = logits_NV if len(rows) == len(draws) else logits_NV[rows]
        ids, values = _draw_confined(picked, chosen) if is_confined else _draw(picked, chosen)
        for row, token, value in zip(rows, ids, values, strict=True):
            tokens[row], logprobs[row] = token, value
    return tokens, logprobs


def _draw_confined(logits_NV: Tensor, draws: Sequence[Draw]) -> tuple[list[int], list[float]]:
    allowed = [draw.allowed or () for draw in draws]
    width = max(len(ids) for ids in allowed)
    padded_NK = torch.tensor([[*ids, *[ids[0]] * (width - len(ids))] for ids in allowed], device=logits_NV.device)
    real_NK = torch.tensor([[k < len(ids) for k in range(width)] for ids in allowed], device=logits_NV.device)
    logits_NK = logits_NV.gather(1, padded_NK).float().masked_fill(~real_NK, -torch.inf)
    picks, logprobs = _draw(logits_NK, draws)
    return [ids[pick] for ids, pick in zip(allowed, picks, strict=True)], logprobs


def _draw(logits_NV: Tensor, draws: Sequence[Draw]) -> tuple[list[int], list[float]]:
    device = logits_NV.device
    greedy = torch.tensor([draw.temperature == 0 for draw in draws], device=device)
    temperature_N = torch.tensor([draw.temperature or 1.0 for draw in draws], device=device)
    u_N = torch.tensor([uniform(draw.seed, draw.position) for draw in draws], device=device, dtype=torch.float64)
    logits_NV = logits_NV.float()
    if any(draw.temperature not in (0, 1) for draw in draws):
        logits_NV = logits_NV / temperature_N[:, None]
    top_N, best_N = logits_NV.max(dim=-1)
    weight_NV = (logits_NV - top_N[:, None]).exp_()
    picked_N, total_N = _inverse_cdf(weight_NV, u_N)
    token_N = torch.where(greedy, best_N, picked_N)
    logprob_N = logits_NV.gather(1, token_N[:, None])[:, 0].double() - top_N.double() - total_N.log()
    logprob_N = torch.where(greedy, torch.zeros_like(logprob_N), logprob_N)
    if not bool(torch.isfinite(total_N).all()):
        raise SamplerError("the model's logits are not finite")
    return token_N.tolist(), logprob_N.tolist()


def _inverse_cdf(weight_NV: Tensor, u_N: Tensor) -> tuple[Tensor, Tensor]:
    """The id at which the cumulated weights pass u times their total, and that total, [N] each.

    Sums of blocks in float64: a running sum of a large vocabulary in float32 would lose the small weights.
    """
    size = weight_NV.shape[1]
    whole = size - size % _BLOCK
    tail = torch.nn.functional.pad(weight_NV[:, whole:], (0, -size % _BLOCK))
    blocks_NBK = weight_NV[:, :whole].reshape(len(u_N), whole // _BLOCK, _BLOCK)
    sums_NB = blocks_NBK.sum(-1)
    if size % _BLOCK:
        sums_NB = torch.cat([sums_NB, tail.sum(-1, keepdim=True)], dim=1)
    cumulated_NB = sums_NB.double().cumsum(-1)
    total_N = cumulated_NB[:, -1]
    target_N = u_N * total_N
    block_N = torch.searchsorted(cumulated_NB, target_N[:, None], right=True)[:, 0].clamp_(max=sums_NB.shape[1] - 1)
    before_N = torch.where(block_N > 0, cumulated_NB.gather(1, (block_N - 1).clamp(min=0)[:, None])[:, 0], 0.0)
    ids_NK = block_N[:, None] * _BLOCK + torch.arange(_BLOCK, device=u_N.device)
    inside_NK = weight_NV.gather(1, ids_NK.clamp(max=size - 1)).double().masked_fill_(ids_NK >= size, 0.0)
    within_NK = inside_NK.cumsum(-1)
    offset_N = torch.searchsorted(within_NK, (target_N - before_N)[:, None], right=True)[:, 0]
    # Rounding may point past the block's last id of any weight: then that one is meant.
    last_N = (_BLOCK - 1) - (inside_NK > 0).int().flip(-1).argmax(-1)
    return (block_N * _BLOCK + torch.minimum(offset_N, last_N)).clamp_(max=size - 1), total_N
