"""Linear layers with their weight laid out once the way the CPU's kernel reads it.

The plain layer lays it out anew at every call, which at the 1 to 64 tokens of a decode step costs as much as the
product itself (measured in float32: twice the time). Inference only; the sampler's copy of a model uses it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

_MIN_WEIGHTS = 1 << 16  # below it the call itself is the cost


class PackedLinear(nn.Module):
    """``nn.Linear`` on a packed weight."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.bias = bias
        self.pack(weight)

    def pack(self, weight: Tensor) -> None:
        """Take another weight [out, in]."""
        self._packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous())

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._packed, self.bias, "none", [], "")
        return outputs


class PackedModel:
    """Replaces the linear layers of a model, in place, and keeps them up to date by parameter name."""

    def __init__(self, model: nn.Module) -> None:
        """Does nothing where the CPU kernel is absent or the weights are on another device."""
        by_tensor = {id(p): name for name, p in model.named_parameters()}
        self._layers: dict[str, list[PackedLinear]] = {}
        if not _is_available(next(model.parameters())):
            return
        for parent in list(model.modules()):
            for name, layer in list(parent.named_children()):
                # An output head tied to the embedding appears under the embedding's name: both are kept.
                if type(layer) is nn.Linear and layer.weight.numel() >= _MIN_WEIGHTS:
                    packed = PackedLinear(layer.weight, layer.bias)
                    self._layers.setdefault(by_tensor[id(layer.weight)], []).append(packed)
                    setattr(parent, name, packed)

    @torch.no_grad()
    def update(self, weights: Mapping[str, Tensor], dtype: torch.dtype) -> None:
        """Pack the weights whose layers were replaced; the others are the caller's to copy."""
        for name, weight in weights.items():
            for layer in self._layers.get(name, ()):
                layer.pack(weight.to(dtype))


@torch.no_grad()
def _is_available(weight: Tensor) -> bool:
    """Whether the private operators exist and agree with the public one; they may change with PyTorch."""
    if weight.device.type != "cpu" or not torch._C._has_mkldnn:
        return False
    inputs, matrix = torch.eye(32, dtype=weight.dtype), torch.arange(1024.0).reshape(32, 32).to(weight.dtype)
    try:
        return torch.equal(PackedLinear(matrix, None)(inputs), nn.functional.linear(inputs, matrix))
    except (RuntimeError, AttributeError, TypeError):
        return False
