"""Losses by hand value, by property and by limits in which two of them are one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sojourn.algorithms.losses.cispo import cispo, is_weight_clipped
from sojourn.algorithms.losses.gspo import gspo, sequence_ratio
from sojourn.algorithms.losses.ppo import is_clipped, ppo_clip
from sojourn.algorithms.losses.reinforce import reinforce, truncated_weight
from sojourn.algorithms.losses.table import LOSSES, Tokens, find_loss
from sojourn.algorithms.losses.value import explained_variance, value_loss
from sojourn.algorithms.masked import token_weights
from sojourn.config import AlgorithmConfig
from sojourn.errors import ConfigError


def test_ppo_clip_by_hand():
    ratio = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1])
    advantage = torch.tensor([1.0, -1.0, 1.0, -1.0, 2.0])
    loss = ppo_clip(ratio.log(), torch.zeros(5), advantage, low=0.2, high=0.3)
    torch.testing.assert_close(loss, torch.tensor([-1.3, 1.5, -0.5, 0.8, -2.2]))
    clipped = is_clipped(ratio.log(), torch.zeros(5), advantage, low=0.2, high=0.3)
    assert clipped.tolist() == [True, False, False, True, False]


def test_ppo_clip_has_a_gradient_just_where_it_is_not_clipped():
    logprob = torch.tensor([1.5, 1.5, 0.5, 0.5, 1.1]).log().requires_grad_()
    advantage = torch.tensor([1.0, -1.0, 1.0, -1.0, 2.0])
    ppo_clip(logprob, torch.zeros(5), advantage, low=0.2, high=0.3).sum().backward()
    is_flat = is_clipped(logprob.detach(), torch.zeros(5), advantage, low=0.2, high=0.3)
    assert ((logprob.grad == 0) == is_flat).all()


def test_at_ratio_one_the_gradient_is_reinforce():
    logprob = torch.tensor([-0.3, -2.0], requires_grad=True)
    advantage = torch.tensor([0.7, -1.2])
    ppo_clip(logprob, logprob.detach(), advantage, low=0.2, high=0.2).sum().backward()
    torch.testing.assert_close(logprob.grad, -advantage)


def test_the_dual_clip_bounds_what_a_bad_token_that_became_likely_costs():
    ratio, advantage = torch.tensor([10.0, 10.0, 2.0]), torch.tensor([-1.0, 1.0, -1.0])
    loss = ppo_clip(ratio.log(), torch.zeros(3), advantage, low=0.2, high=0.2, dual=3.0)
    torch.testing.assert_close(loss, torch.tensor([3.0, -1.2, 2.0]))
    clipped = is_clipped(ratio.log(), torch.zeros(3), advantage, low=0.2, high=0.2, dual=3.0)
    assert clipped.tolist() == [True, True, False]


logprobs = st.lists(st.tuples(st.floats(-4, -0.1), st.floats(-4, -0.1), st.floats(-3, 3)), min_size=1, max_size=8)


@given(logprobs)
def test_gspo_with_rows_of_one_token_is_ppo(tokens):
    new, old, advantage = torch.tensor(tokens, dtype=torch.float64).T
    new.requires_grad_()
    rows = torch.arange(len(tokens))
    one = gspo(new, old, advantage, rows, low=0.2, high=0.3)
    two = ppo_clip(new, old, advantage, low=0.2, high=0.3)
    torch.testing.assert_close(one, two)
    torch.testing.assert_close(
        torch.autograd.grad(one.sum(), new)[0], torch.autograd.grad(two.sum(), new)[0], atol=1e-9, rtol=1e-6
    )


def test_gspo_by_hand():
    """Two tokens with ratios 4 and 1: the row's is their geometric mean, 2; each carries half of its gradient."""
    new = torch.tensor([4.0, 1.0]).log().requires_grad_()
    old, advantage, rows = torch.zeros(2), torch.ones(2), torch.zeros(2).long()
    torch.testing.assert_close(sequence_ratio(new.detach(), old, rows), torch.tensor([2.0, 2.0]))
    loss = gspo(new, old, advantage, rows, low=0.5, high=5.0)
    torch.testing.assert_close(loss, torch.tensor([-2.0, -2.0]))
    gradient = torch.autograd.grad((loss * token_weights(rows, "sequence")).sum(), new)[0]
    # of -s A with s = exp((l1 + l2) / 2): -s A / 2 to each
    torch.testing.assert_close(gradient, torch.tensor([-1.0, -1.0]))


