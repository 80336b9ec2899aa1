"""WebArena's action grammar: what is read, what is written, what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.web.actions import (
    FORMS,
    MAX_ACTION_CHARS,
    Action,
    ActionError,
    Click,
    CloseTab,
    GoBack,
    GoForward,
    Goto,
    Hover,
    NewTab,
    Press,
    Scroll,
    Select,
    Stop,
    TabFocus,
    Type,
    parse,
    render,
)

IDS = st.integers(min_value=0, max_value=999_999)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\x0b\x0c\x7f", min_codepoint=32))
FILLED = TEXTS.filter(lambda text: bool(text.strip()))
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.builds(Click, node=IDS),
    st.builds(Type, node=IDS, text=TEXTS, enter=st.booleans()),
    st.builds(Select, node=IDS, option=FILLED),
    st.builds(Hover, node=IDS),
    st.builds(Press, keys=FILLED),
    st.builds(Scroll, down=st.booleans()),
    st.builds(Goto, url=FILLED),
    st.builds(TabFocus, index=IDS),
    st.builds(Stop, answer=TEXTS),
    st.sampled_from([GoBack(), GoForward(), NewTab(), CloseTab()]),
)


@given(ACTIONS)
def test_what_is_written_is_read_back(action: Action) -> None:
    assert parse(render(action)) == action
    assert parse(f"\n {render(action)} ") == action


@given(ACTIONS.filter(lambda action: "```" not in render(action)))
def test_an_action_is_found_between_backticks(action: Action) -> None:
    assert parse(f"Let's think. In summary, the next action I will perform is ```{render(action)}```") == action


@given(st.one_of(st.text(), st.from_regex(r"(click|type|stop|scroll|select|press) ?\[.*\]( ?\[.*\])?")))
def test_any_text_is_an_action_or_an_error_that_says_what_was_expected(text: str) -> None:
    try:
        action = parse(text)
    except ActionError as error:
        said = str(error)
    else:
        assert parse(render(action)) == action
        return
    assert "xpected" in said or "An action" in said


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("click [12]", Click(node=12)),
        ("click[12]", Click(node=12)),
        ("type [5] [red shoes]", Type(node=5, text="red shoes", enter=True)),
        ("type [5] [red shoes] [0]", Type(node=5, text="red shoes", enter=False)),
        ("type [5] [red shoes] [press_enter_after=0]", Type(node=5, text="red shoes", enter=False)),
        ("type [5] [a [b] c] [1]", Type(node=5, text="a [b] c", enter=True)),
        ("type [5] [list[0]]", Type(node=5, text="list[0]", enter=True)),
        ("type [5] [a] [0] [1]", Type(node=5, text="a] [0", enter=True)),
        ("type [5] [two\nlines] [0]", Type(node=5, text="two\nlines", enter=False)),
        ("type [5] [] [0]", Type(node=5, text="", enter=False)),
        ("select [7] [Price [low]]", Select(node=7, option="Price [low]")),
        ("scroll [direction=down]", Scroll(down=True)),
        ("scroll [up]", Scroll(down=False)),
        ("goto [http://onestopmarket.com/?q=[x]]", Goto(url="http://onestopmarket.com/?q=[x]")),
        ("stop [N/A]", Stop(answer="N/A")),
        ("stop []", Stop()),
        ("stop", Stop()),
        ("stop [[1, 2]]", Stop(answer="[1, 2]")),
        ("type [5] [```code```] [0]", Type(node=5, text="```code```", enter=False)),
        ("I click. ```\nclick [3]\n``` and ```click [4]```", Click(node=3)),
    ],
)
def test_the_forms_of_the_reference_are_read(text: str, action: Action) -> None:
    assert parse(text) == action


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("click 12", "one of: click [id]"),
        ("click [twelve]", "Expected click [id]."),
        ("click [12] [13]", "Expected click [id]."),
        ("click [\uff11]", "Expected click [id]."),
        ("type [5]", "Expected type [id] [text] [press_enter 0|1]."),
        ("scroll [left]", "Expected scroll [down|up]."),
        ("goto []", "Expected goto [url]."),
        ("go_back [1]", "Expected go_back."),
        ("select [5] []", "Expected select [id] [option]."),
        ("type [5] [\x00] [0]", "no control characters"),
        ("stop [\ud800]", "no control characters"),
        ("", "Expected one of"),
        ("x" * (MAX_ACTION_CHARS + 1), "at most"),
        ("go to the shop", "Expected one of"),
        ("```fly [3]```", "Expected one of"),
    ],
)
def test_an_error_says_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ActionError) as raised:
        parse(text)
    assert expected in str(raised.value)


def test_every_form_is_read() -> None:
    filled = {"id": "1", "text": "x", "option": "x", "key_comb": "Enter", "down|up": "down", "url": "x", "index": "0"}
    filled |= {"answer": "x", "press_enter 0|1": "1"}
    for verb, form in FORMS.items():
        for name, value in filled.items():
            form = form.replace(f"[{name}]", f"[{value}]")
        assert render(parse(form)).startswith(verb)
