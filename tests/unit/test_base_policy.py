"""The base policy: made once, from random play and a seed alone; no reward and no expert had a part in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.toys import Buttons, ButtonsEnv
from transformers import AutoModelForCausalLM, AutoTokenizer

from sojourn.config import TrainConfig, make_config
from sojourn.engine.pretrained import quiet_transformers
from sojourn.envs.protocol import Env, Oracle, Scenario
from sojourn.errors import TooManyFailuresError
from sojourn.train.base_policy import base_policy_folder
from sojourn.types import StepResult, Task

TINY = {"hidden_size": 16, "num_layers": 1, "num_heads": 2, "vocab_size": 320, "max_length": 256, "num_episodes": 12}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def config(base: dict[str, Any] | None = None, **changes: Any) -> TrainConfig:
    tree: dict[str, Any] = {
        "name": "toy",
        "updates": 1,
        "env": {"name": "tests.toys:Buttons"},
        "policy": {"action_format": "bare", "base": TINY | (base or {})},
        "horizon": {"kind": "fixed", "turns": 4},
        "evaluate": {"horizon": 4},
    }
    return make_config(tree | changes)


def made(chosen: TrainConfig | None = None, scenario: Scenario | None = None) -> Path:
    return asyncio.run(base_policy_folder(chosen or config(), scenario or Buttons()))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Counting(Buttons):
    """Counts the environments made."""

    num_made = 0

    def make(self) -> Env:
        self.num_made += 1
        return super().make()


def test_it_is_made_once() -> None:
    scenario = Counting()
    first = made(scenario=scenario)
    before = contents(first)
    assert made(scenario=scenario) == first
    assert scenario.num_made == TINY["num_episodes"]
    assert contents(first) == before
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = config({"pretrain_steps": 2, "pretrain_tokens_per_step": 200})
    first = made(chosen)
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "elsewhere"))
    torch.rand(3)  # the global generator's state is no input
    second = made(chosen)
    assert first != second
    assert contents(first) == contents(second)


def test_the_run_s_own_choices_do_not_make_another_one() -> None:
    other = config(seed=9, updates=50, algorithm={"name": "rloo"}, optim={"learning_rate": 1e-3}, name="other")
    assert made(other) == made()


@pytest.mark.parametrize(
    "changes",
    [
        {"base": {"seed": 1}},
        {"base": {"hidden_size": 32}},
        {"base": {"pretrain_steps": 1, "pretrain_tokens_per_step": 50}},
        {"env": {"name": "tests.toys:Buttons", "options": {"lengths": [1]}}},
        {"base": {"play_horizon": 2}},
    ],
    ids=["seed", "size", "pre-training", "environment", "length of play"],
)
def test_whatever_decides_it_makes_another_one(changes: dict[str, Any]) -> None:
    assert made(config(**changes)).name != made().name


def test_it_is_an_ordinary_model_of_the_size_asked_for() -> None:
    folder = made()
    with quiet_transformers():
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    assert model.config.hidden_size == 16
    assert model.config.vocab_size == len(tokenizer) <= 320
    ids = tokenizer.apply_chat_template([{"role": "user", "content": "Press red."}], tokenize=True, return_dict=False)
    assert "Press red." in tokenizer.decode(ids)


class OtherRewards(Buttons):
    """The same words, other rewards; and an expert that must not be asked."""

    def make(self) -> Env:
        return Rewarded()

    def oracle(self, env: Env) -> Oracle:
        raise AssertionError("the base policy asked the expert")


class Rewarded(ButtonsEnv):
    async def step(self, action: str) -> StepResult:
        return replace(await super().step(action), reward=-7.0, success=None)


def test_neither_rewards_nor_the_expert_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = config({"pretrain_steps": 2, "pretrain_tokens_per_step": 200})
    plain = made(chosen)
    monkeypatch.setenv("SOJOURN_CACHE", str(tmp_path / "elsewhere"))
    assert contents(made(chosen, OtherRewards())) == contents(plain)


def next_token_loss(folder: Path) -> float:
    """On an episode that was not played at random."""
    with quiet_transformers():
        model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    said = ["Press red, then green.", "press red", "You pressed red. Left: green.", "press green"]
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(said)]
    ids = torch.tensor([tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)])
    with torch.no_grad():
        return float(model(input_ids=ids, labels=ids).loss)


def test_pre_training_lowers_the_loss_of_the_next_token() -> None:
    steps = {"pretrain_steps": 60, "pretrain_tokens_per_step": 500, "pretrain_learning_rate": 2e-2}
    assert next_token_loss(made(config(steps))) < 0.7 * next_token_loss(made())


class Broken(Buttons):
    def make(self) -> Env:
        return BrokenEnv()


class BrokenEnv(ButtonsEnv):
    async def reset(self, task: Task) -> StepResult:
        raise RuntimeError("no such thing as an environment")


def test_a_making_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(TooManyFailuresError, match="no such thing as an environment"):
        made(scenario=Broken())
    assert list((tmp_path / "cache").rglob("*")) in ([], [tmp_path / "cache" / "base"])
