"""Promises 1 and 2: the ids sampled are the ids trained, and the reward reaches an action token."""

from __future__ import annotations

import numpy as np
import pytest

from sojourn.errors import ConfigError
from sojourn.rollout.samples import make_batch
from sojourn.rollout.tasks import TaskStream
from sojourn.types import Completion, Decision, StepResult, StopReason, Task, Trajectory, TrajectoryGroup, Turn

TASK = Task(env_id="toy-v1", task_id="0", split="train", seed=0)


def turn(prompt, sampled, *, allowed=None, reward=0.0, terminated=False) -> Turn:
    completion = Completion(
        token_ids=tuple(sampled),
        logprobs=tuple(-0.1 * (k + 1) for k in range(len(sampled))),
        finish_reason="stop",
        policy_version=1,
        allowed=allowed,
    )
    decision = Decision(prompt_ids=tuple(prompt), completion=completion, text="", action="x")
    return Turn(decision=decision, result=StepResult(observation="o", reward=reward, terminated=terminated))


def trajectory(turns, stop=StopReason.TERMINATED) -> Trajectory:
    first = StepResult(observation="go")
    return Trajectory(task=TASK, first=first, turns=tuple(turns), stop_reason=stop, horizon=9, seed=1)


def test_rows_concatenate_exactly_what_was_read_and_sampled():
    t = trajectory([turn([5, 6], [7, 8]), turn([9], [10, 11, 12], reward=1.0, terminated=True)])
    batch = make_batch([TrajectoryGroup(task=TASK, trajectories=(t,))], temperature=1.0)
    assert batch.rows[0].token_ids.tolist() == [5, 6, 7, 8, 9, 10, 11, 12]
    assert batch.rows[0].mask.tolist() == [False, False, True, True, False, True, True, True]
    np.testing.assert_allclose(batch.sampler_logprobs_N, [-0.1, -0.2, -0.1, -0.2, -0.3], rtol=1e-6)
    assert batch.turn_N.tolist() == [0, 0, 1, 1, 1]


def test_the_reward_reaches_action_tokens_though_the_episode_ends_on_environment_text():
    good = trajectory([turn([1], [2]), turn([3], [4], reward=1.0, terminated=True)])
    bad = trajectory([turn([1], [2]), turn([3], [5], terminated=True)])
    batch = make_batch([TrajectoryGroup(task=TASK, trajectories=(good, bad))], temperature=1.0)
    assert batch.return_R.tolist() == [1.0, 0.0]
    assert batch.rows[0].num_trained == batch.rows[1].num_trained == 2
    assert batch.turn_reward_S.tolist() == [0.0, 1.0, 0.0, 0.0]


def test_forced_tokens_are_context_and_train_nothing():
    t = trajectory([turn([1], [2, 3, 4], allowed=((2, 9), (3,), None))])
    batch = make_batch([TrajectoryGroup(task=TASK, trajectories=(t,))], temperature=0.7)
    row = batch.rows[0]
    assert row.token_ids.tolist() == [1, 2, 3, 4]
    assert row.mask.tolist() == [False, True, False, True]
    assert row.allowed == ((2, 9), None)
    assert row.temperature == 0.7
    np.testing.assert_allclose(batch.sampler_logprobs_N, [-0.1, -0.3], rtol=1e-6)


def test_a_horizon_cut_can_be_masked_and_still_counts_in_the_baseline():
    cut = trajectory([turn([1], [2])], stop=StopReason.HORIZON)
    whole = trajectory([turn([1], [2], reward=1.0, terminated=True)])
    groups = [TrajectoryGroup(task=TASK, trajectories=(cut, whole))]
    assert make_batch(groups, temperature=1.0).row_N.tolist() == [0, 1]
    masked = make_batch(groups, temperature=1.0, mask_horizon_cuts=True)
    assert masked.row_N.tolist() == [1]
    assert masked.return_R.tolist() == [0.0, 1.0]


def test_a_failed_trajectory_cannot_enter_a_group():
    with pytest.raises(ValueError, match="failed"):
        TrajectoryGroup(task=TASK, trajectories=(trajectory([], stop=StopReason.ENV_ERROR),))


def test_an_empty_batch_is_a_batch():
    batch = make_batch([], temperature=1.0)
    assert (batch.num_rows, batch.num_trained, batch.num_tokens) == (0, 0, 0)


def tasks(count: int) -> list[Task]:
    return [Task(env_id="toy-v1", task_id=str(n), split="train", seed=n) for n in range(count)]


def test_the_task_stream_shows_every_task_once_an_epoch_in_a_seeded_order():
    stream = TaskStream(tasks(10), seed=3)
    first, second = stream.draw(10), stream.draw(10)
    assert {t.task_id for t in first} == {t.task_id for t in second} == {str(n) for n in range(10)}
    assert first != second
    assert TaskStream(tasks(10), seed=3).draw(20) == first + second
    assert TaskStream(tasks(10), seed=4).draw(10) != first


def test_the_task_stream_resumes_from_its_cursor():
    straight = TaskStream(tasks(7), seed=1).draw(30)
    half = TaskStream(tasks(7), seed=1)
    half.draw(12)
    assert TaskStream(tasks(7), seed=1, cursor=half.cursor).draw(18) == straight[12:]


def test_no_tasks_is_an_error_that_says_so():
    with pytest.raises(ConfigError, match="no tasks"):
        TaskStream([], seed=0)
