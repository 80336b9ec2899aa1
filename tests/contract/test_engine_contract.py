"""Both engines keep the contract of engines."""

from __future__ import annotations

import pytest
import torch
from tests.unit.engine_models import tiny_model

from sojourn.engine.contract import EngineContract
from sojourn.engine.critic_contract import CriticContract
from sojourn.engine.table_engine import TableEngine
from sojourn.engine.torch_engine import TorchEngine
from sojourn.engine.weights import LoraSpec


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class TestTableEngine(EngineContract):
    learning_rate = 0.3

    def make_engine(self):
        return TableEngine(32, max_length=128, seed=1)


class TestTorchEngine(EngineContract):
    def make_engine(self):
        return TorchEngine(tiny_model())


class TestTiedTorchEngine(EngineContract):
    """A model whose output head is its embedding, in several micro-batches and with checkpointed activations."""

    def make_engine(self):
        return TorchEngine(tiny_model("llama_tied"), max_tokens_per_microbatch=24, activation_checkpointing=True)


class TestLoraTorchEngine(EngineContract):
    learning_rate = 0.05

    def make_engine(self):
        return TorchEngine(tiny_model("qwen3"), lora=LoraSpec(rank=8, alpha=16))


class TestTableCritic(CriticContract):
    learning_rate = 0.2

    def make_engine(self):
        return TableEngine(32, max_length=128, seed=1)


class TestSeparateCritic(CriticContract):
    def make_engine(self):
        return TorchEngine(tiny_model(), critic="separate")


class TestSharedCritic(CriticContract):
    """A head alone, on states that stay as they are."""

    learning_rate = 0.1

    def make_engine(self):
        return TorchEngine(tiny_model(), critic="shared", shared_coef=0.5)


class TestCriticBesideAdapters(CriticContract):
    def make_engine(self):
        return TorchEngine(
            tiny_model("qwen3"), lora=LoraSpec(rank=4, alpha=8), critic="separate", max_tokens_per_microbatch=12
        )
