"""Protocol v1 of the environment service: what is said over the wire, and every error by its code.

An answer with status 200 never holds an error; an error has the body ``{"code", "message", "episode_id"}``.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from sojourn.errors import SojournError
from sojourn.types import StepResult, Task

PROTOCOL_VERSION = 1
MAX_ACTION_CHARS = 65_536
MAX_BATCH = 1024
MAX_TASKS = 10_000
MAX_BODY_BYTES = 16 << 20
EPISODE_ID = r"^[A-Za-z0-9_-]{8,64}$"


class Code(StrEnum):
    """What went wrong; `STATUS` has the HTTP status of each."""

    UNAUTHORIZED = "unauthorized"  # the bearer token is missing or wrong
    UNKNOWN_PATH = "unknown_path"  # no such call in this protocol
    UNKNOWN_ENV = "unknown_env"  # no environment of that name is served
    UNKNOWN_SPLIT = "unknown_split"  # the environment has no such split
    UNKNOWN_TASK = "unknown_task"  # the split has no task at that index
    UNKNOWN_EPISODE = "unknown_episode"  # never started, or closed
    NO_COMMANDS = "no_commands"  # the environment does not list its commands
    NO_ORACLE = "no_oracle"  # the environment has no expert
    BAD_METHOD = "bad_method"  # the path exists, the method does not
    WRONG_INDEX = "wrong_index"  # not the next step, nor the last one said again
    EPISODE_OVER = "episode_over"  # the episode has ended: nothing can follow
    EPISODE_EXISTS = "episode_exists"  # the id that the client chose is taken
    LEASE_EXPIRED = "lease_expired"  # no call for longer than the lease: the episode was closed
    ACTION_TOO_LONG = "action_too_long"  # more than MAX_ACTION_CHARS
    BODY_TOO_LARGE = "body_too_large"  # more than MAX_BODY_BYTES
    BAD_TASK = "bad_task"  # the environment refuses the task
    BAD_REQUEST = "bad_request"  # the call does not have the protocol's form
    FULL = "full"  # as many episodes are open as the capacity allows; Retry-After says when to ask again
    DRAINING = "draining"  # the service is stopping and starts no more episodes
    ENV_FAILED = "env_failed"  # the environment, or the process it lived in, failed
    ENV_TIMEOUT = "env_timeout"  # the environment did not answer in time


STATUS: dict[Code, int] = {
    Code.UNAUTHORIZED: 401,
    Code.UNKNOWN_PATH: 404,
    Code.UNKNOWN_ENV: 404,
    Code.UNKNOWN_SPLIT: 404,
    Code.UNKNOWN_TASK: 404,
    Code.UNKNOWN_EPISODE: 404,
    Code.NO_COMMANDS: 404,
    Code.NO_ORACLE: 404,
    Code.BAD_METHOD: 405,
    Code.WRONG_INDEX: 409,
    Code.EPISODE_OVER: 409,
    Code.EPISODE_EXISTS: 409,
    Code.LEASE_EXPIRED: 410,
    Code.ACTION_TOO_LONG: 413,
    Code.BODY_TOO_LARGE: 413,
    Code.BAD_TASK: 422,
    Code.BAD_REQUEST: 422,
    Code.ENV_FAILED: 502,
    Code.FULL: 503,
    Code.DRAINING: 503,
    Code.ENV_TIMEOUT: 504,
}
"""code -> HTTP status."""

STATUS_RUNNING = 202
"""Status of a call in a batch that is still running: say the same call again to wait for its answer."""


class ErrorBody(BaseModel):
    """The body of every answer that is not 2xx."""

    code: Code
    message: str
    episode_id: str | None = None


class ServiceError(SojournError):
    """A call was refused or failed; carries what the wire says about it."""

    def __init__(
        self, code: Code, message: str, *, episode_id: str | None = None, retry_after_s: int | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.episode_id = episode_id
        self.retry_after_s = retry_after_s
        """Seconds after which the same call may succeed; None where it will not."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    def body(self) -> bytes:
        """The JSON body."""
        return to_json({"code": self.code, "message": self.message, "episode_id": self.episode_id})


