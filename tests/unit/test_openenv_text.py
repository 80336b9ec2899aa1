"""Commands as OpenEnv actions, observations as texts, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from sojourn.errors import ConfigError, EnvError
from sojourn.service.openenv_text import ActionText, InvalidActionError, action_text, observation_text


def schema(required: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    own = {"metadata": {"type": "object"}, **fields}
    return {"type": "object", "properties": own, "required": list(fields) if required is None else required}


TEXT, WHOLE = {"type": "string"}, {"type": "integer"}


def written(of: dict[str, Any], **options: Any) -> ActionText:
    return action_text(
        of,
        actions=options.get("actions"),
        action_field=options.get("action_field"),
        action_constants=options.get("action_constants"),
        is_json=options.get("is_json", False),
    )


def test_the_only_field_takes_the_command():
    assert written(schema(message=TEXT)).fields("a b ") == {"message": "a b "}


def test_the_only_required_field_takes_the_command():
    assert written(schema(required=["code"], code=TEXT, limit=WHOLE)).fields("1") == {"code": "1"}


def test_constants_leave_one_field_over():
    form = written(schema(game=TEXT, move=WHOLE), action_constants={"game": "go"})
    assert form.fields(" 7 ") == {"game": "go", "move": 7}


@pytest.mark.parametrize(
    ("kind", "command", "value"),
    [
        ("integer", "-3", -3),
        ("number", "0.25", 0.25),
        ("boolean", "true", True),
        ("array", "[1, 2]", [1, 2]),
        ("object", '{"a": 1}', {"a": 1}),
        ("string", "3", "3"),
    ],
)
def test_a_value_has_its_fields_type(kind: str, command: str, value: Any):
    assert written(schema(x={"anyOf": [{"type": "null"}, {"type": kind}]})).fields(command) == {"x": value}
    assert written(schema(x={"type": kind})).fields(command) == {"x": value}


@pytest.mark.parametrize(
    ("kind", "command"),
    [("integer", "two"), ("number", ""), ("boolean", "yes"), ("array", "[1"), ("integer", "9" * 5000)],
)
def test_what_is_no_value_of_the_type_is_said(kind: str, command: str):
    with pytest.raises(InvalidActionError, match="Expected"):
        written(schema(x={"type": kind})).fields(command)


def test_a_table_names_the_commands():
    form = written(
        schema(action_id=WHOLE, game=TEXT), actions={"hit": {"action_id": 1}}, action_constants={"game": "b"}
    )
    assert (form.fields(" hit "), form.example) == ({"action_id": 1, "game": "b"}, "hit")
    with pytest.raises(InvalidActionError, match="Expected one of: hit"):
        form.fields("stand")


def test_json_gives_all_the_fields():
    form = written(schema(text=TEXT, tone=TEXT), is_json=True)
    assert form.fields('{"text": "x", "tone": "y"}') == {"text": "x", "tone": "y"}
    for garbage in ("{", "[1]", "", "[" * 100_000):
        with pytest.raises(InvalidActionError, match="JSON"):
            form.fields(garbage)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "say with action_field"),
        ({"action_field": "txt"}, "fields text, tone; got txt"),
        ({"actions": {"go": {"speed": 1}}}, "got speed"),
        ({"action_field": "text", "is_json": True}, "give one of"),
    ],
)
def test_a_choice_that_is_the_users_is_asked_for(options: dict[str, Any], said: str):
    with pytest.raises(ConfigError, match=said):
        written(schema(text=TEXT, tone=TEXT), **options)


def test_an_observation_is_its_one_field_or_named_lines():
    every = observation_text(schema(said=TEXT, legal=WHOLE), ())
    seen = {"said": "Hi.", "legal": [1, 2], "note": None, "metadata": {"a": 1}}
    assert every.text(seen) == "said: Hi.\nlegal: [1, 2]"
    assert observation_text(schema(said=TEXT), ["said"]).text(seen) == "Hi."
    assert observation_text(schema(said=TEXT), ["said", "metadata"]).text(seen) == 'said: Hi.\nmetadata: {"a": 1}'
    assert every.text({"said": "", "legal": None}) == "(nothing)"


def test_fields_that_are_not_there_are_said():
    with pytest.raises(ConfigError, match="said"):
        observation_text(schema(said=TEXT), ["text"])
    with pytest.raises(EnvError, match="expected an observation with said, got text"):
        observation_text(schema(said=TEXT), ["said"]).text({"text": "x"})
