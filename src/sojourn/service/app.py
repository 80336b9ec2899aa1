"""The HTTP face of an `EpisodeTable`: FastAPI routes of protocol v1, and one error body for everything."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError

import sojourn
from sojourn.service.episodes import Answer, EpisodeTable
from sojourn.service.lifespan import lifespan
from sojourn.service.metrics import CONTENT_TYPE, Metrics
from sojourn.service.served import Served
from sojourn.service.wire import (
    MAX_ACTION_CHARS,
    MAX_BODY_BYTES,
    MAX_TASKS,
    PROTOCOL_VERSION,
    STATUS_RUNNING,
    Batch,
    BatchAnswer,
    BatchOther,
    BatchStart,
    BatchStep,
    Code,
    CommandsAnswer,
    ErrorBody,
    Health,
    OracleAnswer,
    PanelAnswer,
    ServiceError,
    Spec,
    StartAnswer,
    StartCall,
    StepAnswer,
    StepCall,
    TaskAt,
    TaskBody,
    TasksAnswer,
    to_json,
)
from sojourn.types import Task

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_JSON = "application/json"
_OPEN_PATHS = frozenset({"/v1/health"})
_ENV_FAILURES = (Code.ENV_FAILED, Code.ENV_TIMEOUT)
_START_REFUSALS = (
    Code.UNKNOWN_ENV,
    Code.UNKNOWN_SPLIT,
    Code.UNKNOWN_TASK,
    Code.EPISODE_EXISTS,
    Code.BAD_TASK,
    Code.BAD_REQUEST,
    Code.FULL,
    Code.DRAINING,
)
_STEP_REFUSALS = (
    Code.BAD_REQUEST,
    Code.WRONG_INDEX,
    Code.EPISODE_OVER,
    Code.ACTION_TOO_LONG,
    Code.BODY_TOO_LARGE,
)
EpisodeId = Annotated[str, Path(max_length=64, description="as `POST /v1/episodes` answered")]


class Service:
    """The calls of the protocol, over some environments and their table."""

    def __init__(self, served: Mapping[str, Served], table: EpisodeTable) -> None:
        self.served = served
        self.table = table
        self._running: set[asyncio.Task[_Entry]] = set()

    def find(self, env: str) -> Served:
        """The environment called `env`."""
        found = self.served.get(env)
        if found is None:
            raise ServiceError(Code.UNKNOWN_ENV, f"expected one of {', '.join(self.served)}, got {env!r}")
        return found

    async def spec(self) -> Spec:
        """What is served."""
        return Spec(
            protocol_version=PROTOCOL_VERSION,
            sojourn_version=sojourn.__version__,
            lease_s=self.table.lease_s,
            max_action_chars=MAX_ACTION_CHARS,
            environments=[await served.spec() for served in self.served.values()],
        )

    def health(self) -> Health:
        """Whether episodes can be started."""
        table = self.table
        is_full = len(table) >= table.capacity
        return Health(
            status="draining" if table.is_draining else "full" if is_full else "ok",
            open_episodes=len(table),
            capacity=table.capacity,
            oldest_idle_s=max(table.idle_s(), default=0.0),
        )

    async def start(self, call: StartCall) -> bytes:
        """The JSON of a `StartAnswer`."""
        task = self._task(self.find(call.env), call.task)
        answer = await self.table.start(call.env, task, episode_id=call.episode_id, commands=call.commands)
        head = {"episode_id": answer.episode_id, "lease_s": self.table.lease_s, "task": TaskBody.of(task)}
        return b'%b,"result":%b}' % (to_json(head)[:-1], answer.body)

    def _task(self, served: Served, task: TaskBody | TaskAt) -> Task:
        return task.task() if isinstance(task, TaskBody) else served.task_at(task.split, task.index)

    async def batch(self, batch: Batch) -> bytes:
        """The JSON of a `BatchAnswer`; what runs longer than ``wait_s`` goes on, and is answered when said again."""
        # those that go elsewhere first, so that they are under way while the light ones are done here
        tasks = {n: asyncio.ensure_future(self._entry(call)) for n, call in enumerate(batch.calls) if self._waits(call)}
        rows = [_RUNNING_JSON if n in tasks else _entry_json(await self._entry(c)) for n, c in enumerate(batch.calls)]
        if tasks:
            await asyncio.wait(tasks.values(), timeout=batch.wait_s)
        for number, task in tasks.items():
            if task.done():
                rows[number] = _entry_json(task.result())
            else:
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        return b'{"answers":[%b]}' % b",".join(rows)

    def _waits(self, call: BatchStart | BatchStep | BatchOther) -> bool:
        """Whether the call needs a task of its own, which costs as much as a light environment's step."""
        return not (isinstance(call, BatchStep) and self.table.is_light(call.episode_id))

    async def _entry(self, call: BatchStart | BatchStep | BatchOther) -> _Entry:
        try:
            if isinstance(call, BatchStep):
                step = self.table.step(call.episode_id, call.index, call.action, commands=call.commands)
                return 200, (await step).body, None
            if isinstance(call, BatchStart):
                return 201, await self.start(call), None
            if call.call == "close":
                self.table.close(call.episode_id)
                return 204, b"null", None
            answer = self.table.oracle if call.call == "oracle" else self.table.commands
            return 200, (await answer(call.episode_id)).body, None
        except ServiceError as error:
            return error.status, error.body(), error.retry_after_s


