"""Weights by name: LoRA adapters, merging, and what the sampler and an exported folder get."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from sojourn.engine.pretrained import quiet_transformers


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraSpec:
    """Low-rank adapters instead of full fine-tuning."""

    rank: int = 16
    alpha: float = 32.0
    """The adapter's output is scaled by alpha / rank."""
    target_modules: str | tuple[str, ...] = "all-linear"
    """Names of the linear layers that get one; ``all-linear``: all but the output head."""


def add_lora(model: PreTrainedModel, spec: LoraSpec, seed: int) -> Any:
    """Wrap `model` in place with adapters drawn from `seed`; only they require a gradient. Returns PEFT's model."""
    from peft import LoraConfig, get_peft_model  # 1 s to import, and full fine-tuning does not need it

    targets = spec.target_modules if isinstance(spec.target_modules, str) else list(spec.target_modules)
    config = LoraConfig(r=spec.rank, lora_alpha=spec.alpha, target_modules=targets, lora_dropout=0.0, bias="none")
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(seed)
        wrapped = get_peft_model(model, config)
    # Adapters follow the base weights' type; half of a step of 1e-5 is lost in bfloat16.
    for parameter in wrapped.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return wrapped


def merged_weights(model: nn.Module, *, is_lora: bool) -> Iterator[tuple[str, Tensor]]:
    """(name in the plain model, weight) of everything training may have changed, adapters merged in."""
    if not is_lora:
        yield from model.named_parameters()
        return
    from peft.tuners.lora import LoraLayer  # see add_lora

    for name, module in model.named_modules():
        if isinstance(module, LoraLayer):
            base: Tensor = module.get_base_layer().weight
            yield f"{name}.weight", base + module.get_delta_weight("default").to(base.dtype)


@contextmanager
def swapped(model: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """`model` computes with `weights` instead of its own parameters of those names; nothing is copied."""
    parameters = dict(model.named_parameters())
    own = {name: parameters[name].data for name in weights}
    try:
        for name, weight in weights.items():
            parameters[name].data = weight
        yield
    finally:
        for name, weight in own.items():
            parameters[name].data = weight


def plain_state(model: PreTrainedModel, *, is_lora: bool) -> dict[str, Tensor]:
    """The state of the plain model on the CPU, adapters merged, ready for ``save_pretrained(state_dict=...)``."""
    state = {}
    for name, tensor in model.state_dict().items():
        if ".lora_" not in name:
            state[name.replace(".base_layer.", ".")] = tensor
    state.update(merged_weights(model, is_lora=is_lora))
    return {name: tensor.detach().cpu() for name, tensor in state.items()}
