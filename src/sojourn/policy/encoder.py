"""Text to token ids, such that an environment's text can never forge a turn marker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

from tokenizers import Tokenizer

Encode = Callable[[str], list[int]]


class Encoder:
    """Tokenises template text with markers and content without.

    A *marker* is an added token that is special or that the template writes: only the template may produce its id.
    """

    def __init__(self, tokenizer: Any, template_text: str) -> None:
        """`template_text` is everything in which the template may name a token: its source and a rendering."""
        self._tokenizer = tokenizer
        self._encode = _encode_function(tokenizer)
        self.markers = frozenset(_marker_ids(tokenizer, template_text))
        """Ids that only the template may produce."""

        def markers_of(fragments: tuple[str, ...]) -> tuple[int, ...]:
            return tuple(chain.from_iterable(self.markers_in(self._encode(fragment)) for fragment in fragments))

        self._markers_of = lru_cache(maxsize=64)(markers_of)

    def encode(self, text: str) -> list[int]:
        """Ids of `text`, with the markers in it."""
        return self._encode(text)

    def encode_plain(self, text: str) -> list[int]:
        """Ids of `text` with no marker in it: a marker's text becomes ordinary tokens."""
        ids = self._encode(text)
        if self.markers.isdisjoint(ids):
            return ids
        ids = self._encode_without_markers(text)
        if not self.markers.isdisjoint(ids):  # the vocabulary itself holds the marker as a word: break it up
            ids = [i for character in text for i in self._encode_without_markers(character)]
        return ids

    def joined(self, fragments: Sequence[str], contents: Sequence[str]) -> tuple[int, ...]:
        """Ids of fragment 0, content 0, fragment 1, ...; ends with a fragment.

        Normally the ids of the whole text. If a content changed the sequence of markers, the parts are tokenised one
        by one instead, the contents plainly.
        """
        *heads, tail = fragments
        pairs = list(zip(heads, contents, strict=True))
        ids = self._encode("".join(chain(*pairs, (tail,))))
        if self.markers_in(ids) != self.markers_of(fragments):
            parts = (self._encode(fragment) + self.encode_plain(content) for fragment, content in pairs)
            return tuple(chain(*parts, self._encode(tail)))
        return tuple(ids)

    def markers_in(self, ids: Iterable[int]) -> tuple[int, ...]:
        """The markers among `ids`, in order."""
        markers = self.markers
        return tuple([i for i in ids if i in markers])

    def markers_of(self, fragments: Sequence[str]) -> tuple[int, ...]:
        """The markers that the template itself puts into `fragments`."""
        return self._markers_of(tuple(fragments))

    @cached_property
    def _encode_without_markers(self) -> Encode:  # lazily: it copies the tokenizer, and few texts need it
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            return lambda text: list(self._tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))
        data = json.loads(backend.to_str())
        vocabulary = backend.get_vocab(with_added_tokens=False)
        # the other added tokens are text (runs of blanks); one outside the vocabulary would get a new id here
        data["added_tokens"] = [
            t for t in data["added_tokens"] if t["id"] not in self.markers and t["content"] in vocabulary
        ]
        data["post_processor"] = None  # may name a token that is gone
        return _backend_encode(Tokenizer.from_str(json.dumps(data)))


def _encode_function(tokenizer: Any) -> Encode:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return lambda text: list(tokenizer.encode(text, add_special_tokens=False))
    backend.no_truncation()
    backend.no_padding()
    return _backend_encode(backend)


def _backend_encode(backend: Any) -> Encode:
    def encode(text: str) -> list[int]:  # past the wrapper in transformers, which costs more than the tokenising
        ids: list[int] = backend.encode(text, add_special_tokens=False).ids
        return ids

    return encode


def _marker_ids(tokenizer: Any, template_text: str) -> set[int]:
    named = {
        i
        for i, token in tokenizer.added_tokens_decoder.items()
        if token.special or (token.content.strip() and token.content in template_text)
    }
    return named | set(tokenizer.all_special_ids)
