"""One optimiser update: the engine `torch` against a plain transformers training step, in time and peak memory.

8 multi-turn rows of 160 to 512 tokens, a quarter of them action tokens, SmolLM2-135M-Instruct in float32, AdamW. The
plain step pads the rows in the order they come, runs the model over all of them and takes a log-softmax over the whole
vocabulary at every position; both use micro-batches of the same token budget. Each measurement is a process of its own
(peak memory is the process's; the engine's holds the sampler's copy of the model too), and they alternate.

    OMP_WAIT_POLICY=PASSIVE python benchmarks/update.py
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: busy waiting is ruinous beside other work

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from _machine import Clock, ratios, spread, write_result
from sojourn.engine.pretrained import SMOLLM2, load_model, resolve_model
from sojourn.engine.protocol import AdamParams, Row
from sojourn.engine.torch_engine import TorchEngine

LENGTHS = (512, 176, 400, 248, 336, 160, 464, 288)
PROMPT, OBSERVATION, ACTION = 64, 36, 12
STEP = AdamParams(learning_rate=1e-6, max_grad_norm=1.0)


def make_rows(vocab_size: int) -> list[Row]:
    """A prompt, then observations and actions in turn; the actions are trained."""
    draw = np.random.default_rng(0)
    rows = []
    for length in LENGTHS:
        place = np.arange(length) - PROMPT
        mask = (place >= 0) & (place % (OBSERVATION + ACTION) >= OBSERVATION)
        rows.append(Row(token_ids=draw.integers(100, vocab_size, length), mask=mask))
    return rows


def engine_updates(folder: str, args: argparse.Namespace) -> list[tuple[tuple[float, float], float]]:
    """((wall, processor) seconds, gradient norm) of each update by the engine."""
    engine = TorchEngine.from_pretrained(
        folder,
        device="cpu",
        sampler_dtype="float32",
        max_tokens_per_microbatch=args.budget,
        activation_checkpointing=args.checkpointing,
    )
    rows = make_rows(engine.info().vocab_size)
    total = sum(row.num_trained for row in rows)

    def loss(indices: object, logprobs_N: torch.Tensor, entropy_N: torch.Tensor) -> torch.Tensor:
        return -logprobs_N.sum() / total

    async def update() -> float:
        await engine.forward_backward(rows, loss)
        return (await engine.optim_step(STEP)).grad_norm

    return [timed(lambda: asyncio.run(update())) for _ in range(args.updates)]


def plain_updates(folder: str, args: argparse.Namespace) -> list[tuple[tuple[float, float], float]]:
    """The same by a plain training step."""
    model = load_model(folder)
    rows = make_rows(model.config.vocab_size)
    total = sum(row.num_trained for row in rows)
    adam = torch.optim.AdamW(model.parameters(), lr=STEP.learning_rate, weight_decay=0.0)
    width = max(LENGTHS)
    size = max(1, args.budget // width)

    def update() -> float:
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            ids = pad_sequence([torch.from_numpy(row.token_ids) for row in part], batch_first=True)
            mask = pad_sequence([torch.from_numpy(row.mask) for row in part], batch_first=True)
            real = pad_sequence([torch.ones(row.num_tokens, dtype=torch.long) for row in part], batch_first=True)
            logprobs = model(ids, attention_mask=real, use_cache=False).logits[:, :-1].log_softmax(-1)
            picked = logprobs.gather(2, ids[:, 1:, None])[..., 0]
            (-(picked * mask[:, 1:]).sum() / total).backward()
        norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), STEP.max_grad_norm or 0.0))
        adam.step()
        adam.zero_grad()
        return norm

    return [timed(update) for _ in range(args.updates)]


def timed(update: Callable[[], float]) -> tuple[tuple[float, float], float]:
    clock = Clock()
    norm = update()
    return clock.read(), norm


def child(kind: str, args: argparse.Namespace) -> None:
    updates = (engine_updates if kind == "engine" else plain_updates)(resolve_model(args.model), args)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # The first update is a warm-up: it allocates the optimiser's state.
    seconds = [pair[0] for pair in updates[1:]]
    print(json.dumps({"seconds": seconds, "grad_norm": updates[0][1], "peak_gib": peak}))


def measure(kind: str, args: argparse.Namespace) -> dict[str, Any]:
    options = [f"--{name}={getattr(args, name)}" for name in ("model", "budget", "updates")]
    options += [f"--threads={args.threads}"] if args.threads else []
    options += ["--checkpointing"] if args.checkpointing else []
    call = [sys.executable, __file__, "--child", kind, *options]
    output = subprocess.run(call, check=True, capture_output=True, text=True).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    print(kind, result, flush=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=SMOLLM2)
    parser.add_argument("--budget", type=int, default=1024, help="tokens of a micro-batch, padding included")
    parser.add_argument("--updates", type=int, default=2, help="updates of a process; the first is not counted")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--checkpointing", action="store_true", help="activation checkpointing in the engine")
    parser.add_argument("--threads", type=int, help="PyTorch's threads; one is steadiest beside other work")
    parser.add_argument("--child", choices=("engine", "plain"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.child:
        child(args.child, args)
        return
    runs = {"engine": [], "plain": []}  # type: dict[str, list[dict[str, Any]]]
    for _ in range(args.repetitions):
        for kind, found in runs.items():
            found.append(measure(kind, args))
    result: dict[str, Any] = {"settings": {k: v for k, v in vars(args).items() if k != "child"}}
    seconds = {kind: [tuple(pair) for run in found for pair in run["seconds"]] for kind, found in runs.items()}
    for kind, found in runs.items():
        result[kind] = {
            "tokens_per_s": spread([sum(LENGTHS) / wall for wall, _ in seconds[kind]], 2),
            "seconds": spread([wall for wall, _ in seconds[kind]], 3),
            "peak_gib": spread([run["peak_gib"] for run in found], 3),
            "grad_norm": found[0]["grad_norm"],
        }
    speed = ratios(seconds["plain"], seconds["engine"])
    memory = result["plain"]["peak_gib"]["median"] / result["engine"]["peak_gib"]["median"]
    result |= {"speed_ratio": speed, "memory_ratio": round(memory, 3)}
    wall, processor = speed["wall"]["median"], speed["processor"]["median"]
    print(
        f"engine: {wall} times as fast as the plain step ({processor} by processor time), 1/{memory:.2f} of its memory"
    )
    print(write_result("update", result))


if __name__ == "__main__":
    main()
