"""The embedded base policy: a small Llama with its own tokenizer, made at first use from *random play*.

Random play is the environment played with uniformly random admissible commands: no expert, no reward, no filter. The
tokenizer is trained on its text. The weights are random, or trained on it by next-token prediction for
``pretrain_steps`` steps: the policy then knows the environment's language, not the task. The result is an ordinary
model folder, cached under a key of all that decides it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import sojourn
from sojourn.config import BaseModelConfig, TrainConfig, cache_dir
from sojourn.engine.pretrained import quiet_transformers
from sojourn.envs.protocol import Scenario
from sojourn.errors import TooManyFailuresError
from sojourn.policy.agents import opening_messages, system_text
from sojourn.policy.base_tokenizer import train_base_tokenizer
from sojourn.policy.formats import action_format
from sojourn.policy.renderer import Renderer
from sojourn.policy.scripted import RandomAgent
from sojourn.rollout.episodes import EpisodeSpec, derived_seed, limits_of, run_episodes
from sojourn.types import Trajectory

log = logging.getLogger(__name__)


async def base_policy_folder(config: TrainConfig, scenario: Scenario) -> Path:
    """Folder of the base policy for `config`, made if it is not in the cache yet."""
    folder = cache_dir() / "base" / _key(config, scenario)
    if not folder.is_dir():
        trajectories = await _random_play(config, scenario)
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
        try:
            _make(config, scenario, trajectories, temporary)
            _install(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _install(temporary: Path, folder: Path) -> None:
    try:
        os.replace(temporary, folder)
    except OSError:  # another process made the same one first: theirs is equal
        if not folder.is_dir():
            raise


def _key(config: TrainConfig, scenario: Scenario) -> str:
    policy = config.policy
    decisive = {
        "sojourn": sojourn.__version__,
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "env": [config.env.name, scenario.env_id, config.env.options, scenario.instructions],
        "base": policy.base.model_dump(),
        "format": [policy.action_format, policy.show_instructions],
        "split": config.env.split,
    }
    digest = hashlib.sha256(json.dumps(decisive, sort_keys=True, default=str).encode()).hexdigest()
    return f"{scenario.env_id}-{digest[:16]}"


async def _random_play(config: TrainConfig, scenario: Scenario) -> list[Trajectory]:
    base = config.policy.base
    tasks = scenario.tasks(config.env.split)
    agent = RandomAgent()
    picks = np.random.default_rng(base.seed).integers(len(tasks), size=base.num_episodes)
    specs = [
        EpisodeSpec(task=tasks[int(p)], seed=derived_seed(base.seed, "random play", n), session_id=f"play.{n}")
        for n, p in enumerate(picks)
    ]
    outcomes = await run_episodes(scenario, agent, specs, horizon=base.play_horizon, limits=limits_of(config.rollout))
    failed = [trajectory for outcome in outcomes for trajectory in outcome.failed]
    if len(failed) > config.rollout.max_failure_share * len(specs):
        raise TooManyFailuresError(
            f"{len(failed)} of {len(specs)} episodes of random play failed; the last one: {failed[-1].error}"
        )
    return [outcome.trajectory for outcome in outcomes if outcome.trajectory is not None]


def _make(config: TrainConfig, scenario: Scenario, trajectories: Sequence[Trajectory], folder: Path) -> None:
    base = config.policy.base
    tokenizer = train_base_tokenizer(_texts(config, scenario, trajectories), base.vocab_size)
    tokenizer.model_max_length = base.max_length
    model = _random_model(base, tokenizer)
    if base.pretrain_steps:
        renderer = Renderer(tokenizer)
        _pretrain(model, base, [_ids(config, scenario, renderer, t)[: base.max_length] for t in trajectories])
    with quiet_transformers():
        model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _texts(config: TrainConfig, scenario: Scenario, trajectories: Sequence[Trajectory]) -> list[str]:
    """Everything an agent reads or writes in random play."""
    form = action_format(config.policy.action_format)
    texts = [_system(config, scenario)]
    for trajectory in trajectories:
        if trajectory.first is not None:
            texts.append(trajectory.first.observation)
        for turn in trajectory.turns:
            texts += [form.render(turn.decision.action or ""), turn.result.observation]
    return texts


def _system(config: TrainConfig, scenario: Scenario) -> str:
    """The system text that the policy will be shown."""
    form = action_format(config.policy.action_format)
    shown = config.policy.show_instructions
    return system_text(scenario.instructions, form, scenario.example_command) if shown else ""


def _random_model(base: BaseModelConfig, tokenizer: Any) -> Any:
    torch.manual_seed(base.seed)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=base.hidden_size,
        intermediate_size=base.hidden_size * 8 // 3 // 16 * 16,
        num_hidden_layers=base.num_layers,
        num_attention_heads=base.num_heads,
        num_key_value_heads=base.num_heads,
        max_position_embeddings=base.max_length,
        tie_word_embeddings=True,
        # the usual 0.02 fits a width of thousands; here it would leave attention uniform for many updates
        initializer_range=base.hidden_size**-0.5,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.LlamaForCausalLM(config)


def _ids(config: TrainConfig, scenario: Scenario, renderer: Renderer, trajectory: Trajectory) -> list[int]:
    """The episode as one sequence, exactly as the policy would see and write it."""
    form = action_format(config.policy.action_format)
    first = trajectory.first.observation if trajectory.first is not None else ""
    ids = list(renderer.opening(opening_messages(_system(config, scenario), first)))
    for turn in trajectory.turns:
        written = (*renderer.completion_ids(form.render(turn.decision.action or "")), renderer.end_id)
        ids += written
        ids += renderer.continuation(turn.result.observation, last_sampled=written)
    return ids


def _pretrain(model: Any, base: BaseModelConfig, sequences: Sequence[Sequence[int]]) -> None:
    """Next-token training on every token of the sequences, AdamW with cosine decay."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=base.pretrain_learning_rate, weight_decay=0.0)
    generator = np.random.default_rng(base.seed)
    model.train()
    for step in range(base.pretrain_steps):
        scale = 0.5 * (1.0 + math.cos(math.pi * step / base.pretrain_steps))
        for group in optimizer.param_groups:
            group["lr"] = base.pretrain_learning_rate * (0.05 + 0.95 * scale) * min(1.0, (step + 1) / 20)
        ids_BT, labels_BT = _draw(sequences, base.pretrain_tokens_per_step, generator, model.config.pad_token_id)
        loss = model(input_ids=ids_BT, attention_mask=(labels_BT != -100).long(), labels=labels_BT).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            log.info("base policy: pre-training step %d of %d, loss %.3f", step, base.pretrain_steps, loss.item())
    model.eval()


def _draw(
    sequences: Sequence[Sequence[int]], num_tokens: int, generator: np.random.Generator, pad_id: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random sequences of about `num_tokens` tokens in all, padded on the right. [B, T] ids and labels"""
    picked: list[Sequence[int]] = []
    while sum(map(len, picked)) < num_tokens:
        picked.append(sequences[int(generator.integers(len(sequences)))])
    longest = max(map(len, picked))
    ids_BT = torch.full((len(picked), longest), pad_id)
    labels_BT = torch.full((len(picked), longest), -100)
    for row, sequence in enumerate(picked):
        ids_BT[row, : len(sequence)] = labels_BT[row, : len(sequence)] = torch.tensor(sequence)
    return ids_BT, labels_BT
