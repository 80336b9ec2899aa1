"""What a model's generation config says about the end of a turn."""

from __future__ import annotations

from pathlib import Path

from transformers import GenerationConfig


def generation_stop_ids(model: str | Path) -> tuple[int, ...]:
    """The end-of-text ids of the generation config in `model` (a folder or a hub name); none if it has none."""
    try:
        eos = GenerationConfig.from_pretrained(str(model)).eos_token_id
    except OSError:  # the file is optional
        return ()
    return () if eos is None else (eos,) if isinstance(eos, int) else tuple(eos)
