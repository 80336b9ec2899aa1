"""From ``stop [answer]`` to the record that webarena-verified wants.

That record states the kind of task, a status and typed data. An agent of WebArena's grammar says none of this, so the
kind is taken from the task; it may say everything by writing the record as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

STATUSES = (
    "SUCCESS",
    "ACTION_NOT_ALLOWED_ERROR",
    "PERMISSION_DENIED_ERROR",
    "NOT_FOUND_ERROR",
    "DATA_VALIDATION_ERROR",
    "UNKNOWN_ERROR",
)
"""webarena-verified's; an agent may answer with one of them."""

KINDS = ("RETRIEVE", "MUTATE", "NAVIGATE")
"""Kinds of task."""

NOT_FOUND = "NOT_FOUND_ERROR"
_NOTHING = frozenset({"n/a", "na", "none", "not found"})
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def final_answer(answer: str, *, kind: str, item: str | None) -> dict[str, Any]:
    """The record of ``stop [answer]`` for a task of `kind` (RETRIEVE, MUTATE, NAVIGATE).

    `item` is the type of one datum that the task asks for (string, number, boolean, object; None where it asks for
    none). N/A is webarena-verified's not-found status. Several data are a JSON list, or one a line or between ``;``.
    """
    text = answer.strip()
    whole = _json(text)
    if isinstance(whole, Mapping) and whole.get("status") in STATUSES:
        return _stated(whole, kind, item)
    if text.strip("\"'. ").casefold() in _NOTHING:
        return _record(kind, NOT_FOUND)
    if text in STATUSES:
        return _record(kind, text)
    data = None if item is None or kind != "RETRIEVE" else _data(text, whole, item)
    return _record(kind, "SUCCESS", data)


def _stated(whole: Mapping[str, Any], kind: str, item: str | None) -> dict[str, Any]:
    """The record that an agent wrote itself, without what the evaluators would not read."""
    data = whole.get("retrieved_data")
    stated = whole.get("task_type")
    kind = stated if isinstance(stated, str) and stated.upper() in KINDS else kind
    kept = _plain(data) if isinstance(data, list) and item is not None else None
    return _record(kind, str(whole["status"]), kept)


def _record(kind: str, status: str, data: list[Any] | None = None) -> dict[str, Any]:
    error = None if status == "SUCCESS" else "the agent says that this can't be done"
    return {"task_type": kind, "status": status, "retrieved_data": data, "error_details": error}


def _data(text: str, whole: Any, item: str) -> list[Any]:
    if isinstance(whole, list):
        return _plain(whole)
    if isinstance(whole, Mapping):
        return [dict(whole)]
    parts = [part.strip() for part in re.split(r"[;\n]", text)]
    return [_typed(part, item) for part in parts if part]


def _plain(data: list[Any]) -> list[Any]:
    """Data without lists inside lists: webarena-verified reads none."""
    return [json.dumps(datum) if isinstance(datum, list) else datum for datum in data]


def _typed(text: str, item: str) -> Any:
    if item == "boolean" and text.casefold() in _TRUTHS:
        return _TRUTHS[text.casefold()]
    if item == "number" and _NUMBER.fullmatch(text):
        number = float(text.replace(",", ""))
        return int(number) if number.is_integer() else number
    return text


def _json(text: str) -> Any:
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
