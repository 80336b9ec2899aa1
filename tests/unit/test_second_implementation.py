"""Our mathematics against verl's and TRL's own functions on the same tensors.

Their numbers are in `tests/second/*.json`, written by the scripts beside them. Every one is compared: with ours as it
is, or, where a convention differs on purpose (docs/second_implementations.md), with ours after just that change.

Axes: B rows · N trained tokens, flat, in row order.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.second import ours
from tests.second.conventions import DIFFERENCES, RETURN_B, ROWS_SHARE, Difference
from tests.second.inputs import FLAT_GROUP, FOURS, LONELY_GROUP, STORED, UNTRAINED_ROW, hash_of, make
from tests.second.ours import CUT, FLAT, INPUTS, ROW_N, SEQUENCE, Outputs, policy, setting, vanilla, weights
from torch import Tensor

from sojourn.algorithms import kl
from sojourn.algorithms.advantages.groups import EPSILON
from sojourn.algorithms.advantages.grpo import grpo
from sojourn.algorithms.advantages.reinforce_plus_plus import returns_to_go
from sojourn.algorithms.advantages.rloo import rloo
from sojourn.algorithms.losses.ppo import ppo_clip
from sojourn.algorithms.losses.reinforce import truncated_weight
from sojourn.algorithms.masked import LossMean, token_weights

PAGE = Path(__file__).resolve().parents[2] / "docs" / "second_implementations.md"
LIBRARIES = ("verl", "trl")
RECORDED = {name: json.loads((STORED.parent / f"{name}.json").read_text(encoding="utf-8")) for name in LIBRARIES}
EXACT = {"rtol": 2e-7, "atol": 1e-10}
"""Weights of tokens are float32: a part in 10^8 is rounding."""
FLOAT32 = {"rtol": 1e-5, "atol": 1e-6}
"""For what the engine computes from logits."""
OF_LOGITS = {"entropy_from_logits", "logprobs_from_logits", "entropy loss", "selective_log_softmax"}
MEANS: dict[str, LossMean] = {
    "token-mean": "token",
    "seq-mean-token-mean": "sequence",
    "seq-mean-token-sum-norm": "constant",
}
"""verl's names for ours."""

# ------------------------------------------------------------------------------------------------ the same as theirs

