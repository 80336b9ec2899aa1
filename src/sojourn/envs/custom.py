"""The shortest way to an environment of one's own: a class with the game, and `CustomScenario` around it.

The game is plain Python: no coroutine, no life cycle. Around it stand the checks that the contract asks for: one reset,
nothing after the end, tasks of this scenario only, commands that are not listed answered and not carried out. Who needs
more (a remote site, a process) implements the two protocols of `sojourn.envs.protocol` instead.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Protocol, cast

from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.envs.task_list import TaskList
from sojourn.errors import ConfigError, DataError, EnvError, unknown_name
from sojourn.types import StepResult, Task

SEEDS: Mapping[str, Sequence[int]] = MappingProxyType(
    {"train": range(200, 1_000_000), "validation": range(100), "test": range(100, 200)}
)
"""Where tasks are numbers and nothing else is said."""

_MAX_SHOWN = 20


class Game(Protocol):
    """One episode. The class is called with the `Task` and must draw everything random from ``task.seed``.

    Optional methods, found by their names: ``commands()`` lists what makes sense now (`Lists`), ``expert()`` says the
    next command of a plan that solves the task (`Knows`), ``close()`` frees what the episode holds.
    """

    def start(self) -> str:
        """The first observation."""

    def act(self, command: str) -> StepResult | str:
        """Carry out one command; a text alone is an observation that pays nothing and ends nothing.

        Where the class lists no commands, one that makes no sense is answered with ``info={"invalid": True}``.
        """


class Lists(Game, Protocol):
    """A game that lists its commands: ``act`` is called with these only."""

    def commands(self) -> Sequence[str]:
        """What makes sense now: in a fixed order, without duplicates, not empty while the episode is open."""


class Knows(Game, Protocol):
    """A game that knows how it is won."""

    def expert(self) -> str | None:
        """The next command of a plan that solves the task; None when there is none."""


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


class GameEnv:
    """A game as an `Env`."""

    def __init__(self, game: Callable[[Task], Game], check: Callable[[Task], None]) -> None:
        self._make = game
        self._check = check
        self._state = _State.NEW
        self._game: Game | None = None

    @property
    def game(self) -> Game:
        """The game of the live episode."""
        if self._game is None or self._state is not _State.LIVE:
            raise EnvError(f"expected a live episode, this one is {self._state.name.lower()}")
        return self._game

    async def reset(self, task: Task) -> StepResult:
        """Make the game of `task`."""
        if self._state is not _State.NEW:
            raise EnvError(f"reset of an environment that is {self._state.name.lower()}; an episode is used once")
        self._check(task)
        self._game, self._state = self._make(task), _State.LIVE
        return StepResult(observation=self._game.start())

    async def step(self, action: str) -> StepResult:
        """Carry out one command."""
        answer = self.game.act(action.strip())
        result = StepResult(observation=answer) if isinstance(answer, str) else answer
        if result.terminated or result.truncated:
            self._state = _State.OVER
        return result

    async def close(self) -> None:
        """Call the game's own ``close``, where it has one."""
        if self._state is not _State.CLOSED and self._game is not None:
            getattr(self._game, "close", lambda: None)()
        self._state, self._game = _State.CLOSED, None


class ListingGameEnv(GameEnv):
    """A game that lists its commands, as an `Env`."""

    async def step(self, action: str) -> StepResult:
        """Carry out one of the listed commands; any other is answered with what was expected."""
        listed = cast(Lists, self.game).commands()
        if action.strip() in listed:
            return await super().step(action)
        shown = " | ".join(listed[:_MAX_SHOWN]) + (" | …" if len(listed) > _MAX_SHOWN else "")
        return StepResult(observation=f"Expected one of: {shown}", info={"invalid": True})

    async def admissible_commands(self) -> Sequence[str]:
        """The game's own list; empty unless the episode is live."""
        return tuple(cast(Lists, self.game).commands()) if self._state is _State.LIVE else ()


class _Expert:
    def __init__(self, env: GameEnv) -> None:
        self._env = env

    async def next_action(self) -> str | None:
        return cast(Knows, self._env.game).expert()


@dataclass(frozen=True, kw_only=True)
class CustomScenario:
    """A `Scenario` around a game of one's own."""

    env_id: str
    """With a version in it; change it whenever the same commands on the same task could give another trajectory."""
    example_command: str
    """One well-formed command."""
    game: Callable[[Task], Game]
    """The class (or a `functools.partial` of one) that is called with the task; see `Game`."""
    seeds: Mapping[str, Sequence[int] | Sequence[str]] = field(default_factory=lambda: SEEDS)
    """Split -> its tasks: numbers (the task's seed, and its name as text), or names (the seed is 0); ranges, too."""
    instructions: str = ""
    """The rules and commands, as told to an agent (no action format in it); empty: the class's docstring."""
    category: Callable[[int | str], str | None] = lambda _: None
    """The sub-task that a task is reported under."""
    panel_tasks: int = 100
    """Tasks of an evaluation panel: the first of its split."""
    is_light: bool = False
    """Whether a step takes microseconds: a service then runs the game on its event loop, not in a worker process."""

    def __post_init__(self) -> None:
        # of the class alone, not of what it inherits from
        said = self.instructions or inspect.cleandoc(getattr(self._class, "__doc__", None) or "")
        if not said:
            raise ConfigError(f"{self.env_id} tells no rules: give instructions, or the game's class a docstring")
        object.__setattr__(self, "instructions", said)
        for split, keys in self.seeds.items():
            if not keys:
                raise ConfigError(f"seeds[{split!r}] is empty: a split has tasks")
        for split, other in itertools.combinations(self.seeds, 2):
            few, many = sorted((self.seeds[split], self.seeds[other]), key=len)
            held = many if isinstance(many, range) else frozenset(many)
            shared = next((key for key in few if key in held), None)
            if shared is not None:
                raise ConfigError(f"task {shared!r} is in two splits, {split} and {other}: give each its own")

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self.seeds)

    def tasks(self, split: str) -> Sequence[Task]:
        """All tasks of a split, in the order given."""
        if split not in self.seeds:
            raise unknown_name("split", split, self.seeds)
        keys: Sequence[int | str] = self.seeds[split]
        return TaskList(keys, lambda key: self._task(key, split))

    def _task(self, key: int | str, split: str) -> Task:
        seed = key if isinstance(key, int) else 0
        return Task(env_id=self.env_id, task_id=str(key), split=split, seed=seed, category=self.category(key))

    def panel(self, split: str) -> Panel:
        """The first tasks of the split."""
        return Panel(name=f"{self.env_id}/{split}", tasks=tuple(self.tasks(split)[: self.panel_tasks]))

    def make(self) -> Env:
        """A fresh environment for one episode."""
        kind = ListingGameEnv if hasattr(self._class, "commands") else GameEnv
        return kind(self.game, self._check)

    def oracle(self, env: Env) -> Oracle:
        """The game's own expert; raises `ConfigError` where it has none."""
        if not isinstance(env, GameEnv) or not hasattr(self._class, "expert"):
            raise ConfigError(f"{self.env_id} has no oracle: give the game a method expert(self) -> str | None")
        return _Expert(env)

    @property
    def _class(self) -> object:
        return self.game.func if isinstance(self.game, functools.partial) else self.game

    def _check(self, task: Task) -> None:
        if task.env_id != self.env_id:
            raise DataError(f"expected a task of {self.env_id}, got {task.task_id!r} of {task.env_id!r}")
