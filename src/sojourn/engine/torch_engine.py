"""The engine `torch`: trainer, sampler, reference and critic of one model in this process, on the CPU or one GPU."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from sojourn.engine.critic import CriticKind, TorchCritic
from sojourn.engine.devices import choose_device, choose_sampler_dtype, parse_dtype
from sojourn.engine.hf_sampler import HFSampler
from sojourn.engine.microbatch import MicroBatch, microbatches
from sojourn.engine.optimizer import Optimizer
from sojourn.engine.pretrained import load_model, load_tokenizer, resolve_model
from sojourn.engine.protocol import (
    AdamParams,
    EngineInfo,
    EngineRole,
    FloatArray,
    OptimStats,
    Row,
    RowLoss,
    TokenOutputs,
    ValueLoss,
)
from sojourn.engine.torch_state import TorchState
from sojourn.engine.train_forward import TrainForward, enable_activation_checkpointing
from sojourn.engine.weights import LoraSpec, add_lora, merged_weights, swapped
from sojourn.errors import ConfigError
from sojourn.types import Completion, SamplingParams

T = TypeVar("T")


class TorchEngine:
    """Implements `sojourn.engine.protocol.Engine`, `FusesBackward`, `TrainsCritic`, `FusesValues`, `ResetsReference`.

    The sampler has its own copy of the weights, so what is not published is never sampled, and may compute in another
    number type. Methods run on the caller's event loop and block it while they compute; with `in_thread`, training
    computes in a thread of its own instead, so that episodes go on meanwhile (the sampler stays on the loop).
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        name: str = "model",
        tokenizer: Any = None,
        sampler_dtype: torch.dtype = torch.float32,
        train_dtype: torch.dtype = torch.float32,
        lora: LoraSpec | None = None,
        reference: Callable[[], PreTrainedModel] | None = None,
        max_length: int | None = None,
        max_tokens_per_microbatch: int = 4096,
        activation_checkpointing: bool = False,
        max_slots: int = 64,
        seed: int = 0,
        critic: CriticKind | None = None,
        shared_coef: float = 1.0,
        in_thread: bool = False,
    ) -> None:
        """Takes `model` over (it is trained in place, on the device and in the type its weights have).

        `tokenizer` is only written beside saved weights. `train_dtype` bfloat16 computes in it under autocast; the
        weights and the optimiser stay as they are. `reference` loads the weights at creation when they are first
        needed; None keeps a copy from the start (with LoRA neither is needed). Raises `ConfigError` for a model or a
        length that cannot be used.
        """
        self._name = name
        self._thread = _one_thread() if in_thread else None
        self._tokenizer = tokenizer
        self._max_length = _checked_length(model, max_length)
        self._max_tokens = max_tokens_per_microbatch
        self._spec = lora
        self._autocast = torch.bfloat16 if train_dtype == torch.bfloat16 else None
        self._sampler = HFSampler(model, dtype=sampler_dtype, max_length=self._max_length, max_slots=max_slots)
        self._critic = None
        if critic is not None:
            self._critic = TorchCritic(
                model,
                critic,
                shared_coef=shared_coef,
                autocast=self._autocast,
                activation_checkpointing=activation_checkpointing,
            )
        self._model = model.requires_grad_(lora is None)
        self._reference_of = reference if reference is not None or lora is not None else _keep_copy(model)
        self._reference: TrainForward | None = None
        self._reference_weights: dict[str, Tensor] | None = None
        self._lora: Any = None if lora is None else add_lora(model, lora, seed)
        self._forward = TrainForward(model, autocast=self._autocast)
        if activation_checkpointing:
            enable_activation_checkpointing(model)
        self._optimizer = Optimizer({n: p for n, p in model.named_parameters() if p.requires_grad})

    @classmethod
    def from_pretrained(
        cls,
        path: str,
        *,
        device: str = "auto",
        sampler_dtype: str = "auto",
        train_dtype: str = "float32",
        lora: LoraSpec | None = None,
        max_length: int | None = None,
        max_tokens_per_microbatch: int = 4096,
        activation_checkpointing: bool = False,
        max_slots: int = 64,
        seed: int = 0,
        num_threads: int | None = None,
        critic: CriticKind | None = None,
        shared_coef: float = 1.0,
        in_thread: bool = False,
    ) -> TorchEngine:
        """An engine for the model at `path` (see `pretrained.resolve_model`). Weights are trained in float32.

        Its tokenizer, if it has one, is written beside saved weights. `num_threads` sets PyTorch's threads for the
        whole process; None leaves them. Raises `ConfigError` for a wrong path, device, number type or length.
        """
        place, folder = choose_device(device), resolve_model(path)
        model = load_model(folder, device=place)
        size = sum(parameter.numel() for parameter in model.parameters())
        if num_threads is not None:
            torch.set_num_threads(num_threads)
        return cls(
            model,
            name=path,
            tokenizer=_tokenizer_of(folder),
            sampler_dtype=choose_sampler_dtype(sampler_dtype, place, size),
            train_dtype=parse_dtype(train_dtype),
            lora=lora,
            reference=lambda: load_model(folder, device=place),
            max_length=max_length,
            max_tokens_per_microbatch=max_tokens_per_microbatch,
            activation_checkpointing=activation_checkpointing,
            max_slots=max_slots,
            seed=seed,
            critic=critic,
            shared_coef=shared_coef,
            in_thread=in_thread,
        )

    @property
    def sampler(self) -> HFSampler:
        """The sampler, for its counters."""
        return self._sampler

    def info(self) -> EngineInfo:
        return EngineInfo(
            model=self._name,
            max_length=self._max_length,
            vocab_size=self._sampler.decoder.vocab_size,
            num_parameters=self._sampler.decoder.num_parameters,
            trains="full" if self._spec is None else "lora",
            roles=("policy", "reference") if self._critic is None else ("policy", "reference", "critic"),
            outputs=("logprobs", "entropy") if self._critic is None else ("logprobs", "entropy", "values"),
            clips_gradients=True,
            confines=True,
        )

    async def sample(self, prompt_ids: Sequence[int], params: SamplingParams, session: str = "") -> Completion:
        return await self._sampler.sample(prompt_ids, params, session)

    def release(self, session: str) -> None:
        self._sampler.release(session)

    async def publish(self) -> int:
        await self._sampler.publish(dict(self._merged()), self._sampler.version + 1)
        return self._sampler.version

    async def forward(self, rows: Sequence[Row], role: EngineRole = "policy") -> TokenOutputs:
        def compute() -> TokenOutputs:
            model, context = self._of_role(role)
            outputs = _Outputs(rows)
            with torch.no_grad(), context:
                for batch in self._batches(rows):
                    outputs.put(batch, *model(batch))
            return outputs.result()

        return await self._computed(compute)

    async def backward(self, rows: Sequence[Row], cotangents: TokenOutputs) -> None:
        logprobs_N = torch.from_numpy(np.asarray(cotangents.logprobs_N, dtype=np.float32))
        entropy_N = torch.from_numpy(np.asarray(cotangents.entropy_N, dtype=np.float32))
        num_trained = sum(row.num_trained for row in rows)
        if logprobs_N.shape != (num_trained,) or entropy_N.shape != (num_trained,):
            raise ValueError(
                f"expected {num_trained} cotangents, got {tuple(logprobs_N.shape)}, {tuple(entropy_N.shape)}"
            )
        has_entropy = bool(entropy_N.any())

        def loss(picked: MicroBatch, logprobs: Tensor, entropy: Tensor) -> Tensor:
            total = (logprobs * logprobs_N[picked.flat_N].to(logprobs.device)).sum()
            if has_entropy:
                total = total + (entropy * entropy_N[picked.flat_N].to(entropy.device)).sum()
            return total

        await self._computed(lambda: self._differentiated(rows, loss))

    async def forward_backward(self, rows: Sequence[Row], loss: RowLoss) -> TokenOutputs:
        return await self._computed(
            lambda: self._differentiated(rows, lambda batch, *outputs: loss(batch.rows, *outputs))
        )

    async def forward_values(self, rows: Sequence[Row]) -> FloatArray:
        return await self._computed(lambda: self._values(rows, None))

    async def backward_values(self, rows: Sequence[Row], cotangents_N: FloatArray) -> None:
        size = sum(row.num_trained for row in rows)
        if cotangents_N.shape != (size,):
            raise ValueError(f"expected {size} cotangents, got {cotangents_N.shape}")
        cotangents = torch.from_numpy(cotangents_N)

        def loss(batch: MicroBatch, values: Tensor) -> Tensor:
            return (values * cotangents[batch.flat_N].to(values.device)).sum()

        await self._computed(lambda: self._values(rows, loss))

    async def forward_backward_values(self, rows: Sequence[Row], loss: ValueLoss) -> FloatArray:
        return await self._computed(lambda: self._values(rows, lambda batch, values: loss(batch.rows, values)))

    async def step_critic(self, params: AdamParams) -> OptimStats:
        return await self._computed(lambda: self._needed_critic().optimizer.step(params))

    async def reset_reference(self) -> None:
        trained = {name: p for name, p in self._model.named_parameters() if p.requires_grad}
        self._set_reference({name: p.detach().clone() for name, p in trained.items()})

    async def optim_step(self, params: AdamParams) -> OptimStats:
        return await self._computed(lambda: self._optimizer.step(params))

    def zero_grad(self) -> None:
        self._optimizer.zero_grad()

    async def save(self, path: str) -> str:
        """Write weights, adapters, optimisers and ``engine.json`` into the folder `path`, which is the URI."""
        self._state().save(path, self._sampler.version)
        return path

    async def load(self, uri: str) -> None:
        """Restore a folder written by `save`. Raises `DataError` if it is not one, or of another model."""
        version, reference = self._state().load(uri)
        self._optimizer.zero_grad()
        if reference is not None:
            self._set_reference(reference)
        await self._sampler.publish(dict(self._merged()), version)

    def export(self, path: str) -> None:
        """Write a plain transformers folder, adapters merged, that ``AutoModelForCausalLM.from_pretrained`` loads."""
        self._state().export(path)

    async def close(self) -> None:
        self._sampler.close()
        if self._thread is not None:
            self._thread.shutdown()
        self._optimizer.zero_grad()
        self._reference = self._reference_weights = None

    async def _computed(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _differentiated(
        self, rows: Sequence[Row], loss: Callable[[MicroBatch, Tensor, Tensor], Tensor]
    ) -> TokenOutputs:
        """The policy's outputs for `rows`; adds the gradient of `loss`, a sum over micro-batches, to its own."""
        outputs = _Outputs(rows)
        for batch in self._batches(rows):
            logprobs, entropy = self._forward(batch)
            outputs.put(batch, logprobs, entropy)
            _backward(loss(batch, logprobs, entropy))
        return outputs.result()

    def _values(self, rows: Sequence[Row], loss: Callable[[MicroBatch, Tensor], Tensor] | None) -> FloatArray:
        """The critic's values; the gradient of `loss`, if one is given, is added to the critic's."""
        critic, values_N = self._needed_critic(), torch.zeros(sum(row.num_trained for row in rows))
        with torch.set_grad_enabled(loss is not None):
            for batch in self._batches(rows):
                values = critic(batch)
                values_N[batch.flat_N] = values.detach().cpu()
                if loss is not None:
                    _backward(loss(batch, values))
        return values_N.numpy()

    def _state(self) -> TorchState:
        return TorchState(
            model=self._model,
            optimizer=self._optimizer,
            lora=self._spec,
            peft_model=self._lora,
            tokenizer=self._tokenizer,
            critic=self._critic,
            reference=self._reference_weights,
        )

    def _needed_critic(self) -> TorchCritic:
        if self._critic is None:
            raise ConfigError("the engine was made without a critic: choose an algorithm that uses one, or give it one")
        return self._critic

    def _set_reference(self, weights: dict[str, Tensor]) -> None:
        """`weights`: of every trained parameter, by name."""
        own = {name: p for name, p in self._model.named_parameters() if p.requires_grad}
        self._reference_weights = {name: weights[name].to(p.device) for name, p in own.items()}
        self._reference = None

    def _merged(self) -> Any:
        return merged_weights(self._model, is_lora=self._spec is not None)

    def _batches(self, rows: Sequence[Row]) -> list[MicroBatch]:
        for index, row in enumerate(rows):
            if row.num_tokens > self._max_length:
                raise ValueError(f"row {index} has {row.num_tokens} tokens, the limit is {self._max_length}")
        return microbatches(rows, self._max_tokens, self._forward.device)

    def _of_role(self, role: EngineRole) -> tuple[TrainForward, AbstractContextManager[Any]]:
        if role == "policy":
            return self._forward, nullcontext()
        if role != "reference":
            raise ConfigError(f"unknown role {role!r}; known: policy, reference")
        if self._reference_weights is not None:
            return self._forward, swapped(self._model, self._reference_weights)
        if self._lora is not None:
            return self._forward, self._lora.disable_adapter()
        if self._reference is None:
            assert self._reference_of is not None
            frozen = self._reference_of().to(self._forward.device).requires_grad_(False).eval()
            self._reference = TrainForward(frozen, autocast=self._autocast)
        return self._reference, nullcontext()


def _one_thread() -> ThreadPoolExecutor:
    """A thread with as many threads of PyTorch's as this one has: a new one has its own number of them."""
    return ThreadPoolExecutor(1, "sojourn-train", torch.set_num_threads, (torch.get_num_threads(),))


class _Outputs:
    """Collects the outputs of micro-batches in the order of the call's trained tokens."""

    def __init__(self, rows: Sequence[Row]) -> None:
        num_trained = sum(row.num_trained for row in rows)
        self._logprobs_N = torch.zeros(num_trained)
        self._entropy_N = torch.zeros(num_trained)

    def put(self, batch: MicroBatch, logprobs: Tensor, entropy: Tensor) -> None:
        self._logprobs_N[batch.flat_N] = logprobs.detach().cpu()
        self._entropy_N[batch.flat_N] = entropy.detach().cpu()

    def result(self) -> TokenOutputs:
        return TokenOutputs(logprobs_N=self._logprobs_N.numpy(), entropy_N=self._entropy_N.numpy())


def _backward(total: Tensor) -> None:
    if total.requires_grad:  # a loss that leaves these rows out has no gradient, and that is no error
        total.backward()  # type: ignore[no-untyped-call]


def _tokenizer_of(folder: str) -> Any:
    try:
        return load_tokenizer(folder)
    except ConfigError:  # a model without one can be trained as well: only ids cross
        return None


def _keep_copy(model: PreTrainedModel) -> Callable[[], PreTrainedModel]:
    frozen = copy.deepcopy(model)
    return lambda: frozen


def _checked_length(model: PreTrainedModel, max_length: int | None) -> int:
    limit = int(getattr(model.config.get_text_config(), "max_position_embeddings", 0) or 0)
    if max_length is None and not limit:
        raise ConfigError("the model does not say how long its context is: set max_length")
    if max_length is not None and (max_length < 2 or (limit and max_length > limit)):
        raise ConfigError(f"max_length must be between 2 and the model's {limit}, got {max_length}")
    return max_length or limit
