"""The tensors that our functions and those of other libraries are given, and how their answers are kept.

`inputs.json` is what this module makes; ``python -m tests.second.inputs`` writes it. It needs PyTorch and nothing of
ours, for the scripts beside it run where Sojourn is not installed.

Axes: B rows (episodes), of several groups · T columns, padded on the right · N trained tokens, flat, in row order ·
S turns of all rows, flat · V vocabulary.
"""

from __future__ import annotations

import hashlib
import json
import platform
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

HERE = Path(__file__).parent
STORED = HERE / "inputs.json"
Between = Callable[[float, float], float]
"""A number drawn evenly between two."""

GROUPS = (0, 1, 3, 0, 4, 1, 0, 2, 4, 1, 3, 0, 4, 1, 4, 3)
"""Of each row, out of order: four of 0, 1 and 4, three of 3, and a 2 on its own."""
FLAT_GROUP, LONELY_GROUP, CLOSE_GROUP = 1, 2, 4
"""All returns equal; one member; returns within 0.002, so that what is added to a deviation shows."""
UNTRAINED_ROW = 10
"""In this row everything was forced: it has a return and no trained token."""
FOURS = tuple(row for group in (0, 1, 4) for row in range(len(GROUPS)) if GROUPS[row] == group)
"""Rows of the groups of four, group by group: for functions that know one group size only."""
SETTINGS = {
    "gamma": 0.9,
    "lam": 0.8,
    "low": 0.2,
    "high": 0.28,
    "dual": 3.0,
    "sequence_low": 0.35,
    "sequence_high": 0.15,
    "cispo_low": 0.3,
    "cispo_high": 0.5,
    "cap": 1.3,
    "constant": 24,
    "value_clip": 0.2,
    "kl_coef": 0.3,
    "entropy_coef": 0.05,
    "temperature": 0.7,
}


def make() -> dict[str, Any]:
    """The inputs, the same on every machine: only `random.Random.random`, whose sequence Python guarantees."""
    draw = random.Random(20250909)

    def between(low: float, high: float) -> float:
        return round(low + (high - low) * draw.random(), 6)

    lengths = [[(between(0, 3), between(1, 6)) for _ in range(1 + int(between(0, 3.99)))] for _ in GROUPS]
    turns = [[(int(seen), int(acted)) for seen, acted in row] for row in lengths]
    width = max(sum(seen + acted for seen, acted in row) for row in turns) + 2
    turn = [[-1] * width for _ in GROUPS]
    reward = [[0.0] * width for _ in GROUPS]
    rewards = [_turn_rewards(row, len(turns[row]), between) for row in range(len(GROUPS))]
    for row, spans in enumerate(turns):
        column = 0
        for place, (seen, acted) in enumerate(spans):
            column += seen + acted
            turn[row][column - acted : column] = [-1 if row == UNTRAINED_ROW else place] * acted
            reward[row][column - 1] = rewards[row][place]

    def matrix(low: float, high: float) -> list[list[float]]:
        return [[between(low, high) for _ in range(width)] for _ in GROUPS]

    logprob = matrix(-4.0, -0.01)  # also where nothing is trained: what is there must not matter
    return {
        "settings": SETTINGS,
        "group": list(GROUPS),
        "num_turns": [len(row) for row in turns],
        "turn_reward": [paid for row in rewards for paid in row],
        "anchor": [100 * GROUPS[r] + int(between(0, 3)) for r, row in enumerate(turns) for _ in row],
        "turn": turn,
        "reward": reward,
        "bootstrap": [between(-1, 1) if row % 3 == 0 else 0.0 for row in range(len(GROUPS))],
        "logprob": logprob,
        "old_logprob": [[round(x - _log_ratio(between), 6) for x in row] for row in logprob],
        "sampler_logprob": [[round(x - between(-0.6, 0.6), 6) for x in row] for row in logprob],
        "reference_logprob": [[round(x - between(-1.5, 1.5), 6) for x in row] for row in logprob],
        "value": matrix(-1, 1),
        "old_value": matrix(-1, 1),
        "target": matrix(-2, 2),
        "advantage": matrix(-2, 2),
        "row_advantage": [between(-2, 2) for _ in GROUPS],
        "entropy": matrix(0, 3),
        "logits": [[[between(-3, 3) for _ in range(7)] for _ in range(4)] for _ in range(3)],
        "ids": [[int(between(0, 6.99)) for _ in range(4)] for _ in range(3)],
        # beyond the bounds that a library puts on a difference of log-probabilities, and on both sides of zero
        "extreme_log_ratio": [[25.0, -25.0, 2.0], [25.0, -25.0, -0.1]],
        "extreme_advantage": [[1.0] * 3, [-1.0] * 3],
        "flat_float32": {"return": 1.6289, "size": 7},
    }


def _turn_rewards(row: int, number: int, between: Between) -> list[float]:
    """A reward for each turn of a row, by its group."""
    group = GROUPS[row]
    if group == FLAT_GROUP:
        return [*[0.0] * (number - 1), 0.7]
    if group == CLOSE_GROUP:
        return [*[0.0] * (number - 1), 0.5 + between(0, 0.002)]
    return [between(-1, 1) for _ in range(number)]


