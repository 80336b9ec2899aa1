"""A chat template as text: rendering, and cutting the rendering at the messages' contents.

The cut is made with markers: render the conversation with a marker in the place of each content, and the text between
two markers is what the template puts there. Unlike taking the difference of two renderings this holds for templates
that rewrite their history.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from jinja2 import TemplateError

from sojourn.errors import ConfigError
from sojourn.types import Message, Role

PINNED_DATE = date(2024, 7, 26)
"""The "today" of templates that write the date: a run must not depend on the day it is started."""

_DATE_FORMAT = re.compile(r"strftime_now\(\s*(['\"])(.+?)\1\s*\)")
THINK = "<think>\n"
"""How thinking is opened."""
_NO_TEMPLATE = (
    "the tokenizer has no chat template: use an instruct model, or give a template file with policy.chat_template"
)
# what a template raises when it is given something that it does not take
_REFUSALS = (TemplateError, TypeError, ValueError, AttributeError)


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnText:
    """What a template writes around one assistant turn, in the middle of a conversation."""

    between: str
    """From the end of the assistant's text to the next user's content."""
    prompt: str
    """From the end of the user's content to the end of the generation prompt."""
    lead: str
    """What an answer without thinking begins with, after the generation prompt; mostly nothing."""
    opened: str
    """``<think>`` and a line break if the generation prompt ends with that, else nothing."""
    last_end: str
    """What follows the assistant's text when it is the last of the conversation."""


class ChatTemplate:
    """The chat template of a tokenizer.

    A system message is put before the first user message, with a blank line between, where the template has no system
    role (Gemma).
    """

    def __init__(self, tokenizer: Any, *, source: str | None = None, enable_thinking: bool | None = None) -> None:
        """`source` replaces the tokenizer's own template; `enable_thinking` is passed on to it unless None."""
        self._tokenizer = tokenizer
        source = _source(tokenizer, source)
        self.writes_date = bool(_DATE_FORMAT.search(source))
        """Whether the template asks for the date; it gets `PINNED_DATE`."""
        self.source = _with_pinned_date(source)
        """The Jinja text that is rendered."""
        self._options = {} if enable_thinking is None else {"enable_thinking": enable_thinking}
        self._needs_parts = False
        self._needs_parts = not self._shows(["user"])
        self.has_system_role = self._shows(["system", "user"])
        """Whether a system message is shown as one."""
        padded = self.text([Message(role="user", content=f" {_marker(0)} ")])
        self._trims_left, self._trims_right = f" {_marker(0)}" not in padded, f"{_marker(0)} " not in padded

    @cached_property
    def turn(self) -> TurnText:
        """The text around an assistant turn. Found without a system message, which some templates repeat later."""
        _, before, between, prompt = self.fragments(["user", "assistant", "user"])
        opened = THINK if prompt.endswith(THINK) else ""
        return TurnText(
            between=between,
            prompt=prompt,
            lead="\n</think>\n\n" if opened else before.removeprefix(prompt) if before.startswith(prompt) else "",
            opened=opened,
            last_end=self.fragments(["user", "assistant"], generation_prompt=False)[-1],
        )

    def text(self, messages: Sequence[Message], *, generation_prompt: bool = True) -> str:
        """The template's own rendering of `messages`."""
        try:
            return self._render(self.merged(messages), generation_prompt)
        except _REFUSALS as error:
            raise ConfigError(f"the chat template can't render {[m.role for m in messages]}: {error}") from error

    def fragments(self, roles: Sequence[Role], *, generation_prompt: bool = True) -> list[str]:
        """What the template puts before, between and after the contents of messages with these roles.

        One text more than there are messages; the roles are those of `merged` messages.
        """
        rest = self.text(_marked(roles), generation_prompt=generation_prompt)
        fragments = []
        for index, role in enumerate(roles):
            fragment, marker, rest = rest.partition(_marker(index))
            if not marker or marker in rest:
                raise ConfigError(f"the chat template does not show message {index} ({role}) exactly once, in order")
            fragments.append(fragment)
        return [*fragments, rest]

    def trimmed(self, content: str) -> str:
        """A user's content as the template shows it: many strip the blanks around it."""
        content = content.lstrip() if self._trims_left else content
        return content.rstrip() if self._trims_right else content

    def merged(self, messages: Sequence[Message]) -> list[Message]:
        """`messages` without a system message if the template has no such role."""
        if self.has_system_role or not messages or messages[0].role != "system":
            return list(messages)
        if len(messages) < 2 or messages[1].role != "user":
            raise ConfigError("a template without a system role needs a user message after the system message")
        first = Message(role="user", content=f"{messages[0].content}\n\n{messages[1].content}")
        return [first, *messages[2:]]

    def _shows(self, roles: Sequence[Role]) -> bool:
        messages = _marked(roles)
        try:
            text = self._render(messages, generation_prompt=True)
        except _REFUSALS:
            return False
        return all(message.content in text for message in messages)

    def _render(self, messages: Sequence[Message], generation_prompt: bool) -> str:
        rendered = self._tokenizer.apply_chat_template(
            [{"role": m.role, "content": self._content(m.content)} for m in messages],
            chat_template=self.source,
            add_generation_prompt=generation_prompt,
            tokenize=False,
            **self._options,
        )
        assert isinstance(rendered, str)
        return rendered

    def _content(self, content: str) -> str | list[dict[str, str]]:
        return [{"type": "text", "text": content}] if self._needs_parts else content


def _source(tokenizer: Any, override: str | None) -> str:
    if override is None and not getattr(tokenizer, "chat_template", None):
        raise ConfigError(_NO_TEMPLATE)
    return override or str(tokenizer.get_chat_template())


def _with_pinned_date(source: str) -> str:
    formats = {match[2] for match in _DATE_FORMAT.finditer(source)}
    if not formats:
        return source
    dates = {text: PINNED_DATE.strftime(text) for text in sorted(formats)}
    # a macro of the same name hides the function that returns the real date
    return f"{{%- macro strftime_now(format) -%}}{{{{ {dates!r}[format] }}}}{{%- endmacro -%}}{source}"


def _marker(index: int) -> str:
    return f"SojournMarker{index}Ends"


def _marked(roles: Sequence[Role]) -> list[Message]:
    return [Message(role=role, content=_marker(index)) for index, role in enumerate(roles)]
