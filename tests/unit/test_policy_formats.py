"""What each action format reads from a completion, and that it reads back what it writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import ConfigError
from sojourn.policy.formats import FORMATS, action_format, visible

REACT, BARE, REPLY, CALL = (FORMATS[name] for name in ("react", "bare", "reply", "function_call"))
any_text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool)
# what the two plain formats can carry: one line that does not look like the format itself
one_line = any_text.filter(lambda c: "\n" not in c and "Action:" not in c and visible(c) == c)


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@given(command=one_line)
def test_what_is_written_is_read_back(form, command):
    assert form.parse(form.render(command)).action == command


@given(any_text)
def test_a_call_carries_any_text(command):
    assert CALL.parse(f"I will. {CALL.render(command)} Done.").action == command


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@given(text=st.text())
def test_parsing_is_total(form, text):
    parsed = form.parse(text)
    assert (parsed.action is None) == (parsed.error is not None)
    if parsed.action is not None:
        assert parsed.action == parsed.action.strip() != ""
        parsed.action.encode()


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
@pytest.mark.parametrize("thinking", ["<think>\nAction: no {x}\n</think>\n\n", "Hm, Action: no.</think>"])
def test_thinking_is_never_an_action(form, thinking):
    assert form.parse(thinking + form.render("look")).action == "look"


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_unfinished_thinking_holds_no_action(form):
    assert form.parse("<think>\n" + form.render("look")).action is None


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_the_analysis_channel_is_never_an_action(form):
    analysis = "<|channel|>analysis<|message|>Action: no {}<|end|><|start|>assistant<|channel|>final<|message|>"
    assert form.parse(analysis + form.render("look")).action == "look"


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
def test_the_instructions_show_the_example_as_it_must_be_written(form):
    assert form.render("open red door") in form.instructions("open red door")
    assert form.expected.startswith("Expected")


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("Thought: a key.\nAction: take key", "take key"),
        ("Thought: a key. Action: take key", "take key"),
        ("Action:take key\nObservation: You have it.", "take key"),
        ("Action:\ntake key\n", "take key"),
        ("Action: type [note] [Action plan: none]", "type [note] [Action plan: none]"),
    ],
)
def test_react_takes_the_line_after_action(text, action):
    assert REACT.parse(text).action == action


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("take key", "No 'Action:' was found."),
        ("Action: take key\nAction: go", "'Action:' was found 2 times."),
        ("Action:  \n ", "The action is empty."),
        ("Reaction: go", "No 'Action:' was found."),
    ],
)
def test_react_says_what_is_wrong(text, error):
    assert REACT.parse(text).error == error


@pytest.mark.parametrize(("text", "error"), [(" \n", "The action is empty."), ("go\nnorth", "The reply has 2 lines.")])
def test_bare_says_what_is_wrong(text, error):
    assert BARE.parse(text).error == error
    assert BARE.parse(" go north\n").action == "go north"


@given(any_text.filter(lambda c: visible(c) == c))
def test_a_reply_is_read_whole(command):
    assert REPLY.parse(f"<think>\nwhy\n</think>\n\n{REPLY.render(command)}\n").action == command


def test_a_reply_keeps_its_lines_and_tags_and_must_hold_something():
    text = "I look it up.\n<search>capital of Mali</search>"
    assert REPLY.parse(text).action == text
    assert REPLY.parse(" \n").error == "The action is empty."


@pytest.mark.parametrize(
    "text",
    [
        '{"name":"act","arguments":{"command":"go"}}',
        'Sure: {"name": "act", "parameters": {"command": " go "}} is {my} choice',
        '<tool_call>\n{"name": "act", "arguments": "{\\"command\\": \\"go\\"}"}\n</tool_call>',
        '{"note": <tool_call>{"name": "act", "arguments": {"command": "go"}}',
    ],
)
def test_calls_are_read_in_the_ways_models_write_them(text):
    assert CALL.parse(text).action == "go"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("go north", "No function call was found."),
        (CALL.render("go") * 2, "2 function calls were found."),
        ('{"name": "walk", "arguments": {"command": "go"}}', "The function is 'walk', not 'act'."),
        ('{"name": "act", "arguments": {"cmd": "go"}}', "The argument 'command' is missing or is not a text."),
        ('{"name": "act", "arguments": {"command": 3}}', "The argument 'command' is missing or is not a text."),
        ('{"name": "act", "arguments": ["go"]}', "The argument 'command' is missing or is not a text."),
        ('{"name": "act", "arguments": "go"}', "The argument 'command' is missing or is not a text."),
        ('{"name": "act", "arguments": {"command": "\\ud800"}}', "The action is not valid Unicode."),
        ('{"a":' * 5000, "No function call was found."),
    ],
)
def test_calls_say_what_is_wrong(text, error):
    assert CALL.parse(text).error == error


def test_an_unknown_format_lists_the_known():
    assert action_format("bare") is BARE
    with pytest.raises(ConfigError, match="unknown action format 'raect'; did you mean 'react'"):
        action_format("raect")