@given(logprobs)
def test_cispo_never_loses_a_token(tokens):
    new, old, advantage = torch.tensor(tokens, dtype=torch.float64).T
    new.requires_grad_()
    loss = cispo(new, old, advantage, low=0.2, high=0.2)
    gradient = torch.autograd.grad(loss.sum(), new)[0]
    weight = (new.detach() - old).exp().clamp(0.8, 1.2)
    torch.testing.assert_close(gradient, -weight * advantage)
    assert ((weight - (new.detach() - old).exp()).abs() > 1e-12).tolist() == is_weight_clipped(
        new, old, low=0.2, high=0.2
    ).tolist()


def test_reinforce_truncates_its_weight():
    new, old = torch.tensor([4.0, 0.5]).log().requires_grad_(), torch.zeros(2)
    torch.testing.assert_close(truncated_weight(new, old, 2.0), torch.tensor([2.0, 0.5]))
    gradient = torch.autograd.grad(reinforce(new, old, torch.tensor([1.0, -1.0]), cap=2.0).sum(), new)[0]
    torch.testing.assert_close(gradient, torch.tensor([-2.0, 0.5]))


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_on_policy_every_loss_of_the_table_has_the_gradient_of_reinforce(name):
    logprob = torch.tensor([-0.3, -2.0, -1.0], requires_grad=True)
    advantage, loss = torch.tensor([0.7, -1.2, 0.1]), find_loss(name)
    tokens = Tokens(
        logprob_N=logprob, old_logprob_N=logprob.detach(), advantage_N=advantage, row_N=torch.tensor([0, 0, 1])
    )
    loss_N, flagged_N = loss.compute(tokens, loss.clip_low, loss.clip_high, AlgorithmConfig())
    torch.testing.assert_close(torch.autograd.grad(loss_N.sum(), logprob)[0], -advantage)
    assert flagged_N.shape == (3,)
    assert not flagged_N.any()


def test_an_unknown_loss_lists_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'cispo'"):
        find_loss("cisp")


def test_value_loss_by_hand():
    value, old, target = torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.9]), torch.tensor([1.0, 2.0])
    torch.testing.assert_close(value_loss(value, old, target, clip=None), torch.tensor([0.0, 0.5]))
    # the first value left its old one by more than 0.2: kept at 0.2 it is 0.8 from its target
    torch.testing.assert_close(value_loss(value, old, target, clip=0.2), torch.tensor([0.32, 0.5]))


def test_explained_variance():
    target = torch.tensor([0.0, 1.0, 2.0])
    assert explained_variance(target, target) == pytest.approx(1.0)
    assert explained_variance(torch.full((3,), 9.0), target) == pytest.approx(0.0)
    assert explained_variance(target, torch.ones(3)) == 0.0


def test_token_weights_name_their_denominator():
    row_N = torch.tensor([0, 0, 0, 2])  # row 1 trains no token
    torch.testing.assert_close(token_weights(row_N, "token"), torch.full((4,), 0.25))
    torch.testing.assert_close(token_weights(row_N, "sequence"), torch.tensor([1 / 6, 1 / 6, 1 / 6, 1 / 2]))
    torch.testing.assert_close(token_weights(row_N, "constant", constant=5), torch.full((4,), 1 / 10))
    assert token_weights(torch.zeros(0, dtype=torch.int64), "sequence").numel() == 0
