"""TextCraft's splits and panels: how many tasks of which depth, and what changes them."""

from __future__ import annotations

from collections import Counter

from sojourn.envs.textcraft import ProceduralTextCraft, TextCraft
from sojourn.envs.textcraft.scenario import CONTENT_SHA256
from sojourn.types import Task


def _depths(tasks: tuple[Task, ...]) -> dict[str | None, int]:
    return dict(Counter(task.category for task in tasks))


def test_544_goals_by_depth() -> None:
    scenario = TextCraft()
    tasks = [task for split in scenario.splits for task in scenario.tasks(split)]
    assert len({task.task_id for task in tasks}) == 544
    assert _depths(tuple(tasks)) == {"Depth 1": 125, "Depth 2": 291, "Depth 3": 117, "Depth 4": 11}


def test_the_test_panel_has_the_papers_depths() -> None:
    scenario = TextCraft()
    assert _depths(scenario.tasks("test")) == {"Depth 1": 31, "Depth 2": 41, "Depth 3": 25, "Depth 4": 3}
    assert [len(scenario.tasks(split)) for split in scenario.splits] == [374, 70, 100]


def test_depths_confine_all_splits_and_keep_each_task_in_its_own() -> None:
    everything, shallow = TextCraft(), TextCraft(depths=[2, 1])
    for split in everything.splits:
        expected = [task for task in everything.tasks(split) if task.category in ("Depth 1", "Depth 2")]
        assert list(shallow.tasks(split)) == expected
    assert shallow.panel("test").name == "textcraft-v1/test/depths=1,2"
    assert everything.panel("test").name == "textcraft-v1/test"
    assert shallow.panel("test").sha256 != everything.panel("test").sha256


def test_a_change_of_the_shown_recipes_changes_the_content_digest() -> None:
    assert TextCraft(max_distractors=9).content_sha256("test") != CONTENT_SHA256["test"]


def test_splits_of_invented_worlds_share_no_seed() -> None:
    scenario = ProceduralTextCraft()
    ends = [(scenario.tasks(s)[0].seed, scenario.tasks(s)[-1].seed) for s in scenario.splits]
    assert all(one[1] < two[0] for one, two in zip(sorted(ends), sorted(ends)[1:], strict=False))
