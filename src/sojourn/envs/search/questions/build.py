"""Opens the questions of an atlas; makes them at first use, once for all processes of a machine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from sojourn.envs.search.atlas import Atlas
from sojourn.envs.search.atlas.lock import file_lock
from sojourn.envs.search.chance import digest
from sojourn.envs.search.progress import progress_bar
from sojourn.envs.search.questions.generate import generate, num_wanted
from sojourn.envs.search.questions.relations import COUNTRIES, DESCRIBED, LOCATED, VALUES
from sojourn.envs.search.questions.report import QuestionChecks
from sojourn.envs.search.questions.splits import FULL, MINI, Sizes
from sojourn.envs.search.questions.store import QuestionFile, QuestionList, write_questions
from sojourn.envs.search.records import Question
from sojourn.envs.search.retrieve.text_index import TextIndex, read_manifest

GENERATOR: Final = 3
"""Raise it with every change of how questions are drawn or checked; changes of the wording count by themselves."""
SIZES: Mapping[str, Sizes] = MappingProxyType(
    {"atlas": FULL, "atlas-mini": MINI, "atlas-cf": FULL, "atlas-mini-cf": MINI}
)
"""Atlas -> how many questions it is to have."""


def questions_of(atlas: Atlas, split: str, hops: Sequence[int] | None = None) -> QuestionList:
    """The questions of a split (``train``, ``validation``, ``test``, ``test-ood``), read when they are asked for.

    They stand by hop count, and within one in no order of meaning; `hops` confines them to some hop counts. The
    questions are made if this machine has not made them yet. Raises `ConfigError` for an unknown split or hop count.
    """
    return open_questions(atlas).questions(split, hops)


def question_of(atlas: Atlas, question_id: str) -> Question:
    """The question with this id, of whatever split, in one look-up. Raises `DataError` if there is none."""
    return open_questions(atlas).question(question_id)


def checks_of(atlas: Atlas) -> QuestionChecks:
    """What the checks dropped and kept when the questions were made; its `table` is for people."""
    return open_questions(atlas).checks


def open_questions(atlas: Atlas) -> QuestionFile:
    """The file with all questions of `atlas`, made now if this machine has not made it yet."""
    path = _path(atlas)
    if not path.exists():
        with file_lock(atlas.folder / ".questions.lock"):
            if not path.exists():  # nor has another process made it meanwhile
                _make(atlas, path)
    return _opened(path)


def are_made(atlas: Atlas) -> bool:
    """Whether this machine has made the questions, so that opening them takes no time."""
    return _path(atlas).exists()


def _path(atlas: Atlas) -> Path:
    return atlas.folder / f"questions-{_key(atlas)}.sqlite"


@lru_cache(maxsize=8)
def _opened(path: Path) -> QuestionFile:
    return QuestionFile(path)


def _key(atlas: Atlas) -> str:
    """What decides the questions: the generator, its words, how many are wanted, the facts, and what finds passages."""
    tables = (dict(DESCRIBED), dict(LOCATED), dict(COUNTRIES), dict(VALUES))
    corpus = (atlas.manifest.renderer, atlas.manifest.sha256, read_manifest(atlas.index_folder).identity)
    return digest(GENERATOR, SIZES[atlas.name], *tables, *corpus)


def _make(atlas: Atlas, path: Path) -> None:
    sizes = SIZES[atlas.name]
    total = num_wanted(sizes)
    line = f"making up to {total:,} questions on {atlas.name}, once on this machine"
    with progress_bar(f"questions on {atlas.name}", total, line) as tell:
        finder = TextIndex(atlas.index_folder)
        rows, checks = generate(atlas.facts, finder, sizes, atlas=atlas.name, progress=lambda new: tell(advance=new))
    text = json.dumps(checks.as_json(), indent=1)
    path.with_suffix(".json").write_text(f"{text}\n", encoding="utf-8")
    write_questions(path, rows, checks)
