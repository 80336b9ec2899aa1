"""Says whether a chat template, rendering a whole conversation, gives what was built up turn by turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.policy.template import PINNED_DATE, THINK, ChatTemplate
from sojourn.types import Message

_REPLIES = ("look", "go north")
_THOUGHT = "I look first."


@dataclass(frozen=True, kw_only=True, slots=True)
class AppendOnly:
    """How a template's rendering of a whole conversation compares with the context."""

    plain: bool
    """Equal where the completions hold no thinking."""
    thinking: bool
    """Equal where the completions begin with thinking."""
    notes: tuple[str, ...]
    """What differs and what is done, in words; empty if there is nothing to say."""


def report(template: ChatTemplate, *, ends_as_in_history: bool = True) -> AppendOnly:
    """Compare three turns, without and with thinking.

    `ends_as_in_history`: whether a sampled turn ends with the token that the template ends earlier turns with.
    """
    turn = template.turn
    plain = _difference(template, [turn.lead + reply for reply in _REPLIES], _REPLIES)
    thought = _thought(template)
    contents = _REPLIES if "<|channel|>" in thought else [turn.opened + thought.lstrip() + reply for reply in _REPLIES]
    thinking = _difference(template, [thought + reply for reply in _REPLIES], contents)
    notes = []
    if turn.lead.strip():
        notes.append(
            f"An answer without thinking begins with {_quoted(turn.lead)}, which the model writes (or is forced to)."
        )
    if plain:
        notes.append(f"Without thinking: {plain}. The history is kept as it was sampled.")
    if thinking:
        notes.append(f"With thinking: {thinking}. The history, thinking included, is kept as it was sampled.")
    if not ends_as_in_history:
        notes.append("Earlier turns keep the end token that was sampled; the template would write another.")
    if not template.has_system_role:
        notes.append("There is no system role: the system text is put before the first user message.")
    if template.writes_date:
        notes.append(f"The template writes the date: it is always {PINNED_DATE.isoformat()}.")
    same = ends_as_in_history
    return AppendOnly(plain=same and not plain, thinking=same and not thinking, notes=tuple(notes))


def _thought(template: ChatTemplate) -> str:
    """Thinking as it is sampled, up to the answer."""
    if "<|channel|>analysis" in template.source:
        return f"<|channel|>analysis<|message|>{_THOUGHT}<|end|><|start|>assistant{template.turn.lead}"
    blank = "" if template.turn.lead.strip() else template.turn.lead
    return f"{blank}{'' if template.turn.opened else THINK}{_THOUGHT}\n</think>\n\n"


def _difference(template: ChatTemplate, sampled: Sequence[str], contents: Sequence[str]) -> str:
    """The first place where rendering everything differs from adding turn by turn; empty if nowhere.

    `contents` are the messages that a caller would make of the `sampled` texts.
    """
    users = [Message(role="user", content=f"Room {n}.") for n in range(len(sampled) + 1)]
    conversation = users[:1]
    built = template.text(conversation)
    for text, content, user in zip(sampled, contents, users[1:], strict=True):
        built += text + template.turn.between + user.content + template.turn.prompt
        conversation = [*conversation, Message(role="assistant", content=content), user]
    rendered = template.text(conversation)
    if rendered == built:
        return ""
    start = next((n for n, (a, b) in enumerate(zip(rendered, built, strict=False)) if a != b), 0)
    return f"the template would write {_excerpt(rendered, start)}, the context has {_excerpt(built, start)}"


def _excerpt(text: str, start: int) -> str:
    return _quoted(text[max(0, start - 12) : start + 24])


def _quoted(text: str) -> str:
    return f"`{repr(text)[1:-1]}`"
