"""The agent loop and the collector, with real (tiny) environments and scripted agents; promises 3, 4 and 10."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from tests.toys import Buttons, ButtonsEnv

from sojourn.config import RolloutConfig
from sojourn.envs.protocol import Env
from sojourn.errors import ConfigError, ContextFullError, EnvError, SamplerError, TokenLimitError, TooManyFailuresError
from sojourn.policy.scripted import OracleAgent, RandomAgent, ReplayAgent
from sojourn.rollout.episode import EpisodeLimits, run_episode
from sojourn.rollout.episodes import EpisodeSpec, Retries, derived_seed, run_episodes
from sojourn.rollout.groups import GroupPlayer, SyncCollector
from sojourn.rollout.samples import make_batch
from sojourn.rollout.tasks import TaskStream
from sojourn.types import EMPTY_COMPLETION, Decision, StepResult, StopReason, Task, Trajectory

SCENARIO = Buttons()
TASK = Task(env_id="buttons-v1", task_id="red-blue", split="train", seed=0)
LIMITS = EpisodeLimits(reset_timeout_s=5, step_timeout_s=5, sample_timeout_s=5)


class Session:
    """Does what a function says; remembers that it was closed."""

    def __init__(self, decide: Callable[[str], Decision]) -> None:
        self.decide = decide
        self.is_closed = False

    async def act(self, observation: str, commands: object) -> Decision:
        return self.decide(observation)

    def close(self) -> None:
        self.is_closed = True


def says(action: str | None) -> Decision:
    error = None if action else "Expected one command."
    return Decision(prompt_ids=(), completion=EMPTY_COMPLETION, text=action or "?", action=action, error=error)


def play(decide, *, env: Env | None = None, horizon: int = 5, limits: EpisodeLimits = LIMITS):
    env, session = env or ButtonsEnv(), Session(decide)
    return asyncio.run(run_episode(env, session, TASK, horizon=horizon, limits=limits)), env, session


def script(*actions: str | None):
    left = iter(actions)
    return lambda _observation: says(next(left))


def test_an_episode_ends_when_the_environment_says_so():
    trajectory, env, session = play(script("press red", "press blue"))
    assert trajectory.stop_reason is StopReason.TERMINATED
    assert (trajectory.return_, trajectory.is_success, trajectory.num_turns) == (1.0, True, 2)
    assert env.is_closed
    assert session.is_closed


def test_the_horizon_cuts_after_exactly_so_many_turns():
    trajectory, _, _ = play(lambda _: says("press green"), horizon=3)
    assert (trajectory.stop_reason, trajectory.num_turns, trajectory.horizon) == (StopReason.HORIZON, 3, 3)


def test_an_end_on_the_last_turn_is_an_end_and_not_a_cut():
    trajectory, _, _ = play(script("press red", "press blue"), horizon=2)
    assert trajectory.stop_reason is StopReason.TERMINATED


def test_the_environments_own_limit_is_its_own_reason():
    trajectory, _, _ = play(lambda _: says("press green"), horizon=50)
    assert (trajectory.stop_reason, trajectory.num_turns) == (StopReason.ENV_TRUNCATED, 12)


def test_an_unparsable_action_costs_a_turn_and_is_answered_with_what_was_expected():
    seen: list[str] = []
    answers = iter((None, "press red", "press blue"))

    def decide(observation: str) -> Decision:
        seen.append(observation)
        return says(next(answers))

    trajectory, _, _ = play(decide)
    assert seen[1] == "Expected one command."
    assert [turn.is_parsed for turn in trajectory.turns] == [False, True, True]
    assert trajectory.is_success


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ContextFullError("x"), StopReason.CONTEXT_FULL),
        (TokenLimitError("x"), StopReason.TOKEN_LIMIT),
        (SamplerError("x"), StopReason.SAMPLER_ERROR),
    ],
)
def test_what_the_agent_raises_is_named_and_everything_is_closed(error, reason):
    def decide(_observation: str) -> Decision:
        raise error

    trajectory, env, session = play(decide)
    assert trajectory.stop_reason is reason
    assert (trajectory.error is not None) == reason.is_failure
    assert env.is_closed
    assert session.is_closed


class Failing(ButtonsEnv):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    async def step(self, action: str) -> StepResult:
        if self.how == "hang":
            await asyncio.sleep(60)
        if self.how == "nan":
            return StepResult(observation="", reward=float("nan"))
        raise {"env": EnvError("down"), "bug": KeyError("oops")}[self.how]


@pytest.mark.parametrize(
    ("how", "reason", "said"),
    [
        ("env", StopReason.ENV_ERROR, "down"),
        ("bug", StopReason.ENV_ERROR, "oops"),
        ("nan", StopReason.ENV_ERROR, "finite reward"),
        ("hang", StopReason.TIMEOUT, "step took longer than 0.05 s"),
    ],
)
def test_a_failing_environment_is_a_failure_with_its_words_and_is_closed(how, reason, said):
    limits = EpisodeLimits(step_timeout_s=0.05)
    trajectory, env, _ = play(lambda _: says("press red"), env=Failing(how), limits=limits)
    assert trajectory.stop_reason is reason
    assert said in (trajectory.error or "")
    assert env.is_closed


def test_a_bug_of_our_own_rises_and_still_closes():
    def decide(_observation: str) -> Decision:
        raise ZeroDivisionError

    env, session = ButtonsEnv(), Session(decide)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(run_episode(env, session, TASK, horizon=3, limits=LIMITS))
    assert env.is_closed
    assert session.is_closed


def specs(count: int) -> list[EpisodeSpec]:
    tasks = SCENARIO.tasks("train")
    return [EpisodeSpec(task=tasks[n % len(tasks)], seed=n, session_id=str(n)) for n in range(count)]


def run(scenario: Buttons, agent, count: int, **options) -> Sequence[Trajectory | None]:
    outcomes = asyncio.run(run_episodes(scenario, agent, specs(count), horizon=6, limits=LIMITS, **options))
    return [outcome.trajectory for outcome in outcomes]


def test_the_oracle_solves_everything_and_random_play_does_not():
    assert all(t is not None and t.is_success for t in run(SCENARIO, OracleAgent(), 60))
    assert not all(t is not None and t.is_success for t in run(SCENARIO, RandomAgent(), 60))


def test_a_configuration_error_in_an_episode_rises_as_itself():
    class NoPlan(OracleAgent):
        def begin(self, **_):
            raise ConfigError("no oracle here")

    with pytest.raises(ConfigError, match="no oracle here"):
        run(SCENARIO, NoPlan(), 5)


def test_same_seeds_same_trajectories_however_many_run_at_once():
    def actions(max_live: int):
        played = run(SCENARIO, RandomAgent(), 40, max_live=max_live)
        return [[turn.decision.action for turn in t.turns] for t in played if t is not None]

    assert actions(1) == actions(40)


class Flaky(Buttons):
    """Every third environment made fails at its first step."""

    def __init__(self, period: int = 3) -> None:
        super().__init__()
        self.made: list[ButtonsEnv] = []
        self.period = period

    def make(self) -> Env:
        env = Failing("env") if len(self.made) % self.period == 0 else ButtonsEnv()
        self.made.append(env)
        return env


def test_a_failed_episode_is_tried_afresh_and_recorded_apart():
    scenario = Flaky()
    outcomes = asyncio.run(
        run_episodes(
            scenario, RandomAgent(), specs(20), horizon=6, limits=LIMITS, retries=Retries(max_attempts=5), max_live=1
        )
    )
    assert all(o.trajectory is not None and not o.trajectory.stop_reason.is_failure for o in outcomes)
    assert sum(len(o.failed) for o in outcomes) > 0
    assert all(env.is_closed for env in scenario.made)


def collect(scenario, agent, **options):
    config = RolloutConfig(**{"tasks_per_update": 6, "group_size": 4, "max_attempts": 1, **options})
    stream = TaskStream(SCENARIO.tasks("train"), seed=0)
    collector = SyncCollector(GroupPlayer(scenario=scenario, agent=agent, config=config, seed=0), stream)
    collection = asyncio.run(collector.collect(0, 6))
    return collection, stream


def test_failures_never_enter_baseline_gradient_or_denominator():
    collection, _ = collect(Flaky(period=4), RandomAgent(), filter_zero_variance=False)
    num_failed = sum(len(group.failed) for group in collection.groups)
    batch = make_batch(collection.groups, temperature=1.0)
    assert num_failed == 6
    assert batch.num_rows == 6 * 4 - num_failed
    assert all(not t.stop_reason.is_failure for t in batch.trajectories)


def test_too_many_failures_stop_the_run_and_say_why():
    with pytest.raises(TooManyFailuresError, match=r"24 episodes failed while 24 were wanted.*down"):
        collect(Flaky(period=1), RandomAgent())


def test_a_run_that_cannot_recover_stops_before_everything_was_tried():
    scenario = Flaky(period=1)
    with pytest.raises(TooManyFailuresError, match=r"25 episodes failed while 24 were wanted"):
        collect(scenario, RandomAgent(), max_attempts=20, retry_backoff_s=0.0)
    assert len(scenario.made) < 100


class Waiting(Buttons):
    """Each step takes its time; none fails."""

    def make(self) -> Env:
        env = ButtonsEnv()
        step = env.step

        async def slow(action: str) -> StepResult:
            await asyncio.sleep(0.1)
            return await step(action)

        env.step = slow  # type: ignore[method-assign]
        return env


def test_an_episode_has_a_deadline_of_its_own():
    limits = EpisodeLimits(episode_timeout_s=0.25)
    env = Waiting().make()
    session = Session(lambda _: says("press green"))
    trajectory = asyncio.run(run_episode(env, session, TASK, horizon=50, limits=limits))
    assert trajectory.stop_reason is StopReason.TIMEOUT
    assert trajectory.error == "TimeoutError: the episode took longer than 0.25 s"
    assert 1 <= trajectory.num_turns <= 2
    assert session.is_closed


def test_a_group_has_a_deadline_and_what_missed_it_is_not_tried_again():
    config = {"max_attempts": 3, "retry_backoff_s": 0.0, "group_timeout_s": 0.25, "max_failure_share": 1.0}
    collection, _ = collect(Waiting(), OracleAgent(), filter_zero_variance=False, **config)
    for group in collection.groups:
        is_long = len(group.task.task_id.split("-")) == 3
        assert (len(group.trajectories), len(group.failed)) == ((0, 4) if is_long else (4, 0)), group.task
        assert all(t.stop_reason is StopReason.TIMEOUT for t in group.failed)


def test_fresh_attempts_wait_longer_each_time(monkeypatch):
    pauses = []
    sleep = asyncio.sleep

    async def noted(seconds):
        pauses.append(seconds)
        await sleep(0)

    monkeypatch.setattr("sojourn.rollout.episodes.asyncio.sleep", noted)
    retries = Retries(max_attempts=9, backoff_s=2.0)
    asyncio.run(run_episodes(Flaky(period=1), RandomAgent(), specs(1), horizon=2, limits=LIMITS, retries=retries))
    assert [pause for pause in pauses if pause] == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_groups_without_a_signal_are_left_out_and_refilled():
    without, stream = collect(SCENARIO, OracleAgent())
    assert (len(without.groups), len(without.filtered), stream.cursor) == (0, 6, 6)
    with_refill, stream = collect(SCENARIO, OracleAgent(), max_refills=2)
    assert (len(with_refill.groups), len(with_refill.filtered), stream.cursor) == (0, 18, 18)
    mixed, stream = collect(SCENARIO, RandomAgent(), max_refills=5)
    assert len(mixed.groups) == 6
    assert stream.cursor == 6 + len(mixed.filtered)


def test_a_replayed_script_gives_the_same_episode():
    first, _, _ = play(script("press red", "press green", "press blue"))
    replay = ReplayAgent(["press red", "press green", "press blue"]).begin(session_id="x", seed=0)
    again = asyncio.run(run_episode(ButtonsEnv(), replay, TASK, horizon=5, limits=LIMITS))
    assert [t.result for t in first.turns] == [t.result for t in again.turns]


def test_derived_seeds_are_stable_and_distinct():
    assert derived_seed(1, "a", 2) == 7442858050933122875
    assert len({derived_seed(0, n) for n in range(1000)}) == 1000
