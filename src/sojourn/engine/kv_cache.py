"""Keys and values of many sequences, one slot each, and the attention that reads them.

The tokens of all sequences of a step are packed into one row, so the linear layers see no padding whatever the lengths;
only attention is done sequence by sequence. Transformers' own model code runs unmodified: it hands new keys and values
to `SlotCache.update` and calls `slot_attention` (registered under `SLOT_ATTENTION`) instead of its built-in kernels.

Axes: S slots · C positions a slot can hold · T tokens of the step · R slots of one run · Q queries per slot of a run ·
L positions attended to · H query heads · K key-value heads · D head size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

SLOT_ATTENTION = "sojourn_slots"
_LENGTH_STEP = 32  # lengths are rounded up to this: few distinct shapes, and the alignment CUDA kernels want


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """New tokens of one sequence in one step."""

    slot: int
    start: int
    """Position of the first new token: so many are in the slot already."""
    ids: Sequence[int]

    @property
    def stop(self) -> int:
        return self.start + len(self.ids)


@dataclass(kw_only=True, slots=True)
class Run:
    """Neighbouring slots that one attention call serves."""

    first_slot: int
    num_slots: int
    length: int
    """L: positions attended to."""
    position_RQ: Tensor
    """Position of each query."""
    token_RQ: Tensor | None
    """Index of each query's token in the packed row; None when the run is the whole row in order, one query each."""
    real_RQ: Tensor | None
    """True where the query is not padding; None when all are real."""
    masks: dict[int | None, Tensor] = field(default_factory=dict)

    def mask(self, window: int | None, dtype: torch.dtype) -> Tensor:
        """Additive mask [R, 1, Q, L]: a query sees its own position and, up to `window` positions, what is before."""
        if window not in self.masks:
            key_L = torch.arange(self.length, device=self.position_RQ.device)
            distance_RQL = self.position_RQ[..., None] - key_L
            hidden_RQL = distance_RQL < 0
            if window is not None:
                hidden_RQL |= distance_RQL >= window
            # The lowest finite value, not -inf: a row hidden altogether (padding) must not become NaN.
            zeros = torch.zeros(hidden_RQL.shape, dtype=dtype, device=hidden_RQL.device)
            self.masks[window] = zeros.masked_fill_(hidden_RQL, torch.finfo(dtype).min).unsqueeze(1)
        return self.masks[window]


class StepPlan:
    """Where the tokens of one step go, and in which attention calls they are served."""

    def __init__(self, segments: Sequence[Segment], device: torch.device) -> None:
        """`segments`: in slot order, at most one for a slot."""
        self.segments = segments
        ids = [token for segment in segments for token in segment.ids]
        slots = [segment.slot for segment in segments for _ in segment.ids]
        positions = [position for segment in segments for position in range(segment.start, segment.stop)]
        packed = torch.tensor([ids, slots, positions], device=device)
        self.ids_T, self.slot_T, self.position_T = packed.unbind()
        last, ends = -1, []
        for segment in segments:
            last += len(segment.ids)
            ends.append(last)
        self.last_T = torch.tensor(ends, device=device)
        """Index of each segment's last token in the packed row."""
        self.max_length = max(segment.stop for segment in segments)
        self.runs = _runs(segments, device)

    @property
    def num_tokens(self) -> int:
        return int(self.ids_T.shape[0])


def _runs(segments: Sequence[Segment], device: torch.device) -> list[Run]:
    runs: list[Run] = []
    group: list[Segment] = []
    offset = 0
    for segment in segments:
        if group and not _joins(group, segment):
            runs.append(_run(group, offset, len(segments), device))
            offset += sum(len(member.ids) for member in group)
            group = []
        group.append(segment)
    runs.append(_run(group, offset, len(segments), device))
    return runs


