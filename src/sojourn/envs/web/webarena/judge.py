"""A language model that compares answers, behind an OpenAI-compatible interface; WebArena's ``fuzzy_match``.

The questions are WebArena's own (Apache-2.0), so that its figures can be repeated. Off unless configured.
"""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request
from typing import Any

from sojourn.errors import EnvError

CALL_S = 60.0
"""Seconds after which a question has failed."""
KEY_VARIABLE = "SOJOURN_JUDGE_API_KEY"
"""Environment variable with the key, where the server wants one."""
_MAX_TOKENS = 768

_SYSTEM = "You are a helpful assistant"
_SAME = (
    "Help a teacher to grade the answer of a student given a question. Keep in mind that the student may use different "
    "phrasing or wording to answer the question. The goal is to evaluate whether the answer is semantically equivalent "
    "to the reference answer.\nquestion: {question}\nreference answer: {reference}\nall the string 'N/A' that you see "
    "is a special sequence that means 'not achievable'\nstudent answer: {answer}\n"
    "Conclude the judgement by correct/incorrect/partially correct."
)
_REASON = (
    "task: {task}\nactual unachievable reason: {reason}\nreported unachievable reason: {answer}\n"
    "The task described above is inherently unachievable due to the reason specified under 'actual unachievable "
    "reason'. An individual previously attempted this task and was unable to complete it. They provided a reason for "
    "their failure, which is listed under 'reported unachievable reason'. Your role is to review both the actual and "
    "reported reasons. Determine if the reported reason aligns with the actual reason, even if implicitly. If the "
    "stated reason is in line with the actual reason, respond with 'same'. Otherwise, respond with 'different'."
)


class ChatJudge:
    """Asks ``POST {base_url}/chat/completions``, without sampling; a failure or an unclear verdict is an `EnvError`."""

    def __init__(self, base_url: str, model: str) -> None:
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model

    async def is_same(self, question: str, reference: str, answer: str) -> bool:
        """Whether the model calls the answer correct, and not partially so."""
        said = await self._ask(_SAME.format(question=question, reference=reference, answer=answer))
        if "partially correct" in said or "incorrect" in said:
            return False
        return self._found(said, "correct")

    async def is_reason(self, task: str, reason: str, answer: str) -> bool:
        """Whether the model calls the reasons the same."""
        said = await self._ask(_REASON.format(task=task, reason=reason, answer=answer))
        return "different" not in said and self._found(said, "same")

    def _found(self, said: str, verdict: str) -> bool:
        if verdict not in said:
            raise EnvError(f"the judge {self._model} gave no verdict: {said[:200]!r}")
        return True

    async def _ask(self, text: str) -> str:
        messages = [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": text}]
        body = {"model": self._model, "messages": messages, "temperature": 0, "max_tokens": _MAX_TOKENS}
        answer = await asyncio.to_thread(self._post, json.dumps(body).encode())
        try:
            return str(answer["choices"][0]["message"]["content"]).lower()
        except (KeyError, IndexError, TypeError) as error:
            raise EnvError(f"the judge at {self._url} answered {str(answer)[:200]}") from error

    def _post(self, body: bytes) -> Any:
        headers = {"Content-Type": "application/json"}
        if key := os.environ.get(KEY_VARIABLE):
            headers["Authorization"] = f"Bearer {key}"
        try:
            with urllib.request.urlopen(urllib.request.Request(self._url, body, headers), timeout=CALL_S) as answer:
                return json.load(answer)
        except (OSError, ValueError) as error:
            raise EnvError(f"the judge at {self._url}: {error}") from error
