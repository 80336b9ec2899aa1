"""Environments of AgentGym servers that exist already, as a `Scenario`.

One client for all of them; what differs is a row of `sojourn.service.agentgym_wires`. That wire has no idempotent step:
a connection that drops while a step is out is a failed episode (`EnvError`), never a second step and never a reward.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto
from typing import Any

from sojourn.envs.protocol import Env, Oracle, Panel
from sojourn.envs.task_list import TaskList
from sojourn.errors import ConfigError, DataError, EnvError, MissingDependencyError, unknown_name
from sojourn.service.agentgym_ids import split_ids
from sojourn.service.agentgym_wires import WIRES, Listing, Pay, Wire
from sojourn.types import StepResult, Task

try:
    from sojourn.service.agentgym_http import CLOSE_TIMEOUT_S, Connections, field_of, number_in, text_in, truth_in
except ModuleNotFoundError as error:
    if error.name != "aiohttp":
        raise
    raise MissingDependencyError(
        "aiohttp, which speaks to AgentGym servers,", "pip install 'sojourn[agentgym]'"
    ) from error

log = logging.getLogger(__name__)

_NOTHING = "(nothing)"
_LISTED = re.compile(r"\nAvailable actions: (\[[^\n]*\])\s*$")


class _State(Enum):
    NEW = auto()
    LIVE = auto()
    OVER = auto()
    CLOSED = auto()


class AgentGymScenario:
    """Tasks on an AgentGym server that runs at `url`.

    `scenario` names the environment it serves. Tasks are numbers there; which belong to a split is said by `ids`
    (split -> a published list, ``[{"item_id": "textcraft_12"}, …]``, or the numbers) or by `ranges` (split -> first
    and end). Where neither gives ``validation``, `validation` tasks of ``train`` become it. `panel_tasks` bounds an
    evaluation panel, `timeout_s` every call, and `instructions` replaces the rules as told to the agent.
    """

    def __init__(
        self,
        *,
        scenario: str,
        url: str = "http://127.0.0.1:36001",
        ids: Mapping[str, str | Sequence[int]] | None = None,
        ranges: Mapping[str, Sequence[int]] | None = None,
        validation: int | None = None,
        panel_tasks: int = 100,
        timeout_s: float = 120.0,
        instructions: str | None = None,
    ) -> None:
        if scenario not in WIRES:
            raise unknown_name("AgentGym environment", scenario, WIRES)
        if panel_tasks < 1 or timeout_s <= 0:
            raise ConfigError(f"expected panel_tasks >= 1 and timeout_s > 0, got {panel_tasks} and {timeout_s}")
        self._name = scenario
        self._wire = WIRES[scenario]
        self._names = (scenario, *self._wire.aliases)
        self._ids = split_ids(self._names, self._wire.known_ids, ids or {}, ranges or {}, validation)
        self._panel_tasks = panel_tasks
        self._instructions = instructions
        self._connections = Connections(url, timeout_s)
        self._num_leaked = 0

    @property
    def env_id(self) -> str:
        """``agentgym-<environment>-v1``: of the wire; the server does not say its own version."""
        return f"agentgym-{self._name}-v1"

    @property
    def instructions(self) -> str:
        """The rules and commands."""
        return self._wire.instructions if self._instructions is None else self._instructions

    @property
    def example_command(self) -> str:
        """One well-formed command."""
        return self._wire.example_command

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have ids."""
        return tuple(self._ids)

    @property
    def num_leaked(self) -> int:
        """Episodes that the server still holds, because it has no way to close them, or failed to."""
        return self._num_leaked

    def tasks(self, split: str) -> Sequence[Task]:
        """The split's tasks in the order of its list."""
        if split not in self._ids:
            raise unknown_name("split", split, self._ids)
        return TaskList(self._ids[split], lambda number: self._task(number, split))

    def _task(self, number: int, split: str) -> Task:
        return Task(env_id=self.env_id, task_id=f"{self._name}_{number}", split=split, seed=number)

    def panel(self, split: str) -> Panel:
        """Tasks of the split, evenly spaced (all, when there are few)."""
        tasks = self.tasks(split)
        count = min(self._panel_tasks, len(tasks))
        chosen = tuple(tasks[index * len(tasks) // count] for index in range(count))
        return Panel(name=f"{self.env_id}/{split}", tasks=chosen)

    def make(self) -> Env:
        """A fresh environment for one episode."""
        kind = AgentGymEnv if self._wire.listing is Listing.NONE else ListingAgentGymEnv
        return kind(self._wire, self._connections, self.number_of, self._leaked)

    def oracle(self, env: Env) -> Oracle:
        """There is none: raises `ConfigError`."""
        raise ConfigError(f"{self.env_id} has no oracle: AgentGym's wire has no call for one")

    def number_of(self, task: Task) -> int:
        """The number of a task on the server; raises `DataError` for a task of another environment."""
        prefix, _, number = task.task_id.rpartition("_")
        if task.env_id != self.env_id or prefix != self._name or not re.fullmatch(r"[0-9]{1,15}", number):
            raise DataError(f"expected a task of {self.env_id}, got {task.task_id!r} of {task.env_id!r}")
        return int(number)

    def _leaked(self, reason: str) -> None:
        self._num_leaked += 1
        if self._num_leaked == 1:
            log.warning("%s at %s keeps episodes open (%s)", self.env_id, self._connections.url, reason)


class AgentGymEnv:
    """One episode on an AgentGym server."""

    def __init__(
        self, wire: Wire, connections: Connections, number_of: Callable[[Task], int], leaked: Callable[[str], None]
    ) -> None:
        self._wire = wire
        self._connections = connections
        self._number_of = number_of
        self._leaked = leaked
        self._state = _State.NEW
        self._is_connected = False
        self._episode: int | str | None = None
        self._total = 0.0
        self._commands: tuple[str, ...] = ()

    async def reset(self, task: Task) -> StepResult:
        """Create an episode on the server and set it to the task."""
        if self._state is not _State.NEW:
            raise EnvError(f"reset of an environment that is {self._state.name.lower()}; an episode is used once")
        number = self._number_of(task)
        self._state = _State.OVER  # until everything has gone well
        self._connections.acquire()
        self._is_connected = True
        wire = self._wire
        created = await self._post("create", {wire.task_field: number} if wire.creates_with_task else {})
        self._episode = self._id_in(created)
        body = {wire.id_field: self._episode, wire.task_field: number, **wire.reset_constants}
        answer = await self._post("reset", body)
        observation = await self._first(answer)
        if isinstance(answer, dict):
            if answer.get("done") is True or answer.get("deleted") is True:
                raise EnvError("reset: the server says that the episode has ended already")
            if wire.pays is Pay.TOTAL and wire.reward_field in answer:
                self._total = number_in(answer[wire.reward_field], f"reset: {wire.reward_field}")
        self._note_commands(answer, observation)
        self._state = _State.LIVE
        return StepResult(observation=observation, success=False)

    def _id_in(self, created: Any) -> int | str:
        name = "create" if self._wire.is_id_bare else f"create: {self._wire.id_field}"
        value = created if self._wire.is_id_bare else field_of(created, self._wire.id_field, "create")
        if isinstance(value, bool) or not isinstance(value, int | str):
            raise EnvError(f"{name}: expected the episode's number, got {str(value)[:200]!r}")
        return value

    async def _first(self, answer: Any) -> str:
        if self._wire.first:
            texts = [text_in(field_of(answer, name, "reset"), f"reset: {name}") for name in self._wire.first]
            return self._checked("\n".join(texts))
        if isinstance(answer, dict) and "observation" in answer:  # a failure is said here, and then shown no more
            self._checked(text_in(answer["observation"], "reset: observation"))
        path, query = f"{self._wire.prefix}/observation", {self._wire.id_field: self._episode}
        return self._checked(text_in(await self._connections.ask("GET", path, query=query), "observation"))

    async def step(self, action: str) -> StepResult:
        """Send one command, once."""
        if self._state is not _State.LIVE:
            raise EnvError(f"step of an environment that is {self._state.name.lower()}, expected a live episode")
        self._state = _State.OVER  # until everything has gone well: from an unknown outcome nothing can go on
        answer = await self._post("step", {self._wire.id_field: self._episode, "action": self._said(action)})
        text = field_of(answer, self._wire.text_field, "step")
        observation = _NOTHING if text == "" else self._checked(text_in(text, f"step: {self._wire.text_field}"))
        result = self._result(answer, observation)
        if not (result.terminated or result.truncated):
            self._note_commands(answer, observation)
            self._state = _State.LIVE
        return result

    def _result(self, answer: Any, observation: str) -> StepResult:
        """What the answer means: reward of this step, how it ends, whether it is solved."""
        wire = self._wire
        is_done = truth_in(field_of(answer, wire.done_field, "step"), f"step: {wire.done_field}")
        is_cut = wire.cut_field is not None and truth_in(field_of(answer, wire.cut_field, "step"), wire.cut_field)
        value = number_in(field_of(answer, wire.reward_field, "step"), f"step: {wire.reward_field}")
        paid = value - self._total if wire.pays is Pay.TOTAL else value
        self._total = value if wire.pays is Pay.TOTAL else 0.0
        is_solved = paid > 0 if wire.any_gain_solves else value >= wire.full
        if wire.any_gain_solves and paid < 0:  # solved after the limit that the server had overlooked
            is_cut, paid = True, 0.0
        if wire.is_partial_end_a_cut and is_done and abs(value) < wire.full:
            is_cut = True
        info: dict[str, Any] = {"total": value} if wire.pays is Pay.TOTAL else {}
        if answer.get("invalid") is True or observation.startswith(wire.refusals):
            info["invalid"] = True
        return StepResult(
            observation=observation,
            reward=paid / wire.full,
            terminated=is_solved or (is_done and not is_cut),  # solved is solved, whatever `done` says
            truncated=is_cut and not is_solved,
            success=is_solved,
            info=info,
        )

    async def close(self) -> None:
        """Tell the server, where it can be told."""
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        if not self._is_connected:
            return
        try:
            if self._episode is not None:
                await self._let_go()
        finally:
            await self._connections.release()

    async def _let_go(self) -> None:
        if not self._wire.closes:
            self._leaked("the server has no way to close one")
            return
        try:
            await self._post("close", {self._wire.id_field: self._episode}, CLOSE_TIMEOUT_S)
        except EnvError as error:  # the episode is over: a close that fails must not change what it was
            self._leaked(str(error))

    async def _post(self, route: str, body: Mapping[str, Any], timeout_s: float | None = None) -> Any:
        return await self._connections.ask("POST", f"{self._wire.prefix}/{route}", body, timeout_s=timeout_s)

    def _said(self, action: str) -> str:
        """The action as the wire takes it; half a surrogate pair is no text anywhere."""
        text = action.encode(errors="replace").decode()
        return text if "```" in text else self._wire.action.replace("{}", text)

    def _checked(self, observation: str) -> str:
        if observation.strip() in self._wire.failures:
            raise EnvError(f"the server's environment failed: {observation.strip()}")
        return observation

    def _note_commands(self, answer: Any, observation: str) -> None:
        listed: Any = ()
        if self._wire.listing is Listing.FIELD:
            listed = field_of(answer, "available_actions", "admissible commands")
        elif self._wire.listing is Listing.TEXT and (match := _LISTED.search(observation)):
            try:
                listed = json.loads(match[1])
            except ValueError as error:
                raise EnvError(f"expected a JSON list of available actions, got {match[1][:200]!r}") from error
        if not all(isinstance(command, str) for command in listed):
            raise EnvError(f"expected a list of commands, got {str(listed)[:200]!r}")
        self._commands = tuple(dict.fromkeys(listed))


class ListingAgentGymEnv(AgentGymEnv):
    """An episode on a server whose answers list the admissible commands."""

    async def admissible_commands(self) -> Sequence[str]:
        """The commands of the last answer, each once."""
        return self._commands if self._state is _State.LIVE else ()
