"""Real OpenEnv servers, for an interpreter that has the package ``openenv``: ``python openenv_server.py guess 4``.

``guess``: find a number below 20 that the seed (or the task) fixes; it lists its legal actions. ``talk``: an action of
several fields, texts that say what they were, and commands that make the environment fail. The second argument is how
many sessions the server holds at once. Nothing of Sojourn is imported here.
"""

import random
import socket
import sys
import time
from typing import Any

import uvicorn
from openenv.core.env_server import Action, Environment, Observation, State, create_app
from openenv.core.env_server.types import EnvironmentMetadata

BELOW = 20


class Number(Action):
    number: int


class Said(Observation):
    said: str
    legal: list[int]


class Guess(Environment[Number, Said, State]):
    """One game."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    tasks = {"train": 30, "test": 10}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self._secret = 0
        self._count = 0

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        split: str | None = None,
        index: int | None = None,
        **_: Any,
    ) -> Said:
        self._secret = random.Random(f"{split}:{index}:{seed}").randrange(BELOW)
        return Said(said=f"Guess. ({split}, {index}, {seed})", legal=list(range(BELOW)))

    def step(self, action: Number, timeout_s: float | None = None, **_: Any) -> Said:
        self._count += 1
        if action.number == self._secret:
            return Said(said="Right.", legal=[], done=True, reward=True)
        if self._count == 12:
            return Said(said="Too many.", legal=[], done=True, reward=0, metadata={"truncated": True})
        return Said(said="More." if action.number < self._secret else "Less.", legal=list(range(BELOW)), reward=0.0)

    @property
    def state(self) -> State:
        return State(step_count=self._count)

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name="Guess it", description="Find the number below 20.", version="1.2.0")

    def list_splits(self) -> list[str]:
        return list(self.tasks)

    def num_tasks(self, split: str) -> int:
        return self.tasks[split]

    def list_tasks(self, split: str) -> list[int]:
        return list(range(self.tasks[split]))

    def get_task(self, split: str, index: int) -> dict[str, Any]:
        return {"index": range(self.tasks[split])[index]}

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> list[int]:
        return list(range(self.tasks[split]))[start:stop]


class Words(Action):
    text: str
    tone: str = "flat"


class Heard(Observation):
    heard: str = ""
    tone: str = ""
    count: int = 0


class Talk(Environment[Words, Heard, State]):
    """Says what it heard; some texts make it fail."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def reset(self, seed: int | None = None, episode_id: str | None = None, mood: str = "calm", **_: Any) -> Heard:
        return Heard(heard=f"I am {mood}.")

    def step(self, action: Words, timeout_s: float | None = None, **_: Any) -> Heard:
        self._count += 1
        if action.text == "crash":
            raise RuntimeError("the environment broke")
        if action.text == "hang":
            time.sleep(3)
        reward = {"half": 0.5}.get(action.text)
        return Heard(heard=action.text, tone=action.tone, count=self._count, reward=reward, done=action.text == "bye")

    @property
    def state(self) -> State:
        return State(step_count=self._count)


KINDS = {"guess": (Guess, Number, Said), "talk": (Talk, Words, Heard)}


def main() -> None:
    env, action, observation = KINDS[sys.argv[1]]
    app = create_app(env, action, observation, env_name=sys.argv[1], max_concurrent_envs=int(sys.argv[2]))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(512)  # before the address is said: who reads it connects at once
        print(f"serving at http://127.0.0.1:{sock.getsockname()[1]}", flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[sock])


if __name__ == "__main__":
    main()