def _log_ratio(between: Between) -> float:
    """Mostly near 0; every sixth or so large, to either side."""
    value = between(-0.4, 0.4)
    kind = between(0, 1)
    return value + (2.0 if kind < 0.08 else -2.0 if kind > 0.92 else 0.0)


class Inputs:
    """The stored inputs as float64 tensors, by name: ``inputs["logprob"]`` is [B, T]."""

    def __init__(self, tree: Mapping[str, Any]) -> None:
        self.tree = tree
        self.hash = hash_of(tree)

    @classmethod
    def load(cls) -> Inputs:
        """From `inputs.json`."""
        return cls(json.loads(STORED.read_text(encoding="utf-8")))

    def __getitem__(self, name: str) -> Tensor:
        rows = self.tree[name]
        is_whole = name in ("group", "num_turns", "anchor", "ids", "turn")
        return torch.tensor(rows, dtype=torch.int64 if is_whole else torch.float64)

    def setting(self, name: str) -> float:
        """One of `SETTINGS`."""
        return float(self.tree["settings"][name])

    @property
    def mask(self) -> Tensor:
        """True at trained tokens. [B, T]"""
        return self["turn"] >= 0

    def flat(self, name: str) -> Tensor:
        """The values of trained tokens. [B, T] -> [N]"""
        return self[name][self.mask]

    @property
    def row(self) -> Tensor:
        """Row of each trained token. [N]"""
        return self.mask.nonzero()[:, 0]

    @property
    def row_of_turn(self) -> Tensor:
        """Row of each turn. [S]"""
        return torch.repeat_interleave(torch.arange(len(GROUPS)), self["num_turns"])

    def by_turn(self, turn_S: Tensor) -> tuple[Tensor, Tensor]:
        """A value for each turn, and True where there is one, with a column for each turn of a row: [B, turns]."""
        number = self["num_turns"]
        column_S = torch.arange(len(turn_S)) - (torch.cumsum(number, 0) - number)[self.row_of_turn]
        matrix = torch.zeros(len(number), int(number.max()), dtype=turn_S.dtype)
        is_turn = torch.zeros(matrix.shape, dtype=torch.bool)
        matrix[self.row_of_turn, column_S] = turn_S
        is_turn[self.row_of_turn, column_S] = True
        return matrix, is_turn

    def first_value_of_turn(self) -> Tensor:
        """The value of each turn's first trained token, not a number for a turn without one. [S]"""
        start = torch.cumsum(self["num_turns"], 0) - self["num_turns"]
        found = torch.full((len(self.row_of_turn),), torch.nan, dtype=torch.float64)
        places = start[self.row] + self.flat("turn")
        for place, value in zip(reversed(places.tolist()), reversed(self.flat("value").tolist()), strict=True):
            found[place] = value
        return found

    def late_reward(self) -> tuple[Tensor, Tensor]:
        """Rewards a column later where that is not trained, and True where they were before. [B, T]"""
        reward, is_late = self["reward"], torch.zeros(self.mask.shape, dtype=torch.bool)
        is_late[:, :-1] = (reward[:, :-1] != 0) & ~self.mask[:, 1:]
        late = torch.where(is_late, 0.0, reward)
        late[:, 1:] += torch.where(is_late, reward, 0.0)[:, :-1]
        return late, is_late


def hash_of(tree: Any) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True).encode()).hexdigest()


def write(path: Path, entries: Mapping[str, Any]) -> None:
    """A JSON object with one line for each entry, so that a change of one shows as one."""
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def write_answers(library: str, version: str, inputs: Inputs, answers: Mapping[str, Mapping[str, Any]]) -> None:
    """``<library>.json`` beside this file: what was asked of which function, and what it answered."""
    made_with = {
        "library": library,
        "version": version,
        "python": platform.python_version(),
        "torch": torch.__version__.partition("+")[0],
        "inputs": inputs.hash,
    }
    write(HERE / f"{library}.json", {"made_with": made_with, **answers})


def answer(function: Callable[..., Any], **outputs: Any) -> dict[str, Any]:
    """One entry of a library's answers: whose answer, and what, with every float in full."""
    listed = {name: value.detach().tolist() if isinstance(value, Tensor) else value for name, value in outputs.items()}
    return {"function": f"{function.__module__}.{function.__qualname__}", "outputs": listed}


def with_gradient(mask_BT: Tensor, at_BT: Tensor, compute: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """The scalar that `compute` makes of `at_BT`, its gradient at trained tokens, and how much of it is elsewhere."""
    given = at_BT.clone().requires_grad_()
    loss = compute(given)
    (gradient,) = torch.autograd.grad(loss, given)
    return {"loss": float(loss), "gradient": gradient[mask_BT], "elsewhere": float(gradient[~mask_BT].abs().sum())}


if __name__ == "__main__":
    write(STORED, make())
