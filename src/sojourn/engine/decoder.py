"""A transformers model that runs the new tokens of many sequences in one packed step."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache as cached
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel

from sojourn.engine.kv_cache import SLOT_ATTENTION, Segment, SlotCache, StepPlan
from sojourn.engine.packed_linear import PackedModel
from sojourn.engine.pretrained import quiet_transformers
from sojourn.errors import ConfigError

_LAYER_TYPES = frozenset({"full_attention", "sliding_attention"})
_MAX_GAP = 1e-3  # of float32 logits computed in slots, in standard deviations


class SlotDecoder:
    """The sampler's own copy of a model, and the cache of its slots."""

    def __init__(self, model: PreTrainedModel, dtype: torch.dtype) -> None:
        """Copies `model` in `dtype`; the original is not changed. Raises `ConfigError` if it cannot be run in slots."""
        self.vocab_size = int(model.config.get_text_config().vocab_size)
        self._bytes_per_token = _check(model)
        self.dtype = dtype
        self.device = next(model.parameters()).device
        self.cache = SlotCache()
        self._model = copy.deepcopy(model).to(dtype).eval().requires_grad_(False)
        with quiet_transformers():
            self._model.set_attn_implementation(SLOT_ATTENTION)
        self._weights = dict(self._model.named_parameters())
        self.num_parameters = sum(weight.numel() for weight in self._weights.values())
        self._packed = PackedModel(self._model)
        kept = {id(weight) for weight in self._model.parameters()}
        self._weights = {name: weight for name, weight in self._weights.items() if id(weight) in kept}

    @torch.inference_mode()
    def step(self, segments: Sequence[Segment], num_slots: int) -> Tensor:
        """Logits [N, V] after the last token of each of the N segments; their keys and values are then in the cache.

        `segments` are in slot order; `num_slots` slots are in use.
        """
        return _step(self._model, self.cache, StepPlan(segments, self.device), num_slots)

    def cache_bytes(self, length: int) -> int:
        """Memory that the keys and values of one sequence of `length` tokens take."""
        return self._bytes_per_token * length

    @torch.no_grad()
    def update(self, weights: Mapping[str, Tensor]) -> None:
        """Overwrite weights by name and forget all keys and values."""
        for name, weight in weights.items():
            if name in self._weights:
                self._weights[name].copy_(weight)
        self._packed.update(weights, self.dtype)
        self.cache.clear()


def _step(model: PreTrainedModel, cache: SlotCache, plan: StepPlan, num_slots: int) -> Tensor:
    cache.begin(plan, num_slots)
    logits: Tensor = model(
        input_ids=plan.ids_T[None],
        position_ids=plan.position_T[None],
        use_cache=True,
        logits_to_keep=plan.last_T,
        slot_plan=plan,
        **{_cache_argument(model): cache},
    ).logits
    return logits[0]


def _cache_argument(model: PreTrainedModel) -> str:
    """What a model calls its cache: transformers renamed it in 5.24, and a model's own code may not have followed."""
    return _argument_of(type(model).forward)


@cached
def _argument_of(forward: Callable[..., Any]) -> str:
    return "cache" if "cache" in inspect.signature(forward).parameters else "past_key_values"


@torch.inference_mode()
def _check(model: PreTrainedModel) -> int:
    """Run a few tokens in slots and compare with the model's own forward; returns the bytes cached per token.

    Raises `ConfigError` for models that keep something else than keys and values, or whose logits differ.
    """
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ()) - _LAYER_TYPES
    if kinds:
        raise _unsupported(model, f"layers of type {', '.join(sorted(kinds))}")
    device, cache = next(model.parameters()).device, SlotCache()
    ids = [token % config.vocab_size for token in range(7)]
    own_kernel = model.config._attn_implementation
    plans = [
        StepPlan([Segment(slot=1, start=0, ids=ids[:4])], device),
        StepPlan([Segment(slot=0, start=0, ids=ids[:4]), Segment(slot=1, start=4, ids=ids[4:])], device),
    ]
    try:
        expected = model(input_ids=torch.tensor([ids], device=device), use_cache=False).logits[0, [3, 6]].float()
        with quiet_transformers():
            model.set_attn_implementation(SLOT_ATTENTION)
        got = torch.stack([_step(model, cache, plan, 2)[-1] for plan in plans]).float()
    except (NotImplementedError, TypeError, RuntimeError, AttributeError) as error:
        raise _unsupported(model, str(error)) from error
    finally:
        with quiet_transformers():
            model.set_attn_implementation(own_kernel)
    gap = float((got - expected).abs().max() / expected.std().clamp(min=1e-6))
    if next(model.parameters()).dtype == torch.float32 and not gap <= _MAX_GAP:
        raise _unsupported(model, f"logits differ by {gap:.3g} standard deviations from {own_kernel!r}")
    return cache.bytes_per_token()


def _unsupported(model: PreTrainedModel, reason: str) -> ConfigError:
    return ConfigError(
        f"sampler 'hf' cannot run {type(model).__name__} ({reason}); it runs attention-only causal language models"
    )
