"""AdamW over the trained parameters: one guarded step, and its state as plain tensors by name."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sojourn.engine.protocol import AdamParams, OptimStats
from sojourn.errors import DataError


class Optimizer:
    """AdamW whose settings come with each step. Weight decay is applied to every trained parameter."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        self._parameters = dict(parameters)
        # foreach, not fused: the same arithmetic on every device, and as fast where the gradient dominates
        self._adam = torch.optim.AdamW(list(self._parameters.values()), lr=0.0, foreach=True)

    def step(self, params: AdamParams) -> OptimStats:
        """Apply the accumulated gradient and zero it; a gradient that is not finite is only zeroed."""
        gradients = [p.grad for p in self._parameters.values() if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        is_applied = math.isfinite(norm) and bool(gradients)
        if is_applied:
            if params.max_grad_norm is not None and norm > params.max_grad_norm:
                torch._foreach_mul_(gradients, params.max_grad_norm / norm)
            self._adam.param_groups[0].update(
                lr=params.learning_rate,
                betas=(params.beta1, params.beta2),
                eps=params.eps,
                weight_decay=params.weight_decay,
            )
            self._adam.step()
        self.zero_grad()
        return OptimStats(grad_norm=norm, is_applied=is_applied)

    def zero_grad(self) -> None:
        """Throw the gradient away and free its memory."""
        self._adam.zero_grad(set_to_none=True)

    def state(self) -> dict[str, Tensor]:
        """Moments and step count of each parameter, on the CPU, as ``step:<name>`` and so on; empty before a step."""
        return {
            f"{key}:{name}": value.detach().cpu().clone()
            for name, parameter in self._parameters.items()
            if parameter in self._adam.state
            for key, value in self._adam.state[parameter].items()
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Restore what `state` returned. Raises `DataError`, changing nothing, if it belongs to other parameters."""
        restored: dict[Tensor, dict[str, Tensor]] = {}
        for entry, value in state.items():
            key, _, name = entry.partition(":")
            parameter = self._parameters.get(name)
            if parameter is None or (key != "step" and value.shape != parameter.shape):
                raise DataError(
                    f"the optimizer state holds {entry} {tuple(value.shape)}, which the model does not train"
                )
            # The step count stays on the CPU, as AdamW keeps it; the moments follow the parameter.
            moved = value.clone() if key == "step" else value.to(parameter.device, copy=True)
            restored.setdefault(parameter, {})[key] = moved
        self._adam.state.clear()
        self._adam.state.update(restored)
