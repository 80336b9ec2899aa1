"""THE contract suite: what every environment of Sojourn, shipped or yours, has to pass.

Inherit `EnvContract` in a test module (it needs pytest only to be collected), or call the functions::

    class TestMyEnv(EnvContract):
        def make_scenario(self):
            return MyScenario()

Each function raises `ContractViolation`, whose text says what was expected, and returns None when all is well.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import random
import tracemalloc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from sojourn.envs.protocol import Env, ListsCommands, Oracle, Scenario
from sojourn.errors import DataError, EnvError
from sojourn.types import StepResult, Task

T = TypeVar("T")

REQUIRED_SPLITS = ("train", "validation", "test")
GARBAGE = (
    "",
    " ",
    "\n",
    "\x00\x07\x1b[2J",
    "x" * 10_000,
    "жизнь 生活 🙂",
    "drop table; --",
    "{}",
    "%s %d {0}",
    "no such command\nand another line",
    "get \uff11 stick",
    "\ud800",
)
"""Actions that mean nothing anywhere."""

_RANDOM_TURNS = 12
_COMPARED_TASKS = 1_000
_MAX_TRIED = 100


class ContractViolation(AssertionError):  # noqa: N818 (named for what it reports)
    """An environment does not keep the contract."""


def check(condition: bool, expectation: str) -> None:
    """Raise `ContractViolation` unless `condition`."""
    if not condition:
        raise ContractViolation(expectation)


def check_names(scenario: Scenario) -> None:
    """The scenario says who it is: a versioned id, instructions, an example, the splits."""
    check(any(char.isdigit() for char in scenario.env_id), f"env_id has a version in it, got {scenario.env_id!r}")
    check(bool(scenario.instructions.strip()), "instructions are not empty")
    check(bool(scenario.example_command.strip()), "example_command is not empty")
    missing = set(REQUIRED_SPLITS) - set(scenario.splits)
    check(not missing, f"splits hold {REQUIRED_SPLITS}, missing {sorted(missing)}")


def check_tasks(scenario: Scenario) -> None:
    """Tasks carry their environment and split, are JSON, are listed in a fixed order, and none is in two splits."""
    owner: dict[str, str] = {}
    for split in scenario.splits:
        tasks = scenario.tasks(split)
        check(len(tasks) > 0, f"split {split} has tasks")
        indices = sorted({*range(min(len(tasks), _COMPARED_TASKS)), *range(max(0, len(tasks) - 100), len(tasks))})
        for index in indices:
            task = tasks[index]
            check(task == scenario.tasks(split)[index], f"task {index} of {split} is the same whenever asked for")
            check((task.env_id, task.split) == (scenario.env_id, split), f"{task} names its environment and split")
            fields = [task.env_id, task.task_id, task.split, task.seed, task.category]
            check(json.loads(json.dumps(fields)) == fields, f"{task} survives JSON")
            check(task.task_id not in owner, f"task {task.task_id} is listed once; also in {owner.get(task.task_id)}")
            owner[task.task_id] = split


def check_panels(make_scenario: Callable[[], Scenario]) -> None:
    """A panel is the same in every instance and holds tasks of its split, each once."""
    scenario, again = make_scenario(), make_scenario()
    for split in scenario.splits:
        panel = scenario.panel(split)
        check(len(panel.tasks) > 0, f"panel {panel.name} has tasks")
        check({task.split for task in panel.tasks} == {split}, f"panel {panel.name} holds tasks of {split} only")
        check(len({t.task_id for t in panel.tasks}) == len(panel.tasks), f"panel {panel.name} holds each task once")
        check(panel.sha256 == again.panel(split).sha256, f"panel {panel.name} is the same in two instances")


def check_life(scenario: Scenario, task: Task) -> None:
    """One episode an environment: reset once, step in between, close whenever."""
    asyncio.run(_check_life(scenario, task))


async def _check_life(scenario: Scenario, task: Task) -> None:
    env = scenario.make()
    await _expect(EnvError, env.step(scenario.example_command), "step before reset raises EnvError")
    await env.close()
    await env.close()
    env = scenario.make()
    first = await env.reset(task)
    check_result(first)
    check(first.reward == 0 and not first.terminated and not first.truncated, "a reset pays nothing and ends nothing")
    await _expect(EnvError, env.reset(task), "a second reset raises EnvError")
    await env.close()
    await env.close()
    await _expect(EnvError, env.step(scenario.example_command), "step after close raises EnvError")
    foreign = replace(task, env_id="another-environment-v1")
    await _expect(DataError, scenario.make().reset(foreign), "a task of another environment raises DataError")


def check_garbage(scenario: Scenario, task: Task) -> None:
    """An action that makes no sense is answered with text, costs nothing, and changes nothing that can be seen."""
    asyncio.run(_check_garbage(scenario, task))


async def _check_garbage(scenario: Scenario, task: Task) -> None:
    env = scenario.make()
    await env.reset(task)
    before = await _commands(env)
    for action in GARBAGE:
        result = await env.step(action)
        shown = repr(action[:40])
        check_result(result)
        check(result.reward == 0, f"garbage {shown} pays nothing, got {result.reward}")
        check(result.info.get("invalid") is True, f"garbage {shown} is marked info['invalid'], got {dict(result.info)}")
        check(not result.terminated, f"garbage {shown} does not end the task")
        check(len(result.observation) < 4_000, f"garbage {shown} is not echoed at length")
    check(await _commands(env) == before, "garbage changes nothing")
    await env.close()


def check_determinism(make_scenario: Callable[[], Scenario], task: Task, other: Task, seed: int = 0) -> None:
    """The same actions on the same task give the same results, in a fresh instance and beside another episode."""
    asyncio.run(_check_determinism(make_scenario, task, other, seed))


async def _check_determinism(make_scenario: Callable[[], Scenario], task: Task, other: Task, seed: int) -> None:
    actions, results = await _random_play(make_scenario(), task, seed)
    state = random.getstate()
    check(await _replay(make_scenario(), task, actions) == results, f"{task.task_id}: a replay gives the same results")
    check(random.getstate() == state, "an episode leaves the global random state alone")
    scenario = make_scenario()
    env, beside = scenario.make(), scenario.make()
    repeated = [await env.reset(task)]
    is_over = _is_over(await beside.reset(other))
    for number, action in enumerate(actions):
        commands = await _commands(beside)
        if commands and not is_over:
            is_over = _is_over(await beside.step(commands[number % len(commands)]))
        repeated.append(await env.step(action))
    check(repeated == results, f"{task.task_id}: another live episode changes nothing")
    await env.close()
    await beside.close()


def check_commands(scenario: Scenario, task: Task, seed: int = 0) -> None:
    """Admissible commands: without duplicates, in a fixed order, each accepted, and asking changes nothing.

    Where very many are listed, some are tried (`_MAX_TRIED`, drawn by `seed`): each costs an episode.
    Environments that do not list commands pass.
    """
    asyncio.run(_check_commands(scenario, task, seed))


def _is_over(result: StepResult) -> bool:
    return result.terminated or result.truncated


async def _check_commands(scenario: Scenario, task: Task, seed: int) -> None:
    env = scenario.make()
    if not isinstance(env, ListsCommands):
        return
    actions, results = await _random_play(scenario, task, seed)
    check(await _replay(scenario, task, actions) == results, "asking for commands changes nothing")
    for length in sorted({0, len(actions) // 2}):
        commands = await _commands_after(scenario, task, actions[:length])
        check(bool(commands), f"a live episode has commands (after {length} actions of {task.task_id})")
        check(len(set(commands)) == len(commands), f"commands are listed once, got {commands}")
        check(await _commands_after(scenario, task, actions[:length]) == commands, "commands have a fixed order")
        for command in random.Random(seed).sample(commands, min(_MAX_TRIED, len(commands))):
            answer = (await _replay(scenario, task, [*actions[:length], command]))[-1]
            check(not answer.info.get("invalid"), f"{command!r} was listed and refused: {answer.observation}")


async def _commands_after(scenario: Scenario, task: Task, actions: Sequence[str]) -> tuple[str, ...]:
    env = scenario.make()
    await env.reset(task)
    for action in actions:
        await env.step(action)
    commands = await _commands(env)
    check(commands == await _commands(env), "asking for commands twice gives the same list")
    await env.close()
    return commands


def check_oracle(
    scenario: Scenario, task: Task, *, least_return: float = 1.0, max_turns: int = 500, admissible: bool = True
) -> int | None:
    """The expert solves `task`; the reward is paid once, with success, and nothing follows.

    Returns the number of turns, or None where the expert says that it has no plan.
    """
    return asyncio.run(_check_oracle(scenario, task, least_return, max_turns, admissible))


async def _check_oracle(scenario: Scenario, task: Task, least: float, max_turns: int, admissible: bool) -> int | None:
    env = scenario.make()
    try:
        await env.reset(task)
        oracle = scenario.oracle(env)  # raises where there is none: the episode is closed all the same
        return await _oracle_turns(env, oracle, task, least, max_turns, admissible)
    finally:
        await env.close()


async def _oracle_turns(
    env: Env, oracle: Oracle, task: Task, least: float, max_turns: int, admissible: bool
) -> int | None:
    rewards = []
    for turn in range(1, max_turns + 1):
        action = await oracle.next_action()
        if action is None:
            return None
        listed = await _commands(env)
        check(not (admissible and listed) or action in listed, f"the oracle's {action!r} is among {listed}")
        result = await env.step(action)
        check_result(result)
        check(not result.info.get("invalid"), f"the oracle's {action!r} was refused: {result.observation}")
        rewards.append(result.reward)
        if result.terminated or result.truncated:
            check(result.success is True, f"{task.task_id}: the oracle ends in success, got {result.observation!r}")
            check(sum(rewards) >= least, f"{task.task_id}: the oracle's return is >= {least}, got {sum(rewards)}")
            await _expect(EnvError, env.step(action), "step after the end raises EnvError: nothing is paid twice")
            return turn
        check(result.success is not True, f"{task.task_id}: success ends the episode")
    raise ContractViolation(f"{task.task_id}: the oracle needs at most {max_turns} turns")


def check_memory(
    scenario: Scenario, split: str = "train", num_episodes: int = 200, max_growth_bytes: int = 300_000
) -> None:
    """Episodes leave nothing behind: the second half of `num_episodes` allocates no more than the first."""
    asyncio.run(_check_memory(scenario, split, num_episodes, max_growth_bytes))


async def _check_memory(scenario: Scenario, split: str, num_episodes: int, max_growth_bytes: int) -> None:
    tasks = sample_tasks(scenario, split, min(20, num_episodes))
    held = []
    tracemalloc.start()
    try:
        for _ in range(2):
            for number in range(num_episodes // 2):
                # the same seeds in both halves: caches may fill in the first, the second finds them warm
                await _random_play(scenario, tasks[number % len(tasks)], seed=number)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    growth = held[1] - held[0]
    check(growth <= max_growth_bytes, f"{num_episodes // 2} more episodes hold <= {max_growth_bytes} B, got {growth} B")


def check_result(result: StepResult) -> None:
    """A step result is well-formed."""
    check(isinstance(result.observation, str) and bool(result.observation.strip()), "an observation is text, not empty")
    check(math.isfinite(result.reward), f"a reward is finite, got {result.reward}")
    check(not (result.terminated and result.truncated), "an end is terminated or truncated, not both")
    check(result.success in (True, False, None), f"success is True, False or None, got {result.success!r}")
    check(isinstance(json.dumps(dict(result.info)), str), "info is JSON")


def sample_tasks(scenario: Scenario, split: str, count: int) -> list[Task]:
    """`count` tasks of a split's panel, evenly spaced (all, when it has fewer)."""
    tasks = scenario.panel(split).tasks
    count = min(count, len(tasks))
    return [tasks[i * len(tasks) // count] for i in range(count)]


async def _commands(env: Env) -> tuple[str, ...]:
    return tuple(await env.admissible_commands()) if isinstance(env, ListsCommands) else ()


async def _random_play(scenario: Scenario, task: Task, seed: int) -> tuple[list[str], list[StepResult]]:
    """A dozen random turns, some of them garbage: the actions and the results, the reset's first."""
    rng = random.Random(seed)
    env = scenario.make()
    actions: list[str] = []
    results = [await env.reset(task)]
    while len(actions) < _RANDOM_TURNS and not (results[-1].terminated or results[-1].truncated):
        listed = (await _commands(env)) or (scenario.example_command,)
        actions.append(rng.choice(GARBAGE if rng.random() < 0.1 else listed))
        results.append(await env.step(actions[-1]))
        check_result(results[-1])
    await env.close()
    return actions, results


async def _replay(scenario: Scenario, task: Task, actions: Sequence[str]) -> list[StepResult]:
    """The results of `actions`, without asking for commands."""
    env = scenario.make()
    results = [await env.reset(task)]
    results += [await env.step(action) for action in actions]
    await env.close()
    return results


async def _expect(error: type[Exception], call: Awaitable[T], expectation: str) -> None:
    try:
        await call
    except error:
        return
    raise ContractViolation(expectation)


class EnvContract:
    """The suite as a test class; a subclass named ``Test…`` gives `make_scenario` and, if need be, other bounds."""

    tasks_per_split = 3
    """Tasks of each split that every check is made on."""
    least_return = 1.0
    """What the oracle's episodes return at least."""
    solved_share = 1.0
    """Share of the tasks that the oracle has a plan for, at least."""
    oracle_is_admissible = True
    """Whether every action of the oracle is among the admissible commands."""
    max_turns = 500
    memory_episodes = 200

    def make_scenario(self) -> Scenario:
        """A fresh scenario, the same each time."""
        raise NotImplementedError

    def _each_task(self, scenario: Scenario) -> list[Task]:
        return [t for split in scenario.splits for t in sample_tasks(scenario, split, self.tasks_per_split)]

    def test_it_says_who_it_is(self) -> None:
        check_names(self.make_scenario())

    def test_tasks_are_json_and_in_one_split_each(self) -> None:
        check_tasks(self.make_scenario())

    def test_panels_are_fixed(self) -> None:
        check_panels(self.make_scenario)

    def test_an_environment_lives_for_one_episode(self) -> None:
        scenario = self.make_scenario()
        for task in self._each_task(scenario):
            check_life(scenario, task)

    def test_garbage_is_answered_and_costs_nothing(self) -> None:
        scenario = self.make_scenario()
        for task in self._each_task(scenario):
            check_garbage(scenario, task)

    def test_the_same_actions_give_the_same_results(self) -> None:
        tasks = self._each_task(self.make_scenario())
        for seed, task in enumerate(tasks):
            check_determinism(self.make_scenario, task, tasks[seed - 1], seed)

    def test_admissible_commands_are_accepted_and_free(self) -> None:
        scenario = self.make_scenario()
        for seed, task in enumerate(self._each_task(scenario)):
            check_commands(scenario, task, seed)

    def test_the_oracle_solves_and_is_paid_once(self) -> None:
        scenario = self.make_scenario()
        tasks = self._each_task(scenario)
        turns = [
            check_oracle(
                scenario,
                task,
                least_return=self.least_return,
                max_turns=self.max_turns,
                admissible=self.oracle_is_admissible,
            )
            for task in tasks
        ]
        share = sum(n is not None for n in turns) / len(tasks)
        check(share >= self.solved_share, f"the oracle solves {self.solved_share:.0%} of the tasks, got {share:.0%}")

    def test_nothing_leaks(self) -> None:
        check_memory(self.make_scenario(), num_episodes=self.memory_episodes)
