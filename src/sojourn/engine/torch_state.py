"""Checkpoints of the torch engine, and plain exports.

A checkpoint folder holds ``engine.json`` (what it is), ``optimizer.safetensors``, and the weights as transformers
writes them (``config.json``, ``model.safetensors``), so that a fully fine-tuned checkpoint can be loaded by anything;
with LoRA, the adapters as PEFT writes them (``adapter_config.json``, ``adapter_model.safetensors``). Where there are
any, ``critic.safetensors`` holds the critic and its optimiser, ``reference.safetensors`` a reference that was reset.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedModel

from sojourn.engine.critic import TorchCritic
from sojourn.engine.optimizer import Optimizer
from sojourn.engine.pretrained import quiet_transformers
from sojourn.engine.weights import LoraSpec, plain_state
from sojourn.errors import DataError

_FORMAT = 2
_ABOUT, _OPTIMIZER, _ADAPTERS = "engine.json", "optimizer.safetensors", "adapter_model.safetensors"
_CRITIC, _REFERENCE = "critic.safetensors", "reference.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchState:
    """Everything of a torch engine that a checkpoint holds."""

    model: PreTrainedModel
    """The plain model; with LoRA, its adapted layers are inside."""
    optimizer: Optimizer
    lora: LoraSpec | None
    peft_model: Any
    """PEFT's wrapper of the model; None without LoRA."""
    tokenizer: Any
    """Written beside the weights; None writes none."""
    critic: TorchCritic | None = None
    reference: dict[str, Tensor] | None = None
    """Weights of a reference that was reset; None while it is the initial policy."""

    def save(self, path: str, version: int) -> None:
        """Write a checkpoint into the folder `path`, made if absent. Making it atomic is the caller's job."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        if self.lora is None:
            self.export(path)
        else:
            self.peft_model.peft_config["default"].save_pretrained(path)
            save_file(self._adapters(), folder / _ADAPTERS)
        save_file(self.optimizer.state(), folder / _OPTIMIZER)
        if self.critic is not None:
            save_file(self.critic.state(), folder / _CRITIC)
        if self.reference is not None:
            save_file({n: w.cpu().contiguous() for n, w in self.reference.items()}, folder / _REFERENCE)
        about = {**self._identity(), "policy_version": version}
        (folder / _ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    def load(self, uri: str) -> tuple[int, dict[str, Tensor] | None]:
        """Restore weights, critic and optimisers in place; returns the policy version and a reference that was reset.

        Raises `DataError`, before anything is changed, if `uri` is no checkpoint or one of another model or adapter.
        """
        folder = Path(uri)
        try:
            about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
            self._check(uri, about)
            weights = self._read_weights(folder)
            state = load_file(folder / _OPTIMIZER)
            critic = load_file(folder / _CRITIC) if self.critic is not None else None
            reference = load_file(folder / _REFERENCE) if (folder / _REFERENCE).exists() else None
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{uri} is not a checkpoint of the torch engine: {error}") from error
        own = self._trained()
        if {name: tuple(p.shape) for name, p in own.items()} != {n: tuple(w.shape) for n, w in weights.items()}:
            raise DataError(f"{uri} holds other weights than this model trains")
        self.optimizer.load_state(state)
        if self.critic is not None and critic is not None:
            self.critic.load_state(critic)
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(weights[name])
        return int(about["policy_version"]), reference

    def export(self, path: str) -> None:
        """Write a plain transformers folder, adapters merged, and the tokenizer beside it."""
        with quiet_transformers():
            self.model.save_pretrained(path, state_dict=plain_state(self.model, is_lora=self.lora is not None))
            if self.tokenizer is not None:
                self.tokenizer.save_pretrained(path)

    def _trained(self) -> dict[str, Tensor]:
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def _adapters(self) -> dict[str, Tensor]:
        """Trained adapters under the names PEFT gives them in its files."""
        return {_peft_name(name): p.detach().cpu().contiguous() for name, p in self._trained().items()}

    def _read_weights(self, folder: Path) -> dict[str, Tensor]:
        if self.lora is not None:
            stored = load_file(folder / _ADAPTERS)
            names = {_peft_name(name): name for name in self._trained()}
            return {names.get(name, name): weight for name, weight in stored.items()}
        with quiet_transformers():  # its own reader: it knows how the names in the file map to the model's
            stored_model = type(self.model).from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        return {name: p.detach() for name, p in stored_model.named_parameters()}

    def _check(self, uri: str, about: dict[str, Any]) -> None:
        for key, expected in self._identity().items():
            if about.get(key) != expected:
                raise DataError(f"{uri} belongs to another engine: {key} is {about.get(key)!r}, expected {expected!r}")

    def _identity(self) -> dict[str, Any]:
        """What must agree between the engine that saved and the one that loads."""
        adapter = None
        if self.lora is not None:
            targets = self.lora.target_modules
            names = targets if isinstance(targets, str) else list(targets)
            adapter = {"rank": self.lora.rank, "alpha": self.lora.alpha, "target_modules": names}
        return {
            "engine": "torch",
            "format": _FORMAT,
            "model_class": type(self.model).__name__,
            "num_trained": sum(p.numel() for p in self._trained().values()),
            "lora": adapter,
            "critic": None if self.critic is None else self.critic.kind,
        }


def _peft_name(name: str) -> str:
    return "base_model.model." + name.replace(".default.", ".")
