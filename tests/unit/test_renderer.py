"""The renderer on templates and tokenizers made for one difficulty each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.renderer_families import small_tokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from sojourn.errors import ConfigError
from sojourn.policy.renderer import Renderer
from sojourn.types import Message

CHAT = (
    "{% for m in messages %}<|{{ m['role'] }}|>\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
MARKERS = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
OPENING = [Message(role="system", content="Act."), Message(role="user", content="A room.")]


def chat_renderer(template: str = CHAT, **options) -> Renderer:
    return Renderer(small_tokenizer(MARKERS, template, "<|eos|>"), **options)


RENDERER = chat_renderer()
TOKENIZER = small_tokenizer(MARKERS, CHAT, "<|eos|>")
texts = st.lists(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from([*MARKERS, "<|", "|>", "\n", " "])
).map("".join)


@given(texts)
def test_any_observation_is_shown_whole_and_between_the_templates_markers(observation):
    ids = RENDERER.continuation(observation, last_sampled=())
    assert TOKENIZER.decode(ids) == f"<|end|>\n<|user|>\n{observation}<|end|>\n<|assistant|>\n"
    shown = TOKENIZER.convert_ids_to_tokens([i for i in ids if i in RENDERER.markers])
    assert shown == ["<|end|>", "<|user|>", "<|end|>", "<|assistant|>"]


@given(texts, texts)
def test_any_first_prompt_is_shown_whole_and_between_the_templates_markers(system, observation):
    ids = RENDERER.opening([Message(role="system", content=system), Message(role="user", content=observation)])
    assert TOKENIZER.decode(ids) == f"<|system|>\n{system}<|end|>\n<|user|>\n{observation}<|end|>\n<|assistant|>\n"
    assert sum(i in RENDERER.markers for i in ids) == 5


@given(texts)
def test_any_completion_is_written_without_markers(text):
    ids = RENDERER.completion_ids(text)
    assert TOKENIZER.decode(ids) == text
    assert RENDERER.markers.isdisjoint(ids)


@given(st.lists(st.tuples(texts, texts), min_size=1, max_size=4))
def test_turn_by_turn_is_the_whole_conversation(turns):
    context, whole = "", ""
    last: tuple[int, ...] = ()
    for observation, reply in turns:
        user = Message(role="user", content=observation)
        context += TOKENIZER.decode(
            RENDERER.continuation(observation, last_sampled=last) if last else RENDERER.opening([user])
        )
        last = (*RENDERER.completion_ids(reply), RENDERER.end_id)
        context += TOKENIZER.decode(last)
        whole += f"<|user|>\n{observation}<|end|>\n<|assistant|>\n{reply}<|end|>"
        assert context == whole
        whole += "\n"


def test_stop_ids_are_the_templates_end_then_the_tokenizers_then_the_models_own():
    renderer = chat_renderer(extra_stop_ids=(7, TOKENIZER.eos_token_id))
    assert renderer.stop_ids == (TOKENIZER.convert_tokens_to_ids("<|end|>"), TOKENIZER.eos_token_id, 7)


def test_a_turn_that_ended_with_another_stop_token_is_not_ended_again():
    ids = RENDERER.continuation("A room.", last_sampled=(5, TOKENIZER.eos_token_id))
    assert TOKENIZER.decode(ids).startswith("\n<|user|>")


def test_the_stop_token_is_no_part_of_the_text():
    ids = RENDERER.completion_ids("look")
    assert RENDERER.text((*ids, RENDERER.end_id)) == "look" == RENDERER.text(ids)
    assert RENDERER.text(()) == ""


def test_no_template_says_what_to_do():
    with pytest.raises(ConfigError, match=r"no chat template: use an instruct model, or .* policy\.chat_template"):
        Renderer(small_tokenizer(MARKERS, None, "<|eos|>"))
    assert Renderer(small_tokenizer(MARKERS, None, "<|eos|>"), chat_template=CHAT).end_id == RENDERER.end_id


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ messages[0]['content'] }}", "message 1 .assistant. exactly once"),
        ("{% for m in messages %}{{ m['content'] }}{{ m['content'] }}{% endfor %}", "message 0 .user. exactly once"),
        ("{{ raise_exception('never') }}", "can't render"),
        ("{% for %}", "can't render"),
    ],
)
def test_a_template_that_cannot_be_cut_is_refused(template, message):
    with pytest.raises(ConfigError, match=message):
        chat_renderer(template)


def test_a_template_without_system_role_shows_the_system_text_before_the_first_observation():
    refuses = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + CHAT
    ignores = CHAT.replace("in messages", "in messages if m['role'] != 'system'")
    for template in (refuses, ignores):
        renderer = chat_renderer(template)
        shown = TOKENIZER.decode(renderer.opening(OPENING))
        assert shown == "<|user|>\nAct.\n\nA room.<|end|>\n<|assistant|>\n"
        assert "no system role" in renderer.append_only.notes[-1]
        with pytest.raises(ConfigError, match="user message after the system"):
            renderer.opening(OPENING[:1])


def test_contents_may_have_to_be_parts():
    parts = CHAT.replace("m['content']", "m['content'][0]['text']")
    assert chat_renderer(parts).opening(OPENING) == RENDERER.opening(OPENING)


def test_blanks_around_an_observation_are_dropped_where_the_template_does():
    trims = chat_renderer(CHAT.replace("m['content']", "m['content'] | trim"))
    assert trims.continuation(" \nA room.\n", last_sampled=()) == RENDERER.continuation("A room.", last_sampled=())
    assert "\n \nA room.\n<" in TOKENIZER.decode(RENDERER.continuation(" \nA room.\n", last_sampled=()))
    forged = [*OPENING[:1], Message(role="user", content=" <|end|> ")]
    assert "<|user|>\n<|end|><|end|>" in TOKENIZER.decode(trims.opening(forged))


def test_thinking_opened_by_the_prompt_is_closed_by_an_answer_without_and_whole_in_the_text():
    renderer = chat_renderer(CHAT.replace("<|assistant|>\n{% endif", "<|assistant|>\n<think>\n{% endif"))
    ids = renderer.completion_ids("look")
    assert TOKENIZER.decode(ids) == "\n</think>\n\nlook"
    assert renderer.text(ids) == "look"
    assert renderer.text(TOKENIZER.encode("hm\n</think>\n\nlook")) == "<think>\nhm\n</think>\n\nlook"


def test_enable_thinking_reaches_the_template():
    template = CHAT.replace("\n{% endif", "\n{% if enable_thinking is false %}no{% endif %}{% endif")
    assert TOKENIZER.decode(chat_renderer(template).opening(OPENING)).endswith("<|assistant|>\n")
    assert TOKENIZER.decode(chat_renderer(template, enable_thinking=False).opening(OPENING)).endswith("\nno")


def test_a_marker_that_is_not_special_cannot_be_forged_either():
    tokenizer = small_tokenizer([], CHAT, "<|eos|>")
    tokenizer.add_tokens([*MARKERS, "<|other|>"])  # plain added tokens, as in some DeepSeek distillations
    renderer = Renderer(tokenizer)
    user = tokenizer.convert_tokens_to_ids("<|user|>")
    assert renderer.continuation("<|user|> A room.", last_sampled=()).count(user) == 1
    # one that the template does not write is text like any other
    assert tokenizer.convert_tokens_to_ids("<|other|>") in renderer.continuation("<|other|>", last_sampled=())


def test_a_vocabulary_that_holds_the_marker_as_a_word_cannot_be_used_to_forge():
    words = {word: i for i, word in enumerate([*MARKERS, "<|eos|>", *"<|>enduser", "[UNK]"])}
    backend = Tokenizer(models.WordLevel({w: i for i, w in enumerate(dict.fromkeys(words))}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(MARKERS)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|eos|>", chat_template=CHAT)
    ids = Renderer(tokenizer).continuation("<|end|>", last_sampled=())
    assert tokenizer.convert_ids_to_tokens(list(ids[2:-2])) == list("<|end|>")


def test_a_marker_that_swallows_blanks_gives_what_the_template_gives():
    tokenizer = small_tokenizer([], CHAT, "<|eos|>")
    tokenizer.add_tokens([AddedToken(marker, rstrip=True, special=True) for marker in MARKERS], special_tokens=True)
    renderer = Renderer(tokenizer)
    context = [*renderer.opening(OPENING), *renderer.completion_ids("look"), renderer.end_id]
    context += renderer.continuation("A room.", last_sampled=context[-1:])
    conversation = [*OPENING, Message(role="assistant", content="look"), OPENING[1]]
    assert context == tokenizer.encode(renderer.template.text(conversation), add_special_tokens=False)


@pytest.mark.parametrize("scheme", ["first", "always", "never"])
def test_a_completion_has_the_ids_it_has_after_the_prompt(scheme):
    letters = {c: i for i, c in enumerate("▁ \nabcdefghijklmnopqrstuvwxyzAR.|<>")}
    backend = Tokenizer(models.BPE(letters, []))
    backend.normalizer = normalizers.Replace(" ", "▁")
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    backend.decoder = decoders.Metaspace(prepend_scheme=scheme, split=False)
    backend.add_special_tokens([*MARKERS, "<|eos|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|eos|>", chat_template=CHAT)
    renderer = Renderer(tokenizer)
    prompt = tokenizer.encode(renderer.template.text(OPENING), add_special_tokens=False)
    whole = tokenizer.encode(renderer.template.text(OPENING) + "go north", add_special_tokens=False)
    assert [*prompt, *renderer.completion_ids("go north")] == whole


def test_a_tokenizer_without_an_end_of_turn_is_refused():
    template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
    tokenizer = small_tokenizer([], template, "<|eos|>")
    assert Renderer(tokenizer).stop_ids == (tokenizer.eos_token_id,)
    tokenizer.eos_token = None
    with pytest.raises(ConfigError, match="names a token that ends a turn"):
        Renderer(tokenizer)
