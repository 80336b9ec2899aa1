"""The renderer: the only owner of the chat format. Messages in, token ids out.

A context only grows. The first prompt is the template's rendering; after a completion come the ids that the template
puts between an assistant's text and the next generation prompt. What was sampled is never rendered again, so where a
template rewrites its history (drops thinking, say) the context keeps it as sampled; `append_only` says where.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sojourn.errors import ConfigError
from sojourn.policy.append_only import AppendOnly, report
from sojourn.policy.encoder import Encoder
from sojourn.policy.template import ChatTemplate, TurnText
from sojourn.types import Message


class Renderer:
    """Token ids of conversations, for one tokenizer and its chat template."""

    def __init__(
        self,
        tokenizer: Any,
        *,
        enable_thinking: bool | None = None,
        chat_template: str | None = None,
        extra_stop_ids: Sequence[int] = (),
    ) -> None:
        """`chat_template` (Jinja text) replaces the tokenizer's.

        `extra_stop_ids` are the model's own, from its generation config. Raises `ConfigError` without a template.
        """
        self._tokenizer = tokenizer
        self.template = ChatTemplate(tokenizer, source=chat_template, enable_thinking=enable_thinking)
        """The template as text."""
        self._turn: TurnText = self.template.turn
        self._encoder = Encoder(tokenizer, self.template.source + self._turn.between + self._turn.prompt)
        self._num_prompt_ids = len(self._encoder.encode(self._turn.prompt))
        self._stop_ids = self._stops(extra_stop_ids)
        self._num_ending = self._ending_lengths()

    @property
    def stop_ids(self) -> tuple[int, ...]:
        """Ids that end a completion: the template's end of turn first, then the tokenizer's and the model's own."""
        return self._stop_ids

    @property
    def markers(self) -> frozenset[int]:
        """Ids that only the template may put into a prompt: no observation can hold one."""
        return self._encoder.markers

    @property
    def end_id(self) -> int:
        """The id that a completion normally ends with."""
        return self._stop_ids[0]

    def opening(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """Ids of the first prompt, generation prompt included."""
        messages = self.template.merged(messages)
        fragments = self.template.fragments([m.role for m in messages])
        ids = self._encoder.encode(self.template.text(messages))
        if self._encoder.markers_in(ids) == self._encoder.markers_of(fragments):
            return tuple(ids)
        return self._encoder.joined(fragments, [self.template.trimmed(m.content) for m in messages])

    def continuation(self, observation: str, *, last_sampled: Sequence[int]) -> tuple[int, ...]:
        """Ids that follow the completion `last_sampled`: the end of its turn if it was cut, the observation as a user
        message, the generation prompt.
        """
        turn = self._turn
        ids = self._encoder.joined((turn.between, turn.prompt), (self.template.trimmed(observation),))
        return ids[self._num_ending.get(last_sampled[-1], 0) :] if last_sampled else ids

    def completion_ids(self, text: str) -> tuple[int, ...]:
        """Ids of `text` as a model would write it after the generation prompt, without a stop id.

        They begin with whatever the template has a model write before its answer (an empty ``<think>`` block, a
        channel); `text` of a completion leaves that out again.
        """
        turn = self._turn
        ids = self._encoder.joined((turn.prompt + turn.lead, ""), (text,))
        if ids[: self._num_prompt_ids] == tuple(self._encoder.encode(turn.prompt)):
            return ids[self._num_prompt_ids :]
        return self._encoder.joined((turn.lead, ""), (text,))

    def text(self, completion_ids: Sequence[int]) -> str:
        """A completion as text, for people and for parsing: without the stop token, with every other.

        A ``<think>`` that the generation prompt opened is put back in front, so that the text is whole.
        """
        if completion_ids and completion_ids[-1] in self._stop_ids:
            completion_ids = completion_ids[:-1]
        text = str(self._tokenizer.decode(list(completion_ids), skip_special_tokens=False))
        if self._turn.lead and text.startswith(self._turn.lead):
            return text.removeprefix(self._turn.lead)
        return self._turn.opened + text

    @cached_property
    def append_only(self) -> AppendOnly:
        """Where the context differs from what the template would render for the whole conversation."""
        return report(self.template, ends_as_in_history=self._stop_ids[0] == self._first_marker(self._turn.between))

    def _first_marker(self, text: str) -> int | None:
        return next(iter(self._encoder.markers_in(self._encoder.encode(text))), None)

    def _stops(self, extra: Sequence[int]) -> tuple[int, ...]:
        # the last message of a conversation may end otherwise than the earlier ones (gpt-oss), and that end is what
        # is sampled: the other also stands within a turn. Where it has no end (GLM), the next turn's first marker is
        # how a model says that it is done
        ends = (self._first_marker(self._turn.last_end), self._first_marker(self._turn.between))
        end = ends[0] if ends[0] is not None else ends[1]
        stops = [i for i in (end, self._tokenizer.eos_token_id, *extra) if i is not None]
        if not stops:
            raise ConfigError("neither the chat template nor the tokenizer (eos_token) names a token that ends a turn")
        return tuple(dict.fromkeys(stops))

    def _ending_lengths(self) -> dict[int, int]:
        """Last id of a completion -> how many ids at the start of `between` it makes superfluous."""
        between = self._encoder.encode(self._turn.between)
        markers = self._encoder.markers_in(between)
        if not markers:
            return {}
        lengths = {markers[0]: between.index(markers[0]) + 1}
        if self._first_marker(self._turn.last_end) is None:  # `between` begins with the user's marker: not to be lost
            return lengths
        return {stop: between.index(stop if stop in markers else markers[0]) + 1 for stop in self._stop_ids} | lengths
