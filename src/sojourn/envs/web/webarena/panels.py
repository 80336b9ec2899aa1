"""Which of WebArena's 812 tasks the paper trains and tests on, by AgentGym-RL's lists, and their categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NUM_TASKS = 812

TEST_IDS: Mapping[str, tuple[int, ...]] = {
    "shopping": (24, 238, 228, 158, 278, 280, 22, 165, 300, 328, 239, 386, 387, 264, 23),
    "CMS": (65, 215, 4, 95, 115, 6, 680, 203, 214, 108, 110, 247, 122, 123, 128),
    "map": (36, 60, 74, 222, 251, 255, 381, 378, 365, 763),
    "GitLab": (318, 526, 537, 535, 168),
    "Reddit": (598, 27, 28, 67, 29),
}
"""category -> the paper's 50 test tasks, in the order of AgentGym's list of each."""

_TRAIN_RANGES = (*((0, 388), (424, 428), (430, 430), (676, 679), (737, 741), (757, 762), (764, 767), (784, 788)),)
"""First and last id of each range, test tasks and `_NOT_TRAINED` excepted."""
_NOT_TRAINED = frozenset({8, 57, 346})

_OF_SITE: Mapping[str, str] = {
    "shopping": "shopping",
    "shopping_admin": "CMS",
    "map": "map",
    "gitlab": "GitLab",
    "reddit": "Reddit",
    "wikipedia": "wikipedia",
    "homepage": "homepage",
}


def paper_test_ids() -> tuple[int, ...]:
    """The paper's 50 test tasks, by category and then in AgentGym's order."""
    return tuple(task for ids in TEST_IDS.values() for task in ids)


def paper_train_ids() -> tuple[int, ...]:
    """The paper's 372 training tasks, ascending."""
    held_out = {*paper_test_ids(), *_NOT_TRAINED}
    return tuple(task for first, last in _TRAIN_RANGES for task in range(first, last + 1) if task not in held_out)


def remaining_ids() -> tuple[int, ...]:
    """The 390 tasks that the paper neither trains nor tests on, ascending."""
    used = {*paper_test_ids(), *paper_train_ids()}
    return tuple(task for task in range(NUM_TASKS) if task not in used)


def category(sites: Sequence[str]) -> str:
    """The category that a task on `sites` is reported under: map where it needs the map, else its first site's."""
    return _OF_SITE["map" if "map" in sites else sites[0]]
