"""A constraint allows exactly the listed commands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.errors import ConfigError
from sojourn.policy.constraint import CommandConstraints, TokenTrie
from sojourn.policy.formats import FORMATS

STOP = 0
sequences = st.lists(st.lists(st.integers(1, 3), max_size=4).map(lambda ids: (*ids, STOP)), min_size=1, max_size=12)


def encode(text: str) -> tuple[int, ...]:
    return tuple(map(ord, text))


@given(sequences, st.data())
def test_the_allowed_ids_are_those_of_the_sequences_that_begin_so(given_sequences, data):
    trie = TokenTrie(given_sequences)
    generated: list[int] = []
    while allowed := trie.allowed(generated):
        n = len(generated)
        assert list(allowed) == sorted({s[n] for s in given_sequences if s[:n] == tuple(generated) and len(s) > n})
        generated.append(data.draw(st.sampled_from(allowed)))
    assert tuple(generated) in given_sequences


@given(sequences, st.data())
def test_a_walk_may_be_restarted_anywhere(given_sequences, data):
    trie = TokenTrie(given_sequences)
    for sequence in data.draw(st.lists(st.sampled_from(given_sequences))):
        prefix = sequence[: data.draw(st.integers(0, len(sequence)))]
        assert trie.allowed(prefix) == TokenTrie(given_sequences).allowed(prefix)


def test_a_token_that_was_not_allowed_is_an_error():
    trie = TokenTrie([(1, 2, STOP), (3, STOP)])
    trie.allowed((1,))
    with pytest.raises(ValueError, match=r"expected one of \[2\] at position 1, got 3"):
        trie.allowed((1, 3))


@pytest.mark.parametrize("name", ["bare", "reply", "function_call"])
def test_every_command_and_nothing_else_can_be_written(name):
    form = FORMATS[name]
    commands = ["go north", "go", "go north east", "look", "look"]
    constraint = CommandConstraints(form, encode, STOP)(commands)
    written, open_ = set(), [()]
    while open_:
        generated = open_.pop()
        allowed = constraint.allowed(generated)
        open_ += [(*generated, token) for token in allowed]
        if not allowed:
            written.add(form.parse("".join(map(chr, generated[:-1]))).action)
            assert generated[-1] == STOP
    assert written == set(commands)


def test_a_command_is_tokenised_once():
    texts = []

    def count(text: str) -> tuple[int, ...]:
        texts.append(text)
        return encode(text)

    constraints = CommandConstraints(FORMATS["bare"], count, STOP)
    for commands in (["go", "look"], ["look", "take"], ["go"]):
        constraints(commands)
    assert texts == ["go", "look", "take"]


def test_free_thoughts_cannot_be_confined():
    with pytest.raises(ConfigError, match=r"needs action_format='bare', 'reply' or 'function_call' \(got 'react'\)"):
        CommandConstraints(FORMATS["react"], encode, STOP)


def test_no_command_is_an_error():
    with pytest.raises(ValueError, match="at least one admissible command"):
        CommandConstraints(FORMATS["bare"], encode, STOP)([])
