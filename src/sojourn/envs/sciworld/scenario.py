"""SciWorld as a `Scenario`: tasks, splits, panels and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from sojourn.envs.protocol import Env, Panel
from sojourn.envs.sciworld.env import RewardName, SciWorldEnv
from sojourn.envs.sciworld.gold import GoldPaths
from sojourn.envs.sciworld.jvm import JvmSettings, jar_paths, java_program
from sojourn.envs.sciworld.oracle import SciWorldOracle
from sojourn.envs.sciworld.pool import PoolSettings, shared_pool, usable_cores
from sojourn.envs.sciworld.simulator import TELEPORT, Setting
from sojourn.envs.sciworld.tables import KINDS, PAPER_CATEGORIES, SPLITS, Kind, select_kinds
from sojourn.errors import ConfigError, DataError, unknown_name
from sojourn.types import Task

PANEL_COUNTS: Mapping[str, Mapping[str, int]] = {
    "train": {"Measure": 27, "Test-Cond": 41, "Find": 22, "Chem-Mix": 2, "Lifespan": 8},
    "validation": {"Measure": 27, "Test-Cond": 41, "Find": 22, "Chem-Mix": 2, "Lifespan": 8},
    "test": {"Measure": 53, "Test-Cond": 83, "Find": 44, "Chem-Mix": 5, "Lifespan": 15},
}
"""split -> category -> tasks on its panel. Those of the test panel are the paper's; the others are half of them."""
PANEL_TASKS = 100
"""At least as many tasks has the panel of a scenario that was confined to some tasks, if it has them."""

NO_ELECTRICITY = "noElectricalAction"
SIMPLIFICATIONS = (NO_ELECTRICITY, "openContainers", "openDoors", "selfWateringFlowerPots", TELEPORT)
"""ScienceWorld's own; a test compares."""
EASY = "easy"
_EASY = (NO_ELECTRICITY, "openDoors", "selfWateringFlowerPots", TELEPORT)
_ELECTRICAL = ("power-component", "conductivity")

_VERSION = "sciworld-v1"
_INSTRUCTIONS = """\
Do a science task in a house of ten rooms and a garden. Commands, where X and Y are things or rooms that you have seen:
look around, look at X, look in X, inventory, task (tells the task again)
open X, close X, go to X{teleport}
pick up X, put down X, move X to Y, pour X in Y, dunk X in Y, mix X
activate X, deactivate X, use X on Y, read X, eat X, flush X
connect X to Y, disconnect X
focus on X: show that X is what the task asks for. A wrong focus ends the task badly.
wait (ten steps), wait1 (one step). When asked which of several you mean, answer with its number."""


