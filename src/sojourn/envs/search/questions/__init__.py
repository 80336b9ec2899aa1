"""Verifiable questions of two to six hops, made from the facts of an atlas."""

from sojourn.envs.search.questions.build import are_made, checks_of, open_questions, question_of, questions_of
from sojourn.envs.search.questions.report import QuestionChecks, Tally
from sojourn.envs.search.questions.splits import HOPS, SPLITS
from sojourn.envs.search.questions.store import QuestionFile, QuestionList

__all__ = [
    "HOPS",
    "SPLITS",
    "QuestionChecks",
    "QuestionFile",
    "QuestionList",
    "Tally",
    "are_made",
    "checks_of",
    "open_questions",
    "question_of",
    "questions_of",
]
