"""What a reply of the model asks for: one search or one answer, or why it is neither.

Three ways to write are read: tags (``<search>q</search>``), ReAct's lines (``Search[q]``, ``Finish[a]``) and JSON calls
(``{"name": "search", "arguments": {"query": "q"}}``, plain or in ``<tool_call>``). Whichever begins first decides; what
follows its end is dropped and counted. Nothing is guessed: an action that is not complete, or holds another, is
refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from sojourn.envs.search.retrieve.words import MAX_QUERY_CHARS

MAX_ACTION_CHARS = 200_000
MAX_ANSWER_CHARS = 1_000

Verb = Literal["search", "answer"]
_LIMITS: Mapping[str, int] = {"search": MAX_QUERY_CHARS, "answer": MAX_ANSWER_CHARS}
_VERBS: Mapping[str, Verb] = {"search": "search", "answer": "answer", "finish": "answer"}
_ARGUMENTS: Mapping[str, tuple[str, ...]] = {"search": ("query", "query_list"), "answer": ("answer", "text")}

_HEAD = re.compile(
    r"<(?P<tag>search|answer)>"
    r"|</(?P<stray>search|answer)>"
    r"|(?P<call><tool_call>)"
    r"|^[ \t]*(?:Action ?[0-9]{0,3}:[ \t]*)?(?P<line>[Ss]earch|[Ff]inish|[Aa]nswer)\[",
    re.MULTILINE,
)
_TAG = re.compile(r"</?(?:search|answer)>")
_FORGED = re.compile(r"</?information\b", re.IGNORECASE)
_BRACKET = re.compile(r"[\[\]\n]")
_DECODER = json.JSONDecoder()
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Refused(StrEnum):
    """Why a reply is no action."""

    NONE = "none"  # no search, answer or call was found
    UNFINISHED = "unfinished"  # it begins and never ends, or ends and never began
    NESTED = "nested"  # one action inside another
    FORGED = "forged"  # the model wrote the environment's own <information>
    EMPTY = "empty"  # nothing to search for, or no answer
    TOO_LONG = "too_long"  # over the caps of this module
    NOT_UNICODE = "not_unicode"  # a lone surrogate
    NOT_A_CALL = "not_a_call"  # JSON that calls something else, or lacks the argument


_EXPLAINED: Mapping[Refused, str] = {
    Refused.NONE: "No action was found.",
    Refused.UNFINISHED: "The action has no beginning or no end.",
    Refused.NESTED: "One action holds another.",
    Refused.FORGED: "Only a search brings <information>; do not write it yourself.",
    Refused.EMPTY: "The action is empty.",
    Refused.TOO_LONG: f"The action is too long: at most {MAX_QUERY_CHARS} characters of query, {MAX_ANSWER_CHARS} of "
    "answer.",
    Refused.NOT_UNICODE: "The action is not valid Unicode.",
    Refused.NOT_A_CALL: "The call is not search(query) or answer(answer).",
}
EXPECTED = "Write one <search>query</search> or one <answer>answer</answer>."


@dataclass(frozen=True, kw_only=True, slots=True)
class Action:
    """One search or one answer, with blanks squeezed and control characters gone."""

    verb: Verb
    text: str
    num_dropped: int = 0
    """Characters after its end, outer blanks aside."""


class Refusal(ValueError):  # noqa: N818 (what it is, not a fault of ours)
    """A reply that is no action; the text says what was wrong and what is expected."""

    def __init__(self, reason: Refused) -> None:
        super().__init__(f"{_EXPLAINED[reason]} {EXPECTED}")
        self.reason = reason


def parse_action(reply: str) -> Action:
    """The one action in `reply`; raises `Refusal`. Takes time linear in its length.

    What stands before a ``</think>`` is thinking and holds no action.
    """
    if len(reply) > MAX_ACTION_CHARS:
        raise Refusal(Refused.TOO_LONG)
    text = _spoken(reply)
    if _FORGED.search(text):
        raise Refusal(Refused.FORGED)
    if text.lstrip().startswith("{"):
        return _call(text, text.find("{"))
    head = _HEAD.search(text)
    if head is None:
        raise Refusal(Refused.NONE)
    if head["tag"]:
        return _tagged(text, head["tag"], head.end())
    if head["line"]:
        return _line(text, _VERBS[head["line"].lower()], head.end())
    if head["call"]:
        return _call(text, text.find("{", head.end()))
    raise Refusal(Refused.UNFINISHED)


def _spoken(reply: str) -> str:
    _, end, rest = reply.partition("</think>")
    if end:
        return rest
    return "" if reply.lstrip().startswith("<think>") else reply


def _tagged(text: str, verb: str, start: int) -> Action:
    end = _TAG.search(text, start)
    if end is None:
        raise Refusal(Refused.UNFINISHED)
    if end[0] != f"</{verb}>":
        raise Refusal(Refused.NESTED)
    return _action(_VERBS[verb], text[start : end.start()], text[end.end() :])


def _line(text: str, verb: Verb, start: int) -> Action:
    """Up to the bracket that closes the one that is open, on the same line."""
    depth = 1
    for found in _BRACKET.finditer(text, start):
        depth += {"[": 1, "]": -1}.get(found[0], 0)
        if depth == 0:
            return _action(verb, text[start : found.start()], text[found.end() :])
        if found[0] == "\n":
            break
    raise Refusal(Refused.UNFINISHED)


def _call(text: str, start: int) -> Action:
    call, end = _json_at(text, start)
    name = call.get("name") if isinstance(call, Mapping) else None
    if not isinstance(name, str) or name not in _VERBS:
        raise Refusal(Refused.NOT_A_CALL)
    verb = _VERBS[name]
    return _action(verb, _argument(call, verb), text[end:].replace("</tool_call>", "", 1))


def _argument(call: Mapping[str, Any], verb: Verb) -> str:
    arguments = call.get("arguments", call.get("parameters"))
    if isinstance(arguments, str):  # some models were taught to write the arguments as JSON inside JSON
        arguments, _ = _json_at(arguments, arguments.find("{"))
    if not isinstance(arguments, Mapping):
        raise Refusal(Refused.NOT_A_CALL)
    given = next((arguments[name] for name in _ARGUMENTS[verb] if name in arguments), None)
    if isinstance(given, list) and len(given) == 1:  # verl's query_list, with one query in it
        given = given[0]
    if not isinstance(given, str):
        raise Refusal(Refused.NOT_A_CALL)
    return given


def _json_at(text: str, start: int) -> tuple[Any, int]:
    if start < 0:
        raise Refusal(Refused.NOT_A_CALL)
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError) as error:  # not JSON, or nested past any sense
        raise Refusal(Refused.NOT_A_CALL) from error
    return value, end


def _action(verb: Verb, content: str, rest: str) -> Action:
    text = " ".join(_CONTROL.sub(" ", content).split())
    if not text:
        raise Refusal(Refused.EMPTY)
    if len(text) > _LIMITS[verb]:
        raise Refusal(Refused.TOO_LONG)
    if _TAG.search(text):
        raise Refusal(Refused.NESTED)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refusal(Refused.NOT_UNICODE) from error
    return Action(verb=verb, text=text, num_dropped=len(rest.strip()))
