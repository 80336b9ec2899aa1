"""Texts for an OpenEnv environment: an action out of a command, an observation into words.

An OpenEnv action is an object of the environment's own fields and an observation is another; what they are called is in
the server's ``/schema``, and which of them an agent should write and read is the user's choice where it is one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sojourn.errors import ConfigError, EnvError

_BOOKKEEPING = frozenset({"metadata", "reward", "done"})
_MAX_SHOWN = 20
_EXAMPLES = {"integer": "0", "number": "0.5", "boolean": "true"}


class InvalidActionError(ValueError):
    """A command is no action of the environment; the text says what was expected."""


def fields_of(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The environment's own fields in a JSON schema."""
    properties = schema.get("properties")
    found = properties if isinstance(properties, Mapping) else {}
    return {name: value for name, value in found.items() if name not in _BOOKKEEPING and isinstance(value, Mapping)}


@dataclass(frozen=True, kw_only=True)
class ActionText:
    """How a command becomes an action's fields: by a table, as one field's value, or as JSON."""

    table: Mapping[str, Mapping[str, Any]]
    """command -> fields; empty where any text is a command."""
    field: str | None
    """The field that holds the text; None where the text is a JSON object of the fields."""
    kind: str
    """The field's JSON type."""
    constants: Mapping[str, Any]
    """Fields that are the same in every action."""

    @property
    def example(self) -> str:
        """One well-formed command."""
        if self.table:
            return next(iter(self.table))
        return "{}" if self.field is None else _EXAMPLES.get(self.kind, "hello")

    def fields(self, command: str) -> dict[str, Any]:
        """The action's fields; raises `InvalidActionError`."""
        if self.table:
            return {**self.constants, **self._looked_up(command.strip())}
        if self.field is None:
            return {**self.constants, **_object(command)}
        return {**self.constants, self.field: _value(command, self.kind)}

    def _looked_up(self, command: str) -> Mapping[str, Any]:
        if command not in self.table:
            shown = " | ".join(list(self.table)[:_MAX_SHOWN])
            raise InvalidActionError(f"Expected one of: {shown}")
        return self.table[command]


def action_text(
    schema: Mapping[str, Any],
    *,
    actions: Mapping[str, Mapping[str, Any]] | None,
    action_field: str | None,
    action_constants: Mapping[str, Any] | None,
    is_json: bool,
) -> ActionText:
    """How to write actions of this `schema`; raises `ConfigError` for fields it has not, or where there is a choice."""
    known = fields_of(schema)
    constants = action_constants or {}
    table = actions or {}
    if sum([bool(table), action_field is not None, is_json]) > 1:
        raise ConfigError("give one of actions, action_field and action_json: each says how a command is written")
    named = {*constants, *(name for fields in table.values() for name in fields)}
    unknown = sorted((named | ({action_field} if action_field else set())) - known.keys())
    if unknown:
        raise ConfigError(
            f"the server's actions have the fields {', '.join(known) or 'none'}; got {', '.join(unknown)}"
        )
    if table or is_json:
        return ActionText(table=table, field=None, kind="object", constants=constants)
    field = action_field or _only_field(schema, known, constants)
    return ActionText(table={}, field=field, kind=_kind(known[field]), constants=constants)


def _only_field(schema: Mapping[str, Any], known: Mapping[str, Any], constants: Mapping[str, Any]) -> str:
    """The field that a command goes into when nobody has said so: the only one, or the only one that is required."""
    required = [str(name) for name in schema.get("required", ()) if name in known and name not in constants]
    candidates = required or [name for name in known if name not in constants]
    if len(candidates) != 1:
        raise ConfigError(
            f"the server's actions have the fields {', '.join(known) or 'none'}: say with action_field which of them "
            "a command goes into, with actions which commands there are, or with action_json = true that it is JSON"
        )
    return candidates[0]


def _kind(field: Mapping[str, Any]) -> str:
    options = [field, *field.get("anyOf", ())]
    return next((str(o["type"]) for o in options if o.get("type") not in (None, "null")), "string")


def _value(command: str, kind: str) -> Any:
    try:
        if kind == "integer":
            return int(command.strip())
        if kind == "number":
            return float(command.strip())
    except ValueError as error:
        raise InvalidActionError(f"Expected a number ({kind}).") from error
    if kind == "boolean":
        if command.strip() not in ("true", "false"):
            raise InvalidActionError("Expected true or false.")
        return command.strip() == "true"
    if kind in ("object", "array"):
        return _json(command)
    return command


def _json(command: str) -> Any:
    try:
        return json.loads(command)
    except (ValueError, RecursionError) as error:
        raise InvalidActionError("Expected JSON.") from error


def _object(command: str) -> dict[str, Any]:
    value = _json(command)
    if not isinstance(value, dict):
        raise InvalidActionError('Expected a JSON object of the action\'s fields, such as {"name": "value"}.')
    return value


@dataclass(frozen=True, kw_only=True)
class ObservationText:
    """How an observation's fields become a text."""

    fields: tuple[str, ...]
    """Those to show; empty: all but the bookkeeping."""

    def text(self, observation: Mapping[str, Any]) -> str:
        """The value, where it is one field, else ``name: value`` lines; raises `EnvError` for one that is absent."""
        missing = [name for name in self.fields if name not in observation]
        if missing:
            raise EnvError(
                f"expected an observation with {', '.join(missing)}, got {', '.join(observation) or 'nothing'}"
            )
        names = self.fields or tuple(name for name in observation if name not in _BOOKKEEPING)
        values = {name: observation[name] for name in names}
        if len(values) == 1:
            (only,) = values.values()
            text = _shown(only)
        else:
            text = "\n".join(f"{name}: {_shown(value)}" for name, value in values.items() if value not in (None, ""))
        return text if text.strip() else "(nothing)"


def observation_text(schema: Mapping[str, Any], fields: Sequence[str]) -> ObservationText:
    """How to read observations; raises `ConfigError` for fields that the `schema` has not."""
    known = {*fields_of(schema), "metadata"}
    unknown = [name for name in fields if name not in known]
    if unknown and "properties" in schema:
        raise ConfigError(f"the server's observations have the fields {', '.join(sorted(known))}; got {unknown}")
    return ObservationText(fields=tuple(fields))


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
