"""One typed tree of configuration: TOML in, resolved JSON out. Imports no torch.

Every default of the product lives here. Invalid combinations fail when the file is loaded, with the two keys named;
unknown keys list the nearest known ones.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from sojourn.errors import ConfigError, unknown_name

PositiveInt = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0)]


class Section(BaseModel):
    """A table of the configuration: no unknown keys, no change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class EnvConfig(Section):
    """Which environment, and which of its tasks."""

    name: str
    """A shipped scenario (`sojourn envs` lists them) or ``module:Factory``."""
    options: dict[str, Any] = {}
    """Keywords of the scenario's factory."""
    split: str = "train"
    """The split that training tasks are drawn from."""


class BaseModelConfig(Section):
    """The embedded base policy: a small Llama made at first use from random play (``policy.model = "base"``)."""

    hidden_size: PositiveInt = 128
    """Width of the model."""
    num_layers: PositiveInt = 2
    """Transformer layers."""
    num_heads: PositiveInt = 4
    """Attention heads; must divide `hidden_size`."""
    vocab_size: PositiveInt = 640
    """Upper bound of the tokenizer's vocabulary."""
    max_length: PositiveInt = 2048
    """Longest context in tokens."""
    num_episodes: PositiveInt = 400
    """Episodes of random play that the tokenizer is trained on (and the weights, if `pretrain_steps` > 0)."""
    play_horizon: PositiveInt = 20
    """Turns of an episode of random play."""
    pretrain_steps: Annotated[int, Field(ge=0)] = 0
    """Steps of next-token training on random play; 0 leaves the weights random."""
    pretrain_tokens_per_step: PositiveInt = 8192
    """Tokens of one pre-training step."""
    pretrain_learning_rate: PositiveFloat = 3e-3
    """Peak learning rate of pre-training."""
    seed: int = 0
    """Seed of the random play and of the initial weights; the run's own seed does not change the base policy."""


class LoraConfig(Section):
    """Low-rank adapters instead of full fine-tuning."""

    rank: PositiveInt = 16
    """Rank of each adapter."""
    alpha: PositiveFloat = 32.0
    """An adapter's output is scaled by alpha / rank."""


class PolicyConfig(Section):
    """The model, and how it talks to the environment."""

    model: str = "base"
    """``base`` (the embedded one), ``smollm2-135m-instruct``, a folder, or a Hugging Face hub name."""
    base: BaseModelConfig = BaseModelConfig()
    lora: LoraConfig | None = None
    """Train adapters of this shape; absent trains all weights."""
    chat_template: Path | None = None
    """A Jinja file that replaces the tokenizer's own chat template."""
    thinking: bool | None = None
    """Passed to templates that know ``enable_thinking``; absent leaves it to the template."""
    action_format: Literal["react", "bare", "reply", "function_call"] = "react"
    """How the model writes a command: thought and action, the command alone, a free reply that the environment reads,
    or a JSON call."""
    constraint: Literal["none", "admissible"] = "none"
    """``admissible`` confines decoding to the commands that the environment admits now."""
    show_instructions: bool = True
    """Begin every episode with the environment's rules; the tiny base policy, which knows no English, does without."""
    show_commands: bool = False
    """Append the admissible commands to every observation."""
    max_new_tokens: PositiveInt = 512
    """Longest completion of one turn."""
    temperature: PositiveFloat = 1.0
    """Of the sampling in training; log-probs are those of the tempered distribution."""
    device: str = "auto"
    """``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``cuda:N``."""
    train_dtype: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the update (the master weights are float32 in any case)."""
    sampler_dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """``auto``: float32 for small models, else what a start-up probe finds fastest."""
    max_context_tokens: PositiveInt = 4096
    """Longest episode in tokens, prompts and completions together."""
    max_episode_tokens: PositiveInt | None = None
    """Budget of sampled tokens of one episode; absent: only the context limits it."""


class FixedHorizon(Section):
    """One turn limit throughout."""

    kind: Literal["fixed"] = "fixed"
    turns: PositiveInt
    """The turn limit."""


class StepwiseHorizon(Section):
    """ScalingInter (arXiv 2509.08755): the limit grows by stages of `every` updates."""

    kind: Literal["stepwise"] = "stepwise"
    stages: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """Turn limits, one after the other."""
    every: PositiveInt
    """Updates of each stage; the last stays to the end."""


class LinearHorizon(Section):
    """From `start` to `end` turns over `over` updates, rounded down, then constant."""

    kind: Literal["linear"] = "linear"
    start: PositiveInt
    """Turn limit of update 0."""
    end: PositiveInt
    """Turn limit from update `over` on."""
    over: PositiveInt
    """Updates from `start` to `end`."""


class SuccessHorizon(Section):
    """The next stage begins when the mean training success of the last `window` updates reaches `threshold`."""

    kind: Literal["success"] = "success"
    stages: Annotated[tuple[PositiveInt, ...], Field(min_length=1)]
    """Turn limits, one after the other."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Mean training success that ends a stage."""
    window: PositiveInt = 5
    """Updates that the mean is taken over, all of the same stage."""