AGREES: dict[str, dict[str, Callable[[], Outputs]]] = {
    "verl": {
        "rloo_vectorized": lambda: {"advantage": ours.estimate("rloo").advantage_N},
        "reinforce_plus_plus": lambda: {
            "to_go": returns_to_go(ours.EPISODES.token_reward_N, ROW_N, gamma=setting("gamma"))
        },
        "gae": lambda: ours.gae_of({}),
        "gae_with_the_value_after_a_cut_in_the_last_reward": lambda: ours.gae_of(CUT),
        "gae_by_turn": ours.by_turn,
        "gigpo_turns": lambda: ours.turns_of_gigpo(True),
        "gigpo_turns_without_std": lambda: ours.turns_of_gigpo(False),
        **{f"vanilla {name}": partial(vanilla, mean) for name, mean in MEANS.items()},
        "vanilla without dual clip": lambda: policy("ppo_clip"),
        "vanilla with truncated weights": lambda: {
            **vanilla(),
            **ours.objective(sampler_correction=True, dual_clip=setting("dual")),
        },
        "truncated weights": lambda: {
            "weight": truncated_weight(FLAT("old_logprob"), FLAT("sampler_logprob"), setting("cap"))
        },
        "gspo": lambda: policy("gspo", "sequence", **SEQUENCE),
        "cispo": lambda: policy("cispo", low="cispo_low", high="cispo_high"),
        "reinforce": lambda: policy("reinforce", importance_cap=setting("cap")),
        "extreme cispo": lambda: ours.extreme("cispo"),
        "kl_penalty kl": lambda: ours.estimate_of_kl("k1"),
        "kl_penalty k1": lambda: ours.estimate_of_kl("k1"),
        "kl_penalty mse": lambda: ours.estimate_of_kl("k2"),
        "kl_penalty k2": lambda: ours.estimate_of_kl("k2"),
        "kl_penalty low_var_kl": lambda: ours.estimate_of_kl("k3"),
        "kl_penalty k3": lambda: ours.estimate_of_kl("k3"),
        "kl_penalty k3+": lambda: {"value": ours.estimate_of_kl("k3")["value"]},
        "rewards with kl": lambda: {"reward": ours.with_kl_in_reward("logprob").token_reward_N},
        "value loss clipped token-mean": lambda: ours.critic(setting("value_clip"), "token"),
        "value loss clipped seq-mean-token-mean": lambda: ours.critic(setting("value_clip"), "sequence"),
        "value loss unclipped token-mean": lambda: ours.critic(None, "token"),
        "value loss unclipped seq-mean-token-mean": lambda: ours.critic(None, "sequence"),
        **{
            f"agg_loss {name}": lambda mean=mean: {"loss": (weights(mean) * FLAT("advantage")).sum()}
            for name, mean in MEANS.items()
        },
        "entropy_from_logits": lambda: ours.of_logits(1.0),
        "logprobs_from_logits": lambda: ours.of_logits(1.0),
        "entropy loss": lambda: {"loss": ours.of_logits(1.0)["entropy"].mean()},
        "adaptive kl coefficient": lambda: {
            "coef": [kl.adapted(0.2, measured, target=0.1, updates=10) for measured in (0.0, 0.09, 0.1, 0.11, 5.0)]
        },
    },
    "trl": {
        "advantages none": lambda: ours.of_fours(grpo, divide_by_std=False),
        "truncated weights": lambda: {
            "weight": truncated_weight(INPUTS["old_logprob"], INPUTS["sampler_logprob"], setting("cap"))[list(FOURS)][
                INPUTS.mask[list(FOURS)]
            ]
        },
        "rloo": lambda: ours.of_fours(rloo),
        "rloo with kl": lambda: ours.of_fours(rloo, ours.with_kl_in_reward("old_logprob")),
        "loss bnpo": lambda: policy("ppo_clip"),
        "loss dapo": lambda: policy("ppo_clip"),
        "loss grpo": lambda: {"clipped_share": policy("ppo_clip")["clipped_share"]},
        "loss dr_grpo": lambda: {"clipped_share": policy("ppo_clip")["clipped_share"]},
        "loss with delta": vanilla,
        "loss cispo": lambda: policy("cispo", low="none", high="cispo_high"),
        "loss gspo with advantages by token": lambda: {
            "clipped_share": policy("gspo", "sequence", **SEQUENCE)["clipped_share"]
        },
        "loss with kl and truncated weights": lambda: ours.objective(
            sampler_correction=True, kl_coef=setting("kl_coef")
        ),
        "loss dapo with entropy": ours.at_entropy,
        "loss grpo with entropy": lambda: {"clipped_share": policy("ppo_clip")["clipped_share"]},
        "selective_log_softmax": lambda: {
            "logprob": ours.of_logits(setting("temperature"))["logprob"],
            "gradient": ours.of_logits(setting("temperature"))["logprob_gradient"],
        },
        "entropy_from_logits": lambda: {
            "entropy": ours.of_logits(setting("temperature"))["entropy"],
            "gradient": ours.of_logits(setting("temperature"))["entropy_gradient"],
        },
    },
}
"""Library -> recorded answer -> ours, in its words; outputs that `DIFFERENCES` names are compared there."""

EQUAL_RETURNS = ("verl", "grpo_of_equal_returns_in_float32", "advantage")
"""Its own test: theirs is rounding, of which only the size can be foretold."""

# -------------------------------------------------------------------------------------------------------------- tests


def recorded() -> dict[tuple[str, str, str], Any]:
    """Library, answer and output -> their number."""
    return {
        (library, name, output): value
        for library, answers in RECORDED.items()
        for name, entry in answers.items()
        if name != "made_with"
        for output, value in entry["outputs"].items()
    }


THEIRS = recorded()
DIFFERENT = {(row.library, row.answer, output): row for row in DIFFERENCES for output in row.outputs}
SAME = sorted({key[:2] for key in THEIRS} & {(library, name) for library in AGREES for name in AGREES[library]})


def tensor(value: Any) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float64).detach()


def is_close(mine: Any, theirs: Any, answer: str) -> bool:
    tolerance = FLOAT32 if answer in OF_LOGITS else EXACT
    return torch.allclose(tensor(mine), tensor(theirs), **tolerance)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_answers_are_to_these_inputs(library: str) -> None:
    """After a change of `inputs.py` both scripts are to be run again."""
    assert json.loads(STORED.read_text(encoding="utf-8")) == make(), "run python -m tests.second.inputs"
    assert RECORDED[library]["made_with"]["inputs"] == hash_of(make()), f"run tests/second/{library}_values.py again"