def _joins(group: Sequence[Segment], segment: Segment) -> bool:
    """Whether one padded call for all is no worse than a call of its own: same neighbourhood, similar query count."""
    sizes = [len(member.ids) for member in group]
    low, high = min(*sizes, len(segment.ids)), max(*sizes, len(segment.ids))
    return segment.slot == group[-1].slot + 1 and high <= 2 * low


def _run(group: Sequence[Segment], offset: int, num_segments: int, device: torch.device) -> Run:
    counts = [len(segment.ids) for segment in group]
    width = max(counts)
    first_R = [offset + sum(counts[:index]) for index in range(len(group))]
    # Padding queries repeat their slot's last token: harmless, and dropped afterwards.
    steps_RQ = [[min(query, count - 1) for query in range(width)] for count in counts]
    position_RQ = torch.tensor([[s.start + q for q in row] for s, row in zip(group, steps_RQ, strict=True)])
    is_whole = len(group) == num_segments and width == 1
    token_RQ = torch.tensor([[first + q for q in row] for first, row in zip(first_R, steps_RQ, strict=True)])
    count_R = torch.tensor(counts)
    is_padded = min(counts) < width
    real_RQ = (torch.arange(width) < count_R[:, None]).to(device) if is_padded else None
    longest = max(segment.stop for segment in group)
    return Run(
        first_slot=group[0].slot,
        num_slots=len(group),
        length=_rounded(longest),
        position_RQ=position_RQ.to(device),
        token_RQ=None if is_whole else token_RQ.to(device),
        real_RQ=real_RQ,
    )