HorizonConfig = Annotated[FixedHorizon | StepwiseHorizon | LinearHorizon | SuccessHorizon, Field(discriminator="kind")]


class RolloutConfig(Section):
    """How episodes are collected for one update."""

    tasks_per_update: PositiveInt = 16
    """Tasks drawn for one update: the number of groups."""
    group_size: PositiveInt = 8
    """Episodes of one task: what a group-relative baseline is made of."""
    filter_zero_variance: bool | None = None
    """Leave out groups whose returns are all equal; absent: where they carry no gradient, as the algorithm says."""
    max_refills: Annotated[int, Field(ge=0)] = 0
    """How often more tasks may be drawn to replace groups that were left out; 0 trains on what is left."""
    max_attempts: PositiveInt = 3
    """Fresh episodes tried for one place in a group before it stays empty."""
    retry_backoff_s: Annotated[float, Field(ge=0)] = 0.5
    """Pause before the first fresh attempt; each further one waits twice as long, at most a minute."""
    max_failure_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Stop the run, with a checkpoint, when more than this share of an update's episodes failed, attempts included."""
    reset_timeout_s: PositiveFloat = 120.0
    """Seconds that an environment's reset may take; then the episode has failed."""
    step_timeout_s: PositiveFloat = 120.0
    """Seconds that an environment's step may take; then the episode has failed."""
    sample_timeout_s: PositiveFloat = 600.0
    """Seconds that the sampling of one turn may take; then the episode has failed."""
    episode_timeout_s: PositiveFloat | None = None
    """Seconds that one episode may take in all; then it has failed. Absent: only its stages have limits."""
    group_timeout_s: PositiveFloat | None = None
    """Seconds from a group's first episode; what is not over by then has failed and is not tried again."""
    max_live_episodes: PositiveInt = 512
    """Episodes that run at the same time."""
    staleness: Annotated[int, Field(ge=0)] = 0
    """Updates by which trained episodes may be old; above 0, episodes run while the policy is being trained, and a
    run is not repeatable bit for bit. 0 trains only on episodes of the present policy."""
    partial_groups: Literal["wait", "refill", "drop"] = "wait"
    """With a staleness: a group that has not ended in time is waited for, its task is played afresh, or dropped."""


