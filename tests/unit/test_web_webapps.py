"""What judges tasks on real applications: answers, differences of databases, expected states; the episode's clock."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.web.checks.diff import ALL, TableChange, changes
from sojourn.envs.web.checks.states import Added, EndState, Removed, Updated
from sojourn.envs.web.webapps.episode import WORLD_START, Episode, current, now, token

# ----------------------------------------------------------------------------------------------------- differences


def database(rows: Mapping[int, str], pairs: tuple[tuple[int, int], ...] = ()) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, seen INTEGER DEFAULT 0)")
    connection.execute("CREATE TABLE pair (a INTEGER, b INTEGER, UNIQUE (a))")
    connection.execute("CREATE TABLE log (line TEXT)")
    connection.executemany("INSERT INTO item (id, name) VALUES (?, ?)", rows.items())
    connection.executemany("INSERT INTO pair VALUES (?, ?)", pairs)
    connection.commit()
    return connection


TEMPLATE = database({1: "one", 2: "two"}, ((1, 1),)).serialize()


def changed(*statements: str) -> dict[str, TableChange]:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(TEMPLATE)
    for statement in statements:
        connection.execute(statement)
    return changes(connection, TEMPLATE)


def test_what_is_unchanged_is_left_out() -> None:
    assert changed() == {}
    assert changed("UPDATE item SET name = 'other' WHERE id = 1", "UPDATE item SET name = 'one' WHERE id = 1") == {}


def test_rows_are_added_removed_or_updated_by_their_key() -> None:
    found = changed(
        "INSERT INTO item VALUES (3, 'three', 0)",
        "DELETE FROM item WHERE id = 2",
        "UPDATE item SET name = 'uno' WHERE id = 1",
        "UPDATE pair SET b = 5",
        "INSERT INTO log VALUES ('x')",
    )
    item = found["item"]
    assert [row["name"] for row in item.added] == ["three"]
    assert [row["name"] for row in item.removed] == ["two"]
    assert [(before["name"], after["name"]) for before, after in item.updated] == [("one", "uno")]
    assert [(before["b"], after["b"]) for before, after in found["pair"].updated] == [(1, 5)]  # by its unique index
    assert [row["line"] for row in found["log"].added] == ["x"]


@given(st.dictionaries(st.integers(1, 9), st.text(max_size=4), max_size=9))
def test_a_difference_leads_from_the_one_state_to_the_other(rows: dict[int, str]) -> None:
    connection = database(rows)
    connection.execute("INSERT INTO pair VALUES (1, 1)")
    change = changes(connection, TEMPLATE).get("item", TableChange(added=(), removed=(), updated=()))
    state = {1: "one", 2: "two"}
    for row in change.removed:
        del state[row["id"]]
    state |= {row["id"]: row["name"] for row in change.added}
    state |= {after["id"]: after["name"] for _, after in change.updated}
    assert state == rows


# -------------------------------------------------------------------------------------------------- expected states

ADD = "INSERT INTO item VALUES (3, 'three', 0)"
RENAME = "UPDATE item SET name = 'uno' WHERE id = 1"
LOG = "INSERT INTO log VALUES ('x')"
ADDED = EndState(expected=(Added(table="item", values={"name": "three"}),))
RENAMED = EndState(expected=(Updated(table="item", where={"id": 1}, values={"name": "uno"}),))


def test_nothing_done_is_no_state_that_anybody_asked_for() -> None:
    assert not ADDED.is_reached({})
    assert EndState(expected=()).is_reached({})


@pytest.mark.parametrize(
    ("state", "statements", "right"),
    [
        (ADDED, [ADD], True),
        (ADDED, ["INSERT INTO item VALUES (3, ' three ', 0)"], True),  # blanks around a text are nobody's business
        (ADDED, ["INSERT INTO item VALUES (3, 'four', 0)"], False),
        (ADDED, [ADD, "INSERT INTO item VALUES (4, 'three', 0)"], False),  # once is not twice
        (ADDED, [ADD, RENAME], False),
        (ADDED, [ADD, LOG], False),  # another table
        (ADDED, [ADD, "DELETE FROM item WHERE id = 2"], False),
        (RENAMED, [RENAME], True),
        (RENAMED, [RENAME, "UPDATE item SET seen = 1 WHERE id = 1"], False),  # another column of the row
        (RENAMED, ["UPDATE item SET name = 'uno' WHERE id = 2"], False),
        (EndState(expected=(Removed(table="item", where={"id": 2}),)), ["DELETE FROM item WHERE id = 2"], True),
        (EndState(expected=(Removed(table="item", where={"id": 2}),)), ["DELETE FROM item"], False),
    ],
)
def test_a_state_is_reached_by_exactly_what_is_expected(state: EndState, statements: list[str], right: bool) -> None:
    assert state.is_reached(changed(*statements)) is right


def test_what_is_allowed_may_change_beside_it() -> None:
    free = EndState(expected=RENAMED.expected, allowed={"item": ("seen",), "log": (ALL,)})
    assert free.is_reached(changed(RENAME, LOG, "UPDATE item SET seen = 1"))
    assert not free.is_reached(changed(RENAME, "UPDATE pair SET b = 2"))
    assert not free.is_reached(changed(LOG))


def test_a_value_may_be_asked_for_by_a_function() -> None:
    state = EndState(expected=(Added(table="log", values={"line": lambda line: line.startswith("x")}),))
    assert state.is_reached(changed(LOG))
    assert not state.is_reached(changed("INSERT INTO log VALUES ('y')"))


# --------------------------------------------------------------------------------------------------------- episode


def test_episodes_have_databases_of_their_own() -> None:
    one, two = Episode({"db": TEMPLATE}), Episode({"db": TEMPLATE})
    one.databases["db"].execute("DELETE FROM item")
    assert two.databases["db"].execute("SELECT count(*) FROM item").fetchone() == (2,)
    one.close()
    one.close()


def test_time_and_chance_are_the_episodes() -> None:
    def played() -> list[Any]:
        episode = Episode({})
        seen: list[Any] = []
        for _ in range(3):
            with episode.request():
                assert current() is episode
                seen += [now(), token(8, "ab")]
        return seen

    assert played() == played()
    assert now() == WORLD_START
    assert played()[-2] == WORLD_START + timedelta(seconds=3)
    with pytest.raises(LookupError):
        current()


@given(st.integers(1, 64), st.sampled_from(["ab", "0123456789abcdef"]))
def test_a_token_has_the_length_and_the_letters_asked_for(length: int, alphabet: str) -> None:
    episode = Episode({})
    with episode.request():
        made = [token(length, alphabet) for _ in range(2)]
    assert all(len(each) == length and set(each) <= set(alphabet) for each in made)
    assert length < 16 or made[0] != made[1]
