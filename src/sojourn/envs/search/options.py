"""Options of the scenario: checked, and as part of an environment's id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from sojourn.envs.search.commands import listing
from sojourn.envs.search.env import EpisodeRules
from sojourn.envs.search.normalize import normalizer
from sojourn.envs.search.reward import RewardTerms
from sojourn.errors import ConfigError, unknown_name

StyleName = Literal["default", "agentgym"]

DEFAULTS: Mapping[str, Any] = {
    "style": "default",
    "k": 3,
    "max_answers": 1,
    "metric": "em",
    "normalizer": "squad",
    "retrieval_reward": 0.0,
    "no_search_penalty": 0.0,
    "max_observation_words": 350,
    "max_steps": None,
    "listed": "full",
}
"""What an episode is like; whatever is not the default stands in the environment's id. A test compares."""
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "k": (1, 20),
    "max_answers": (1, 100),
    "max_observation_words": (10, 2_000),
    "max_steps": (1, 1_000_000),
}
_FREE_IN_AGENTGYM = ("style", "k", "max_steps", "listed")


def changed_options(options: Mapping[str, Any]) -> list[str]:
    """``name=value`` of the options that are not the default. Raises `ConfigError` for what cannot be."""
    for name, (least, most) in _BOUNDS.items():
        value = options[name]
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
            raise ConfigError(f"search: {name} must be a whole number from {least} to {most}, got {value!r}")
    if options["style"] not in get_args(StyleName):
        raise unknown_name("search style", options["style"], get_args(StyleName))
    changed = {name: options[name] for name, default in DEFAULTS.items() if options[name] != default}
    fixed = sorted(changed.keys() - set(_FREE_IN_AGENTGYM))
    if options["style"] == "agentgym" and fixed:
        raise ConfigError(f"search: style='agentgym' fixes {', '.join(fixed)}: leave them out")
    return [f"{name}={value}" for name, value in changed.items()]


def rules_of(options: Mapping[str, Any]) -> EpisodeRules:
    """The rules of every episode. Raises `ConfigError` for an unknown name or terms that outweigh the answer."""
    terms = RewardTerms(
        metric=options["metric"],
        retrieval=options["retrieval_reward"],
        no_search_penalty=options["no_search_penalty"],
    )
    return EpisodeRules(
        k=options["k"],
        max_answers=options["max_answers"],
        max_observation_words=options["max_observation_words"],
        max_steps=options["max_steps"],
        terms=terms,
        normalizer=normalizer(options["normalizer"]),
        listing=listing(options["listed"]),
    )


def checked_hops(hops: Sequence[int] | None) -> tuple[int, ...] | None:
    """The hop counts in ascending order, each once; None for all."""
    if hops is None:
        return None
    if not hops or not all(isinstance(n, int) and n >= 1 for n in hops):
        raise ConfigError(f"search: hops must be a list of whole numbers, such as [2, 3], got {hops!r}")
    return tuple(sorted(set(hops)))