class AlgorithmConfig(Section):
    """Advantage and loss; see `sojourn.algorithms`."""

    name: str = "grpo"
    """A row of the table of algorithms, or ``module:attribute`` of your own."""
    loss: str | None = None
    """A row of the table of losses; absent: the algorithm's own."""
    clip_low: PositiveFloat | None = None
    """The ratio's gradient stops below 1 - clip_low; absent: the loss's own, 0.2 for ``ppo_clip``."""
    clip_high: PositiveFloat | None = None
    """The ratio's gradient stops above 1 + clip_high; absent: the loss's own, 0.2 for ``ppo_clip``."""
    dual_clip: Annotated[float, Field(gt=1)] | None = None
    """``ppo_clip``: bound of the ratio where the advantage is negative; absent: none."""
    importance_cap: PositiveFloat = 2.0
    """Largest importance weight of ``reinforce``, and of `sampler_correction`."""
    sampler_correction: bool = False
    """Weigh tokens by the truncated ratio of the old policy to the sampler that drew them."""
    divide_by_std: bool | None = None
    """Divide a group's advantages by its standard deviation; absent: as the algorithm's paper does."""
    gamma: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Discount: by trained token in ``ppo`` and ``reinforce_plus_plus``, by turn in ``ppo_turn`` and ``gigpo``."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 1.0
    """GAE's mixing of short and long returns; 1 is the return to go minus the value."""
    turn_weight: Annotated[float, Field(ge=0)] = 1.0
    """``gigpo``: weight of the turn-level advantage beside the episode's."""
    loss_mean: Literal["token", "sequence", "constant"] | None = None
    """``token``: sum over trained tokens / their number. ``sequence``: mean over episodes of their token means.
    ``constant``: sum / (episodes * `loss_tokens`). Absent: the algorithm's own."""
    loss_tokens: PositiveInt = 64
    """Denominator of ``loss_mean = "constant"``: about the trained tokens of an episode."""
    kl_coef: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL to the reference policy; 0 keeps no reference."""
    kl_estimator: Literal["k1", "k2", "k3"] = "k3"
    """How the KL is estimated from the tokens that were drawn."""
    kl_in: Literal["loss", "reward"] = "loss"
    """Where the KL enters: as a term of the loss, or subtracted from each token's reward."""
    kl_target: PositiveFloat | None = None
    """Aim at this KL by changing the coefficient after every update; absent leaves `kl_coef` as it is."""
    kl_adapt_updates: PositiveInt = 10
    """How slowly the coefficient follows: it changes by at most 20 % / this."""
    reference_reset_every: Annotated[int, Field(ge=0)] = 0
    """The reference becomes the present policy each this many updates; 0: it stays the initial one."""
    entropy_coef: Annotated[float, Field(ge=0)] = 0.0
    """Weight of an entropy bonus."""
    entropy_floor: Annotated[float, Field(ge=0)] = 0.0
    """The bonus acts only while the mean entropy (nats per trained token) is below this; 0: it always acts."""
    horizon_cut: Literal["as_is", "bootstrap", "mask", "penalty"] = "as_is"
    """What an episode cut by the horizon counts as: ``as_is`` (return so far), ``bootstrap`` (plus the critic's value
    of where it stood), ``mask`` (in the baseline, not in the gradient), ``penalty`` (minus `horizon_penalty`)."""
    horizon_penalty: PositiveFloat = 0.1
    """Subtracted from the last reward of an episode cut by the horizon, with ``horizon_cut = "penalty"``."""


class CriticConfig(Section):
    """The critic of the algorithms that need one."""

    kind: Literal["separate", "shared"] = "separate"
    """A model of its own that begins as a copy of the policy, or a value head on the policy."""
    learning_rate: PositiveFloat = 1e-5
    """AdamW's, for the critic."""
    warmup_updates: Annotated[int, Field(ge=0)] = 0
    """Updates at the start in which only the critic is trained."""
    epochs: PositiveInt = 1
    """Passes over an update's batch."""
    minibatches: PositiveInt = 1
    """Optimiser steps per pass."""
    value_clip: PositiveFloat | None = 0.2
    """Values may leave the old ones by this much before the loss stops following; absent: no bound."""
    max_grad_norm: PositiveFloat | None = 1.0
    """Clip the critic's gradient norm to this; absent does not clip."""
    shared_coef: PositiveFloat = 0.1
    """``shared``: weight of the value loss in the gradient of the policy's own layers."""


