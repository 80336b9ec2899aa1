"""The base policy's tokenizer: total, lossless, and one id per word wherever the word stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from sojourn.policy.base_tokenizer import train_base_tokenizer
from sojourn.policy.renderer import Renderer
from sojourn.types import Message

TEXTS = [
    "In front of you, you can see a red ball 1, 3 steps away.\nCommands: go to red ball 1 | turn left",
    'Inventory: [oak planks] (4)\ncraft 4 oak planks using 1 oak_log "ok"',
]
TOKENIZER = train_base_tokenizer(TEXTS, 640)
any_text = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.sampled_from(["red ball", "\n", "(", '"', "_", " "])
).map("".join)


@given(any_text)
def test_any_text_is_decoded_to_itself(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@pytest.mark.parametrize("text", ["{}", "the {}", "a\n{} b", "[{}]", "({})", '"{}"', "oak_{}", "{}, {}"])
def test_a_word_has_one_id_wherever_it_stands(text):
    for word in ("red", "ball", "planks"):
        (word_id,) = TOKENIZER.encode(word)
        assert TOKENIZER.encode(text.format(word, word)).count(word_id) == text.count("{}")


def test_a_command_is_copied_id_by_id():
    ids, command = TOKENIZER.encode(TEXTS[0]), TOKENIZER.encode("go to red ball 1")
    assert len(command) == 5
    assert any(ids[n : n + 5] == command for n in range(len(ids)))


def test_numbers_are_digits_and_phrases_are_words():
    assert len(TOKENIZER.encode("137")) == 3
    words = [TOKENIZER.decode([i]) for i in range(len(TOKENIZER)) if i not in TOKENIZER.all_special_ids]
    assert not [word for word in words if len(word.split()) > 1 or sum(map(str.isdigit, word)) > 1]


def test_saved_and_loaded_it_is_equal(tmp_path):
    TOKENIZER.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.backend_tokenizer.to_str() == TOKENIZER.backend_tokenizer.to_str()
    assert loaded.chat_template == TOKENIZER.chat_template
    assert (loaded.eos_token, loaded.pad_token) == ("<|end|>", "<|pad|>") == (TOKENIZER.eos_token, TOKENIZER.pad_token)
    assert loaded.all_special_ids == TOKENIZER.all_special_ids


def test_its_chat_is_append_only_with_one_marker_before_and_after_a_message():
    renderer = Renderer(TOKENIZER)
    assert renderer.append_only.plain
    assert renderer.append_only.thinking
    assert not renderer.append_only.notes
    assert renderer.stop_ids == (TOKENIZER.eos_token_id,)
    opening = renderer.opening([Message(role="system", content="red"), Message(role="user", content="ball")])
    assert len(opening) == 7
    assert TOKENIZER.decode(opening[-1:]) == "<|assistant|>"


def test_the_vocabulary_is_no_larger_than_asked():
    assert len(train_base_tokenizer(TEXTS, 280)) == 280
    assert len(TOKENIZER) <= 640
