"""Action formats: how an agent writes one command, and how it is read back.

Text up to a closing ``</think>`` (or up to gpt-oss's final channel) is thinking and is never read as an action. A
completion that holds no action, or more than one, is answered with what was expected; nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from sojourn.errors import unknown_name

_THINKING_ENDS = ("</think>", "<|channel|>final<|message|>")
_ACTION = re.compile(r"(?:^|(?<=\s))Action:\s*([^\n]*)")
_TOOL_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
_FUNCTION = "act"
_MAX_BRACES = 64  # tried as the beginning of a call: a text of nothing but braces must not cost quadratic time


@dataclass(frozen=True, kw_only=True, slots=True)
class Parsed:
    """What was read from one completion: an action, or what is wrong with it."""

    action: str | None
    error: str | None = None


class ActionFormat(Protocol):
    """One way to write a command."""

    @property
    def name(self) -> str:
        """Its name in the configuration."""

    @property
    def expected(self) -> str:
        """One sentence on what a completion must look like; the answer to one that does not."""

    @property
    def confines_whole_text(self) -> bool:
        """Whether a completion is nothing but the command, so that sampling can be confined to a list of commands."""

    def instructions(self, example_command: str) -> str:
        """What the system text says about the format."""

    def parse(self, text: str) -> Parsed:
        """The action in a completion."""

    def render(self, command: str) -> str:
        """The canonical text of `command` (one line, no outer blanks); ``parse(render(c)).action == c``."""


def visible(text: str) -> str:
    """The part of a completion after its thinking; nothing if the thinking was not finished."""
    if text.lstrip().startswith("<think>") and "</think>" not in text:
        return ""
    for end in _THINKING_ENDS:
        text = text.partition(end)[2] if end in text else text
    return text


def _checked(command: str) -> Parsed:
    command = command.strip()
    if not command:
        return Parsed(action=None, error="The action is empty.")
    try:
        command.encode()
    except UnicodeEncodeError:  # a lone surrogate, from a JSON escape: could be neither tokenised nor written
        return Parsed(action=None, error="The action is not valid Unicode.")
    return Parsed(action=command)


class React:
    """``Thought: … Action: …``: free text, then exactly one ``Action:`` with the command on its line.

    What follows that line is ignored; a second ``Action:`` is an error, because it is unclear which one is meant.
    """

    name = "react"
    expected = "Expected a reply of the form 'Thought: <why>', then on a new line 'Action: <one command>', once."
    confines_whole_text = False

    def instructions(self, example_command: str) -> str:
        return (
            "Reply with a short thought and exactly one action, in this form:\n"
            f"Thought: <your reasoning>\nAction: {example_command}"
        )

    def parse(self, text: str) -> Parsed:
        found = _ACTION.findall(visible(text))
        if len(found) != 1:
            problem = "No 'Action:' was found." if not found else f"'Action:' was found {len(found)} times."
            return Parsed(action=None, error=problem)
        return _checked(found[0])

    def render(self, command: str) -> str:
        return f"Action: {command}"


class Bare:
    """The command itself, on one line."""

    name = "bare"
    expected = "Expected a reply that is one command on one line and nothing else."
    confines_whole_text = True

    def instructions(self, example_command: str) -> str:
        return f"Reply with one command on one line and nothing else, for example:\n{example_command}"

    def parse(self, text: str) -> Parsed:
        command = visible(text).strip()
        if "\n" in command:
            return Parsed(action=None, error=f"The reply has {command.count(chr(10)) + 1} lines.")
        return _checked(command)

    def render(self, command: str) -> str:
        return command


class Reply:
    """The whole visible reply, on as many lines as it takes: for environments that read tags or calls out of it."""

    name = "reply"
    expected = "Expected a reply that is not empty; the environment reads the action out of it."
    confines_whole_text = True

    def instructions(self, example_command: str) -> str:
        return f"End your reply with exactly one action, for example:\n{example_command}"

    def parse(self, text: str) -> Parsed:
        return _checked(visible(text))

    def render(self, command: str) -> str:
        return command


class FunctionCall:
    """A JSON call of the one function ``act(command)``, in ``<tool_call>`` tags or plain, in any surrounding text."""

    name = "function_call"
    expected = (
        'Expected one call of the form <tool_call>{"name": "act", "arguments": {"command": "<command>"}}</tool_call>.'
    )
    confines_whole_text = True

    def instructions(self, example_command: str) -> str:
        return "Act by calling the function act(command: str) exactly once per reply, in this form:\n" + self.render(
            example_command
        )

    def parse(self, text: str) -> Parsed:
        shown = visible(text)
        tagged = _TOOL_CALL.findall(shown)
        calls = [call for part in (tagged or [shown]) for call in _json_objects(part)]
        if len(calls) != 1:
            problem = "No function call was found." if not calls else f"{len(calls)} function calls were found."
            return Parsed(action=None, error=problem)
        return _command_of(calls[0])

    def render(self, command: str) -> str:
        call = json.dumps({"name": _FUNCTION, "arguments": {"command": command}}, ensure_ascii=False)
        # "<\/" is "</" in JSON: a command that holds "</think>" or "</tool_call>" must not end the call
        return "<tool_call>" + call.replace("</", "<\\/") + "</tool_call>"


def _json_objects(text: str) -> Iterator[Mapping[str, Any]]:
    decoder = json.JSONDecoder()
    at = text.find("{")
    for _ in range(_MAX_BRACES):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):  # not JSON from here, or nested past any sense: try the next brace
            end = at + 1
        else:
            yield value
        at = text.find("{", end)


def _command_of(call: Mapping[str, Any]) -> Parsed:
    if call.get("name") != _FUNCTION:
        return Parsed(action=None, error=f"The function is {call.get('name')!r}, not {_FUNCTION!r}.")
    arguments = call.get("arguments", call.get("parameters"))
    if isinstance(arguments, str):  # some models were taught to write the arguments as JSON inside JSON
        arguments = next(_json_objects(arguments), None)
    command = arguments.get("command") if isinstance(arguments, Mapping) else None
    if not isinstance(command, str):
        return Parsed(action=None, error="The argument 'command' is missing or is not a text.")
    return _checked(command)


FORMATS: Mapping[str, ActionFormat] = MappingProxyType({f.name: f for f in (React(), Bare(), Reply(), FunctionCall())})
"""Every action format by name."""


def action_format(name: str) -> ActionFormat:
    """The format called `name`; raises `ConfigError` that lists the known ones."""
    if name not in FORMATS:
        raise unknown_name("action format", name, FORMATS)
    return FORMATS[name]
