"""What verl's own functions answer to `inputs.json`, kept in `verl.json`.

verl pins other versions of our dependencies, so it runs in an environment of its own (a CPU will do)::

    python3.11 -m venv verl_env
    verl_env/bin/pip install torch==2.13.0 numpy==2.4.6 transformers==5.10.4 tensordict==0.10.0
    verl_env/bin/pip install ray==2.60.0 omegaconf==2.4.0 codetiming==1.4.0 orjson==3.13.0
    verl_env/bin/pip install --no-deps verl==0.9.1
    verl_env/bin/python -m tests.second.verl_values

The last from the folder that holds `tests`. This is what the import of verl's mathematics needs; verl as a whole needs
more. `tests/unit/test_second_implementation.py` compares.

Axes: B rows · T columns · N trained tokens, flat, in row order · S turns of all rows, flat.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from tests.second.inputs import LONELY_GROUP, Inputs, answer, with_gradient, write_answers
from torch import Tensor

warnings.simplefilter("ignore")  # verl's, about what is deprecated and about missing accelerators

from verl.trainer.config import AlgoConfig, RolloutCorrectionConfig  # noqa: E402
from verl.trainer.ppo import core_algos, rollout_corr_helper  # noqa: E402
from verl.utils import torch_functional  # noqa: E402
from verl.workers.config import ActorConfig, PolicyLossConfig  # noqa: E402

Answer = dict[str, Any]
NO_BOUND = 1e9
"""Stands for "not clipped" where verl always clips."""
MEANS = ("token-mean", "seq-mean-token-mean", "seq-mean-token-sum-norm")


def actor(inputs: Inputs, low: str = "low", high: str = "high", dual: float | None = None, **changed: Any) -> Any:
    """verl's configuration of an actor, with the clips of the settings that are named."""
    return ActorConfig(
        strategy="fsdp",
        rollout_n=1,
        ppo_micro_batch_size_per_gpu=1,
        clip_ratio_low=inputs.setting(low),
        clip_ratio_high=inputs.setting(high),
        clip_ratio_c=inputs.setting("dual") if dual is None else dual,
        global_batch_info={"loss_scale_factor": int(inputs.setting("constant"))},
        **changed,
    )


def advantages(inputs: Inputs) -> dict[str, Answer]:
    """Every estimator that has a counterpart in ours."""
    mask, float_mask, reward = inputs.mask, inputs.mask.double(), inputs["reward"]
    group = inputs["group"].numpy()
    algo = AlgoConfig(gamma=inputs.setting("gamma"))
    found: dict[str, Answer] = {}

    def grouped(name: str, function: Callable[..., Any], **more: Any) -> None:
        result = function(token_level_rewards=reward.clone(), response_mask=float_mask, index=group, **more)[0]
        found[name] = answer(function, advantage=result[mask])

    grouped("grpo", core_algos.compute_grpo_outcome_advantage)
    grouped("dr_grpo", core_algos.compute_grpo_outcome_advantage, norm_adv_by_std_in_grpo=False)
    grouped("rloo", core_algos.compute_rloo_outcome_advantage)
    grouped("rloo_vectorized", core_algos.compute_rloo_vectorized_outcome_advantage)
    function = core_algos.compute_reinforce_plus_plus_baseline_outcome_advantage
    grouped("reinforce_plus_plus_baseline", function)
    others = inputs["group"] != LONELY_GROUP
    result = function(reward[others].clone(), float_mask[others], group[others.numpy()])[0]
    found["reinforce_plus_plus_baseline_of_larger_groups"] = answer(function, advantage=result[mask[others]])
    function = core_algos.compute_reinforce_plus_plus_outcome_advantage
    advantage, to_go = function(reward.clone(), float_mask, config=algo)
    found["reinforce_plus_plus"] = answer(function, advantage=advantage[mask], to_go=to_go[mask])
    flat = inputs.tree["flat_float32"]
    equal = torch.full((flat["size"], 1), flat["return"], dtype=torch.float32)
    function = core_algos.compute_grpo_outcome_advantage
    result = function(equal, torch.ones_like(equal), [0] * flat["size"])[0]
    found["grpo_of_equal_returns_in_float32"] = answer(function, advantage=result[:, 0])
    function = torch_functional.masked_whiten
    found["masked_whiten"] = answer(function, whitened=function(inputs["advantage"], float_mask)[mask])
    return found