class SciWorld:
    """ScienceWorld's 30 tasks with its own splits. A task's id is its name and variation, ``find-animal/17``.

    `tasks` (names or numbers such as ``4-4``) and `categories` narrow what is drawn. `simplifications` are
    ScienceWorld's own: ``easy``, or some of ``teleportAction``, ``openDoors``, ``openContainers``,
    ``selfWateringFlowerPots``, ``noElectricalAction``. `listed_verbs` confines the admissible commands that are listed
    to those that begin with one of these words (``focus on``, ``go``); the environment takes all the same.
    `reward` is ``progress`` (the increase of ScienceWorld's own count, -1 at the end for a wrong focus), ``gains`` (the
    same, but a wrong focus just ends the episode), or ``success`` (1 for success alone): where progress is sure and
    focusing a guess, a small policy learns from the first to focus on nothing.
    `max_steps` is the environment's own limit (absent: only the rollout's horizon cuts). `num_jvms` simulators
    (absent: one for each core) of at most `heap_mb` megabytes of heap run the episodes of this process; one that takes
    longer than `deadline_s` seconds for an answer is replaced.
    """

    max_workers = 1
    """A service gives it one worker process: the simulators are processes themselves, one a core."""

    example_command = "open door to kitchen"

    def __init__(
        self,
        *,
        tasks: Sequence[str] | None = None,
        categories: Sequence[str] | None = None,
        simplifications: str | Sequence[str] = (),
        listed_verbs: Sequence[str] | None = None,
        reward: RewardName = "progress",
        max_steps: int | None = None,
        num_jvms: int | None = None,
        heap_mb: int = 256,
        deadline_s: float = 60.0,
    ) -> None:
        for name, value, least in (("max_steps", max_steps, 1), ("num_jvms", num_jvms, 1), ("heap_mb", heap_mb, 64)):
            if value is not None and value < least:
                raise ConfigError(f"SciWorld: {name} must be >= {least}, got {value}")
        if listed_verbs is not None and not listed_verbs:
            raise ConfigError("SciWorld: listed_verbs must name a verb, or be absent to list all commands")
        if reward not in get_args(RewardName):
            raise unknown_name("SciWorld reward", reward, get_args(RewardName))
        if deadline_s <= 0:
            raise ConfigError(f"SciWorld: deadline_s must be > 0, got {deadline_s}")
        jar_paths()  # says at once that the package is missing
        self._kinds = select_kinds(tasks, categories)
        self._is_confined = tasks is not None or categories is not None
        self._simplifications = _checked_simplifications(simplifications, self._kinds)
        self._max_steps = max_steps
        self._listed_verbs = None if listed_verbs is None else tuple(listed_verbs)
        jvm = JvmSettings(heap_mb=heap_mb, deadline_s=deadline_s)
        self._pool = shared_pool(PoolSettings(num_jvms=num_jvms or usable_cores(), jvm=jvm))
        self._tasks: dict[str, tuple[Task, ...]] = {}
        self._gold_paths = GoldPaths(self.resolve, self._pool)
        self._reward: RewardName = reward
        changes = [*self._simplifications, *([] if reward == "progress" else [f"reward={reward}"])]
        changes += [] if max_steps is None else [f"max_steps={max_steps}"]
        self._env_id = "+".join([_VERSION, *changes])

    @property
    def env_id(self) -> str:
        """``sciworld-v1`` and every option that changes an episode."""
        return self._env_id

    @property
    def instructions(self) -> str:
        """The rules and the commands."""
        can_teleport = EASY in self._simplifications or TELEPORT in self._simplifications
        return _INSTRUCTIONS.format(teleport=", teleport to X (any room)" if can_teleport else "")

    @property
    def splits(self) -> tuple[str, ...]:
        """Train, validation (ScienceWorld calls it dev) and test."""
        return SPLITS

    def tasks(self, split: str) -> tuple[Task, ...]:
        """Every variation of the split, task by task in ScienceWorld's order."""
        if split not in SPLITS:
            raise unknown_name("SciWorld split", split, SPLITS)
        if split not in self._tasks:
            numbered = ((kind, number) for kind in self._kinds for number in kind.variations(split))
            self._tasks[split] = tuple(self._task(kind, split, number) for kind, number in numbered)
        return self._tasks[split]

    def panel(self, split: str) -> Panel:
        """Of all tasks: the paper's counts by category, drawn from the split at equal distances within the category.

        (The paper's own list of ids is not published.) Of a choice of tasks: as many of each as make up a hundred, or
        all that there are, also at equal distances.
        """
        listed = self.tasks(split)
        if self._is_confined:
            names = [kind.name for kind in self._kinds]
            counts = dict.fromkeys(names, -(-PANEL_TASKS // len(names)))
            groups = {name: [t for t in listed if t.task_id.startswith(f"{name}/")] for name in names}
        else:
            counts = dict(PANEL_COUNTS[split])
            groups = {category: [t for t in listed if t.category == category] for category in PAPER_CATEGORIES}
        chosen = [task for name, group in groups.items() for task in _evenly(group, counts[name])]
        return Panel(name=f"{self._env_id}/{split}", tasks=tuple(chosen))

    def _task(self, kind: Kind, split: str, variation: int) -> Task:
        task_id = f"{kind.name}/{variation}"
        return Task(env_id=self._env_id, task_id=task_id, split=split, seed=0, category=kind.category)

    def resolve(self, task: Task) -> Setting:
        """What ScienceWorld loads for a task. Any seed will do: it draws what happens by chance in the episode."""
        name, _, number = task.task_id.partition("/")
        is_ours = task.env_id == self._env_id and name in KINDS and number.isdecimal() and number.isascii()
        if not is_ours or len(number) > 9 or int(number) >= KINDS[name].num_variations:
            raise DataError(
                f"expected a task of {self._env_id}, such as find-animal/17, got {task.task_id!r} of {task.env_id!r}"
            )
        return Setting(
            task_name=name, variation=int(number), simplifications=",".join(_resolved(self._simplifications, name))
        )

    def make(self) -> SciWorldEnv:
        """A fresh environment for one episode. Raises `MissingDependencyError` without Java."""
        java_program()
        return SciWorldEnv(
            self.resolve,
            self._pool,
            max_steps=self._max_steps,
            listed_verbs=self._listed_verbs,
            reward=self._reward,
        )

    def oracle(self, env: Env) -> SciWorldOracle:
        """ScienceWorld's gold path for the episode of `env`."""
        if not isinstance(env, SciWorldEnv):
            raise TypeError(f"expected an environment made by this scenario, got {type(env).__name__}")
        return SciWorldOracle(env, self._gold_paths)


def _evenly(tasks: Sequence[Task], count: int) -> list[Task]:
    count = min(count, len(tasks))
    return [tasks[i * len(tasks) // count] for i in range(count)]


def _is_electrical(kind_name: str) -> bool:
    return any(part in kind_name for part in _ELECTRICAL)


def _checked_simplifications(given: str | Sequence[str], kinds: Sequence[Kind]) -> tuple[str, ...]:
    """The names in a fixed order; ``easy`` stays as it is, for what it means depends on the task."""
    names = [name.strip() for name in given.split(",") if name.strip()] if isinstance(given, str) else list(given)
    for name in names:
        if name not in (EASY, *SIMPLIFICATIONS):
            raise unknown_name("ScienceWorld simplification", name, (EASY, *SIMPLIFICATIONS))
    if EASY in names and len(set(names)) > 1:
        raise ConfigError(f"SciWorld: 'easy' stands alone among simplifications, got {names}")
    electrical = [kind.name for kind in kinds if _is_electrical(kind.name)]
    if NO_ELECTRICITY in names and electrical:
        raise ConfigError(f"SciWorld: simplification {NO_ELECTRICITY!r} makes tasks {electrical} impossible")
    return tuple(sorted(set(names)))


def _resolved(simplifications: Sequence[str], kind_name: str) -> Sequence[str]:
    """What ``easy`` means for a task: all but the opening of containers, with electricity where it is needed."""
    if EASY not in simplifications:
        return simplifications
    return [name for name in _EASY if not (name == NO_ELECTRICITY and _is_electrical(kind_name))]