class _Said(BaseModel):
    """What a client says: unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskBody(_Said):
    """A `sojourn.types.Task`."""

    env_id: str
    task_id: str
    split: str
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)]
    category: str | None = None

    @staticmethod
    def of(task: Task) -> dict[str, Any]:
        """The fields of `task`, to be made JSON."""
        return {
            "env_id": task.env_id,
            "task_id": task.task_id,
            "split": task.split,
            "seed": task.seed,
            "category": task.category,
        }

    def task(self) -> Task:
        """The task."""
        return Task(env_id=self.env_id, task_id=self.task_id, split=self.split, seed=self.seed, category=self.category)


class TaskAt(_Said):
    """A task by its place, for those who do not want to list tasks first."""

    split: str
    index: Annotated[int, Field(ge=0, lt=2**53)]


class StartCall(_Said):
    """Start an episode."""

    env: str
    """Name of a served environment."""
    task: TaskBody | TaskAt
    episode_id: Annotated[str, Field(pattern=EPISODE_ID)] | None = None
    """Chosen by the client, so that the call can be said again; absent: the service chooses, and a retry may start
    another episode."""
    commands: bool = False
    """Answer with the admissible commands, too."""


class StepCall(_Said):
    """One step of an episode."""

    index: Annotated[int, Field(ge=1, lt=2**53)]
    """1 for the first step of the episode; the same index with the same action again gives the same answer."""
    action: str
    commands: bool = False
    """Answer with the admissible commands, too."""


class StepAnswer(BaseModel):
    """A `sojourn.types.StepResult`, and the commands if they were asked for."""

    observation: str
    reward: float
    terminated: bool
    truncated: bool
    success: bool | None
    info: dict[str, Any]
    commands: list[str] | None = None
    """None where they were not asked for, or the environment lists none."""

    def result(self) -> StepResult:
        """As an environment in this process would have answered."""
        return StepResult(
            observation=self.observation,
            reward=self.reward,
            terminated=self.terminated,
            truncated=self.truncated,
            success=self.success,
            info=self.info,
        )


class StartAnswer(BaseModel):
    """A started episode."""

    episode_id: str
    lease_s: float
    """Seconds without a call after which the episode is closed."""
    task: TaskBody
    result: StepAnswer


class CommandsAnswer(BaseModel):
    """The admissible commands of the current state; none once the episode is over."""

    commands: list[str]


class OracleAnswer(BaseModel):
    """The expert's next action; None when it has no plan."""

    action: str | None


class BatchStart(StartCall):
    """`StartCall` in a batch."""

    call: Literal["start"]


class BatchStep(StepCall):
    """`StepCall` in a batch."""

    call: Literal["step"]
    episode_id: str


class BatchOther(_Said):
    """A call about an episode that says nothing but its id."""

    call: Literal["commands", "oracle", "close"]
    episode_id: str


BatchCall = Annotated[BatchStart | BatchStep | BatchOther, Field(discriminator="call")]


class Batch(_Said):
    """Many calls in one request; they run side by side."""

    calls: Annotated[list[BatchCall], Field(max_length=MAX_BATCH)]
    wait_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Calls that run longer are answered with 202; said again alone, each is waited for to its end."""


class BatchEntry(BaseModel):
    """One answer of a batch."""

    status: int
    """What the call alone would have been answered with; 202 for one that is still running."""
    body: StartAnswer | StepAnswer | CommandsAnswer | OracleAnswer | ErrorBody | None
    retry_after_s: int | None = None


class BatchAnswer(BaseModel):
    """The answers, in the order of the calls."""

    answers: list[BatchEntry]


class SplitSpec(BaseModel):
    """One split of an environment."""

    name: str
    num_tasks: int


class EnvSpec(BaseModel):
    """One served environment."""

    name: str
    env_id: str
    instructions: str
    example_command: str
    splits: list[SplitSpec]
    lists_commands: bool
    has_oracle: bool


class Spec(BaseModel):
    """What is served."""

    protocol_version: int
    sojourn_version: str
    lease_s: float
    max_action_chars: int
    environments: list[EnvSpec]


class TasksAnswer(BaseModel):
    """A stretch of a split, in its fixed order."""

    num_tasks: int
    """Of the whole split."""
    offset: int
    tasks: list[TaskBody]


class PanelAnswer(BaseModel):
    """The fixed evaluation panel of a split."""

    name: str
    sha256: str
    tasks: list[TaskBody]


class Health(BaseModel):
    """Whether episodes can be started, and how many there are."""

    status: Literal["ok", "full", "draining"]
    open_episodes: int
    capacity: int
    oldest_idle_s: float
    """Seconds since the last call of the episode that has waited longest; 0 without episodes."""


_ANYTHING: TypeAdapter[Any] = TypeAdapter(Any)


def to_json(value: Any) -> bytes:
    """UTF-8 JSON without spaces; numbers that are not finite become null. Raises `ValueError` for what is not JSON."""
    return _ANYTHING.dump_json(value)
