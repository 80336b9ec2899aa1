"""The Engine: where the weights live. Algorithms see rows of ids and arrays; no other module sees a weight.

An engine samples and trains one model. It may be this process, several GPUs, or a cluster behind HTTP; only ids and
numpy arrays cross. Losses are not named on the wire: `forward` gives the outputs per token, the loss is differentiated
with respect to them on our side, and `backward` takes that gradient (the *cotangents*) back. So every algorithm runs on
every engine, and every mean and denominator is ours.

Axes: T tokens of one row · N trained tokens of all rows of a call, flat, in row order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from sojourn.types import Completion, SamplingParams

FloatArray = npt.NDArray[np.float32]
EngineRole = Literal["policy", "reference"]
"""``policy``: the weights being trained. ``reference``: the weights at creation, or at the last reset, frozen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One sequence to be run through the model."""

    token_ids: npt.NDArray[np.int64]
    """[T] ids exactly as the sampler saw and produced them."""
    mask: npt.NDArray[np.bool_]
    """[T] True where the token is trained on: its output is wanted. ``mask[0]`` is False (nothing precedes it)."""
    allowed: tuple[tuple[int, ...] | None, ...] | None = None
    """One entry per masked token: the ids its distribution is confined to (None: the whole vocabulary)."""
    temperature: float = 1.0
    """Divides the logits, as it did when the tokens were sampled."""

    def __post_init__(self) -> None:
        if self.token_ids.ndim != 1 or self.token_ids.shape != self.mask.shape:
            raise ValueError(
                f"expected token_ids and mask of one shape [T], got {self.token_ids.shape}, {self.mask.shape}"
            )
        if self.mask.size and bool(self.mask[0]):
            raise ValueError("mask[0] must be False: no token precedes the first")
        if self.allowed is not None and len(self.allowed) != self.num_trained:
            raise ValueError(
                f"expected {self.num_trained} allowed sets (one per masked token), got {len(self.allowed)}"
            )

    @property
    def num_trained(self) -> int:
        """Number of masked tokens."""
        return int(self.mask.sum())

    @property
    def num_tokens(self) -> int:
        return int(self.token_ids.shape[0])


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenOutputs:
    """Outputs (or, passed to `backward`, their cotangents) for the N trained tokens of the rows, flat."""

    logprobs_N: FloatArray
    """Natural log-probability of each trained token under the confined, tempered distribution."""
    entropy_N: FloatArray
    """Entropy of that distribution, in nats."""


class RowLoss(Protocol):
    """A loss that is a sum over rows, so that it may be taken a few rows at a time."""

    def __call__(self, rows: Sequence[int], logprobs_N: torch.Tensor, entropy_N: torch.Tensor) -> torch.Tensor:
        """Scalar: the part of the loss that belongs to `rows` (indices into the call's rows).

        The tensors hold the trained tokens of just those rows, flat, in the order given.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class AdamParams:
    """One optimiser step (AdamW)."""

    learning_rate: float
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0
    max_grad_norm: float | None = None
    """Clip the global gradient norm to this; None does not clip."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimStats:
    """What an optimiser step reports."""

    grad_norm: float
    """Global 2-norm of the gradient before clipping."""
    is_applied: bool
    """False if the gradient was not finite: then neither the weights nor the optimiser changed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineInfo:
    """What an engine can do; an algorithm that needs more is refused before the first update."""

    model: str
    max_length: int
    """Longest sequence, in tokens, that can be sampled or trained on."""
    vocab_size: int
    num_parameters: int
    trains: Literal["full", "lora"]
    roles: tuple[Literal["policy", "reference", "critic"], ...]
    outputs: tuple[Literal["logprobs", "entropy", "values"], ...]
    clips_gradients: bool
    confines: bool
    """Whether sampling and log-probs can be confined to allowed ids."""


class Engine(Protocol):
    """Sampling and training of one model together."""

    def info(self) -> EngineInfo:
        """What this engine is and can do."""

    async def sample(self, prompt_ids: Sequence[int], params: SamplingParams, session: str = "") -> Completion:
        """See `sojourn.types.Sampler`; uses the last *published* weights and reports their version."""

    def release(self, session: str) -> None:
        """See `sojourn.types.Sampler`."""

    async def publish(self) -> int:
        """Make the trained weights the sampler's; returns their version. Nothing unpublished is ever sampled."""

    async def forward(self, rows: Sequence[Row], role: EngineRole = "policy") -> TokenOutputs:
        """Per-token outputs without a gradient."""

    async def backward(self, rows: Sequence[Row], cotangents: TokenOutputs) -> None:
        """Add Σ cotangent · ∂output/∂θ to the policy's gradient: a plain sum until `optim_step`."""

    async def optim_step(self, params: AdamParams) -> OptimStats:
        """One optimiser step from the accumulated gradient, which is then zero."""

    def zero_grad(self) -> None:
        """Throw the accumulated gradient away."""

    async def save(self, path: str) -> str:
        """Write weights and optimiser under `path`; returns a URI that `load` of the same kind of engine takes."""

    async def load(self, uri: str) -> None:
        """Restore weights and optimiser; equality after it. The sampler then has the loaded weights, published."""

    async def close(self) -> None:
        """Free everything; may be called twice."""


@runtime_checkable
class FusesBackward(Protocol):
    """An engine in this process may take forward, loss and backward in one pass; equal to the two-step path by test."""

    async def forward_backward(self, rows: Sequence[Row], loss: RowLoss) -> TokenOutputs:
        """Accumulate the gradient of `loss` and return the (detached) outputs it was taken at."""


class ValueLoss(Protocol):
    """A loss of values that is a sum over rows."""

    def __call__(self, rows: Sequence[int], values_N: torch.Tensor) -> torch.Tensor:
        """Scalar: the part that belongs to `rows` (indices into the call's rows), given their values."""


@runtime_checkable
class TrainsCritic(Protocol):
    """An engine with a critic (``"critic"`` is among its roles): a value for the state before every masked token."""

    async def forward_values(self, rows: Sequence[Row]) -> FloatArray:
        """Value of the state before each masked token [N], without a gradient; `Row.allowed` plays no part."""

    async def backward_values(self, rows: Sequence[Row], cotangents_N: FloatArray) -> None:
        """Add the gradient of the values times `cotangents_N` to the critic's, until `step_critic`.

        A critic that shares the policy's layers adds, scaled by its coefficient, to the policy's gradient as well.
        """

    async def step_critic(self, params: AdamParams) -> OptimStats:
        """One optimiser step of the critic's own weights, whose gradient is then zero."""


@runtime_checkable
class FusesValues(Protocol):
    """An engine in this process may take values, loss and backward in one pass."""

    async def forward_backward_values(self, rows: Sequence[Row], loss: ValueLoss) -> FloatArray:
        """Accumulate the gradient of `loss` and return the values it was taken at [N]."""


@runtime_checkable
class ResetsReference(Protocol):
    """An engine whose reference can be moved."""

    async def reset_reference(self) -> None:
        """Make the trained weights of this moment the reference; part of what `save` writes from then on."""
