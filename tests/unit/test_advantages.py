"""Mathematics by hand value, by property and by a second implementation."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sojourn.algorithms.advantages.gae import gae, turn_gae
from sojourn.algorithms.advantages.gigpo import anchor_advantages
from sojourn.algorithms.advantages.groups import whitened
from sojourn.algorithms.advantages.grpo import grpo
from sojourn.algorithms.advantages.reinforce_plus_plus import (
    reinforce_plus_plus,
    reinforce_plus_plus_baseline,
    returns_to_go,
)
from sojourn.algorithms.advantages.rloo import rloo
from sojourn.algorithms.episodes import Episodes
from sojourn.algorithms.table import ALGORITHMS, check_algorithm, find_algorithm
from sojourn.config import AlgorithmConfig, make_config
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


@given(st.floats(-100, 100, width=32), st.integers(2, 40))
def test_equal_returns_give_exactly_nothing(value, size):
    """The float32 mean of equal numbers need not be that number; divided by a deviation of its own size it is noise."""
    return_R = torch.cat([torch.full((size,), value), torch.full((3,), 0.1)])
    group_R = torch.tensor([0] * size + [1] * 3)
    rows = torch.arange(size + 3)
    for divide in (False, True):
        assert not grpo(return_R, group_R, divide_by_std=divide).any()
        assert not rloo(return_R, group_R, divide_by_std=divide).any()
        assert not anchor_advantages(return_R, rows, group_R, gamma=1.0, divide_by_std=divide).any()
    assert not reinforce_plus_plus_baseline(return_R, group_R, rows).any()
    assert not reinforce_plus_plus(return_R[:size], rows[:size]).any()
    assert not whitened(return_R[:size]).any()


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
    with pytest.raises(ConfigError, match=r"one shape \[X\]"):
        grpo(torch.zeros(3), torch.zeros(2, dtype=torch.int64))


@st.composite
def rows_of_steps(draw):
    """Rewards, values and rows of flat steps, and what follows each row."""
    lengths = draw(st.lists(st.integers(0, 5), min_size=1, max_size=5))
    row_N = torch.tensor([r for r, n in enumerate(lengths) for _ in range(n)], dtype=torch.long)
    size = int(row_N.numel())
    drawn = draw(st.lists(floats, min_size=2 * size + len(lengths), max_size=2 * size + len(lengths)))
    values = torch.tensor(drawn, dtype=torch.float64)
    return values[:size], values[size : 2 * size], row_N, values[2 * size :]


def gae_by_definition(reward, value, row_N, after_R, gamma, lam):
    """The sum of the definition, step by step, for each row on its own."""
    advantage = []
    for n in range(len(row_N)):
        steps = [k for k in range(n, len(row_N)) if row_N[k] == row_N[n]]
        total = 0.0
        for power, k in enumerate(steps):
            is_last = k == steps[-1]
            following = float(after_R[row_N[k]]) if is_last else float(value[k + 1])
            total += (gamma * lam) ** power * (float(reward[k]) + gamma * following - float(value[k]))
        advantage.append(total)
    return torch.tensor(advantage, dtype=torch.float64)


@given(rows_of_steps(), st.floats(0.1, 1), st.floats(0, 1))
def test_gae_is_the_sum_of_its_definition(steps, gamma, lam):
    reward, value, row_N, after_R = steps
    advantage, target = gae(reward, value, row_N, after_R, gamma=gamma, lam=lam)
    torch.testing.assert_close(advantage, gae_by_definition(reward, value, row_N, after_R, gamma, lam))
    torch.testing.assert_close(target, advantage + value)


def test_gae_by_hand():
    # one row, reward at the end, gamma 1/2, lambda 1/2: deltas are 0.5*0.4-0.2, 0.5*0.6-0.4, 1-0.6
    reward, value = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.2, 0.4, 0.6])
    advantage, _ = gae(reward, value, torch.zeros(3).long(), torch.zeros(1), gamma=0.5, lam=0.5)
    torch.testing.assert_close(advantage, torch.tensor([-0.1 * 0.25 + 0.4 * 0.0625, -0.1 + 0.4 * 0.25, 0.4]))


def test_a_bootstrapped_cut_is_worth_what_the_critic_says():
    reward, value, row_N = torch.zeros(2), torch.zeros(2), torch.tensor([0, 1])
    advantage, _ = gae(reward, value, row_N, torch.tensor([0.8, 0.0]), gamma=1.0, lam=1.0)
    torch.testing.assert_close(advantage, torch.tensor([0.8, 0.0]))


def test_by_turn_the_number_of_tokens_of_an_action_does_not_matter():
    row_N, reward, value = torch.zeros(2).long(), torch.tensor([0.0, 1.0]), torch.tensor([0.3, 0.7])
    one, one_target = turn_gae(reward, value, row_N, torch.tensor([True, True]), torch.zeros(1), gamma=0.9, lam=0.8)
    wide = torch.tensor([0, 0, 0, 1, 1])
    is_first = torch.tensor([True, False, False, True, False])
    within = torch.tensor([0.3, 9.0, -9.0, 0.7, 9.0])  # only a turn's first value counts
    many, many_target = turn_gae(reward[wide], within, row_N[0].expand(5), is_first, torch.zeros(1), gamma=0.9, lam=0.8)
    torch.testing.assert_close(many, one[wide])
    torch.testing.assert_close(many_target, one_target[wide])
    assert one[1] == pytest.approx(0.3)
    assert one[0] == pytest.approx(0.9 * 0.7 - 0.3 + 0.72 * 0.3)


def test_returns_to_go_by_hand():
    reward, row_N = torch.tensor([1.0, 0.0, 2.0, 5.0]), torch.tensor([0, 0, 0, 2])
    torch.testing.assert_close(returns_to_go(reward, row_N, gamma=0.5), torch.tensor([1.5, 1.0, 2.0, 5.0]))


def test_reinforce_plus_plus_is_normalised_over_the_tokens():
    reward, row_N = torch.tensor([0.0, 1.0, 0.0, 0.0]), torch.tensor([0, 0, 1, 2])
    advantage = reinforce_plus_plus(reward, row_N)
    # returns to go 1, 1, 0, 0: mean 1/2, sample standard deviation sqrt(1/3)
    torch.testing.assert_close(advantage, torch.tensor([1.0, 1.0, -1.0, -1.0]) * 0.5 * 3**0.5, atol=1e-4, rtol=0)
    assert not reinforce_plus_plus(torch.ones(3), torch.arange(3)).any()


def test_the_baseline_variant_leaves_a_group_of_one_out():
    return_R, group_R, row_N = torch.tensor([1.0, 0.0, 7.0]), torch.tensor([0, 0, 1]), torch.tensor([0, 0, 1, 2])
    advantage = reinforce_plus_plus_baseline(return_R, group_R, row_N)
    assert advantage[3] == 0
    centred = torch.tensor([0.5, 0.5, -0.5])
    torch.testing.assert_close(advantage[:3], (centred - centred.mean()) / centred.std(), atol=1e-4, rtol=0)


def test_turns_in_the_same_state_are_compared_with_each_other():
    # rows 0 and 1 share state 0 at their first turn; the one that went on to the reward did better there
    reward, row_S = torch.tensor([0.0, 1.0, 0.0, 0.0]), torch.tensor([0, 0, 1, 1])
    anchor = torch.tensor([0, 1, 0, 2])
    advantage = anchor_advantages(reward, row_S, anchor, gamma=0.5, divide_by_std=False)
    torch.testing.assert_close(advantage, torch.tensor([0.25, 0.0, -0.25, 0.0]))
    alone = anchor_advantages(reward, row_S, torch.arange(4), gamma=0.5, divide_by_std=True)
    assert not alone.any()


def episodes(**changed) -> Episodes:
    """Two groups of two: in the first a success of two turns and a failure, in the second two failures."""
    fields = {
        "return_R": torch.tensor([1.0, 0.0, 0.0, 0.0]),
        "group_R": torch.tensor([0, 0, 1, 1]),
        "horizon_R": torch.full((4,), 5),
        "is_cut_R": torch.zeros(4, dtype=torch.bool),
        "row_N": torch.tensor([0, 0, 1, 2, 3]),
        "turn_N": torch.tensor([0, 1, 0, 0, 0]),
        "turn_reward_S": torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]),
        "num_turns_R": torch.tensor([2, 1, 1, 1]),
        "anchor_S": torch.tensor([0, 1, 0, 2, 2]),
        "version_N": torch.zeros(5, dtype=torch.long),
        "penalty_N": torch.zeros(5),
        "value_N": torch.zeros(5),
        "bootstrap_R": torch.zeros(4),
    }
    return Episodes(**(fields | changed))


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_every_algorithm_of_the_table_gives_the_better_episode_the_higher_advantage(name):
    algorithm = find_algorithm(name)
    estimate = algorithm.estimate(episodes(), AlgorithmConfig(name=name))
    advantage_N = estimate.advantage_N
    assert advantage_N.shape == (5,)
    assert advantage_N[:2].min() > 0 > advantage_N[2]
    if algorithm.is_group_relative:
        assert advantage_N[3] == advantage_N[4] == 0
    assert (estimate.target_N is not None) == algorithm.needs_critic


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_the_reward_reaches_a_trained_token_though_the_last_turn_had_no_choice(name):
    """Promise 2: the success is in a turn in which everything was forced, and the choice before it gets the credit."""
    given = episodes(row_N=torch.tensor([0, 1, 2, 3]), turn_N=torch.zeros(4).long())
    given = Episodes(
        **{
            **{f: getattr(given, f) for f in Episodes.__dataclass_fields__},
            "version_N": torch.zeros(4).long(),
            "penalty_N": torch.zeros(4),
            "value_N": torch.zeros(4),
        }
    )
    advantage_N = find_algorithm(name).estimate(given, AlgorithmConfig(name=name)).advantage_N
    assert advantage_N[0] > 0 > advantage_N[1]


def test_a_reward_before_the_first_choice_goes_to_the_first_choice_and_stays_in_its_row():
    given = episodes(
        row_N=torch.tensor([0, 1]),
        turn_N=torch.tensor([1, 0]),
        turn_reward_S=torch.tensor([3.0, 1.0, 2.0, 4.0, 5.0]),
    )
    # rows 2 and 3 have no trained token at all: theirs stay where they are and reach nobody
    assert given.credited_reward_S.tolist() == [0.0, 4.0, 2.0, 4.0, 5.0]


@pytest.mark.parametrize("name", sorted(set(ALGORITHMS) - {"gigpo"}))
def test_a_penalty_on_its_tokens_lowers_an_episode(name):
    """The KL in the reward: without it the second group is flat."""
    given = episodes(penalty_N=torch.tensor([0.0, 0.0, 0.0, 0.5, 0.0]))
    advantage_N = find_algorithm(name).estimate(given, AlgorithmConfig(name=name)).advantage_N
    assert advantage_N[3] < advantage_N[4]


def test_an_unknown_algorithm_lists_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'rloo'"):
        find_algorithm("rlo")
    with pytest.raises(ConfigError, match="cannot be imported"):
        find_algorithm("no_such_module:thing")
    with pytest.raises(ConfigError, match=r"expected a sojourn\.algorithms\.table\.Algorithm"):
        find_algorithm("math:pi")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rollout": {"group_size": 1}}, "algorithm.name = 'grpo' needs rollout.group_size >= 2"),
        ({"algorithm": {"horizon_cut": "bootstrap"}}, "needs an algorithm with a critic"),
        ({"algorithm": {"loss": "gpso"}}, "did you mean 'gspo'"),
    ],
)
def test_combinations_that_cannot_work_name_both_keys(changes, said):
    tree = {"name": "t", "updates": 1, "env": {"name": "textcraft"}, "horizon": {"kind": "fixed", "turns": 3}}
    with pytest.raises(ConfigError, match=said):
        check_algorithm(make_config({**tree, **changes}))
    check_algorithm(make_config(tree))
