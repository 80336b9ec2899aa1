"""The training side of a causal language model: outputs of trained tokens, with and without a gradient.

Axes: B rows · T tokens, padded · N trained tokens, flat · E hidden size · V vocabulary · U output columns.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear
from transformers import PreTrainedModel

from sojourn.engine.microbatch import MicroBatch
from sojourn.engine.token_outputs import token_outputs
from sojourn.errors import ConfigError

_MAX_LOGITS = 1 << 26  # 64 M logits, 256 MB in float32, are held at once


class TrainForward:
    """Runs micro-batches through a model. The output head runs on trained tokens only, where the model allows it."""

    def __init__(self, model: PreTrainedModel, *, autocast: torch.dtype | None = None) -> None:
        """`autocast`: compute in this type while the weights stay as they are; None computes in the weights' type."""
        self.model = model
        self.device = next(model.parameters()).device
        self._autocast = autocast
        disable_dropout(model)
        self._has_plain_head = self._check_head()

    def __call__(self, batch: MicroBatch) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies [N] of the micro-batch's trained tokens, float32."""
        with self._precision():
            if self._has_plain_head:
                states_BTE = self._decoder()(input_ids=batch.ids_BT, use_cache=False).last_hidden_state
                states_NE = states_BTE.flatten(0, 1)[batch.position_N]
                return token_outputs(states_NE, batch.targets, self._logits, _MAX_LOGITS)
            logits_BTV = self.model(input_ids=batch.ids_BT, use_cache=False).logits
            logits_NV = logits_BTV.flatten(0, 1)[batch.position_N]
            return token_outputs(logits_NV, batch.targets, _columns, logits_NV.numel())

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self._autocast)

    def _decoder(self) -> torch.nn.Module:
        decoder: torch.nn.Module = self.model.get_decoder()
        return decoder

    def _logits(self, states_NE: Tensor, columns: Tensor | None) -> Tensor:
        head = self.model.get_output_embeddings()
        if columns is None:
            logits: Tensor = head(states_NE)
            return logits
        bias = None if head.bias is None else head.bias[columns]
        return linear(states_NE, head.weight[columns], bias)

    @torch.no_grad()
    def _check_head(self) -> bool:
        """Whether the logits are the output embedding applied to the decoder's states, and nothing more."""
        head = self.model.get_output_embeddings()
        if not isinstance(head, torch.nn.Linear):
            return False
        ids = torch.arange(4, device=self.device)[None]
        try:
            states = self._decoder()(input_ids=ids, use_cache=False).last_hidden_state
            expected = self.model(input_ids=ids, use_cache=False).logits
            return torch.allclose(linear(states, head.weight, head.bias), expected, rtol=1e-4, atol=1e-5)
        except (AttributeError, RuntimeError, TypeError) as error:
            raise ConfigError(
                f"{type(self.model).__name__} cannot be run as a causal language model: {error}"
            ) from error


def _columns(logits_NV: Tensor, columns: Tensor | None) -> Tensor:
    return logits_NV if columns is None else logits_NV[:, columns]


def disable_dropout(model: torch.nn.Module) -> None:
    """Set every dropout to zero: log-probs must be those of the sampler, and runs must repeat."""
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0  # type: ignore[assignment]


def enable_activation_checkpointing(model: PreTrainedModel) -> None:
    """Keep one activation per layer and compute the others again in the backward pass."""
    disable_dropout(model)
    newer = getattr(model, "activation_checkpointing_enable", None)  # the older name warns once this one exists
    (newer or model.gradient_checkpointing_enable)()
    model.train()  # transformers checkpoints in training mode only; without dropout the mode changes nothing else
