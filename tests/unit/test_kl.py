"""Estimates of the KL, and the coefficient that aims at one."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sojourn.algorithms.kl import ESTIMATES, adapted, k1, k2, k3

P, Q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.2, 0.6]).double()


@given(st.floats(-5, 0), st.floats(-5, 0))
def test_k3_is_never_negative_and_zero_at_equality(a, b):
    value = float(k3(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)))
    assert value >= -1e-12
    assert math.isclose(value, math.exp(b - a) - 1 - (b - a), abs_tol=1e-9)


def test_k3_is_an_unbiased_estimate_of_the_kl():
    exact = (P * (P / Q).log()).sum()
    for estimate in (k1, k3):
        torch.testing.assert_close((P * estimate(P.log(), Q.log())).sum(), exact)


def gradient_of_expectation(estimate):
    """Of the loss's expectation, when tokens are drawn from the policy and the draw itself has no gradient."""
    logits = P.log().requires_grad_()
    logprob = logits.log_softmax(-1)
    (P * estimate(logprob, Q.log())).sum().backward()
    return logits.grad


def test_in_a_loss_k2_has_the_gradient_of_the_kl_and_k1_has_none():
    logits = P.log().requires_grad_()
    logprob = logits.log_softmax(-1)
    (logprob.exp() * (logprob - Q.log())).sum().backward()
    torch.testing.assert_close(gradient_of_expectation(k2), logits.grad)
    torch.testing.assert_close(gradient_of_expectation(k1), torch.zeros(3).double(), atol=1e-12, rtol=0)


@pytest.mark.parametrize("name", sorted(ESTIMATES))
def test_equal_policies_have_no_kl(name):
    assert not ESTIMATES[name](P.log(), P.log()).any()


def test_the_coefficient_follows_its_target_slowly():
    assert adapted(0.1, 0.5, target=0.5, updates=10) == pytest.approx(0.1)
    assert adapted(0.1, 50.0, target=0.5, updates=10) == pytest.approx(0.1 * 1.02)
    assert adapted(0.1, 0.0, target=0.5, updates=10) == pytest.approx(0.1 * 0.98)
    assert adapted(0.1, 0.55, target=0.5, updates=1) == pytest.approx(0.11)
