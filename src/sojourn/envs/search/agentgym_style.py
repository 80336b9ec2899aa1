"""AgentGym's SearchQA word for word, with its faults, to compare with its numbers and for nothing else.

Kept: a wrong answer is told so and the episode goes on, so that answering is asking an oracle, as often as one likes
(a few guesses solve what has few possible answers); the first tag decides what is done but the *last* ``<answer>`` is
what is marked; passages are shown as they are, with their titles in quotes; two overlapping instructions. Not kept:
an empty query or a failing retriever ends its server's call with an error; here they show nothing, or raise `EnvError`.
"""

from __future__ import annotations

from sojourn.envs.search.env import SearchEnv
from sojourn.envs.search.normalize import NORMALIZERS, mark
from sojourn.envs.search.records import Passage, Question
from sojourn.types import StepResult

INSTRUCTIONS = (
    "You must always reason inside <think>...</think> first; if you lack knowledge, issue a <search>...</search> and "
    "then stop; do not generate <information> or <answer> yet; wait for external input between "
    "<information>...</information> before continuing; resume only when new <information> is given; do not skip steps "
    "or anticipate answers early."
)
_OPENING = (
    "You must reason inside <think>...</think> first. If you do not have enough knowledge, issue a "
    "<search>...</search> and then STOP. Do not generate <information> or <answer> yet. Wait for external input "
    "wrapped in <information>...</information>. After receiving information, reason again in <think>. If confident, "
    "output your final answer in <answer>...</answer>. Do not output <answer> before receiving <information> unless "
    "you are fully confident. If you find no further external knowledge needed, you can directly provide the answer "
    "inside <answer> and </answer>, without detailed illustrations. For example, <answer> Beijing </answer>. Follow "
    "this process every time.\n\n Question: "
)
RIGHT = "Congratulations! You have answered the question correctly."
WRONG = "Sorry, your answer is incorrect. Please try again."
INVALID = (
    "Your previous action is invalid. If you want to search, you should put the query between <search> and </search>. "
    "If you want to give the final answer, you should put the answer between <answer> and </answer>. Please try again."
)


class AgentGymSearchEnv(SearchEnv):
    """An episode that behaves as AgentGym's SearchQA does."""

    def _opening(self, question: Question) -> str:
        return _OPENING + question.text.strip()

    async def _act(self, reply: str) -> StepResult:
        verb, content = first_pair(reply)
        if verb is None:
            return self._refused(INVALID, "none")
        if verb == "answer":
            return self._answered_again(last_answer(reply) or "")
        passages = await self._look_up(content)
        self._found.add(passages)
        self._sight.add(content, passages)
        return StepResult(observation=f"<information>{documents(passages).strip()}</information>", success=False)

    def _answered_again(self, answer: str) -> StepResult:
        marks = mark(answer, self._question.answers, NORMALIZERS["squad"])
        if not marks.em:
            return StepResult(observation=WRONG, success=False)
        info = {"answer": answer, "em": True, "f1": marks.f1, **self._tally()}
        return StepResult(observation=RIGHT, reward=1.0, terminated=True, success=True, info=info)


def documents(passages: list[Passage]) -> str:
    """Search-R1's text of passages, whose titles are in quotes there."""
    return "".join(f'Doc {number}(Title: "{p.title}") {p.text}\n' for number, p in enumerate(passages, start=1))


def first_pair(reply: str) -> tuple[str | None, str]:
    """What ``re.search(r"<(search|answer)>(.*?)</\\1>", reply, re.DOTALL)`` finds, in time linear in the length."""
    found = []
    for verb in ("search", "answer"):
        start = reply.find(f"<{verb}>")
        end = reply.find(f"</{verb}>", start + 1) if start >= 0 else -1
        if end >= 0:
            found.append((start, verb, reply[start + len(verb) + 2 : end].strip()))
    return min(found)[1:] if found else (None, "")


def last_answer(reply: str) -> str | None:
    """The last of the ``<answer>...</answer>`` that follow one another without overlap, or None."""
    answer, at = None, 0
    while (start := reply.find("<answer>", at)) >= 0 and (end := reply.find("</answer>", start + 8)) >= 0:
        answer, at = reply[start + 8 : end].strip(), end + 9
    return answer
