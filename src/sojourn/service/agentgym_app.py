"""Our environments on AgentGym's routes, so that its clients work as they are: ``sojourn serve --wire agentgym``.

The routes and fields are theirs, episodes are those of our own service: leased, reaped, in worker processes. What
theirs gets wrong is not repeated: an error has its HTTP status (and the field ``error`` that their clients look for),
an episode that has ended cannot be stepped, and closing frees. A refused command has one field more, ``invalid``.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Body, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from sojourn.errors import ConfigError, DataError
from sojourn.service.agentgym_tasks import NUMBERINGS, Numbering
from sojourn.service.agentgym_wires import WIRES, Wire
from sojourn.service.episodes import EpisodeTable
from sojourn.service.lifespan import lifespan
from sojourn.service.metrics import CONTENT_TYPE, Metrics
from sojourn.service.served import Served
from sojourn.service.wire import Code, ServiceError, StepAnswer

_MAX_NUMBER = 10**15


class CreateBody(BaseModel):
    """What TextCraft's clients may ask for when they create; we serve listed tasks only."""

    commands: str | None = None
    goal: str | None = None


@dataclass(kw_only=True)
class _Slot:
    """What a client calls an environment: an id, and one episode after another in it."""

    used_at: float
    episode_id: str | None = None
    num_steps: int = 0
    total: float = 0.0
    """Sum of the rewards so far, in the wire's unit."""
    last: dict[str, Any] = field(default_factory=dict)
    """The last answer."""
    task_description: str = ""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Slots:
    """Created environments by their number; as many as the table has room for, dropped after a lease without a call."""

    def __init__(self, served: Served, table: EpisodeTable, numbering: Numbering) -> None:
        self._served = served
        self._table = table
        self._numbering = numbering
        self._slots: dict[int, _Slot] = {}
        self._numbers = itertools.count()

    async def create(self, task: int | None = None) -> tuple[int, dict[str, Any]]:
        """A new slot, with the task of that number begun in it if one is given."""
        now = time.monotonic()
        for number in [n for n, slot in self._slots.items() if slot.used_at + self._table.lease_s < now]:
            await self.close(number)
        if len(self._slots) >= self._table.capacity:
            raise ServiceError(Code.FULL, f"{len(self._slots)} environments are open, which is all", retry_after_s=1)
        number = next(self._numbers)
        self._slots[number] = _Slot(used_at=now)
        try:
            return number, {} if task is None else await self.reset(number, task)
        except ServiceError:
            await self.close(number)
            raise

    async def reset(self, number: int, task_number: int) -> dict[str, Any]:
        """Begin the task of that number in a slot, whatever was played in it before."""
        slot = self._find(number)
        try:
            task = self._numbering.task(self._served.scenario, task_number)
        except DataError as error:
            raise ServiceError(Code.UNKNOWN_TASK, str(error)) from error
        async with slot.lock:
            if slot.episode_id is not None:
                self._table.close(slot.episode_id)
                slot.episode_id = None
            answer = await self._table.start(self._served.name, task)
            slot.episode_id, slot.num_steps, slot.total = answer.episode_id, 0, 0.0
            first = self._numbering.first(task, answer.step().observation)
            slot.task_description = first.get("task_description", "")
            slot.last = first | self._paid(slot, answer.step())
        return slot.last

    async def step(self, number: int, action: str) -> dict[str, Any]:
        """Act in a slot."""
        slot = self._find(number)
        async with slot.lock:
            if slot.episode_id is None:
                raise ServiceError(Code.BAD_REQUEST, f"environment {number} has no task yet: reset it first")
            answer = await self._table.step(slot.episode_id, slot.num_steps + 1, action)
            slot.num_steps += 1
            result = answer.step()
            slot.last = {"observation": result.observation} | self._paid(slot, result)
        return slot.last

    def _paid(self, slot: _Slot, result: StepAnswer) -> dict[str, Any]:
        reward = result.reward * self._numbering.full
        slot.total += reward
        totals = {"score": result.info.get("score", slot.total)} if self._numbering.has_total else {}
        refused = {"invalid": True} if result.info.get("invalid") is True else {}
        constants = self._numbering.step_constants if slot.num_steps else {}
        return {"reward": reward, **totals, "done": result.terminated or result.truncated, **constants, **refused}

    def last(self, number: int) -> dict[str, Any]:
        """The last answer of a slot."""
        slot = self._find(number)
        if not slot.last:
            raise ServiceError(Code.BAD_REQUEST, f"environment {number} has no task yet: reset it first")
        return slot.last

    def detail(self, number: int) -> dict[str, Any]:
        """Which task is being played, and how far."""
        last, slot = self.last(number), self._find(number)
        task = self._table.task(slot.episode_id) if slot.episode_id is not None else None
        return {"id": number, "task_id": task and task.task_id, "num_steps": slot.num_steps, **last}

    def task_description(self, number: int) -> str:
        """ScienceWorld's words for the task."""
        self.last(number)
        return self._find(number).task_description

    async def close(self, number: int) -> bool:
        """Free a slot; False where there was none."""
        slot = self._slots.pop(number, None)
        if slot is not None and slot.episode_id is not None:
            self._table.close(slot.episode_id)
        return slot is not None

    def _find(self, number: int) -> _Slot:
        slot = self._slots.get(number)
        if slot is None:
            raise ServiceError(Code.UNKNOWN_EPISODE, f"no environment {number} is open")
        slot.used_at = time.monotonic()
        return slot


