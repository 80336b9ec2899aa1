"""``sojourn check-env``: the contract suite on any environment, as a table."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sojourn.cli.options import read_options
from sojourn.cli.scenarios import open_scenario
from sojourn.envs import contract
from sojourn.envs.protocol import ListsCommands, Scenario
from sojourn.errors import ConfigError, SojournError, unknown_name
from sojourn.types import Task

OK, VIOLATED = 0, 1
_MEMORY_EPISODES = 60


@dataclass(frozen=True, kw_only=True)
class Check:
    """One line of the table."""

    name: str
    promise: str
    """What is expected."""
    run: Callable[[], object]
    """Raises `ContractViolation`; may return a remark (text)."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a check."""

    check: Check
    violation: str | None
    """What was expected and did not hold; None if all is well."""
    remark: str
    seconds: float


def check_env(options: argparse.Namespace) -> int:
    """Run every check, print the table; returns 1 if one fails."""
    settings = read_options(options.options)

    def make_scenario() -> Scenario:
        return open_scenario(options.environment, settings)

    scenario = make_scenario()
    console = Console()
    tasks = _tasks(scenario, options.split, options.tasks)
    outcomes = []
    for check in checks(make_scenario, tasks):
        with console.status(check.name):
            outcomes.append(outcome_of(check))
    _print(console, f"{scenario.env_id}: {len(tasks)} tasks", outcomes)
    return VIOLATED if any(outcome.violation is not None for outcome in outcomes) else OK


def _tasks(scenario: Scenario, split: str | None, count: int) -> list[Task]:
    if split is not None and split not in scenario.splits:
        raise unknown_name("split", split, scenario.splits)
    splits = scenario.splits if split is None else (split,)
    return [task for name in splits for task in contract.sample_tasks(scenario, name, count)]


def checks(make_scenario: Callable[[], Scenario], tasks: Sequence[Task]) -> Iterator[Check]:
    """The suite of `envs.contract`, one by one, on `tasks`."""
    scenario = make_scenario()

    def on_each(check: Callable[[Scenario, Task], None]) -> Callable[[], None]:
        def run() -> None:
            for task in tasks:
                check(scenario, task)

        return run

    def determinism() -> None:
        for seed, task in enumerate(tasks):
            contract.check_determinism(make_scenario, task, tasks[seed - 1], seed)

    def commands() -> str:
        for seed, task in enumerate(tasks):
            contract.check_commands(scenario, task, seed)
        return "" if isinstance(scenario.make(), ListsCommands) else "lists no commands"

    yield Check(
        name="names",
        promise="a versioned id, instructions, an example, the three splits",
        run=partial(contract.check_names, scenario),
    )
    yield Check(
        name="tasks",
        promise="JSON, in a fixed order, each in one split",
        run=partial(contract.check_tasks, scenario),
    )
    yield Check(
        name="panels",
        promise="fixed lists, equal in every instance",
        run=partial(contract.check_panels, make_scenario),
    )
    yield Check(
        name="life",
        promise="one episode an environment: reset, steps, close",
        run=on_each(contract.check_life),
    )
    yield Check(
        name="garbage",
        promise="answered with text, costs nothing, changes nothing",
        run=on_each(contract.check_garbage),
    )
    yield Check(name="determinism", promise="the same actions give the same results", run=determinism)
    yield Check(name="commands", promise="each is accepted, and asking is free", run=commands)
    yield Check(
        name="oracle",
        promise="solves, is paid once, and nothing follows",
        run=partial(_oracle, scenario, tasks),
    )
    yield Check(
        name="memory",
        promise=f"{_MEMORY_EPISODES} episodes leave nothing behind",
        run=partial(contract.check_memory, scenario, tasks[0].split, _MEMORY_EPISODES),
    )


def _oracle(scenario: Scenario, tasks: Sequence[Task]) -> str:
    try:
        solved = [contract.check_oracle(scenario, task, admissible=False) is not None for task in tasks]
    except ConfigError as error:  # an environment need not have one
        return str(error)
    return f"has a plan for {sum(solved)} of {len(tasks)}"


def outcome_of(check: Check) -> Outcome:
    """Run one check; an exception of the environment is a violation, too."""
    begun = time.perf_counter()
    violation: str | None = None
    remark: object = None
    try:
        remark = check.run()
    except contract.ContractViolation as error:
        violation = str(error)
    except SojournError as error:
        violation = f"no failure, got {type(error).__name__}: {error}"
    except Exception as error:  # the boundary to foreign code: this is what is being looked for
        violation = f"no exception, got {type(error).__name__}: {error}"
    return Outcome(check=check, violation=violation, remark=str(remark or ""), seconds=time.perf_counter() - begun)


def _print(console: Console, title: str, outcomes: Sequence[Outcome]) -> None:
    table = Table(title=escape(title))
    table.add_column("check", no_wrap=True)
    table.add_column("result", no_wrap=True)
    table.add_column("seconds", justify="right", no_wrap=True)
    table.add_column("what was expected")
    for outcome in outcomes:
        result = "[green]ok[/]" if outcome.violation is None else "[red]violated[/]"
        said = outcome.violation or " · ".join(filter(None, (outcome.check.promise, outcome.remark)))
        table.add_row(outcome.check.name, result, f"{outcome.seconds:.1f}", escape(said))
    console.print(table)
