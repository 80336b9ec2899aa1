"""What the machine is good at: device, number types, threads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import torch

from sojourn.errors import ConfigError

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_TINY = 20_000_000  # parameters below which a model is bound by overhead, not arithmetic
_ONE_THREAD = 2_000_000  # parameters below which starting a second thread costs more than it saves


def choose_device(name: str) -> torch.device:
    """``auto``: CUDA if there is a GPU, else the CPU. Raises `ConfigError` for a device that is absent."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"unknown device {name!r}; expected auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"device {name!r} was asked for, but PyTorch sees no GPU")
    return device


def parse_dtype(name: str) -> torch.dtype:
    """``float32`` or ``bfloat16``. Raises `ConfigError` for another name."""
    if name not in _DTYPES:
        raise ConfigError(f"unknown number type {name!r}; known: {', '.join(_DTYPES)}")
    return _DTYPES[name]


def choose_sampler_dtype(name: str, device: torch.device, num_parameters: int) -> torch.dtype:
    """``auto``: bfloat16 on a GPU, and on a CPU that multiplies it at least 1.3 times as fast (probed, under 1 s);
    float32 for models under 20 M parameters on a CPU, which gain nothing.
    """
    if name != "auto":
        return parse_dtype(name)
    if device.type == "cuda":
        return torch.bfloat16
    is_worth_it = num_parameters >= _TINY and bfloat16_speedup() >= 1.3
    return torch.bfloat16 if is_worth_it else torch.float32


@lru_cache(maxsize=1)
def bfloat16_speedup() -> float:
    """Time of a float32 matrix product over that of the same in bfloat16, on this CPU now."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        left, right = torch.ones(64, 1024, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
        times: list[float] = []
        deadline = time.perf_counter() + 0.4
        while len(times) < 3 or (time.perf_counter() < deadline and len(times) < 20):
            start = time.perf_counter()
            torch.nn.functional.linear(left, right)
            times.append(time.perf_counter() - start)
        seconds[dtype] = min(times)
    return seconds[torch.float32] / seconds[torch.bfloat16]


@contextmanager
def sampler_threads(device: torch.device, num_parameters: int) -> Iterator[None]:
    """One thread inside the block for a tiny model on a CPU; a training step, with its larger products, keeps all."""
    threads = torch.get_num_threads()
    if device.type != "cpu" or num_parameters >= _ONE_THREAD or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
