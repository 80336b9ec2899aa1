"""The list of web tasks: what is in which split, in which words, and how many there are."""

from __future__ import annotations

import sqlite3
import string
from collections import Counter
from pathlib import Path

import pytest

from sojourn.envs.web.scenario import Web
from sojourn.envs.web.sites.hosts import HOSTS
from sojourn.envs.web.sites.world import World, template
from sojourn.envs.web.tasks.catalog import LEARNABLE, TEMPLATES
from sojourn.envs.web.tasks.problems import MAX_PER_TEMPLATE, SPLITS, TemplateProblems, split_of
from sojourn.envs.web.tasks.template import Category, Kind
from sojourn.errors import ConfigError, DataError

PROBLEMS = TemplateProblems()
DATABASE = sqlite3.connect(":memory:")
DATABASE.deserialize(template())
DATABASE.row_factory = sqlite3.Row
ENTRIES = {split: PROBLEMS.entries(split) for split in SPLITS}
ALL = [entry for split in SPLITS for entry in ENTRIES[split]]


def test_there_are_thousands_of_tasks_of_every_category_and_kind() -> None:
    assert len(TEMPLATES) >= 45
    assert len(ALL) >= 5_000
    by_category = Counter(template.category for template in TEMPLATES.values())
    assert min(by_category[category] for category in Category) >= 6
    by_kind = Counter((template.category, template.kind) for template in TEMPLATES.values())
    assert min(by_kind[category, kind] for category in Category for kind in Kind) >= 1
    assert sum(len(template.sites) > 1 for template in TEMPLATES.values()) >= 8
    assert min(len(ENTRIES[split]) for split in SPLITS) >= 400


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_is_complete(name: str) -> None:
    one = TEMPLATES[name]
    values = PROBLEMS.values(one)
    assert 3 <= len(values) <= MAX_PER_TEMPLATE
    assert set(one.sites) <= set(HOSTS)
    assert set(one.accounts) <= set(one.sites)
    columns = set(next(iter(values.values())))
    texts = (*one.intents, *one.texts, one.start)
    used = {field for text in texts for _, field, _, _ in string.Formatter().parse(text) if field}
    assert used <= columns
    keys = [str(row["key"]) for row in DATABASE.execute(one.sql)]
    assert len(keys) == len(set(keys))
    assert not [key for key in keys if not key or "/" in key]


def test_no_task_is_in_two_splits_and_held_out_templates_are_in_one() -> None:
    assert len({entry.task_id for entry in ALL}) == len(ALL)
    names = {split: {entry.task_id.partition("/")[0] for entry in ENTRIES[split]} for split in SPLITS}
    held_out = {name for name, one in TEMPLATES.items() if one.is_held_out}
    assert names["test-template"] == held_out
    assert not any(names[split] & held_out for split in SPLITS[:-1])
    assert names["test"] | names["validation"] <= names["train"]
    assert {TEMPLATES[name].category for name in held_out} == set(Category)


def test_no_two_tasks_are_put_alike_from_the_same_page() -> None:
    asked: dict[tuple[str, str], str] = {}
    for entry in ALL:
        problem = PROBLEMS.problem(entry.task_id)
        place = asked.setdefault((problem.intent, problem.start_url), entry.task_id)
        assert place == entry.task_id, problem.intent


def test_a_task_is_the_same_in_every_instance() -> None:
    again = TemplateProblems()
    for entry in ALL[::97]:
        one, other = PROBLEMS.problem(entry.task_id), again.problem(entry.task_id)
        assert (one.intent, one.start_url, one.texts) == (other.intent, other.start_url, other.texts)
    assert [again.entries(split) for split in SPLITS] == [ENTRIES[split] for split in SPLITS]


def test_a_split_depends_on_the_task_alone() -> None:
    one = TEMPLATES["shop-price"]
    fewer = TemplateProblems(["shop-price"])
    for split in SPLITS[:-1]:
        ids = {entry.task_id for entry in fewer.entries(split)}
        assert ids == {e.task_id for e in ENTRIES[split] if e.task_id.startswith("shop-price/")}
        assert all(split_of(one, task_id) == split for task_id in ids)


