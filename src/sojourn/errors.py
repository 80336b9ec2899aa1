"""One small hierarchy of errors; each class names the boundary that failed.

``ValueError`` and its children here are for the user (bad input); ``assert`` is for ourselves.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SojournError(Exception):
    """Root of all errors that Sojourn raises on purpose."""


class ConfigError(SojournError, ValueError):
    """A configuration, option or name is wrong; the message says what was expected and what came."""


class DataError(SojournError, ValueError):
    """A file (task list, trajectory, checkpoint, panel) does not hold what it should."""


class MissingDependencyError(SojournError, ImportError):
    """An optional package or program is absent; the message carries the command that installs it."""

    def __init__(self, what: str, install: str) -> None:
        super().__init__(f"{what} is not installed. Install it with: {install}")


class EnvError(SojournError):
    """The environment failed (not the action): the episode says nothing about the policy."""


class SamplerError(SojournError):
    """The sampler failed: the episode says nothing about the policy."""


class ContextFullError(SojournError):
    """The next turn does not fit into the model's context."""


class TokenLimitError(SojournError):
    """The episode's budget of sampled tokens is spent."""


class TooManyFailuresError(SojournError):
    """More episodes failed than the run allows; it stopped before training on what was left."""


class NonFiniteError(SojournError):
    """A loss, gradient or log-probability is not finite; the message names the trajectories of the batch."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> ConfigError:
    """The error for a name that is in no table: lists the nearest known names first, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}? " if near else ""
    return ConfigError(f"unknown {kind} {name!r}; {hint}known: {', '.join(names) or 'none'}")
