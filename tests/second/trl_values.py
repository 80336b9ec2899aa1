"""What TRL's own functions answer to `inputs.json`, kept in `trl.json`.

TRL brings packages that we have no use for, so it runs in an environment of its own (a CPU will do)::

    python3.11 -m venv trl_env
    trl_env/bin/pip install torch==2.13.0 numpy==2.4.6 transformers==5.23.0 accelerate==1.15.0 datasets==5.2.0
    trl_env/bin/pip install trl==1.16.0
    trl_env/bin/python -m tests.second.trl_values

The last from the folder that holds `tests`. `tests/unit/test_second_implementation.py` compares.

TRL's advantages and losses are methods of its trainers. They are called as they are, on trainers made without their
`__init__` (which loads a model and a data set): every attribute that the methods read is set here, and what a model, a
sampler or a reward function would answer is given from the inputs.

Axes: B rows · T columns · N trained tokens, flat, in row order.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import torch
from accelerate import Accelerator
from tests.second.inputs import FOURS, Inputs, answer, with_gradient, write_answers
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

warnings.simplefilter("ignore")

from trl import GRPOTrainer, RLOOTrainer  # noqa: E402
from trl.trainer.utils import entropy_from_logits, selective_log_softmax  # noqa: E402

Answer = dict[str, Any]
GROUP_SIZE = 4


def trainer(kind: type, **attributes: Any) -> Any:
    """A trainer of `kind` that holds `attributes` and nothing else."""
    made = object.__new__(kind)
    model = torch.nn.Linear(1, 1)
    model.is_gradient_checkpointing = False
    defaults = {
        "accelerator": Accelerator(cpu=True),
        "model": model.train(),
        "beta": 0.0,
        "aux_loss_enabled": False,
        "use_vllm": False,
        "vllm_importance_sampling_correction": False,
        "_metrics": {"train": defaultdict(list)},
    }
    vars(made).update(defaults | attributes)
    return made


def loss_answer(inputs: Inputs, *, at: str = "logprob", advantage: str = "advantage", **attributes: Any) -> Answer:
    """`GRPOTrainer._compute_loss` of the rows, and its gradient with respect to log-probabilities or entropies."""
    mask = inputs.mask
    args = {"delta": None, "use_bias_correction_kl": False, "steps_per_generation": 1}
    defaults = {
        "args": SimpleNamespace(**(args | attributes.pop("args", {}))),
        "top_entropy_quantile": 1.0,
        "off_policy_mask_threshold": None,
        "importance_sampling_level": "token",
        "epsilon_low": inputs.setting("low"),
        "epsilon_high": inputs.setting("high"),
        "max_completion_length": int(inputs.setting("constant")),
        "current_gradient_accumulation_steps": 1,
        "_entropy_bonus_enabled": False,
        "use_adaptive_entropy": False,
    }
    made = trainer(GRPOTrainer, **(defaults | attributes))
    capped = (inputs["old_logprob"] - inputs["sampler_logprob"]).exp().clamp(max=inputs.setting("cap"))
    given = {
        **blank_ids(mask),
        "completion_mask": torch.ones_like(mask, dtype=torch.long),
        "tool_mask": mask.long(),
        "advantages": inputs[advantage],
        "old_per_token_logps": inputs["old_logprob"],
        "ref_per_token_logps": inputs["reference_logprob"],
        "importance_sampling_ratio": capped,
        "num_items_in_batch": mask.sum(),
    }

    def compute(varied: Tensor) -> Tensor:
        outputs = {"logprob": inputs["logprob"], "entropy": inputs["entropy"]} | {at: varied}
        made._get_per_token_logps_and_entropies = lambda *_, **__: (outputs["logprob"], outputs["entropy"], None)
        loss: Tensor = made.compute_loss(made.model, given)
        return loss

    outputs = with_gradient(mask, inputs[at], compute)
    clipped = made._metrics["train"].get("clip_ratio/region_mean")
    return answer(GRPOTrainer._compute_loss, **outputs, **({"clipped_share": clipped[0]} if clipped else {}))


def blank_ids(mask: Tensor) -> dict[str, Tensor]:
    """Prompts of one token and completions, of which only the shapes count."""
    column = torch.zeros(len(mask), 1, dtype=torch.long)
    return {
        "prompt_ids": column,
        "prompt_mask": column + 1,
        "completion_ids": torch.zeros(mask.shape, dtype=torch.long),
    }


def grpo_losses(inputs: Inputs) -> dict[str, Answer]:
    """Every loss type that has a counterpart in ours, and what can be added to it."""
    kinds = ("grpo", "bnpo", "dr_grpo", "dapo")
    found = {f"loss {kind}": loss_answer(inputs, loss_type=kind) for kind in kinds}
    found["loss with delta"] = loss_answer(inputs, loss_type="dapo", args={"delta": inputs.setting("dual")})
    found["loss cispo"] = loss_answer(inputs, loss_type="cispo", epsilon_high=1.0 + inputs.setting("cispo_high"))
    sequence = {
        "importance_sampling_level": "sequence",
        "epsilon_low": inputs.setting("sequence_low"),
        "epsilon_high": inputs.setting("sequence_high"),
    }
    found["loss gspo"] = loss_answer(inputs, loss_type="grpo", advantage="row_advantage", **sequence)
    found["loss gspo with advantages by token"] = loss_answer(inputs, loss_type="grpo", **sequence)
    whole = {"beta": inputs.setting("kl_coef"), "use_vllm": True, "vllm_importance_sampling_correction": True}
    found["loss with kl and truncated weights"] = loss_answer(inputs, loss_type="dapo", **whole)
    bonus = {"_entropy_bonus_enabled": True, "entropy_coef": inputs.setting("entropy_coef")}
    bonus["accelerator"] = Accelerator(cpu=True)
    for kind in ("dapo", "grpo"):
        found[f"loss {kind} with entropy"] = loss_answer(inputs, at="entropy", loss_type=kind, **bonus)
    return found


def advantages(inputs: Inputs) -> dict[str, Answer]:
    """Advantages of the groups of four, and the weights against the sampler's distribution."""
    rows = list(FOURS)
    mask, value = inputs.mask[rows], {name: inputs[f"{name}_logprob"][rows] for name in ("old", "reference", "sampler")}
    width = mask.shape[1]

    def score(kind: type, generated: tuple[Any, ...], given: list[Tensor], **attributes: Any) -> dict[str, Tensor]:
        outputs = iter(given)
        made = trainer(
            kind,
            args=SimpleNamespace(
                per_device_train_batch_size=len(rows),
                gradient_checkpointing_kwargs=None,
                gradient_accumulation_steps=1,
                steps_per_generation=1,
            ),
            _tokenizer=SimpleNamespace(pad_token_id=0),
            pad_to_multiple_of=None,
            mask_truncated_completions=False,
            environment_factories=None,
            environments=None,
            tools=None,
            num_iterations=1,
            num_generations=GROUP_SIZE,
            ref_model=torch.nn.Linear(1, 1),
            reward_weights=torch.ones(1),
            reward_funcs=[None],
            reward_func_names=["return"],
            multi_objective_aggregation="sum_then_normalize",
            reward_clip_range=None,
            _logs=defaultdict(list, rewards=defaultdict(list), extra=defaultdict(list)),
            _pending_extra_logs={},
            _pending_metrics={},
            log_multimodal=False,
            **attributes,
        )
        made._generate = lambda prompts: generated
        made._calculate_rewards = lambda *_: inputs["reward"].sum(1)[rows][:, None]
        made._get_per_token_logps_and_entropies = lambda *_, **__: (next(outputs), None, None)
        output: dict[str, Tensor] = made._generate_and_score_completions([{"prompt": "?"}] * len(rows))
        return output

    prompts, texts = [[0]] * len(rows), [""] * len(rows)
    completions = [[0] * width] * len(rows)
    masks, sampled = mask.long().tolist(), value["sampler"].tolist()
    found: dict[str, Answer] = {}
    generated = (prompts, completions, masks, texts, sampled, {}, None, None)
    for scale in ("group", "none", "batch"):
        output = score(
            GRPOTrainer,
            generated,
            [value["old"]],
            scale_rewards=scale,
            use_vllm=True,
            vllm_importance_sampling_correction=True,
            vllm_importance_sampling_mode="token_truncate",
            vllm_importance_sampling_clip_min=None,
            vllm_importance_sampling_clip_max=inputs.setting("cap"),
        )
        found[f"advantages {scale}"] = answer(
            GRPOTrainer._generate_and_score_completions, advantage=output["advantages"]
        )
    weight = output["importance_sampling_ratio"][mask]
    found["truncated weights"] = answer(GRPOTrainer._generate_and_score_completions, weight=weight)
    # RLOO knows no mask of tools: there a completion is a row's trained tokens, one after the other
    short = [[0] * int(number) for number in mask.sum(1)]
    packed = [pad_sequence([x[m] for x, m in zip(value[k], mask, strict=True)], True) for k in ("old", "reference")]
    for name, beta, is_normal in (
        ("rloo", 0.0, False),
        ("rloo with kl", inputs.setting("kl_coef"), False),
        ("rloo normalised", 0.0, True),
    ):
        output = score(RLOOTrainer, (prompts, short, texts), packed, beta=beta, normalize_advantages=is_normal)
        found[name] = answer(RLOOTrainer._generate_and_score_completions, advantage=output["advantages"])
    return found