def test_panels_are_balanced_over_categories_and_mixed_over_templates() -> None:
    scenario = Web()
    for split in scenario.splits:
        panel = scenario.panel(split).tasks
        assert len(panel) == 120
        counts = Counter(task.category for task in panel)
        assert set(counts) == {category.value for category in Category}
        assert max(counts.values()) - min(counts.values()) <= 12
        assert len({task.task_id.partition("/")[0] for task in panel}) >= min(len(panel), 9)


def test_the_words_of_a_task_do_not_say_the_answer() -> None:
    for name, one in TEMPLATES.items():
        if one.kind is Kind.INFORMATION:
            for values in list(PROBLEMS.values(one).values())[:20]:
                answer = one.goal(values).answer.value
                said = [text.format_map(values) for text in (*one.intents, *one.texts)]
                # short values may be part of another word; choices are named in full
                assert len(answer) < 5 or name in ("code-role", "map-hours") or not any(answer in text for text in said)


def test_no_task_begins_on_the_page_that_it_asks_for() -> None:
    for one in TEMPLATES.values():
        for values in PROBLEMS.values(one).values():
            target = one.goal(values).target
            assert target is None or not target.is_shown_at(one.start_url(values)), (one.name, values["key"])


def test_what_is_written_is_written_in_full() -> None:
    columns = {
        table: {row["name"]: row["pk"] for row in DATABASE.execute(f"PRAGMA table_info({table})")}
        for (table,) in DATABASE.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    }
    for one in TEMPLATES.values():
        for values in list(PROBLEMS.values(one).values())[:3]:
            for expected in one.goal(values).end.expected:
                wanted = getattr(expected, "values", {})
                assert set(wanted) <= set(columns[expected.table])
                if type(expected).__name__ == "Added":
                    assert columns[expected.table].keys() - wanted.keys() <= {"id"}, (one.name, expected.table)


def test_a_narrowed_scenario_holds_only_what_was_named() -> None:
    learnable = Web(templates=LEARNABLE)
    assert {task.task_id.partition("/")[0] for task in learnable.tasks("train")} == set(LEARNABLE)
    assert set(learnable.tasks("test")) <= set(Web().tasks("test"))
    assert set(learnable.splits) == {"train", "validation", "test"}
    assert {task.category for task in Web(categories=["Map"]).tasks("train")} == {"Map"}
    with pytest.raises(ConfigError, match="unknown Web template 'shop-prize'"):
        Web(templates=["shop-prize"])
    with pytest.raises(ConfigError, match="one of them"):
        Web(templates=LEARNABLE, problems=PROBLEMS)


@pytest.mark.parametrize("task_id", ["", "shop-price", "shop-price/0", "shop-prize/1", "shop-price/1/2"])
def test_an_unknown_task_is_refused(task_id: str) -> None:
    with pytest.raises(DataError, match="there is no task"):
        PROBLEMS.problem(task_id)


def test_a_verdict_says_what_was_wrong_without_showing_it_to_the_agent() -> None:
    world = World.restore(template())
    entry = next(entry for entry in ENTRIES["train"] if entry.task_id.startswith("shop-price/"))
    verdict = PROBLEMS.problem(entry.task_id).check(world, "http://onestopmarket.com/", "7")
    assert not verdict.success
    assert "expected the answer '$" in verdict.reason
    world.close()


def test_every_template_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "web_tasks.md").read_text(encoding="utf-8")
    assert [name for name in TEMPLATES if f"| `{name}`" not in page] == []
    assert [name for name in LEARNABLE if f'"{name}"' not in page] == []
    starred = {name for name in TEMPLATES if f"| `{name}`\\*" in page}
    assert starred == {name for name, one in TEMPLATES.items() if one.is_held_out}