_Entry = tuple[int, bytes, int | None]
_RUNNING_JSON = b'{"status":%d,"body":null}' % STATUS_RUNNING


def _entry_json(entry: _Entry) -> bytes:
    status, body, retry_after_s = entry
    if retry_after_s is None:
        return b'{"status":%d,"body":%b}' % (status, body)
    return b'{"status":%d,"body":%b,"retry_after_s":%d}' % (status, body, retry_after_s)


def make_app(served: Mapping[str, Served], table: EpisodeTable, metrics: Metrics) -> FastAPI:
    """The ASGI application; its lifespan runs the reaper and ends the environments' processes."""
    app = FastAPI(
        title="Sojourn environment service",
        version=f"{PROTOCOL_VERSION}",
        description="Episodes of text environments over HTTP. An answer with status 2xx never holds an error.",
        lifespan=lifespan(served, table),
        responses=_errors(Code.BAD_REQUEST, Code.UNAUTHORIZED, Code.BODY_TOO_LARGE),
        # what is not needed to play, but to look at the service, is not worth an unknown page from elsewhere
        docs_url=None,
        redoc_url=None,
    )
    service = Service(served, table)
    _add_reading(app, service, metrics)
    _add_episodes(app, service)
    _add_error_handlers(app)
    return app


def _errors(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for OpenAPI."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        status = ServiceError(code, "").status
        said = [found[status]["description"]] if status in found else []
        found[status] = {"model": ErrorBody, "description": ", ".join([*said, code.value])}
    return found


def _add_reading(app: FastAPI, service: Service, metrics: Metrics) -> None:
    """What can be asked without an episode."""

    @app.get("/v1/spec", response_model=Spec, responses=_errors(*_ENV_FAILURES))
    async def spec() -> Response:
        """The environments that are served."""
        return _json((await service.spec()).model_dump_json().encode())

    @app.get("/v1/tasks", response_model=TasksAnswer, responses=_errors(Code.UNKNOWN_ENV, Code.UNKNOWN_SPLIT))
    async def tasks(
        env: str,
        split: str,
        offset: Annotated[int, Query(ge=0, lt=2**53)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_TASKS)] = 1000,
    ) -> Response:
        """Tasks of a split, in their fixed order."""
        return _json(await service.find(env).tasks(split, offset, limit))

    @app.get("/v1/panel", response_model=PanelAnswer, responses=_errors(Code.UNKNOWN_ENV, Code.UNKNOWN_SPLIT))
    async def panel(env: str, split: str) -> Response:
        """The evaluation panel of a split, with its hash."""
        return _json(await service.find(env).panel(split))

    @app.get("/v1/health", response_model=Health)
    async def health() -> Response:
        """Whether episodes can be started; needs no token."""
        return _json(service.health().model_dump_json().encode())

    @app.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
    async def prometheus() -> Response:
        """Prometheus text."""
        return Response(metrics.text(), media_type=CONTENT_TYPE)


