"""Deep search: questions that take several searches of a corpus, each for what the one before it found."""

from sojourn.envs.search.scenario import Search

__all__ = ["Search"]
