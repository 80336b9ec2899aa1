"""What AgentGym's environment servers say over HTTP, one row per environment.

No two of them agree: ids are called ``id`` or ``env_idx``, tasks have seven names, rewards are of the step or running
totals, some answer with a bare text, some cannot close. Everything that differs is a field of `Wire`; the client
(`sojourn.service.agentgym`) and our own server on these routes (`sojourn.service.agentgym_app`) read it from here.
Written from the servers' behaviour; the instructions are our own words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Pay(StrEnum):
    """What the reward's field holds."""

    STEP = "step"  # the reward of this step
    TOTAL = "total"  # everything paid so far: the reward is the increase


class Listing(StrEnum):
    """Where the admissible commands are."""

    NONE = "none"  # nowhere
    FIELD = "field"  # a list in the answer's field `available_actions`
    TEXT = "text"  # a JSON list at the end of the observation


@dataclass(frozen=True, kw_only=True, slots=True)
class Wire:
    """One environment's routes and fields."""

    instructions: str
    example_command: str
    task_field: str
    """What `reset` calls the number of the task."""
    known_ids: str
    """The task numbers that exist, for people."""
    id_field: str = "id"
    """What requests and queries call the episode."""
    prefix: str = ""
    """Before every route."""
    creates_with_task: bool = False
    """Whether `create` wants the task's number, too."""
    is_id_bare: bool = False
    """Whether `create` answers with the number alone; else it is under `id_field`."""
    reset_constants: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `reset` that are the same for every task."""
    first: tuple[str, ...] = ()
    """Fields of the reset's answer that make up the first observation; none: it is asked for with `observation`."""
    text_field: str = "observation"
    """Of the observation in a step's answer."""
    reward_field: str = "reward"
    pays: Pay = Pay.STEP
    full: float = 1.0
    """What solving pays, in the wire's own unit; our reward is divided by it."""
    any_gain_solves: bool = False
    """Whether whatever is paid is paid for solving, however little it is."""
    done_field: str = "done"
    cut_field: str | None = None
    """Where the environment says that its own limit ended the episode."""
    is_partial_end_a_cut: bool = False
    """Whether an end between the least and the greatest total is the environment's own limit."""
    closes: bool = False
    """Whether the server has a `close` route."""
    listing: Listing = Listing.NONE
    action: str = "{}"
    """What is sent for a command, where the server expects more than the command."""
    failures: tuple[str, ...] = ()
    """Observations that are failures of the environment."""
    refusals: tuple[str, ...] = ()
    """How an observation begins that refuses a command."""
    aliases: tuple[str, ...] = ()
    """Other names under which tasks were published."""


_TOOLS = (
    "Answer the question with the help of tools, one call a turn. A call is the tool's name, the words "
    "with Action Input: and the arguments as JSON. The observation is what the tool returned. {}"
    'End with: finish with Action Input: {{"answer": …}}.'
)
_TOOL_CALL = 'finish with Action Input: {"answer": "yes"}'


def _tool(about: str, known_ids: str) -> Wire:
    return Wire(
        instructions=_TOOLS.format(about),
        example_command=_TOOL_CALL,
        task_field="id",
        known_ids=known_ids,
        id_field="env_idx",
        creates_with_task=True,
        is_id_bare=True,
        pays=Pay.TOTAL,
    )


