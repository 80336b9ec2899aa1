"""Mathematics by hand value, by property and by a second implementation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sojourn.algorithms.advantages import grpo, rloo
from sojourn.algorithms.losses import is_clipped, kl_k3, ppo_clip
from sojourn.algorithms.masked import token_weights
from sojourn.algorithms.table import ALGORITHMS, Episodes, find_algorithm
from sojourn.errors import ConfigError

floats = st.floats(-10, 10, width=32)


@st.composite
def grouped_returns(draw):
    groups = draw(st.lists(st.lists(floats, min_size=1, max_size=6), min_size=1, max_size=5))
    values = [value for group in groups for value in group]
    index = [g for g, group in enumerate(groups) for _ in group]
    return torch.tensor(values), torch.tensor(index), groups


def test_grpo_by_hand():
    advantage_R = grpo(torch.tensor([1.0, 0.0, 0.0, 0.0, 5.0]), torch.tensor([0, 0, 0, 0, 1]))
    # mean 1/4, sample standard deviation 1/2; the group of one gets nothing
    expected = torch.tensor([1.5, -0.5, -0.5, -0.5, 0.0])
    torch.testing.assert_close(advantage_R, expected, atol=1e-5, rtol=0)


def test_rloo_by_hand():
    advantage_R = rloo(torch.tensor([1.0, 0.0, 0.5, 7.0]), torch.tensor([0, 0, 0, 1]))
    expected = torch.tensor([1.0 - 0.25, 0.0 - 0.75, 0.5 - 0.5, 0.0])
    torch.testing.assert_close(advantage_R, expected)


def test_flat_groups_get_exactly_zero_not_noise():
    for estimator in (grpo, rloo):
        advantage_R = estimator(torch.full((6,), 0.1), torch.tensor([0, 0, 0, 1, 1, 1]))
        assert advantage_R.abs().max() < 1e-6


@given(grouped_returns())
def test_rloo_is_the_mean_of_the_others(data):
    return_R, group_R, groups = data
    expected = [v - (sum(g) - v) / (len(g) - 1) if len(g) > 1 else 0.0 for g in groups for v in g]
    torch.testing.assert_close(rloo(return_R, group_R), torch.tensor(expected), atol=1e-4, rtol=1e-4)


@given(grouped_returns())
def test_rloo_is_grpo_without_std_times_n_over_n_minus_1(data):
    return_R, group_R, groups = data
    factor = torch.tensor([len(g) / max(len(g) - 1, 1) for g in groups for _ in g])
    centred_R = grpo(return_R, group_R, divide_by_std=False)
    torch.testing.assert_close(rloo(return_R, group_R), centred_R * factor, atol=1e-4, rtol=1e-4)


@given(grouped_returns(), floats)
def test_a_constant_added_to_all_returns_changes_nothing(data, shift):
    return_R, group_R, _ = data
    for estimator in (grpo, rloo):
        before_R = estimator(return_R, group_R, divide_by_std=False)
        after_R = estimator(return_R + shift, group_R, divide_by_std=False)
        torch.testing.assert_close(before_R, after_R, atol=1e-3, rtol=1e-3)


@given(grouped_returns())
def test_advantages_sum_to_zero_in_every_group(data):
    return_R, group_R, groups = data
    for estimator in (grpo, rloo):
        advantage_R = estimator(return_R, group_R, divide_by_std=False)
        sums_G = torch.zeros(len(groups)).index_add_(0, group_R, advantage_R)
        assert sums_G.abs().max() < 1e-3


def test_wrong_shapes_say_what_came():
    with pytest.raises(ConfigError, match=r"\[R\]"):
        grpo(torch.zeros(3), torch.zeros(2, dtype=torch.int64))


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


@given(st.floats(-5, 0), st.floats(-5, 0))
def test_k3_is_never_negative_and_zero_at_equality(a, b):
    value = float(kl_k3(torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)))
    assert value >= -1e-12
    assert math.isclose(value, math.exp(b - a) - 1 - (b - a), abs_tol=1e-9)


def test_k3_is_an_unbiased_estimate_of_the_kl():
    p, q = torch.tensor([0.5, 0.3, 0.2]).double(), torch.tensor([0.2, 0.2, 0.6]).double()
    exact = (p * (p / q).log()).sum()
    expectation = (p * kl_k3(p.log(), q.log())).sum()
    torch.testing.assert_close(expectation, exact)


def test_token_weights_name_their_denominator():
    row_N = torch.tensor([0, 0, 0, 2])  # row 1 trains no token
    torch.testing.assert_close(token_weights(row_N, "token"), torch.full((4,), 0.25))
    torch.testing.assert_close(token_weights(row_N, "sequence"), torch.tensor([1 / 6, 1 / 6, 1 / 6, 1 / 2]))
    assert token_weights(torch.zeros(0, dtype=torch.int64), "sequence").numel() == 0


def episodes() -> Episodes:
    return Episodes(
        return_R=torch.tensor([1.0, 0.0, 0.0, 0.0]),
        group_R=torch.tensor([0, 0, 1, 1]),
        row_N=torch.tensor([0, 0, 1, 2, 3]),
        turn_N=torch.tensor([0, 1, 0, 0, 0]),
        turn_reward_S=torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]),
        num_turns_R=torch.tensor([2, 1, 1, 1]),
    )


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_algorithm_of_the_table_gives_the_better_episode_the_higher_advantage(name):
    advantage_N = find_algorithm(name).advantages(episodes(), None)
    assert advantage_N.shape == (5,)
    assert advantage_N[0] == advantage_N[1] > 0 > advantage_N[2]
    assert advantage_N[3] == advantage_N[4] == 0


def test_an_unknown_algorithm_lists_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'rloo'"):
        find_algorithm("rlo")