def generalised(inputs: Inputs) -> dict[str, Answer]:
    """GAE by token, with a value after the cut, with a reward between actions, and by turn; GiGPO from its parts."""
    function = core_algos.compute_gae_advantage_return
    mask, float_mask = inputs.mask, inputs.mask.double()
    gamma, lam = inputs.setting("gamma"), inputs.setting("lam")

    def gae(reward: Tensor, value: Tensor, where: Tensor, at: Tensor) -> Answer:
        advantage, target = function(reward, value, where, gamma, lam)
        return answer(function, advantage=advantage[at], target=target[at])

    found = {"gae": gae(inputs["reward"], inputs["value"], float_mask, mask)}
    last_B = mask.shape[1] - 1 - mask.flip(1).int().argmax(1)
    has_token_B = mask.any(1)
    prolonged = inputs["reward"].clone()
    rows = torch.arange(len(mask))[has_token_B]
    prolonged[rows, last_B[has_token_B]] += gamma * inputs["bootstrap"][has_token_B]
    found["gae_with_the_value_after_a_cut_in_the_last_reward"] = gae(prolonged, inputs["value"], float_mask, mask)
    found["gae_of_rewards_on_observations"] = gae(inputs.late_reward()[0], inputs["value"], float_mask, mask)

    reward, is_turn = inputs.by_turn(inputs["turn_reward"])
    value, _ = inputs.by_turn(inputs.first_value_of_turn())
    has_token = is_turn & ~value.isnan()
    found["gae_by_turn"] = gae(reward, value.nan_to_num(), has_token.double(), has_token)
    # GiGPO's second baseline: returns to go of turns, and GRPO over turns that share a state
    algo = AlgoConfig(gamma=gamma)
    to_go = core_algos.compute_reinforce_plus_plus_outcome_advantage(reward, is_turn.double(), config=algo)[1][is_turn]
    grpo = core_algos.compute_grpo_outcome_advantage
    for name, divide in (("gigpo_turns", True), ("gigpo_turns_without_std", False)):
        result = grpo(
            to_go[:, None].clone(),
            torch.ones(len(to_go), 1),
            inputs["anchor"].numpy(),
            norm_adv_by_std_in_grpo=divide,
        )[0]
        found[name] = answer(grpo, advantage=result[:, 0], to_go=to_go)
    return found


def policy_losses(inputs: Inputs) -> dict[str, Answer]:
    """Every policy loss that has a counterpart in ours, in the means that both have."""
    mask, float_mask = inputs.mask, inputs.mask.double()
    found: dict[str, Answer] = {}

    def ask(name: str, function: Callable[..., Any], config: Any, mean: str, **more: Any) -> None:
        metrics: dict[str, float] = {}

        def compute(logprob: Tensor) -> Tensor:
            loss, said = function(
                old_log_prob=inputs["old_logprob"],
                log_prob=logprob,
                advantages=inputs["advantage"],
                response_mask=float_mask,
                loss_agg_mode=mean,
                config=config,
                **more,
            )
            metrics.update(said)
            return loss

        outputs = with_gradient(mask, inputs["logprob"], compute)
        kept = {
            key: metrics[f"actor/{key}"] for key in ("pg_clipfrac", "pg_clipfrac_lower") if f"actor/{key}" in metrics
        }
        found[name] = answer(function, **outputs, **kept)

    vanilla = core_algos.compute_policy_loss_vanilla
    for mean in MEANS:
        ask(f"vanilla {mean}", vanilla, actor(inputs), mean)
    ask("vanilla without dual clip", vanilla, actor(inputs, dual=NO_BOUND), "token-mean")
    weights, _ = rollout_corr_helper.compute_rollout_correction_weights(
        inputs["old_logprob"] - inputs["sampler_logprob"], float_mask, "token", inputs.setting("cap")
    )
    found["truncated weights"] = answer(rollout_corr_helper.compute_rollout_correction_weights, weight=weights[mask])
    ask("vanilla with truncated weights", vanilla, actor(inputs), "token-mean", rollout_is_weights=weights)
    sequence = actor(inputs, "sequence_low", "sequence_high")
    ask("gspo", core_algos.compute_policy_loss_gspo, sequence, "seq-mean-token-mean")
    ask("cispo", core_algos.compute_policy_loss_cispo, actor(inputs, "cispo_low", "cispo_high"), "token-mean")
    correction = RolloutCorrectionConfig(
        loss_type="reinforce", rollout_is="token", rollout_is_threshold=inputs.setting("cap"), rollout_rs=None
    )
    config = actor(inputs, policy_loss=PolicyLossConfig(loss_mode="bypass_mode", rollout_correction=correction))
    ask("reinforce", core_algos.compute_policy_loss_bypass_mode, config, "token-mean")
    return found


