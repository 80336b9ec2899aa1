"""What turns queries into vectors for a FAISS index: a model as e5 wants to be used, or a function of the user's."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sojourn.errors import ConfigError, DataError

Encoder = Callable[[Sequence[str]], NDArray[np.float32]]
"""Vectors (one row a query, float32) of a batch of queries."""


def make_encoder(spec: str, *, prefix: str, max_tokens: int) -> Encoder:
    """The encoder that `spec` names: ``module:callable``, which embeds a batch, or the folder of a model.

    Raises `ConfigError` for a name that leads nowhere, `DataError` for a folder that holds no model.
    """
    if Path(spec).is_dir():
        return _model_encoder(Path(spec), prefix, max_tokens)
    module, colon, name = spec.partition(":")
    if not colon:
        raise ConfigError(f"encoder: expected the folder of a model, or module:callable, got {spec!r}")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"encoder {spec!r}: {error}") from error
    if not callable(found):
        raise ConfigError(f"encoder {spec!r} is no function")
    made: Encoder = found
    return made


def _model_encoder(folder: Path, prefix: str, max_tokens: int) -> Encoder:
    import torch  # seconds, and only for who has a model
    from transformers import AutoModel, AutoTokenizer

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model: Any = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"encoder: {folder} holds no model that transformers can load: {error}") from error

    def encode(queries: Sequence[str]) -> NDArray[np.float32]:
        texts = [prefix + query for query in queries]
        batch = tokenizer(texts, max_length=max_tokens, padding=True, truncation=True, return_tensors="pt")
        with torch.inference_mode():
            hidden_BTD = model(**batch).last_hidden_state
            mask_BT1 = batch["attention_mask"].unsqueeze(-1).to(hidden_BTD.dtype)
            mean_BD = (hidden_BTD * mask_BT1).sum(1) / mask_BT1.sum(1)
            unit_BD = torch.nn.functional.normalize(mean_BD, dim=-1)
        return np.ascontiguousarray(unit_BD.float().numpy())

    return encode
