"""States: which pages of a database changed, which rows, and whether that is what was asked for."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.envs.web.checks.diff import ALL, TableChange, changes
from sojourn.envs.web.checks.pages import suspects
from sojourn.envs.web.checks.states import Added, EndState, Removed, Updated

TABLES = {
    "item": "CREATE TABLE item (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, size INTEGER DEFAULT 0)",
    "pair": "CREATE TABLE pair (a INTEGER, b INTEGER, PRIMARY KEY (a, b)) WITHOUT ROWID",
    "log": "CREATE TABLE log (line TEXT UNIQUE)",
    "empty": "CREATE TABLE empty (id INTEGER PRIMARY KEY, text TEXT)",
}


def restored(template: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.deserialize(template)
    connection.row_factory = sqlite3.Row
    return connection


def made(num_items: int) -> bytes:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for sql in TABLES.values():
        connection.execute(sql)
    connection.execute("CREATE INDEX item_name ON item (name)")
    for number in range(1, num_items + 1):
        connection.execute(
            "INSERT INTO item (name, size) VALUES (?, ?)", (f"thing {number} " + "x" * (number % 90), number)
        )
        connection.execute("INSERT INTO pair VALUES (?, ?)", (number, number % 7))
        connection.execute("INSERT INTO log VALUES (?)", (f"line {number}",))
    connection.execute("INSERT INTO item (name) VALUES (?)", ("long " * 3_000,))
    connection.execute("VACUUM")
    return connection.serialize()


SMALL, LARGE = made(5), made(900)


def test_nothing_done_changes_nothing() -> None:
    for template in (SMALL, LARGE):
        connection = restored(template)
        assert suspects(connection, template) == frozenset()
        assert changes(connection, template) == {}
        connection.close()


STEPS = st.one_of(
    st.tuples(st.just("INSERT INTO item (name) VALUES (?)"), st.tuples(st.text(max_size=5))),
    st.tuples(st.just("UPDATE item SET size = size + 1 WHERE id = ?"), st.tuples(st.integers(1, 950))),
    st.tuples(st.just("UPDATE item SET name = ? WHERE id = 901"), st.tuples(st.just("long " * 2_999 + "other"))),
    st.tuples(st.just("DELETE FROM item WHERE id % ? = 0"), st.tuples(st.integers(1, 40))),
    st.tuples(st.just("INSERT OR IGNORE INTO pair VALUES (?, 9)"), st.tuples(st.integers(1, 950))),
    st.tuples(st.just("DELETE FROM pair WHERE a > ?"), st.tuples(st.integers(800, 950))),
    st.tuples(st.just("INSERT OR REPLACE INTO log VALUES (?)"), st.tuples(st.sampled_from(["line 1", "new", "newer"]))),
    st.tuples(st.just("DELETE FROM log WHERE line = ?"), st.tuples(st.sampled_from(["line 1", "new"]))),
    st.tuples(st.just("INSERT INTO empty (text) VALUES (?)"), st.tuples(st.just("y" * 9_000))),
    st.tuples(st.just("DELETE FROM empty WHERE id > ?"), st.tuples(st.integers(0, 2))),
)


def rows_of(connection: sqlite3.Connection, table: str) -> set[tuple[Any, ...]]:
    return {tuple(row) for row in connection.execute(f"SELECT * FROM {table}")}


@given(st.booleans(), st.lists(STEPS, max_size=8))
def test_the_difference_is_that_of_all_rows_whatever_the_pages_say(
    is_large: bool, steps: list[tuple[str, tuple[Any, ...]]]
) -> None:
    template = LARGE if is_large else SMALL
    before, after = restored(template), restored(template)
    for sql, values in steps:
        after.execute(sql, values)
    found = changes(after, template)
    possible = suspects(after, template)
    for table in TABLES:
        was, is_now = rows_of(before, table), rows_of(after, table)
        assert (table in found) == (was != is_now)
        if table in found:
            change = found[table]
            added = [*change.added, *(pair[1] for pair in change.updated)]
            removed = [*change.removed, *(pair[0] for pair in change.updated)]
            assert {tuple(row.values()) for row in added} == is_now - was
            assert {tuple(row.values()) for row in removed} == was - is_now
            assert possible is None or table in possible
    before.close()
    after.close()


def test_a_change_in_the_rest_of_a_long_row_is_seen() -> None:
    connection = restored(LARGE)
    connection.execute("UPDATE item SET name = ? WHERE id = 901", ("long " * 2_999 + "other",))
    assert list(changes(connection, LARGE)) == ["item"]


def test_few_tables_are_compared_and_ignored_ones_are_not_found() -> None:
    connection = restored(LARGE)
    connection.execute("UPDATE item SET size = 5 WHERE id = 3")
    connection.execute("INSERT INTO log VALUES ('seen')")
    assert suspects(connection, LARGE) == {"item", "log"}
    assert list(changes(connection, LARGE, ignored=["log"])) == ["item"]
    assert changes(connection, LARGE, ignored=["log", "item"]) == {}


@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY,", ""])
def test_a_difference_in_capitals_is_one_even_where_a_column_does_not_mind(key: str) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute(f"CREATE TABLE forum ({key} name TEXT UNIQUE COLLATE NOCASE)")
    connection.execute("INSERT INTO forum (name) VALUES ('travel')")
    template = connection.serialize()
    connection.execute("UPDATE forum SET name = 'Travel'")
    found = changes(connection, template)["forum"]
    assert [row["name"] for row in (*found.added, *(after for _, after in found.updated))] == ["Travel"]
    connection.close()


def test_a_difference_can_be_taken_again_and_the_episode_go_on() -> None:
    connection = restored(SMALL)
    connection.execute("INSERT INTO log VALUES ('a')")
    assert changes(connection, SMALL) == changes(connection, SMALL)
    connection.execute("DELETE FROM log WHERE line = 'a'")
    assert changes(connection, SMALL) == {}


# -------------------------------------------------------------------------------------------------- expected states


def after(*statements: str) -> dict[str, TableChange]:
    connection = restored(SMALL)
    for statement in statements:
        connection.execute(statement)
    return changes(connection, SMALL)


ADD = "INSERT INTO item (name, size) VALUES ('new', 3)"
UPDATE = "UPDATE item SET size = 9 WHERE id = 2"
REMOVE = "DELETE FROM log WHERE line = 'line 1'"
STATES = {
    ADD: EndState(expected=(Added(table="item", values={"name": "new", "size": 3}),)),
    UPDATE: EndState(expected=(Updated(table="item", where={"id": 2}, values={"size": 9}),)),
    REMOVE: EndState(expected=(Removed(table="log", where={"line": "line 1"}),)),
}
WRONG = (
    "INSERT INTO item (name, size) VALUES ('new', 4)",
    "INSERT INTO item (name, size) VALUES ('New', 3)",
    "UPDATE item SET size = 9 WHERE id = 3",
    "UPDATE item SET size = 8 WHERE id = 2",
    "UPDATE item SET size = 9, name = 'other' WHERE id = 2",
    "UPDATE item SET size = 9 WHERE id IN (2, 3)",
    "DELETE FROM log WHERE line = 'line 2'",
    "DELETE FROM log WHERE line IN ('line 1', 'line 2')",
    "DELETE FROM item WHERE id = 2",
)


@pytest.mark.parametrize("right", STATES)
def test_a_state_is_reached_by_the_right_change_alone(right: str) -> None:
    state = STATES[right]
    assert state.is_reached(after(right))
    assert not state.is_reached({})
    assert [sql for sql in (*WRONG, *STATES) if sql != right and state.is_reached(after(sql))] == []
    assert [sql for sql in (*WRONG, *STATES) if sql != right and state.is_reached(after(right, sql))] == []
    assert not state.is_reached(after(right, "INSERT INTO empty (text) VALUES ('x')"))


def test_two_of_a_kind_have_to_be_two() -> None:
    twice = EndState(expected=(Added(table="item", values={"name": "new"}),) * 2)
    assert twice.is_reached(after(ADD, ADD))
    assert not twice.is_reached(after(ADD))
    assert not STATES[ADD].is_reached(after(ADD, ADD))


def test_what_may_change_besides() -> None:
    state = EndState(expected=STATES[ADD].expected, allowed={"pair": (ALL,)})
    assert state.is_reached(after(ADD, "INSERT INTO pair VALUES (77, 1)"))
    assert STATES[ADD].is_reached(after(ADD, "INSERT INTO pair VALUES (77, 1)"), {"pair": (ALL,)})
    assert STATES[ADD].is_reached(after(ADD, "UPDATE item SET size = 7 WHERE id = 1"), {"item": ("size",)})
    assert not STATES[ADD].is_reached(after(ADD, "UPDATE item SET name = 'x' WHERE id = 1"), {"item": ("size",)})
