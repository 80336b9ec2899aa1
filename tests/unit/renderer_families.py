"""The chat templates of real model families, read from the package `trl`, with small tokenizers to match.

Run it to write the table of docs/templates.md: ``python tests/unit/renderer_families.py > docs/templates.md``.
"""

from __future__ import annotations

import importlib.util
import re
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from sojourn.policy.renderer import Renderer

BOS = "<s>"
EOS = {
    "cohere": "<|END_OF_TURN_TOKEN|>",
    "deepseek": "<｜end▁of▁sentence｜>",  # noqa: RUF001
    "diffusion_gemma": "<eos>",
    "gemma": "<eos>",
    "glm": "<|endoftext|>",
    "gptoss": "<|return|>",
    "idefics": "<end_of_utterance>",
    "lfm": "<|im_end|>",
    "llama3": "<|eot_id|>",
    "llava": "</s>",
    "muse": "<|eot|>",
    "nemotron": "<|im_end|>",
    "phi": "<|endoftext|>",
    "qwen": "<|im_end|>",
    "smolvlm": "<end_of_utterance>",
}
"""End of text by the beginning of the file's name."""

_SPECIAL = re.compile(r"<\|[a-zA-Z0-9_]+\|?>|<[a-z_]+\|>|<｜[^｜]+｜>|<(?:start|end)_of_\w+>|\[gMASK\]|<sop>")  # noqa: RUF001
# as in most of these families, line breaks stay together whatever follows them
_WORD = r"[^\S\n]?\p{L}+|\p{N}|[^\S\n]?[^\s\p{L}\p{N}]+|\s*\n+|\s+"
_CORPUS = ["You are in a room. You see a red ball. look go north user assistant system model Thought Action\n\n"] * 3

_HEAD = """# Chat templates

A context only grows: what a model sampled is never tokenised or rendered again. The first prompt is the rendering of
the model's own chat template. What follows a completion is cut out of a rendering in which markers stand for the
contents: the text between the assistant's marker and the next user's, and from there to the end of the generation
prompt. If the completion ended its turn itself, that end is left out; if it was cut, it is added, as text of the
environment.

The table says for each template file whether this gives what the template would give if the whole conversation were
rendered again, when the completions hold no thinking (*plain*) and when they do (*thinking*). Where it says no, the
notes say what differs; the context then holds what the model wrote, and training sees what sampling saw.

- An observation can't forge a turn marker. If its text changes the sequence of special tokens, its parts are tokenised
  one by one, and the observation without any special token. Only then can the ids next to it differ from those of the
  whole text: where a template puts a blank before the observation (SmolVLM, Idefics 3, LLaVA), where it puts a line
  break and the observation begins with one, where a special token swallows the blanks after it (Phi-3), and where a
  tokenizer puts a blank before the first word only.
- Blanks around an observation are kept or dropped as the template does.
- `policy.thinking` is passed to templates that know `enable_thinking`; the table is without it.
- A template that writes today's date is given 2024-07-26: a run must not depend on the day it is started.

Generated from the template files of trl 1.16.0 by `python tests/unit/renderer_families.py > docs/templates.md`; a test
compares.

| template | system role | plain | thinking | notes |
|---|---|---|---|---|"""


def folder() -> Path | None:
    """Where the template files are; None if trl is not installed."""
    spec = importlib.util.find_spec("trl")  # found, not imported: the import is slow, and only its files are wanted
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "chat_templates"


def families() -> list[str]:
    """Names of the template files, without the variants that were changed for training."""
    at = folder()
    return [] if at is None else sorted(f.stem for f in at.glob("*.jinja") if not f.stem.endswith("_training"))


def source(family: str) -> str:
    """The template text of a family."""
    at = folder()
    assert at is not None
    return (at / f"{family}.jinja").read_text(encoding="utf-8")


def eos(family: str) -> str:
    """The family's end of text."""
    return next(token for start, token in EOS.items() if family.startswith(start))


def small_tokenizer(special: list[str], template: str | None, eos_token: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE of a few hundred tokens with these special tokens; ``<think>`` is added, but not special."""
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(_WORD), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(_CORPUS, trainer)
    tokenizer.add_special_tokens(sorted({*special, BOS, eos_token}))
    tokenizer.add_tokens(["<think>", "</think>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=BOS, eos_token=eos_token, chat_template=template
    )


@cache
def family_renderer(family: str) -> tuple[Renderer, PreTrainedTokenizerFast]:
    """The renderer of a family and its tokenizer."""
    text = source(family)
    tokenizer = small_tokenizer(_SPECIAL.findall(text), text, eos(family))
    return Renderer(tokenizer), tokenizer


def document() -> str:
    """docs/templates.md."""
    notes: list[str] = []
    lines = [_HEAD]
    for family in families():
        renderer, _ = family_renderer(family)
        report = renderer.append_only
        notes += [note for note in report.notes if note not in notes]
        numbers = ", ".join(str(notes.index(note) + 1) for note in report.notes)
        cells = [renderer.template.has_system_role, report.plain, report.thinking]
        lines.append(f"| {family} | {' | '.join('yes' if cell else 'no' for cell in cells)} | {numbers} |")
    return "\n".join([*lines, "", *(f"{n}. {note}" for n, note in enumerate(notes, 1)), ""])


if __name__ == "__main__":
    print(document(), end="")
