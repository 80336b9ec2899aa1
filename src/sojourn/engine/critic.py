"""The critic of the torch engine: a scalar head on a model of its own, or on the policy's last states.

Axes: N trained tokens, flat · E hidden size.
"""

from __future__ import annotations

import contextlib
import copy
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from sojourn.engine.microbatch import MicroBatch
from sojourn.engine.optimizer import Optimizer
from sojourn.engine.train_forward import disable_dropout, enable_activation_checkpointing

CriticKind = Literal["separate", "shared"]


class TorchCritic:
    """Values of states, with the parameters and the optimiser that are the critic's own."""

    def __init__(
        self,
        policy: PreTrainedModel,
        kind: CriticKind,
        *,
        shared_coef: float = 1.0,
        autocast: torch.dtype | None = None,
        activation_checkpointing: bool = False,
    ) -> None:
        """`policy` as it is before adapters are added; ``separate`` copies its decoder, ``shared`` uses its states.

        The head begins at zero, so that the first values are 0. With ``shared``, the gradient that reaches the
        policy's layers is multiplied by `shared_coef`.
        """
        self.kind = kind
        decoder = policy.get_decoder()
        weight = next(decoder.parameters())
        self._decoder: nn.Module = decoder if kind == "shared" else copy.deepcopy(decoder).requires_grad_(True)
        if kind == "separate":
            disable_dropout(self._decoder)
            if activation_checkpointing:
                enable_activation_checkpointing(self._decoder)
        self._head = nn.Linear(policy.config.get_text_config().hidden_size, 1, device=weight.device)
        nn.init.zeros_(self._head.weight)
        nn.init.zeros_(self._head.bias)
        self._shared_coef = shared_coef
        self._autocast = autocast
        own = {f"head.{name}": parameter for name, parameter in self._head.named_parameters()}
        if kind == "separate":
            own |= {f"decoder.{name}": parameter for name, parameter in self._decoder.named_parameters()}
        self._parameters = own
        self.optimizer = Optimizer(own)

    def __call__(self, batch: MicroBatch) -> Tensor:
        """Value of the state before each trained token of the micro-batch [N], float32."""
        with self._precision():
            states_BTE = self._decoder(input_ids=batch.ids_BT, use_cache=False).last_hidden_state
        states_NE = states_BTE.flatten(0, 1)[batch.position_N].float()
        if self.kind == "shared":
            states_NE = _scaled_gradient(states_NE, self._shared_coef)
        values_N: Tensor = self._head(states_NE)[:, 0]
        return values_N

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self._autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(self._head.weight.device.type, dtype=self._autocast)

    def state(self) -> dict[str, Tensor]:
        """Weights and optimiser as plain tensors, on the CPU."""
        weights = {f"weight:{n}": p.detach().cpu().clone().contiguous() for n, p in self._parameters.items()}
        return weights | {f"optimizer:{name}": value for name, value in self.optimizer.state().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned. Raises `DataError` or ``KeyError`` if it is another critic's."""
        self.optimizer.load_state(
            {n.removeprefix("optimizer:"): v for n, v in state.items() if n.startswith("optimizer:")}
        )
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(state[f"weight:{name}"])


def _scaled_gradient(value: Tensor, coef: float) -> Tensor:
    """`value`, whose gradient is multiplied by `coef` on its way back."""
    return value.detach() + coef * (value - value.detach())