def agentgym_options(environments: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The options with which an environment speaks as AgentGym's does, where the user has not said otherwise.

    Raises `ConfigError` for more than one environment, or one that AgentGym does not number.
    """
    if len(environments) != 1 or not environments.keys() <= NUMBERINGS.keys():
        known, came = ", ".join(sorted(NUMBERINGS)), ", ".join(environments)
        raise ConfigError(f"--wire agentgym serves one of {known}, each at an address of its own; got {came}")
    return {name: {**NUMBERINGS[name].options, **options} for name, options in environments.items()}


def make_agentgym_app(served: Mapping[str, Served], table: EpisodeTable, metrics: Metrics) -> FastAPI:
    """The ASGI application for the one environment that is served."""
    ((name, one),) = served.items()
    numbering = NUMBERINGS[name]
    slots = Slots(one, table, numbering)
    app = FastAPI(
        title=f"Sojourn's {name} on AgentGym's wire",
        lifespan=lifespan(served, table),
        docs_url=None,
        redoc_url=None,
    )
    wire = WIRES[numbering.wire]
    _add_create(app, slots, numbering, wire)
    _add_routes(app, slots, numbering, wire)
    _add_about(app, name, metrics)
    _add_error_handlers(app)
    return app


def _add_about(app: FastAPI, name: str, metrics: Metrics) -> None:
    @app.get("/")
    async def greeting() -> str:
        return f"This is environment {name}."

    @app.get("/metrics")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _add_routes(app: FastAPI, slots: Slots, numbering: Numbering, wire: Wire) -> None:
    # FastAPI looks at the defaults of a route: what the wire calls the slot, the task and what to do
    slot, slot_asked = Body(alias=wire.id_field, embed=True), Query(alias=wire.id_field)
    task, said = _task_in_body(wire), Body(embed=True)

    @app.post("/reset")
    async def reset(number: int = slot, task_number: int = task) -> Any:
        answer = await slots.reset(number, task_number)
        if not wire.first:
            return answer["observation"]
        return {wire.id_field: number, **answer} if numbering.creates_an_episode else {**answer, "deleted": False}

    @app.post("/step")
    async def step(number: int = slot, action: str = said) -> dict[str, Any]:
        return await slots.step(number, action)

    @app.post("/close")
    async def close(number: int = slot) -> dict[str, bool]:
        return {"closed": await slots.close(number)}

    @app.get("/observation")
    async def observation(number: int = slot_asked) -> Any:
        last = slots.last(number)
        return last if numbering.observes_an_object else last["observation"]

    @app.get("/detail")
    async def detail(number: int = slot_asked) -> dict[str, Any]:
        return slots.detail(number)

    if numbering.has_description:

        @app.get("/task_description")
        async def task_description(number: int = slot_asked) -> str:
            return slots.task_description(number)


def _task_in_body(wire: Wire) -> Any:
    return Body(alias=wire.task_field, embed=True, ge=0, lt=_MAX_NUMBER)


def _add_create(app: FastAPI, slots: Slots, numbering: Numbering, wire: Wire) -> None:
    task = _task_in_body(wire)

    if wire.creates_with_task:

        @app.post("/create")
        async def create_with_task(task_number: int = task) -> Any:
            number, first = await slots.create(task_number)
            return number if wire.is_id_bare else {wire.id_field: number, **first}

    else:

        @app.post("/create")
        async def create(body: CreateBody | None = None) -> Any:
            if body is not None and (body.commands is not None or body.goal is not None):
                raise ServiceError(Code.BAD_REQUEST, "expected no commands and no goal: tasks are chosen with /reset")
            number, first = await slots.create(0 if numbering.creates_an_episode else None)
            return {wire.id_field: number, **first}


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(ServiceError)
    async def refused(_: Request, error: ServiceError) -> Response:
        headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
        return JSONResponse({"error": error.message, "code": error.code}, error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3])
        message = places.encode(errors="replace").decode()  # it may quote text that UTF-8 cannot hold
        return JSONResponse({"error": message, "code": Code.BAD_REQUEST}, 422)