def test_the_inputs_have_what_can_go_wrong() -> None:
    """Observations between actions, a row without a trained token, groups of one and of equals, ratios far from 1."""
    mask = INPUTS.mask.int()
    assert int(((mask[:, 1:] - mask[:, :-1]) == 1).sum(1).max()) > 2
    assert not INPUTS.mask[UNTRAINED_ROW].any()
    assert len(set(RETURN_B[INPUTS["group"] == FLAT_GROUP].tolist())) == 1
    assert int((INPUTS["group"] == LONELY_GROUP).sum()) == 1
    ratio_N = (FLAT("logprob") - FLAT("old_logprob")).exp()
    for sign in (-1, 1):
        at_N = FLAT("advantage").sign() == sign
        assert float(ratio_N[at_N].min()) < 0.3
        assert float(ratio_N[at_N].max()) > setting("dual") > 1 + setting("high")


@pytest.mark.parametrize(("library", "name"), SAME)
def test_ours_is_theirs(library: str, name: str) -> None:
    mine = AGREES[library][name]()
    outputs = [key for key in THEIRS if key[:2] == (library, name) and key not in DIFFERENT and key[2] != "elsewhere"]
    assert outputs
    for key in outputs:
        assert is_close(mine[key[2]], THEIRS[key], name), f"{key}: {mine[key[2]]} is not {THEIRS[key]}"


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: f"{row.convention}: {row.answer}")
def test_ours_is_theirs_but_for_one_convention(row: Difference) -> None:
    plain, adjusted = row.plain(), row.adjusted()
    for output in row.outputs:
        theirs = THEIRS[row.library, row.answer, output]
        assert is_close(adjusted[output], theirs, row.answer), f"{output}: {adjusted[output]} is not {theirs}"
        assert not is_close(plain[output], theirs, row.answer), f"{output}: there is no difference any more"


def test_every_answer_is_compared_in_every_output() -> None:
    same = {(library, name, output) for library, name in SAME for output in AGREES[library][name]()}
    compared = same | set(DIFFERENT) | {EQUAL_RETURNS}
    assert {key for key in THEIRS if key[2] != "elsewhere"} - compared == set()
    assert {key[:2] for key in compared} == {key[:2] for key in THEIRS}


def test_what_is_not_trained_has_no_gradient_in_their_functions_either() -> None:
    assert {value for key, value in THEIRS.items() if key[2] == "elsewhere"} == {0.0}


def test_equal_returns_are_noise_in_theirs_and_nothing_in_ours() -> None:
    """The mean of n equal floats is off by k steps of float32, and that is divided by its own size."""
    size, value = INPUTS.tree["flat_float32"]["size"], INPUTS.tree["flat_float32"]["return"]
    assert not grpo(torch.full((size,), value, dtype=torch.float32), torch.zeros(size, dtype=torch.long)).any()
    (theirs,) = {abs(advantage) for advantage in THEIRS[EQUAL_RETURNS]}
    error = theirs * EPSILON / (1 - theirs * (size / (size - 1)) ** 0.5)
    steps = error / torch.finfo(torch.float32).eps  # that is the step from 1 to 2, where the value is
    assert steps == pytest.approx(round(steps), rel=1e-3)
    assert round(steps) > 0


def test_on_policy_rloo_by_row_and_by_token_have_the_same_gradient() -> None:
    """Where no ratio has moved, the trainer's loss and ours teach the same, but for the rows that it counts."""
    logprob_N, bounds = FLAT("logprob").requires_grad_(), {"low": setting("low"), "high": setting("high")}
    loss_N = ppo_clip(logprob_N, FLAT("logprob"), INPUTS["row_advantage"][ROW_N], **bounds)
    mine_N = torch.autograd.grad((token_weights(ROW_N, "constant") * loss_N).sum(), logprob_N)[0]
    assert is_close(ROWS_SHARE * mine_N, THEIRS["trl", "rloo loss on policy", "gradient"], "rloo loss on policy")


def test_the_page_has_a_row_for_every_difference_and_no_other() -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text.partition("\n## Where we differ")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|]+) \| (verl|TRL) \|", section, flags=re.MULTILINE)
    used = {(row.convention, {"verl": "verl", "trl": "TRL"}[row.library]) for row in DIFFERENCES}
    assert set(rows) == used | {("equal returns", "verl")}
    for library in LIBRARIES:
        made_with = RECORDED[library]["made_with"]
        assert f"{made_with['library']} {made_with['version']}".lower() in text.lower()