def _rounded(length: int) -> int:
    return -(-length // _LENGTH_STEP) * _LENGTH_STEP


class SlotCache:
    """The keys and values of all slots, a pair of buffers [S, K, C, D] per layer, grown on demand.

    It stands where transformers expects a ``Cache``; models only call `update` and ask for the length.
    """

    is_compileable = False

    def __init__(self) -> None:
        self.num_slots = 0
        self.capacity = 0
        self._layers: dict[int, tuple[Tensor, Tensor]] = {}
        self._plan: StepPlan | None = None

    def begin(self, plan: StepPlan, num_slots: int) -> None:
        """Make room for the step's tokens in `num_slots` slots; the next `update` calls write them."""
        self._reserve(num_slots, plan.max_length)
        self._plan = plan

    def update(
        self, keys: Tensor, values: Tensor, layer_idx: int, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Store the step's `keys` and `values` [1, K, T, D] and return the layer's whole buffers [S, K, C, D]."""
        assert self._plan is not None
        # On a CPU attention to one query is bound by its arithmetic in bfloat16: float32 keys take half the time.
        dtype = torch.float32 if keys.device.type == "cpu" else keys.dtype
        if layer_idx not in self._layers:
            shape = (self.num_slots, keys.shape[1], self.capacity)
            self._layers[layer_idx] = (
                keys.new_zeros(*shape, keys.shape[-1], dtype=dtype),
                values.new_zeros(*shape, values.shape[-1], dtype=dtype),
            )
        buffers = self._layers[layer_idx]
        for buffer, new in zip(buffers, (keys, values), strict=True):
            buffer[self._plan.slot_T, :, self._plan.position_T] = new[0].transpose(0, 1).to(dtype)
        return buffers

    @torch.inference_mode()
    def copy_prefix(self, source: int, target: int, length: int) -> None:
        """Give slot `target` the first `length` positions of slot `source`."""
        self._reserve(target + 1, length)
        for buffers in self._layers.values():
            for buffer in buffers:
                buffer[target, :, :length] = buffer[source, :, :length]

    def clear(self) -> None:
        """Free the buffers."""
        self._layers.clear()
        self.num_slots = self.capacity = 0
        self._plan = None

    def bytes_per_token(self) -> int:
        """Memory that is kept for a token; 0 before the first step."""
        return sum(b.shape[1] * b.shape[3] * b.element_size() for pair in self._layers.values() for b in pair)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Part of transformers' interface; positions are always given, so the answer is never used."""
        return 0

    def _reserve(self, num_slots: int, length: int) -> None:
        capacity = _rounded(length)
        if num_slots <= self.num_slots and capacity <= self.capacity:
            return
        if self.capacity and capacity > self.capacity:
            capacity = _rounded(capacity + capacity // 2)  # growing copies everything: it must stay rare
        self.num_slots, self.capacity = max(num_slots, self.num_slots), max(capacity, self.capacity)
        self._layers = {index: (self._grown(k), self._grown(v)) for index, (k, v) in self._layers.items()}

    def _grown(self, buffer: Tensor) -> Tensor:
        new = buffer.new_zeros(self.num_slots, buffer.shape[1], self.capacity, buffer.shape[3])
        new[: buffer.shape[0], :, : buffer.shape[2]] = buffer
        return new


def slot_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    slot_plan: StepPlan | None = None,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Attention of the packed queries [1, H, T, D] over slot buffers [S, K, C, D]; returns [1, T, H, D].

    The signature is transformers' attention interface; `attention_mask` is not used, each run has its own.
    """
    if slot_plan is None or kwargs.get("s_aux") is not None:
        raise NotImplementedError("the model does not pass its keyword arguments on, or uses attention sinks")
    dtype, query = query.dtype, query.to(key.dtype)
    query_THD = query[0].transpose(0, 1)
    if len(slot_plan.runs) == 1 and slot_plan.runs[0].token_RQ is None:
        out = _attend(slot_plan.runs[0], query_THD[:, :, None], key, value, scaling, sliding_window, softcap)
        return out.squeeze(2).unsqueeze(0).to(dtype), None
    out_THD = query.new_empty(*query_THD.shape[:2], value.shape[-1])
    for run in slot_plan.runs:
        assert run.token_RQ is not None
        query_RHQD = query_THD[run.token_RQ].transpose(1, 2)
        out_RQHD = _attend(run, query_RHQD, key, value, scaling, sliding_window, softcap).transpose(1, 2)
        if run.real_RQ is None:
            out_THD[run.token_RQ.flatten()] = out_RQHD.flatten(0, 1)
        else:
            out_THD[run.token_RQ[run.real_RQ]] = out_RQHD[run.real_RQ]
    return out_THD.unsqueeze(0).to(dtype), None


def _attend(
    run: Run,
    query_RHQD: Tensor,
    key_SKCD: Tensor,
    value_SKCD: Tensor,
    scaling: float | None,
    window: int | None,
    softcap: float | None,
) -> Tensor:
    """[R, H, Q, D], of one run."""
    rows = slice(run.first_slot, run.first_slot + run.num_slots)
    key, value = key_SKCD[rows, :, : run.length], value_SKCD[rows, :, : run.length]
    mask = run.mask(window, query_RHQD.dtype)
    num_rows, num_heads, width, head_dim = query_RHQD.shape
    if softcap is not None:
        return _softcapped(query_RHQD, key, value, mask, scaling or head_dim**-0.5, softcap)
    if width == 1:  # the heads that share a key-value head become its queries: each key is read once
        grouped = query_RHQD.reshape(num_rows, key.shape[1], -1, head_dim)
        out = scaled_dot_product_attention(grouped, key, value, attn_mask=mask, scale=scaling)
        return out.reshape(num_rows, num_heads, 1, -1)
    shares = num_heads != key.shape[1]
    return scaled_dot_product_attention(query_RHQD, key, value, attn_mask=mask, scale=scaling, enable_gqa=shares)


def _softcapped(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float, softcap: float) -> Tensor:
    share = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(share, dim=1), value.repeat_interleave(share, dim=1)
    scores = torch.matmul(query, key.transpose(2, 3)) * scaling
    scores = torch.tanh(scores / softcap) * softcap + mask
    return torch.matmul(torch.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype), value)


AttentionInterface.register(SLOT_ATTENTION, slot_attention)
