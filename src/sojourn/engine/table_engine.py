"""The engine `table`: a model of one table [V, V], the logits of the next token given the last one.

It keeps the whole contract of an engine and learns in milliseconds: unit tests of algorithms and loops run on it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from sojourn.engine.draw import draw_tokens
from sojourn.engine.microbatch import MicroBatch, microbatches
from sojourn.engine.optimizer import Optimizer
from sojourn.engine.protocol import (
    AdamParams,
    EngineInfo,
    EngineRole,
    FloatArray,
    OptimStats,
    Row,
    RowLoss,
    TokenOutputs,
)
from sojourn.engine.request import Request
from sojourn.engine.token_outputs import token_outputs
from sojourn.errors import ConfigError, DataError
from sojourn.types import Completion, SamplingParams

_TABLE, _OPTIMIZER, _ABOUT = "table.safetensors", "optimizer.safetensors", "engine.json"
_NO_LIMIT = 1 << 40


class TableEngine:
    """Implements `Engine`, `FusesBackward`, `TrainsCritic` and `ResetsReference` over a table of logits."""

    def __init__(self, vocab_size: int, *, max_length: int = 1024, seed: int | None = None, scale: float = 1.0) -> None:
        """`seed` None: every token is equally likely; else logits are drawn with standard deviation `scale`."""
        table_VV = torch.zeros(vocab_size, vocab_size)
        if seed is not None:
            table_VV = scale * torch.randn(vocab_size, vocab_size, generator=torch.Generator().manual_seed(seed))
        self._max_length = max_length
        self._table_VV = torch.nn.Parameter(table_VV)
        self._published_VV = table_VV.clone()
        self._reference_VV = table_VV.clone()
        self._optimizer = Optimizer({"table": self._table_VV})
        self._value_V = torch.nn.Parameter(torch.zeros(table_VV.shape[0]))
        self._critic_optimizer = Optimizer({"value": self._value_V})
        self._version = 0

    def info(self) -> EngineInfo:
        return EngineInfo(
            model="table",
            max_length=self._max_length,
            vocab_size=self._table_VV.shape[0],
            num_parameters=self._table_VV.numel(),
            trains="full",
            roles=("policy", "reference", "critic"),
            outputs=("logprobs", "entropy", "values"),
            clips_gradients=True,
            confines=True,
        )

    async def sample(self, prompt_ids: Sequence[int], params: SamplingParams, session: str = "") -> Completion:
        request = Request.create(prompt_ids, params, session, self._max_length, self._table_VV.shape[0])
        version, logits_VV = self._version, self._published_VV
        await asyncio.sleep(0)  # others get their turn, as with a real sampler
        try:
            request.advance()
            while request.finish_reason is None:
                tokens, logprobs = draw_tokens(logits_VV[request.known_ids()[-1]][None], [request.draw()])
                request.append(tokens[0], logprobs[0])
            request.finish(version)
        except Exception as error:
            request.fail(error)
        return await request.done

    def release(self, session: str) -> None:
        """Nothing is kept for a session."""

    async def publish(self) -> int:
        self._published_VV = self._table_VV.detach().clone()
        self._version += 1
        return self._version

    async def forward(self, rows: Sequence[Row], role: EngineRole = "policy") -> TokenOutputs:
        if role not in ("policy", "reference"):
            raise ConfigError(f"unknown role {role!r}; known: policy, reference")
        table_VV = self._table_VV if role == "policy" else self._reference_VV
        with torch.no_grad():
            return self._collect(rows, [(b, *_outputs(table_VV, b)) for b in self._batches(rows)])

    async def backward(self, rows: Sequence[Row], cotangents: TokenOutputs) -> None:
        size = sum(row.num_trained for row in rows)
        if cotangents.logprobs_N.shape != (size,) or cotangents.entropy_N.shape != (size,):
            raise ValueError(f"expected {size} cotangents, got {cotangents.logprobs_N.shape}")
        logprobs_N, entropy_N = torch.from_numpy(cotangents.logprobs_N), torch.from_numpy(cotangents.entropy_N)
        for batch in self._batches(rows):
            logprobs, entropy = _outputs(self._table_VV, batch)
            total = logprobs * logprobs_N[batch.flat_N] + entropy * entropy_N[batch.flat_N]
            total.sum().backward()  # type: ignore[no-untyped-call]

    async def forward_backward(self, rows: Sequence[Row], loss: RowLoss) -> TokenOutputs:
        done = []
        for batch in self._batches(rows):
            logprobs, entropy = _outputs(self._table_VV, batch)
            total = loss(batch.rows, logprobs, entropy)
            if total.requires_grad:
                total.backward()  # type: ignore[no-untyped-call]
            done.append((batch, logprobs.detach(), entropy.detach()))
        return self._collect(rows, done)

    async def forward_values(self, rows: Sequence[Row]) -> FloatArray:
        values_N = np.zeros(sum(row.num_trained for row in rows), dtype=np.float32)
        with torch.no_grad():
            for batch in self._batches(rows):
                values_N[batch.flat_N.numpy()] = self._values(batch).numpy()
        return values_N

    async def backward_values(self, rows: Sequence[Row], cotangents_N: FloatArray) -> None:
        for batch in self._batches(rows):
            total = (self._values(batch) * torch.from_numpy(cotangents_N[batch.flat_N.numpy()])).sum()
            total.backward()  # type: ignore[no-untyped-call]

    async def step_critic(self, params: AdamParams) -> OptimStats:
        return self._critic_optimizer.step(params)

    async def reset_reference(self) -> None:
        self._reference_VV = self._table_VV.detach().clone()

    async def optim_step(self, params: AdamParams) -> OptimStats:
        return self._optimizer.step(params)

    def zero_grad(self) -> None:
        self._optimizer.zero_grad()

    async def save(self, path: str) -> str:
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        tables = {"table": self._table_VV, "reference": self._reference_VV, "value": self._value_V}
        save_file({name: table.detach().clone() for name, table in tables.items()}, folder / _TABLE)
        states = {"policy": self._optimizer.state(), "critic": self._critic_optimizer.state()}
        save_file({f"{who}/{name}": v for who, s in states.items() for name, v in s.items()}, folder / _OPTIMIZER)
        (folder / _ABOUT).write_text(json.dumps({"engine": "table", "policy_version": self._version}), encoding="utf-8")
        return path

    async def load(self, uri: str) -> None:
        folder = Path(uri)
        try:
            tables = load_file(folder / _TABLE)
            table_VV, reference_VV, value_V = tables["table"], tables["reference"], tables["value"]
            state = load_file(folder / _OPTIMIZER)
            version = int(json.loads((folder / _ABOUT).read_text(encoding="utf-8"))["policy_version"])
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise DataError(f"{uri} is not a checkpoint of the table engine: {error}") from error
        if table_VV.shape != self._table_VV.shape:
            raise DataError(f"{uri} holds a table {tuple(table_VV.shape)}, expected {tuple(self._table_VV.shape)}")
        for who, optimizer in (("policy/", self._optimizer), ("critic/", self._critic_optimizer)):
            optimizer.load_state({n.removeprefix(who): v for n, v in state.items() if n.startswith(who)})
            optimizer.zero_grad()
        with torch.no_grad():
            self._table_VV.copy_(table_VV)
            self._value_V.copy_(value_V)
        self._reference_VV = reference_VV
        self._published_VV, self._version = table_VV, version

    async def close(self) -> None:
        self._optimizer.zero_grad()

    def _values(self, batch: MicroBatch) -> Tensor:
        """Value of the state before each trained token [N]: that of the token it follows."""
        return self._value_V[batch.ids_BT.flatten()[batch.position_N]]

    def _batches(self, rows: Sequence[Row]) -> list[MicroBatch]:
        for index, row in enumerate(rows):
            if row.num_tokens > self._max_length:
                raise ValueError(f"row {index} has {row.num_tokens} tokens, the limit is {self._max_length}")
        return microbatches(rows, _NO_LIMIT, torch.device("cpu"))

    def _collect(self, rows: Sequence[Row], done: Sequence[tuple[MicroBatch, Tensor, Tensor]]) -> TokenOutputs:
        size = sum(row.num_trained for row in rows)
        logprobs_N, entropy_N = np.zeros(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
        for batch, logprobs, entropy in done:
            index_N = batch.flat_N.numpy()  # as a tensor of one element it would index like a number
            logprobs_N[index_N], entropy_N[index_N] = logprobs.numpy(), entropy.numpy()
        return TokenOutputs(logprobs_N=logprobs_N, entropy_N=entropy_N)


def _outputs(table_VV: Tensor, batch: MicroBatch) -> tuple[Tensor, Tensor]:
    """Log-probability and entropy [N] of the micro-batch's trained tokens."""
    last_N = batch.ids_BT.flatten()[batch.position_N]
    return token_outputs(table_VV[last_N], batch.targets, _columns, _NO_LIMIT)


def _columns(logits_NV: Tensor, columns: Tensor | None) -> Tensor:
    return logits_NV if columns is None else logits_NV[:, columns]
