"""A server with the fifteen wires of AgentGym, faults included, on one port: ``/textcraft``, ``/babyai``, …

Written from the description of the wires, not from our client's table: what they share is what they are tested for.
The game is the same everywhere: ``solve`` solves, ``half`` earns half, ``lose`` ends badly, anything else does nothing.
Some actions make the server misbehave (`FAULTS`). ``GET /stats`` says how many episodes are open and what was acted.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

MAX_MOVES = 3


@dataclass
class Game:
    """One episode, as the server holds it."""

    number: int = -1
    score: float = 0.0
    paid: float = 0.0
    """Of the last step."""
    done: bool = False
    moves: int = 0
    text: str = "nothing yet"

    def act(self, action: str, most: float, keeps_paying: bool) -> None:
        self.moves += 1
        self.text = f"You did {action!r}."
        if action == "refused":
            self.text = "Nothing happens. Could not do that."
        earned = {"solve": most, "half": most / 2, "lose": 0.0}.get(action, 0.0)
        if action == "late":
            earned = -0.2375
        self.paid = earned if earned or not keeps_paying else self.paid
        self.score += self.paid
        self.done = action in ("solve", "lose", "late")


@dataclass(frozen=True)
class Server:
    """One wire."""

    id_field: str
    task_field: str
    created: Callable[[int], Any]
    reset: Callable[[Game, int], Any]
    stepped: Callable[[Game], Any]
    observed: Callable[[Game], Any] = lambda game: f"Task {game.number}. {game.text}"
    prefix: str = ""
    creates_with_task: bool = False
    constants: dict[str, Any] = field(default_factory=dict)
    closes: bool = False
    most: float = 1.0
    wrap: tuple[str, str] = ("", "")
    """What the server expects around a command."""


def by_id(number: int) -> Any:
    return {"id": number}


def first(game: Game) -> str:
    return f"Task {game.number}."


def step_of(*fields: str) -> Callable[[Game], Any]:
    def stepped(game: Game) -> Any:
        known = {
            "observation": game.text,
            "state": game.text,
            "reward": game.paid,
            "score": game.score,
            "done": game.done,
            "terminated": game.done,
            "truncated": False,
            "available_actions": ["solve", "half", "solve"],
            "info": None,
        }
        return {name: known[name] for name in fields}

    return stepped


def babyai_step(game: Game) -> Any:
    # the end is denied when little was paid, and then what was paid is paid again by every call
    done = game.done and game.paid > 0.5
    listed = json.dumps(["solve", "half", "late"])
    return {
        "observation": f"{game.text}\nAvailable actions: {listed}",
        "reward": game.paid,
        "score": game.score,
        "done": done,
    }


def sciworld_step(game: Game) -> Any:
    if game.text == "You did 'lose'.":
        game.score = -100
    return {
        "observation": game.text,
        "reward": game.paid,
        "score": game.score,
        "done": game.done or game.moves >= MAX_MOVES,
    }


def bare_text(game: Game, _: int) -> Any:
    return first(game)


TOOL = Server(
    "env_idx",
    "id",
    created=lambda number: number,
    reset=bare_text,
    stepped=lambda game: {"observation": game.text, "reward": min(1.0, game.score), "done": game.done},
    creates_with_task=True,
)
LISTED = ("observation", "reward", "available_actions", "done")
SERVERS = {
    "textcraft": Server(
        "id",
        "data_idx",
        created=lambda number: {"id": number, "observation": "Task -1.", "done": False, "reward": 0},
        reset=lambda game, number: {"id": number, "observation": first(game), "done": False, "reward": 0},
        stepped=step_of("observation", "reward", "done"),
        closes=True,
    ),
    "babyai": Server(
        "id",
        "data_idx",
        created=by_id,
        reset=lambda game, _: babyai_step(game) | {"observation": f"Your goal: {first(game)}", "deleted": False},
        stepped=babyai_step,
        closes=True,
        most=0.4,
    ),
    "sciworld": Server(
        "id",
        "data_idx",
        created=by_id,
        reset=lambda game, _: {
            "task_name": "boil",
            "var_num": 0,
            "task_description": first(game),
            "observation": "This room is a kitchen.",
            "reward": 0,
            "score": 0,
            "deleted": False,
            "done": False,
        },
        stepped=sciworld_step,
        closes=True,
        most=100,
    ),
    "alfworld": Server(
        "id",
        "game",
        created=by_id,
        reset=lambda game, number: {
            "id": number,
            "observation": first(game),
            "available_actions": ["solve", "half"],
            "task_type": "pick_and_place",
        },
        stepped=step_of(*LISTED),
        constants={"world_type": "Text"},
    ),
    "webshop": Server(
        "env_idx",
        "session_id",
        created=lambda number: number,
        reset=lambda game, _: [first(game), None],
        stepped=step_of("state", "reward", "done", "info"),
    ),
    "searchqa": Server(
        "env_idx",
        "id",
        created=lambda number: number,
        reset=bare_text,
        stepped=step_of("observation", "reward", "done", "info"),
        creates_with_task=True,
        closes=True,
    ),
    "webarena": Server(
        "env_idx",
        "idx",
        created=lambda number: {"env_idx": number},
        reset=lambda game, _: {
            "observation": "TimeoutError" if game.number == 13 else "a page",
            "sites": ["shopping"],
            "object": "buy it",
        },
        stepped=step_of("observation", "reward", "terminated", "truncated", "info"),
        constants={"seed": 0},
        closes=True,
        wrap=("In summary, the next action I will perform is ```", "```"),
    ),
    "sqlgym": Server(
        "env_idx",
        "item_id",
        created=lambda number: number,
        reset=lambda game, _: [first(game), None],
        stepped=step_of("state", "reward", "done", "info"),
    ),
    "maze": Server(
        "id",
        "game",
        created=by_id,
        reset=lambda game, _: {"observation": first(game)},
        stepped=step_of("observation", "reward", "done"),
        prefix="/maze",
    ),
    "wordle": Server(
        "id",
        "seed",
        created=by_id,
        reset=lambda game, _: {"observation": first(game)},
        stepped=step_of("observation", "reward", "done"),
        prefix="/wordle",
    ),
    "weather": TOOL,
    "movie": TOOL,
    "academia": TOOL,
    "todo": TOOL,
    "sheet": TOOL,
}


class Wire:
    """The routes of one environment, and what they hold."""

    def __init__(self, name: str, server: Server, acted: list[str]) -> None:
        self._name = name
        self._server = server
        self._acted = acted
        self._created = 0
        self.games: dict[int, Game] = {}

    def add_to(self, app: FastAPI) -> None:
        base = f"/{self._name}{self._server.prefix}"
        posts = {"create": self.create, "reset": self.reset, "step": self.step}
        posts |= {"close": self.close} if self._server.closes else {}
        for name, handler in posts.items():
            app.add_api_route(f"{base}/{name}", handler, methods=["POST"])
        app.add_api_route(f"{base}/observation", self.observation)

    async def create(self, request: Request) -> Response:
        body = await request.json()
        if self._server.creates_with_task and self._server.task_field not in body:
            return JSONResponse({"detail": "field required"}, 422)
        number, self._created = self._created, self._created + 1
        self.games[number] = Game()
        return JSONResponse(self._server.created(number))

    async def reset(self, request: Request) -> Response:
        body = await request.json()
        wanted = {self._server.id_field, self._server.task_field, *self._server.constants}
        if body.keys() != wanted or any(body[key] != value for key, value in self._server.constants.items()):
            return JSONResponse({"detail": f"expected {sorted(wanted)}, got {body}"}, 422)
        number = body[self._server.id_field]
        self.games[number] = game = Game(number=body[self._server.task_field])
        if game.number == 666:
            return JSONResponse({"error": "no such task"})
        return JSONResponse(self._server.reset(game, number))

    async def step(self, request: Request) -> Response:
        body = await request.json()
        game = self.games[body[self._server.id_field]]
        before, after = self._server.wrap
        if not (body["action"].startswith(before) and body["action"].endswith(after)):
            return JSONResponse({"detail": f"no action in {body['action']!r}"}, 422)
        action = body["action"][len(before) : len(body["action"]) - len(after)]
        self._acted.append(action)
        if action in FAULTS:
            return await FAULTS[action]()
        game.act(action, self._server.most, keeps_paying=self._name == "babyai")
        return JSONResponse(self._server.stepped(game))

    async def observation(self, request: Request) -> Response:
        return JSONResponse(self._server.observed(self.games[int(request.query_params[self._server.id_field])]))

    async def close(self, request: Request) -> Response:
        number = (await request.json())[self._server.id_field]
        if self.games[number].number == 404:
            return JSONResponse({"detail": "Not Found"}, 404)
        return JSONResponse({"closed": self.games.pop(number, None) is not None})


async def hang() -> Response:
    await asyncio.sleep(30)
    return PlainTextResponse("late")


def answering(content: str, status: int = 200) -> Callable[[], Any]:
    async def answer() -> Response:
        return Response(content, status, media_type="application/json")

    return answer


FAULTS: dict[str, Callable[[], Any]] = {
    "hang": hang,
    "error in 200": answering('{"error": "the episode is broken"}'),
    "status 500": answering('{"detail": "Internal Server Error"}', 500),
    "page": answering("<html>Bad gateway</html>"),
    "nothing": answering(""),
    "nan": answering('{"observation": "x", "state": "x", "reward": NaN, "score": NaN, "done": false}'),
    "no reward": answering('{"observation": "x", "state": "x", "done": false}'),
    "null reward": answering('{"observation": "x", "state": "x", "reward": null, "score": null, "done": false}'),
    "no text": answering('{"observation": null, "state": null, "reward": 0, "score": 0, "done": false}'),
    "odd end": answering('{"observation": "x", "state": "x", "reward": 0, "score": 0, "done": "no"}'),
    "a list": answering("[1, 2]"),
}


def make_app() -> FastAPI:
    app, acted = FastAPI(), list[str]()
    wires = {name: Wire(name, server, acted) for name, server in SERVERS.items()}
    for wire in wires.values():
        wire.add_to(app)

    @app.get("/stats")
    async def stats() -> Response:
        return JSONResponse({"open": {name: len(wire.games) for name, wire in wires.items()}, "acted": acted})

    return app


def main() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(512)  # before the address is said: who reads it connects at once
        print(f"serving at http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(make_app(), log_level="warning", access_log=False)).run(sockets=[sock])


if __name__ == "__main__":
    main()