def beyond_the_bounds(inputs: Inputs) -> dict[str, Answer]:
    """The same losses and k3 where differences of log-probabilities are too large for verl to let them be."""
    log_ratio, advantage = inputs["extreme_log_ratio"], inputs["extreme_advantage"]
    whole = torch.ones_like(log_ratio)
    config = actor(inputs, dual=NO_BOUND**2)

    def ask(function: Callable[..., Any], old: float, mean: str) -> Answer:
        old_logprob = torch.full_like(log_ratio, old)

        def compute(logprob: Tensor) -> Tensor:
            loss: Tensor = function(old_logprob, logprob, advantage, whole, loss_agg_mode=mean, config=config)[0]
            return loss

        return answer(function, **with_gradient(whole.bool(), log_ratio, compute))

    far = log_ratio.flatten()
    k3 = core_algos.kl_penalty(far, torch.zeros_like(far), "k3")
    return {
        "extreme vanilla": ask(core_algos.compute_policy_loss_vanilla, 0.0, "token-mean"),
        "extreme cispo": ask(core_algos.compute_policy_loss_cispo, 0.0, "token-mean"),
        # from here the means of the rows are beyond 10
        "extreme gspo": ask(core_algos.compute_policy_loss_gspo, -12.0, "seq-mean-token-mean"),
        "extreme k3": answer(core_algos.kl_penalty, value=k3),
    }


def the_rest(inputs: Inputs) -> dict[str, Answer]:
    """KL, the critic's loss, means, entropy, log-probabilities, the adaptive coefficient."""
    mask, float_mask = inputs.mask, inputs.mask.double()
    found: dict[str, Answer] = {}
    for kind in ("kl", "abs", "mse", "low_var_kl", "k1", "k2", "k3", "k3+"):
        given = inputs.flat("logprob").requires_grad_()
        value = core_algos.kl_penalty(given, inputs.flat("reference_logprob"), kind)
        gradient = torch.autograd.grad(value.sum(), given)[0]
        found[f"kl_penalty {kind}"] = answer(core_algos.kl_penalty, value=value, gradient=gradient)
    penalised = core_algos.compute_rewards(
        inputs["reward"], inputs["logprob"], inputs["reference_logprob"], inputs.setting("kl_coef")
    )
    found["rewards with kl"] = answer(core_algos.compute_rewards, reward=penalised[mask])
    for name, clip in (("clipped", inputs.setting("value_clip")), ("unclipped", NO_BOUND)):
        for mean in MEANS[:2]:

            def critic(value: Tensor, clip: float = clip, mean: str = mean) -> Tensor:
                given = (inputs["target"], inputs["old_value"], float_mask, clip)
                return core_algos.compute_value_loss(value, *given, loss_agg_mode=mean)[0]

            outputs = with_gradient(mask, inputs["value"], critic)
            found[f"value loss {name} {mean}"] = answer(core_algos.compute_value_loss, **outputs)
    for mean in MEANS:
        scale = int(inputs.setting("constant"))
        value = core_algos.agg_loss(inputs["advantage"], float_mask, mean, loss_scale_factor=scale)
        found[f"agg_loss {mean}"] = answer(core_algos.agg_loss, loss=value)
    logits, ids = inputs["logits"], inputs["ids"]
    entropy = torch_functional.entropy_from_logits(logits)
    found["entropy_from_logits"] = answer(torch_functional.entropy_from_logits, entropy=entropy)
    naive = torch_functional.logprobs_from_logits_naive
    found["logprobs_from_logits"] = answer(naive, logprob=naive(logits, ids))
    whole = torch.ones(ids.shape)
    found["entropy loss"] = answer(core_algos.compute_entropy_loss, loss=core_algos.compute_entropy_loss(logits, whole))
    coefs = []
    for kl in (0.0, 0.09, 0.1, 0.11, 5.0):
        controller = core_algos.AdaptiveKLController(init_kl_coef=0.2, target_kl=0.1, horizon=40)
        controller.update(kl, n_steps=4)
        coefs.append(float(controller.value))
    found["adaptive kl coefficient"] = answer(core_algos.AdaptiveKLController.update, coef=coefs)
    return found


def main() -> None:
    """Write `verl.json`."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    inputs = Inputs.load()
    parts = (advantages, generalised, policy_losses, beyond_the_bounds, the_rest)
    answers = {name: entry for part in parts for name, entry in part(inputs).items()}
    write_answers("verl", version("verl"), inputs, answers)


if __name__ == "__main__":
    main()
