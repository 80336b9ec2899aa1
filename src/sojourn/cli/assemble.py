"""Makes the concrete parts that a configuration names: scenario, model, engine, agent."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sojourn.algorithms.table import find_algorithm
from sojourn.cli.scenarios import open_scenario
from sojourn.config import TrainConfig
from sojourn.engine.pretrained import load_tokenizer, resolve_model
from sojourn.engine.torch_engine import TorchEngine
from sojourn.engine.weights import LoraSpec
from sojourn.envs.protocol import Scenario
from sojourn.errors import ConfigError
from sojourn.policy.agents import LMAgent, LMSettings
from sojourn.policy.formats import action_format
from sojourn.policy.generation_config import generation_stop_ids
from sojourn.policy.renderer import Renderer
from sojourn.train.base_policy import base_policy_folder


@dataclass(frozen=True, kw_only=True)
class Assembly:
    """The live parts of a run."""

    config: TrainConfig
    scenario: Scenario
    engine: TorchEngine
    renderer: Renderer

    def agent(self, temperature: float, scenario: Scenario | None = None) -> LMAgent:
        """The policy as an agent that samples at `temperature`, told how to act in `scenario` (its own, if absent)."""
        told = self.scenario if scenario is None else scenario
        policy = self.config.policy
        return LMAgent(
            self.renderer,
            action_format(policy.action_format),
            self.engine,
            LMSettings(
                max_new_tokens=policy.max_new_tokens,
                max_context_tokens=min(policy.max_context_tokens, self.engine.info().max_length),
                temperature=temperature,
                constraint=policy.constraint,
                max_episode_tokens=policy.max_episode_tokens,
                show_instructions=policy.show_instructions,
                show_commands=policy.show_commands,
            ),
            instructions=told.instructions,
            example_command=told.example_command,
        )


async def assemble(config: TrainConfig) -> Assembly:
    """Everything that `config` names; raises `ConfigError` or `MissingDependencyError` before anything is trained."""
    scenario = open_scenario(config.env.name, config.env.options)
    _check_splits(config, scenario)
    folder = await model_folder(config, scenario)
    tokenizer = load_tokenizer(folder)
    template = config.policy.chat_template
    renderer = Renderer(
        tokenizer,
        enable_thinking=config.policy.thinking,
        chat_template=None if template is None else _read(template),
        extra_stop_ids=generation_stop_ids(folder),
    )
    engine = make_engine(config, folder)
    return Assembly(config=config, scenario=scenario, engine=engine, renderer=renderer)


async def model_folder(config: TrainConfig, scenario: Scenario) -> str:
    """What `from_pretrained` loads the initial weights and the tokenizer from."""
    if config.policy.model == "base":
        return str(await base_policy_folder(config, scenario))
    return resolve_model(config.policy.model)


def make_engine(config: TrainConfig, folder: str) -> TorchEngine:
    """The engine that samples and trains the model in `folder`."""
    policy, optim = config.policy, config.optim
    lora = None if policy.lora is None else LoraSpec(rank=policy.lora.rank, alpha=policy.lora.alpha)
    return TorchEngine.from_pretrained(
        folder,
        device=policy.device,
        sampler_dtype=policy.sampler_dtype,
        train_dtype=policy.train_dtype,
        lora=lora,
        max_tokens_per_microbatch=optim.max_tokens_per_microbatch,
        activation_checkpointing=optim.activation_checkpointing,
        max_slots=config.rollout.max_live_episodes,
        seed=config.seed,
        num_threads=config.threads,
        critic=config.critic.kind if find_algorithm(config.algorithm.name).needs_critic else None,
        shared_coef=config.critic.shared_coef,
        in_thread=config.rollout.staleness > 0,
    )


def _check_splits(config: TrainConfig, scenario: Scenario) -> None:
    for key, split in (
        ("env.split", config.env.split),
        ("evaluate.split", config.evaluate.split),
        ("evaluate.final_split", config.evaluate.final_split),
    ):
        if split not in scenario.splits:
            raise ConfigError(f"{key} = {split!r}: {scenario.env_id} has the splits {', '.join(scenario.splits)}")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"policy.chat_template: cannot read {os.fspath(path)!r}: {error}") from error