WIRES: Mapping[str, Wire] = {
    "textcraft": Wire(
        instructions=(
            "Craft the goal item. You are shown crafting commands; some are not needed. Commands: craft N X using N1 "
            "Y1, N2 Y2 (exactly as shown, a group such as planks replaced by one member); get N X for what has no "
            "recipe; inventory. One command a turn."
        ),
        example_command="get 2 oak logs",
        task_field="data_idx",
        known_ids="0 to 543; which goal a number means depends on the server's file system",
        first=("observation",),
        closes=True,
        refusals=("Could not", "Wrong item format"),
    ),
    "babyai": Wire(
        instructions=(
            "You walk through rooms and see only what lies ahead. Reach the goal, one command a turn. Commands: turn "
            "left; turn right; move forward; go to <obj> <id>; pickup <obj> <id>; drop; go through <door> <id>; "
            "toggle and go through <door> <id>; toggle; check available actions. Observations end with what is "
            "available now."
        ),
        example_command="turn left",
        task_field="data_idx",
        known_ids="any: level = number % 40 + 1, seed = number // 40",
        first=("observation",),
        reward_field="score",
        pays=Pay.TOTAL,
        any_gain_solves=True,  # it pays 1 - 0.9 * steps / limit, and denies the end when that is 0.5 or less
        closes=True,
        listing=Listing.TEXT,
        refusals=("The action is not recognized", "You cannot"),
    ),
    "sciworld": Wire(
        instructions=(
            "Do the experiment that the task describes, one command a turn. Commands (OBJ is a thing, LOC a place): "
            "open OBJ; close OBJ; activate OBJ; deactivate OBJ; connect OBJ to OBJ; disconnect OBJ; use OBJ on OBJ; "
            "look around; look at OBJ; look in OBJ; read OBJ; move OBJ to OBJ; pick up OBJ; put down OBJ; pour OBJ "
            "into OBJ; dunk OBJ into OBJ; mix OBJ; go to LOC; eat OBJ; flush OBJ; focus on OBJ; wait; wait1; "
            "inventory; task. Focus only on what the task names: a wrong focus ends the episode with a penalty."
        ),
        example_command="look around",
        task_field="data_idx",
        known_ids="0 to 4638",
        first=("task_description", "observation"),
        reward_field="score",
        pays=Pay.TOTAL,
        full=100.0,
        is_partial_end_a_cut=True,
        closes=True,
        refusals=("No known action matches that input",),
    ),
    "alfworld": Wire(
        instructions=(
            "Do the household task, one command a turn. Commands: go to X; open X; close X; take X from Y; put X "
            "in/on Y; use X; clean X with Y; heat X with Y; cool X with Y; examine X; look; inventory."
        ),
        example_command="go to desk 1",
        task_field="game",
        known_ids="0 to 2419 (train), 2420 to 2619 (test)",
        reset_constants={"world_type": "Text"},
        first=("observation",),
        listing=Listing.FIELD,
        refusals=("Nothing happens",),
    ),
    "webshop": Wire(
        instructions=(
            "Buy what the instruction asks for, one command a turn. Commands: search[words], where there is a search "
            "bar; click[text] on one of the shown texts, such as a product, an option or Buy Now, which ends it."
        ),
        example_command="search[blue cotton shirt]",
        task_field="session_id",
        known_ids="the shop's goals",
        id_field="env_idx",
        is_id_bare=True,
        text_field="state",
    ),
    "searchqa": Wire(
        instructions=(
            "Answer the question. Write <search>words</search> to search an encyclopedia, or "
            "<answer>a short answer</answer> once you know. One of them a turn."
        ),
        example_command="<search>capital of France</search>",
        task_field="id",
        known_ids="0 to 51712 (test), 51713 to 221327 (train)",
        id_field="env_idx",
        creates_with_task=True,
        is_id_bare=True,
        closes=True,
    ),
    "webarena": Wire(
        instructions=(
            "Reach the objective on the web page shown, one command a turn. Commands (id is the number before an "
            "element): click [id]; type [id] [text] [1 to press enter, else 0]; hover [id]; press [keys]; scroll "
            "[down or up]; new_tab; tab_focus [number]; close_tab; goto [address]; go_back; go_forward; stop [answer], "
            "which ends the episode."
        ),
        example_command="click [12]",
        task_field="idx",
        known_ids="0 to 811",
        id_field="env_idx",
        reset_constants={"seed": 0},
        done_field="terminated",
        cut_field="truncated",
        closes=True,
        action="In summary, the next action I will perform is ```{}```",
        failures=("TimeoutError",),
    ),
    "sqlgym": Wire(
        instructions="Answer the question with one SQL query (SQLite) over the tables that are described.",
        example_command="SELECT name FROM city LIMIT 1",
        task_field="item_id",
        known_ids="0 to 9427 (train), 9428 to 10961 (dev)",
        id_field="env_idx",
        is_id_bare=True,
        text_field="state",
        aliases=("bird",),
    ),
    "maze": Wire(
        instructions="Find the goal of the maze, one step a turn. Commands: move up; move down; move left; move right.",
        example_command="move up",
        task_field="game",
        known_ids="26 starting points",
        prefix="/maze",
    ),
    "wordle": Wire(
        instructions=(
            "Guess the word of five letters, one guess a turn, the letters parted by spaces. The answer says of each "
            "letter whether it is right (g), elsewhere in the word (y) or not in it (b)."
        ),
        example_command="c r a n e",
        task_field="seed",
        known_ids="any seed",
        prefix="/wordle",
    ),
    "weather": _tool("The tools know dates, places and the weather. ", "0 to 342"),
    "movie": _tool("The tools know films and people. ", "0 to 237"),
    "academia": _tool("The tools know papers, authors and who cites whom. ", "0 to 19"),
    "todo": _tool("The tools read and change a list of tasks. ", "0 to 154"),
    "sheet": _tool("The tools read and change a spreadsheet. ", "0 to 19"),
}
"""name -> wire, for every environment of AgentGym."""