class OptimConfig(Section):
    """One update: passes over the batch and optimiser steps."""

    learning_rate: PositiveFloat = 1e-6
    """AdamW's, after the warm-up."""
    warmup_updates: Annotated[int, Field(ge=0)] = 0
    """The learning rate grows linearly over this many updates."""
    decay: Literal["none", "linear", "cosine"] = "none"
    """How it falls to `final_fraction` of itself by the last update."""
    final_fraction: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Where the decay ends, as a fraction of `learning_rate`."""
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """AdamW's decay of the mean gradient."""
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """AdamW's decay of the mean squared gradient."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """AdamW's, decoupled from the gradient."""
    max_grad_norm: PositiveFloat | None = 1.0
    """Clip the global gradient norm to this; absent does not clip."""
    epochs: PositiveInt = 1
    """Passes over an update's batch."""
    minibatches: PositiveInt = 1
    """Optimiser steps per pass."""
    max_tokens_per_microbatch: PositiveInt = 16384
    """Memory bound: rows are padded and run at most this many tokens at a time; never changes the result."""
    activation_checkpointing: bool = False
    """Recompute activations in the backward pass: less memory, more time, the same result."""
    old_logprobs: Literal["sampler", "recompute"] = "recompute"
    """Log-probs of the behaviour policy: the sampler's own, or the trainer's before the first step of the update."""
    max_nonfinite_updates: PositiveInt = 3
    """Stop the run after this many updates in a row were skipped for a non-finite loss or gradient."""


class EvaluateConfig(Section):
    """The evaluation during and after training."""

    split: str = "validation"
    """Panel used while training (and to pick the best checkpoint)."""
    final_split: str = "test"
    """Panel used before the first and after the last update, for the report."""
    horizon: PositiveInt = 20
    """Turn limit of every evaluation, whatever the training horizon is."""
    every: Annotated[int, Field(ge=0)] = 10
    """Evaluate each this many updates; 0: only before and after."""
    max_tasks: PositiveInt | None = None
    """Use the first tasks of the panel only, while training."""
    repeats: PositiveInt = 1
    """Episodes per task."""
    temperature: Annotated[float, Field(ge=0)] = 1.0
    """Of the evaluated policy; 0 is greedy."""
    seed: int = 20_000
    """Seed of the evaluation's draws; an episode's depends on it, its task and its repeat alone."""


class CheckpointConfig(Section):
    """When to save, and what to keep."""

    every: Annotated[int, Field(ge=0)] = 10
    """Save each this many updates; 0: only at the end."""
    keep: PositiveInt = 2
    """Newest checkpoints kept (the best by evaluation is kept besides)."""


class RecordConfig(Section):
    """What a run writes beside its checkpoints."""

    trajectories_every: Annotated[int, Field(ge=0)] = 1
    """Write the training trajectories of each this many updates; 0: none."""
    trackers: tuple[Literal["wandb", "trackio"], ...] = ()
    """Besides TensorBoard, which is always written."""


class TrainConfig(Section):
    """The whole tree of `sojourn train`."""

    name: str
    """Name of the run; its directory is ``<out>/<name>``."""
    out: Path = Path("runs")
    """Folder of the runs."""
    seed: int = 0
    """Seed of everything random in the run but the base policy and the evaluations."""
    updates: PositiveInt
    """Updates to do in all."""
    threads: PositiveInt | None = None
    """CPU threads of torch; absent leaves torch's own choice."""
    env: EnvConfig
    policy: PolicyConfig = PolicyConfig()
    horizon: HorizonConfig
    rollout: RolloutConfig = RolloutConfig()
    algorithm: AlgorithmConfig = AlgorithmConfig()
    critic: CriticConfig = CriticConfig()
    optim: OptimConfig = OptimConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    record: RecordConfig = RecordConfig()

    @model_validator(mode="after")
    def _combinations(self) -> TrainConfig:
        if self.policy.constraint == "admissible" and self.policy.action_format == "react":
            raise ValueError(
                "policy.constraint = 'admissible' needs policy.action_format = 'bare', 'reply' or 'function_call' "
                "(got 'react')"
            )
        if self.policy.model == "base" and self.policy.show_commands:
            raise ValueError("policy.show_commands needs a model of your own, not policy.model = 'base'")
        if self.algorithm.kl_target is not None and self.algorithm.kl_coef == 0.0:
            raise ValueError("algorithm.kl_target needs algorithm.kl_coef > 0 to begin with")
        if self.algorithm.reference_reset_every and self.algorithm.kl_coef == 0.0:
            raise ValueError("algorithm.reference_reset_every needs algorithm.kl_coef > 0: nothing uses a reference")
        if self.env.split in (self.evaluate.final_split, self.evaluate.split):
            raise ValueError(
                f"env.split = {self.env.split!r} is also an evaluation split: choose another in [evaluate]"
            )
        return self

    @property
    def run_dir(self) -> Path:
        """Directory of this run."""
        return self.out / self.name