def _add_episodes(app: FastAPI, service: Service) -> None:
    """What is done in episodes."""
    table = service.table
    gone = (Code.UNKNOWN_EPISODE, Code.LEASE_EXPIRED, Code.BAD_TASK, *_ENV_FAILURES)

    @app.post(
        "/v1/episodes",
        status_code=201,
        response_model=StartAnswer,
        responses=_errors(*_START_REFUSALS, *_ENV_FAILURES),
    )
    async def start(call: StartCall) -> Response:
        """Start an episode; with an `episode_id` of the client's own the call can be said again."""
        return _json(await service.start(call), 201)

    @app.post(
        "/v1/episodes/{episode_id}/steps",
        response_model=StepAnswer,
        responses=_errors(*gone, *_STEP_REFUSALS),
    )
    async def step(episode_id: EpisodeId, call: StepCall) -> Response:
        """Act; the same index with the same action again gives the same answer."""
        return _answer(await table.step(episode_id, call.index, call.action, commands=call.commands))

    @app.get(
        "/v1/episodes/{episode_id}/commands",
        response_model=CommandsAnswer,
        responses=_errors(*gone, Code.BAD_REQUEST, Code.NO_COMMANDS),
    )
    async def commands(episode_id: EpisodeId) -> Response:
        """The admissible commands of the current state."""
        return _answer(await table.commands(episode_id))

    @app.get(
        "/v1/episodes/{episode_id}/oracle",
        response_model=OracleAnswer,
        responses=_errors(*gone, Code.BAD_REQUEST, Code.NO_ORACLE, Code.EPISODE_OVER),
    )
    async def oracle(episode_id: EpisodeId) -> Response:
        """The expert's next action."""
        return _answer(await table.oracle(episode_id))

    @app.delete("/v1/episodes/{episode_id}", status_code=204)
    async def close(episode_id: EpisodeId) -> Response:
        """Close an episode; one that is not open is fine."""
        table.close(episode_id)
        return Response(status_code=204)

    @app.post("/v1/batch", response_model=BatchAnswer)
    async def batch(calls: Batch) -> Response:
        """Many calls at once, answered in their order, each with its own status."""
        return _json(await service.batch(calls))


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status_code=status, media_type=_JSON)


def _answer(answer: Answer) -> Response:
    return _json(answer.body)


def _failure(error: ServiceError) -> Response:
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    if error.code is Code.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(error.body(), status_code=error.status, media_type=_JSON, headers=headers)


def _add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(ServiceError)
    async def refused(_: Request, error: ServiceError) -> Response:
        return _failure(error)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        places = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:3]]
        message = json.dumps("; ".join(places))[1:-1]  # it may quote text that UTF-8 cannot hold
        return _failure(ServiceError(Code.BAD_REQUEST, message))

    def by_status(status: int, code: Code, message: str) -> None:
        async def handler(_: Request, __: Exception) -> Response:
            return _failure(ServiceError(code, message))

        app.add_exception_handler(status, handler)

    by_status(400, Code.BAD_REQUEST, "the body is not JSON in UTF-8")
    by_status(404, Code.UNKNOWN_PATH, "no such path; /openapi.json lists them")
    by_status(405, Code.BAD_METHOD, "no such method here; /openapi.json lists them")


def guarded(app: AsgiApp, token: str | None) -> AsgiApp:
    """`app` behind a bearer token (None: open to everyone), with a limit on the size of what it is sent."""
    wanted = None if token is None else f"Bearer {token}".encode()

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        refusal = _refusal(scope, wanted)
        if refusal is None:
            await app(scope, receive, send)
        else:
            await _failure(refusal)(scope, receive, send)

    return guard


def _refusal(scope: Scope, wanted: bytes | None) -> ServiceError | None:
    shown, length, is_chunked = b"", 0, False
    for name, value in scope["headers"]:
        if name == b"authorization":
            shown = value
        elif name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            is_chunked = True
    if wanted is not None and scope["path"] not in _OPEN_PATHS and not hmac.compare_digest(shown, wanted):
        return ServiceError(Code.UNAUTHORIZED, "expected the header Authorization: Bearer TOKEN with the right token")
    if is_chunked or length > MAX_BODY_BYTES:
        return ServiceError(Code.BODY_TOO_LARGE, f"expected a body of known length, at most {MAX_BODY_BYTES} bytes")
    return None
