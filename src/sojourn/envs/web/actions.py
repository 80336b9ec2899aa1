"""The actions of WebArena's agents, as text and as data.

The grammar is WebArena's, with `select [id] [option]` besides; `FORMS` lists it. An action may stand alone or, as the
reference's agents write it, between triple backticks in longer text. Texts may hold brackets and line breaks: what is
written ends at the last bracket, so `render` always states whether Enter follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FORMS: Mapping[str, str] = {
    "click": "click [id]",
    "type": "type [id] [text] [press_enter 0|1]",
    "select": "select [id] [option]",
    "hover": "hover [id]",
    "press": "press [key_comb]",
    "scroll": "scroll [down|up]",
    "goto": "goto [url]",
    "go_back": "go_back",
    "go_forward": "go_forward",
    "new_tab": "new_tab",
    "tab_focus": "tab_focus [index]",
    "close_tab": "close_tab",
    "stop": "stop [answer]",
}
"""Verb -> its form, in the order they are explained to an agent."""

MAX_ACTION_CHARS = 8_000
"""A longer text is no action."""


class ActionError(ValueError):
    """A text that is no action; the message says what was expected."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Click:
    """Click the node with this id."""

    node: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Type:
    """Replace the content of a field, then press Enter or not."""

    node: int
    text: str
    enter: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Select:
    """Choose the option of this name in a combobox or listbox."""

    node: int
    option: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Hover:
    """Move the pointer over a node."""

    node: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """Press a key or a combination such as ``Control+a``."""

    keys: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Scroll:
    """Show what follows, or what came before."""

    down: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Goto:
    """Open an address in the current tab."""

    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GoBack:
    """Go to the page before this one in the tab's history."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GoForward:
    """Undo a `GoBack`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTab:
    """Open an empty tab and go to it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TabFocus:
    """Go to the tab with this number, counted from 0."""

    index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseTab:
    """Close the current tab and go to the one before it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """End the episode with an answer (empty where none is asked for)."""

    answer: str = ""


PageAction = Click | Type | Select | Hover | Press | Scroll | Goto | GoBack | GoForward | NewTab | TabFocus | CloseTab
"""What a browser does."""
Action = PageAction | Stop

_FENCED = re.compile(r"```(.*?)```", re.DOTALL)
_VERB = re.compile(r"([a-z_]+) ?(?=\[|$)")
_UNTYPABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_ID = r"\[([0-9]{1,6})\]"
_NODE = re.compile(_ID)
_TYPE = re.compile(_ID + r" ?\[(.*?)\](?: ?\[(?:press_enter(?:_after)?=)?([01])\])?", re.DOTALL)
_SELECT = re.compile(_ID + r" ?\[(.+)\]", re.DOTALL)
_TEXT = re.compile(r"\[(.*)\]", re.DOTALL)
_SCROLL = re.compile(r"\[(?:direction=)?(down|up)\]")


def parse(text: str) -> Action:
    """The action that `text` is, or holds between triple backticks; raises `ActionError`."""
    if len(text) > MAX_ACTION_CHARS:
        raise ActionError(f"An action has at most {MAX_ACTION_CHARS} characters, got {len(text)}.")
    command = text.strip(" \t\r\n")
    try:
        return _parsed(command)
    except ActionError:
        fenced = _FENCED.search(command)
        if fenced is None:
            raise
    return _parsed(fenced[1].strip(" \t\r\n"))


def _parsed(command: str) -> Action:
    command = command.replace("\r\n", "\n")
    match = _VERB.match(command)
    if match is None or match[1] not in FORMS:
        raise ActionError(f"No such action. Expected one of: {', '.join(FORMS.values())}.")
    if _UNTYPABLE.search(command):
        raise ActionError("An action holds no control characters.")
    action = _READERS[match[1]](command[match.end() :])
    if action is None:
        raise ActionError(f"Expected {FORMS[match[1]]}.")
    return action


def _read_node(kind: Callable[[int], Action]) -> Callable[[str], Action | None]:
    def read(rest: str) -> Action | None:
        match = _NODE.fullmatch(rest)
        return None if match is None else kind(int(match[1]))

    return read


def _read_text(kind: Callable[[str], Action]) -> Callable[[str], Action | None]:
    def read(rest: str) -> Action | None:
        match = _TEXT.fullmatch(rest)
        return None if match is None or not match[1].strip() else kind(match[1])

    return read


def _read_nothing(action: Action) -> Callable[[str], Action | None]:
    def read(rest: str) -> Action | None:
        return action if rest in ("", "[]") else None

    return read


def _read_type(rest: str) -> Action | None:
    match = _TYPE.fullmatch(rest)
    return None if match is None else Type(node=int(match[1]), text=match[2], enter=match[3] != "0")


def _read_select(rest: str) -> Action | None:
    match = _SELECT.fullmatch(rest)
    return None if match is None else Select(node=int(match[1]), option=match[2])


def _read_scroll(rest: str) -> Action | None:
    match = _SCROLL.fullmatch(rest)
    return None if match is None else Scroll(down=match[1] == "down")


def _read_stop(rest: str) -> Action | None:
    match = _TEXT.fullmatch(rest or "[]")
    return None if match is None else Stop(answer=match[1])


_READERS: Mapping[str, Callable[[str], Action | None]] = {
    "click": _read_node(lambda node: Click(node=node)),
    "type": _read_type,
    "select": _read_select,
    "hover": _read_node(lambda node: Hover(node=node)),
    "press": _read_text(lambda keys: Press(keys=keys)),
    "scroll": _read_scroll,
    "goto": _read_text(lambda url: Goto(url=url)),
    "go_back": _read_nothing(GoBack()),
    "go_forward": _read_nothing(GoForward()),
    "new_tab": _read_nothing(NewTab()),
    "tab_focus": _read_node(lambda index: TabFocus(index=index)),
    "close_tab": _read_nothing(CloseTab()),
    "stop": _read_stop,
}


def render(action: Action) -> str:
    """The text of an action; `parse` reads it back."""
    match action:
        case Click(node=node):
            return f"click [{node}]"
        case Type(node=node, text=text, enter=enter):
            return f"type [{node}] [{text}] [{int(enter)}]"
        case Select(node=node, option=option):
            return f"select [{node}] [{option}]"
        case Hover(node=node):
            return f"hover [{node}]"
        case Press(keys=keys):
            return f"press [{keys}]"
        case Scroll(down=down):
            return f"scroll [{'down' if down else 'up'}]"
        case Goto(url=url):
            return f"goto [{url}]"
        case TabFocus(index=index):
            return f"tab_focus [{index}]"
        case Stop(answer=answer):
            return f"stop [{answer}]"
        case _:
            return _PLAIN[type(action)]


_PLAIN: Mapping[type, str] = {GoBack: "go_back", GoForward: "go_forward", NewTab: "new_tab", CloseTab: "close_tab"}
