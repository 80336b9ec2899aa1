"""An expert that walks the gold path: the canonical query of each hop, then the answer."""

from __future__ import annotations

from sojourn.envs.search.env import SearchEnv


class SearchOracle:
    """Knows the accepted answer; what it shows is that the path is there, not how a policy would find it."""

    def __init__(self, env: SearchEnv) -> None:
        self._env = env

    async def next_action(self) -> str:
        """The next look-up, from wherever the episode is; the question itself where no path is known."""
        question = self._env.question
        queries = [hop.query for hop in question.hops] or [question.text]
        if self._env.num_searches < len(queries):
            return f"<search>{queries[self._env.num_searches]}</search>"
        return f"<answer>{question.answers[0]}</answer>"
