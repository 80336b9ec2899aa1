"""Confines a completion to a list of commands: a trie over their token ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sojourn.errors import ConfigError
from sojourn.policy.formats import ActionFormat

_Node = dict[int, Any]  # recursive: id -> _Node; an empty node is a leaf


class TokenTrie:
    """A set of token sequences as a tree; one completion walks it from the root to a leaf.

    A `sojourn.types.Constraint` for one completion: it remembers where the walk has come to, so each call walks the
    tokens added since the last. A shorter or different `generated` restarts the walk.
    """

    def __init__(self, sequences: Iterable[Sequence[int]]) -> None:
        self._root: _Node = {}
        for sequence in sequences:
            node = self._root
            for token in sequence:
                child = node.get(token)
                if child is None:
                    child = node[token] = {}
                node = child
        self._node = self._root
        self._path: list[int] = []

    def allowed(self, generated: Sequence[int]) -> Sequence[int]:
        """Ids that may follow `generated`, ascending; empty when a whole sequence has been generated."""
        if list(generated[: len(self._path)]) != self._path:
            self._node, self._path = self._root, []
        for token in generated[len(self._path) :]:
            if token not in self._node:
                raise ValueError(f"expected one of {sorted(self._node)} at position {len(self._path)}, got {token}")
            self._node = self._node[token]
            self._path.append(token)
        return sorted(self._node)


class CommandConstraints:
    """Makes the constraint of each turn from its admissible commands.

    Commands recur from turn to turn, so their ids are kept: a warm turn costs no tokenisation.
    """

    def __init__(
        self,
        action_format: ActionFormat,
        encode: Callable[[str], Sequence[int]],
        stop_id: int,
        *,
        max_cached: int = 65536,
    ) -> None:
        """`encode` gives the ids of a text as the model would write it; `stop_id` ends every completion."""
        if not action_format.confines_whole_text:
            raise ConfigError(
                f"constraint='admissible' needs action_format='bare', 'reply' or 'function_call' (got "
                f"{action_format.name!r}): a free thought before the action cannot be confined to a list"
            )

        def ids(command: str) -> tuple[int, ...]:
            return (*encode(action_format.render(command)), stop_id)

        self._ids = lru_cache(maxsize=max_cached)(ids)

    def __call__(self, commands: Sequence[str]) -> TokenTrie:
        """A fresh constraint to `commands` (at least one)."""
        if not commands:
            raise ValueError("expected at least one admissible command, got none")
        return TokenTrie(map(self._ids, commands))
