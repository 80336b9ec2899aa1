"""One RL update on the real SmolLM2-135M-Instruct: constrained and free, all weights and adapters."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.e2e.runs import Runs

from sojourn.cli.assemble import Assembly, assemble, make_engine
from sojourn.config import TrainConfig, cache_dir, make_config
from sojourn.engine.pretrained import SMOLLM2, resolve_model
from sojourn.rollout.groups import GroupPlayer, SyncCollector
from sojourn.rollout.samples import Batch, make_batch
from sojourn.rollout.tasks import TaskStream
from sojourn.train.update import UpdateResult, UpdateSettings, update_policy
from sojourn.types import Message, SamplingParams

pytestmark = pytest.mark.real_model

TEXTCRAFT = {"name": "textcraft", "options": {"depths": [1], "max_distractors": 0}}
BARE = {"action_format": "bare", "constraint": "admissible", "max_new_tokens": 24}
REACT = {"action_format": "react", "constraint": "none", "max_new_tokens": 16}


def config(policy: dict[str, object]) -> TrainConfig:
    """Two tasks, two episodes each, two turns: an entropy bonus makes sure that there is a gradient."""
    return make_config(
        {
            "name": "real",
            "updates": 1,
            "threads": 1,
            "env": TEXTCRAFT,
            "policy": {"model": "smollm2-135m-instruct", "device": "cpu", "sampler_dtype": "float32", **policy},
            "horizon": {"kind": "fixed", "turns": 2},
            "rollout": {"tasks_per_update": 2, "group_size": 2, "filter_zero_variance": False},
            "algorithm": {"name": "rloo", "entropy_coef": 0.01},
            "optim": {"learning_rate": 1e-5, "max_tokens_per_microbatch": 1024},
        }
    )


@pytest.fixture(scope="module")
def bare() -> Iterator[Assembly]:
    """The model, confined to admissible commands; loaded once for the tests below, which train it in turn."""
    threads = torch.get_num_threads()
    parts = asyncio.run(assemble(config(BARE)))
    yield parts
    asyncio.run(parts.engine.close())
    torch.set_num_threads(threads)


async def collect(parts: Assembly) -> Batch:
    chosen = parts.config
    stream = TaskStream(parts.scenario.tasks("train"), seed=0)
    agent = parts.agent(chosen.policy.temperature)
    player = GroupPlayer(scenario=parts.scenario, agent=agent, config=chosen.rollout, seed=0)
    collection = await SyncCollector(player, stream).collect(0, 2)
    return make_batch(collection.groups, temperature=chosen.policy.temperature)


async def one_update(parts: Assembly) -> tuple[Batch, UpdateResult]:
    chosen = parts.config
    batch = await collect(parts)
    result = await update_policy(
        parts.engine,
        batch,
        UpdateSettings(
            algorithm=chosen.algorithm, optim=chosen.optim, learning_rate=chosen.optim.learning_rate, seed=0
        ),
    )
    return batch, result


@pytest.mark.parametrize("policy", [BARE, REACT], ids=["bare and confined", "react and free"])
def test_one_update_trains_what_was_sampled_and_publishes_it(policy: dict[str, object], bare: Assembly) -> None:
    async def check() -> None:
        parts = replace(bare, config=config(policy))
        await parts.engine.publish()
        batch, result = await one_update(parts)
        assert batch.num_rows == 4
        assert batch.num_trained > 4
        assert result.num_steps == 1
        assert result.nonfinite_rows == ()
        assert abs(result.metrics["ratio/sampler_kl"]) < 1e-6
        assert 0.0 < result.metrics["optim/grad_norm"] < 100.0
        trained = await parts.engine.forward(batch.rows)
        moved = np.abs(trained.logprobs_N - batch.sampler_logprobs_N)
        assert moved.max() > 1e-3, "the update did not change the policy"
        version = parts.engine.sampler.version
        assert await parts.engine.publish() == version + 1
        again = await collect(parts)
        agreed = await parts.engine.forward(again.rows)
        np.testing.assert_allclose(again.sampler_logprobs_N, agreed.logprobs_N, atol=2e-4)
        versions = {turn.decision.completion.policy_version for t in again.trajectories for turn in t.turns}
        assert versions == {version + 1}

    asyncio.run(check())


def test_it_answers_a_question(bare: Assembly) -> None:
    """The weights are the real ones: read from the GGUF file, not drawn."""
    messages = [Message(role="user", content="What is the capital of France?")]
    renderer = bare.renderer
    params = SamplingParams(max_new_tokens=16, temperature=0.0, stop_ids=renderer.stop_ids)
    fresh = make_engine(bare.config, resolve_model(SMOLLM2))  # the tests above have trained the other
    answer = asyncio.run(fresh.sample(renderer.opening(messages), params))
    assert "Paris" in renderer.text(answer.token_ids)


def test_adapters_are_trained_by_the_command_line_and_exported_merged(runs: Runs, tmp_path: Path) -> None:
    runs.cache = cache_dir()  # the converted model is half a gigabyte: not once more
    command = runs.start("smollm2-lora")
    assert command.wait() == 0, command.text()
    run = runs.path("smollm2-lora")
    (line,) = (run / "metrics.jsonl").read_text().splitlines()
    metrics = json.loads(line)
    assert metrics["train/groups"] > 0, "no group had a signal: choose another seed"
    assert metrics["optim/grad_norm"] > 0
    assert abs(metrics["ratio/sampler_kl"]) < 1e-6
    adapters = load_file(run / "checkpoints" / "update-000001" / "engine" / "adapter_model.safetensors")
    raised = [weight for name, weight in adapters.items() if "lora_B" in name]  # they start at zero
    assert raised
    assert all(bool(torch.isfinite(weight).all()) for weight in raised)
    assert any(bool(weight.any()) for weight in raised)