def rloo_losses(inputs: Inputs) -> dict[str, Answer]:
    """`RLOOTrainer._compute_loss`, where the old policy is the present one and where it isn't."""
    mask = inputs.mask

    def ask(old: str) -> Answer:
        made = trainer(RLOOTrainer, epsilon_low=inputs.setting("low"), epsilon_high=inputs.setting("high"))
        given = {
            **blank_ids(mask),
            "completion_mask": mask.long(),
            "advantages": inputs["row_advantage"],
            "old_logps": (inputs[old] * mask).sum(1),
        }

        def compute(logprob: Tensor) -> Tensor:
            made._get_per_token_logps_and_entropies = lambda *_, **__: (logprob, inputs["entropy"], None)
            loss: Tensor = made.compute_loss(made.model, given)
            return loss

        return answer(RLOOTrainer._compute_loss, **with_gradient(mask, inputs["logprob"], compute))

    return {"rloo loss on policy": ask("logprob"), "rloo loss": ask("old_logprob")}


def functions(inputs: Inputs) -> dict[str, Answer]:
    """Log-probabilities and entropies of logits, and their gradients."""
    logits = inputs["logits"].requires_grad_()
    temperature = inputs.setting("temperature")
    logprob = selective_log_softmax(logits, inputs["ids"], temperature=temperature)
    entropy = entropy_from_logits(logits / temperature)
    gradients = [torch.autograd.grad(value.sum(), logits, retain_graph=True)[0] for value in (logprob, entropy)]
    return {
        "selective_log_softmax": answer(selective_log_softmax, logprob=logprob, gradient=gradients[0]),
        "entropy_from_logits": answer(entropy_from_logits, entropy=entropy, gradient=gradients[1]),
    }


def main() -> None:
    """Write `trl.json`."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    inputs = Inputs.load()
    parts = (advantages, grpo_losses, rloo_losses, functions)
    answers = {name: entry for part in parts for name, entry in part(inputs).items()}
    write_answers("trl", version("trl"), inputs, answers)


if __name__ == "__main__":
    main()
