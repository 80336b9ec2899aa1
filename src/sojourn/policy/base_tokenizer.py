"""The tokenizer of the embedded base policy: one word, one token, wherever the word stands.

A tiny model must learn to copy names from an observation into a command. So a word gets the same id at the start of a
completion, after a line break or a bracket, and in the middle of a sentence. This is reached by writing a blank before
such places when encoding and taking it away when decoding: every word then carries its leading blank, and decoding
still gives the text back exactly, whatever the text. Digits are single tokens; no token spans two words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

SYSTEM, USER, ASSISTANT, END, PAD = "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|pad|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
"""One marker before a message, one after; append-only by construction."""

# After these a word mostly stands without a blank. Each costs one token where a blank does follow.
_OPENERS = ("\n", "(", "[", "_", '"')
_WORD = r" ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]|\s"


def train_base_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE over the words of `texts`; total (any Unicode text) and the same on every machine.

    Every word of `texts` is one token if `vocab_size` allows it (261 ids are taken by bytes and markers).
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [*(normalizers.Replace(opener, f"{opener} ") for opener in _OPENERS), normalizers.Prepend(" ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.ByteLevel(),
            decoders.Strip(" ", 1, 0),
            *(decoders.Replace(f"{opener} ", opener) for opener in _OPENERS),
        ]
    )
    tokenizer.train_from_iterator(texts, _trainer(vocab_size))
    return _wrapped(tokenizer)


def _trainer(vocab_size: int) -> Any:
    return trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, SYSTEM, USER, ASSISTANT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )


def _wrapped(tokenizer: Any) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[SYSTEM, USER, ASSISTANT],
        chat_template=CHAT_TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
