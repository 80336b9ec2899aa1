"""The experts on everything there is: every goal of TextCraft, every level of BabyAI."""

from __future__ import annotations

import asyncio

import pytest
from tests.unit.test_babyai_oracle import turns_of_oracle
from tests.unit.test_textcraft import SCENARIO, solve

from sojourn.envs.babyai import LEVELS, Level


def test_textcrafts_oracle_solves_all_544_goals_with_admissible_commands() -> None:
    turns: dict[str, list[int]] = {}
    for split in SCENARIO.splits:
        for task in SCENARIO.tasks(split):
            num_turns, return_ = solve(SCENARIO, task)
            assert return_ == 1
            turns.setdefault(task.category or "", []).append(num_turns)
    assert sum(map(len, turns.values())) == 544
    means = [sum(turns[f"Depth {d}"]) / len(turns[f"Depth {d}"]) for d in (1, 2, 3, 4)]
    assert [round(mean) for mean in means] == [2, 7, 14, 24]


@pytest.mark.parametrize("level", LEVELS, ids=lambda level: level.name)
def test_babyais_oracle_solves_every_level(level: Level) -> None:
    assert asyncio.run(turns_of_oracle(level.number, 1)) is not None