def cache_dir() -> Path:
    """Where downloaded-once and made-once things are kept: ``$SOJOURN_CACHE``, else ``~/.cache/sojourn``."""
    return Path(os.environ.get("SOJOURN_CACHE") or Path.home() / ".cache" / "sojourn").expanduser()


def load_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """The configuration in the TOML file at `path`, with ``--a.b=value`` style `overrides` applied.

    Raises `ConfigError` with the file, the key, what was expected and what came.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"no configuration file {str(path)!r}; shipped ones are in recipes/") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: not a readable TOML file: {error}") from error
    for key, value in parse_overrides(overrides):
        _set(tree, key, value)
    tree.setdefault("name", path.stem if path.stem != "train" else path.parent.name)
    return make_config(tree, source=str(path))


def make_config(tree: Mapping[str, Any], source: str = "configuration") -> TrainConfig:
    """The configuration in a nested mapping; raises `ConfigError` naming `source`."""
    try:
        return TrainConfig.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(f"{source}:\n" + "\n".join(_explain(e) for e in error.errors())) from error


def parse_overrides(arguments: Sequence[str]) -> list[tuple[str, Any]]:
    """Pairs of dotted key and value from ``--a.b value`` and ``--a.b=value``; values are read as TOML, else text."""
    pairs: list[tuple[str, Any]] = []
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--"):
            raise ConfigError(f"expected --key value, got {flag!r}")
        key, equals, text = flag[2:].partition("=")
        if not equals:
            if not rest:
                raise ConfigError(f"--{key} needs a value")
            text = rest.pop(0)
        pairs.append((key, _toml_value(text)))
    return pairs


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(tree: dict[str, Any], dotted: str, value: Any) -> None:
    *parents, leaf = dotted.replace("-", "_").split(".")
    for part in parents:
        child = tree.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--{dotted}: {part!r} is a value, not a table")
        tree = child
    tree[leaf] = value


def _explain(error: Any) -> str:
    path = [str(part) for part in error["loc"]]
    dotted = ".".join(path)
    if error["type"] == "extra_forbidden":
        return f"  {dotted}: {unknown_name('key', path[-1], _keys_at(path[:-1]))}"
    if error["type"] == "missing":
        return f"  {dotted}: is required"
    message = error["msg"].removeprefix("Value error, ")
    got = "" if error["type"] == "value_error" else f" (got {error['input']!r})"
    return f"  {dotted}: {message}{got}" if dotted else f"  {message}{got}"


def _keys_at(path: Sequence[str]) -> list[str]:
    """Names of the keys of the table at `path`, for the hint of an unknown key."""
    schema = TypeAdapter(TrainConfig).json_schema()
    definitions, node = schema["$defs"], schema
    for part in path:
        options = node.get("anyOf") or node.get("oneOf") or [node]
        names = [_resolve(option, definitions) for option in options]
        # a discriminated union names its branch in the path: ('horizon', 'stepwise', 'every')
        match = [n["properties"][part] for n in names if part in n.get("properties", {})]
        kind = [n for n in names if n.get("properties", {}).get("kind", {}).get("const") == part]
        if not match and not kind:
            return []
        node = _resolve((match or kind)[0], definitions)
    return sorted(_resolve(node, definitions).get("properties", {}))


def _resolve(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        return dict(definitions[node["$ref"].rsplit("/", 1)[-1]])
    return dict(node)
