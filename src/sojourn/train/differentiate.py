"""The gradient of any loss of token outputs, on any engine."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from sojourn.engine.protocol import Engine, FloatArray, FusesBackward, Row, RowLoss, TokenOutputs


async def differentiate(engine: Engine, rows: Sequence[Row], loss: RowLoss) -> TokenOutputs:
    """Add the gradient of `loss` over `rows` to the engine's; returns the outputs it was taken at.

    forward → the loss's gradient with respect to the outputs, here → backward; or the engine's own fused path, which
    is equal by test and saves one forward.
    """
    if isinstance(engine, FusesBackward):
        return await engine.forward_backward(rows, loss)
    outputs = await engine.forward(rows)
    logprobs_N = torch.from_numpy(outputs.logprobs_N.copy()).requires_grad_()
    entropy_N = torch.from_numpy(outputs.entropy_N.copy()).requires_grad_()
    loss(range(len(rows)), logprobs_N, entropy_N).backward()  # type: ignore[no-untyped-call]
    await engine.backward(rows, TokenOutputs(logprobs_N=_grad(logprobs_N), entropy_N=_grad(entropy_N)))
    return outputs


def _grad(value_N: torch.Tensor) -> FloatArray:
    grad_N = value_N.grad if value_N.grad is not None else torch.zeros_like(value_N)
    array: FloatArray = grad_N.numpy()
    return array
