"""The house rules that a reader relies on: small files, one word per thing, one-way imports, nothing untested."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
import tokenize
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.toys import Buttons

import sojourn
from sojourn.algorithms.losses.table import LOSSES
from sojourn.algorithms.masked import LossMean
from sojourn.algorithms.table import ALGORITHMS
from sojourn.config import (
    AlgorithmConfig,
    CriticConfig,
    FixedHorizon,
    HorizonConfig,
    OptimConfig,
    PolicyConfig,
    TrainConfig,
)
from sojourn.engine.table_engine import TableEngine
from sojourn.envs.catalog import SHIPPED
from sojourn.horizon import HorizonState, advanced, horizon_at, unreachable_warning
from sojourn.policy.formats import FORMATS, action_format
from sojourn.rollout.samples import Batch, make_batch
from sojourn.train.update import UpdateSettings, update_policy
from sojourn.types import Completion, Decision, StepResult, StopReason, Trajectory, TrajectoryGroup, Turn

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "sojourn"
SOURCES = sorted(PACKAGE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields of a syntax tree's nodes that hold statements, or what holds statements."""
MAX_FILE_LINES, MAX_FUNCTION_LINES = 500, 60
Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def statements(path: Path) -> tuple[ast.stmt, ...]:
    """All statements of a file, however deep; expressions, which are most of a tree, hold none."""
    found: list[ast.stmt] = []
    left: list[ast.AST] = [tree_of(path)]
    while left:
        node = left.pop()
        found += [node] if isinstance(node, ast.stmt) else []
        left += [inner for block in BLOCKS for inner in getattr(node, block, ())]
    return tuple(found)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def tracked() -> tuple[Path, ...]:
    """Files that are, or are about to be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git repository")
    return tuple(path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file())


# ------------------------------------------------------------------------------------------------------------ size


def functions(path: Path) -> Iterator[Function]:
    return (node for node in statements(path) if isinstance(node, Function))


def test_a_file_fits_a_reading() -> None:
    lengths = {name_of(path): path.read_text(encoding="utf-8").count("\n") for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length >= MAX_FILE_LINES} == {}


def test_a_function_fits_a_screen() -> None:
    lengths = {f"{name_of(p)}:{f.name}": (f.end_lineno or 0) - f.lineno + 1 for p in SOURCES for f in functions(p)}
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}
    assert {"rollout/episode.py:run_episode", "train/loop.py:train"} <= lengths.keys()  # the two loops are measured


def test_the_recipe_in_one_file_stays_one_sitting() -> None:
    assert (ROOT / "recipes" / "reinforce_in_one_file.py").read_text(encoding="utf-8").count("\n") <= 300


# ------------------------------------------------------------------------------------------------------ docstrings


@cache
def protocol_methods() -> frozenset[str]:
    """Methods that a protocol of ours documents; who implements one need not say it again."""
    classes = [node for path in SOURCES for node in statements(path) if isinstance(node, ast.ClassDef)]
    protocols = [node for node in classes if any("Protocol" in ast.unparse(base) for base in node.bases)]
    return frozenset(f.name for node in protocols for f in node.body if isinstance(f, Function))


def is_plain(function: Function) -> bool:
    """Whether its name says it all: a test, an overload, a property or method of one expression."""
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    is_one_line = len(function.body) == 1 and isinstance(function.body[0], ast.Return) and "property" in decorators
    return is_one_line or "overload" in decorators or function.name.startswith("test_")


def undocumented(node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[str]:
    if len((ast.get_docstring(node) or "").split()) < 2:
        yield prefix
    for child in node.body:
        if not isinstance(child, ast.ClassDef | Function) or child.name.startswith("_"):
            continue
        if isinstance(child, ast.ClassDef):
            yield from undocumented(child, f"{prefix}:{child.name}")
        elif not ast.get_docstring(child):
            is_override = isinstance(node, ast.ClassDef) and child.name in protocol_methods()
            if not is_override and not is_plain(child):
                yield f"{prefix}:{child.name}"


def test_everything_public_has_a_docstring() -> None:
    assert [name for path in SOURCES for name in undocumented(tree_of(path), name_of(path))] == []


# -------------------------------------------------------------------------------------------------------- glossary

FORBIDDEN = {
    "round": "turn",
    "rounds": "turns",
    "item_id": "task_id",
    "score": "reward (of a step) or return (of an episode)",
    "scores": "rewards or returns",
    "response": "action tokens, completion",
    "responses": "action tokens, completions",
    "response_mask": "mask",
    "rollouts": "trajectories (roll out is the verb)",
}
"""What the glossary (docs/glossary.md) calls otherwise."""

ALLOWED = {
    ("engine/kv_cache.py", "scores"),  # of attention
    ("engine/pretrained.py", "scores"),
    ("engine/hf_sampler.py", "rounds"),  # of the event loop
    ("engine/draw.py", "rounds"),  # to the nearest
    ("evaluate/report.py", "round"),
    ("record/versions.py", "round"),
    ("envs/babyai/bot.py", "round"),  # in circles
    ("evaluate/intervals.py", "score"),  # Wilson's
    ("service/app.py", "response"),  # FastAPI's names
    ("service/app.py", "responses"),
    ("envs/sciworld/env.py", "score"),  # ScienceWorld's own
    ("envs/sciworld/simulator.py", "score"),
    ("envs/sciworld/simulator.py", "round"),  # to the nearest
    ("service/agentgym_wires.py", "score"),  # AgentGym's own fields
    ("service/agentgym_wires.py", "item_id"),
    ("service/agentgym_app.py", "score"),
    ("service/agentgym_tasks.py", "score"),
    ("service/agentgym_ids.py", "item_id"),
    ("service/agentgym.py", "item_id"),
    ("service/agentgym_app.py", "response"),  # of HTTP
    ("service/agentgym_app.py", "responses"),
    ("envs/search/retrieve/documents.py", "score"),  # Search-R1's own
    ("envs/search/retrieve/opensearch.py", "responses"),  # OpenSearch's own
    ("service/retrieve_app.py", "responses"),  # FastAPI's name
    ("envs/web/browser/chromium/page.py", "response"),  # the browser protocol's name
    ("envs/web/webarena/worker.py", "response"),  # webarena-verified's names
    ("envs/web/webarena/worker.py", "score"),
    ("envs/web/webarena/proxy.py", "response"),  # of HTTP
    ("envs/web/webapps/middleware.py", "response"),
    ("envs/web/webapps/trac_app.py", "response"),
    ("envs/web/webapps/seed/shop.py", "score"),  # Oscar's name for a review's stars
    ("envs/web/webapps/tasks/shop.py", "score"),
}


def words_of(path: Path) -> Iterator[str]:
    """Words of identifiers, comments and texts in a Python file."""
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.NAME:
                yield token.string
                yield from token.string.lower().split("_")
            elif token.type in (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", -1)):
                yield from re.findall(r"[a-z_]+", token.string.lower())


def test_source_keeps_to_the_glossary() -> None:
    found = {(name_of(path), word) for path in SOURCES for word in words_of(path) if word in FORBIDDEN}
    assert (found - ALLOWED, ALLOWED - found) == (set(), set())  # nothing new, and nothing allowed for no reason


def test_pages_keep_to_the_glossary() -> None:
    pages = [path for path in tracked() if path.suffix in (".md", ".toml")]
    assert pages
    found = set()
    for path in pages:
        text = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        words = re.findall(r"[a-z_]+", text.lower())
        found |= {(path.relative_to(ROOT).as_posix(), word) for word in words if word in FORBIDDEN}
    assert found - {("docs/decisions/0012-evaluation.md", "score")} == set()  # Wilson's


def test_the_glossary_names_what_is_forbidden() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    assert [
        word for word in FORBIDDEN if f"`{word}" not in glossary and f"`{word.removesuffix('s')}`" not in glossary
    ] == []


# ------------------------------------------------------------------------------------------- layers and dependencies


def layers() -> list[str]:
    (contract,) = PROJECT["tool"]["importlinter"]["contracts"]
    return [name.strip() for row in contract["layers"] for name in row.split("|")]


def test_every_part_of_the_package_has_a_layer() -> None:
    parts = {path.stem for path in PACKAGE.glob("*.py")} | {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {f"sojourn.{part}" for part in parts - {"__init__"}} == set(layers())


def test_a_layer_imports_only_the_layers_below_it() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def requirement_name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return match[0].lower().replace("_", "-")


def imported(path: Path) -> Iterator[str]:
    for node in statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def declared(*extras: str) -> set[str]:
    rows = [*PROJECT["project"]["dependencies"]]
    for extra in extras:
        rows += PROJECT["project"]["optional-dependencies"][extra]
    return {requirement_name(row) for row in rows}


@cache
def installed() -> Mapping[str, list[str]]:
    """Module -> the distributions that bring it."""
    return packages_distributions()


def distributions(modules: set[str]) -> dict[str, set[str]]:
    """Module -> the distributions that bring it; what comes with Python is left out."""
    known = installed()
    own = {*sys.stdlib_module_names, "sojourn", "tests"}
    return {module: {requirement_name(d) for d in known.get(module, [module])} for module in modules - own}


def test_every_imported_dependency_is_declared() -> None:
    extras = [name for name in PROJECT["project"]["optional-dependencies"] if name != "test"]
    used = distributions({module for path in SOURCES for module in imported(path)})
    assert {module for module, names in used.items() if not names & declared(*extras)} == set()
    recipes = list((ROOT / "recipes").rglob("*.py"))
    tests = distributions({m for path in [*recipes, *(ROOT / "tests").rglob("*.py")] for m in imported(path)})
    local = {path.stem for path in [*recipes, *(ROOT / "benchmarks").glob("*.py")]} | {"benchmarks", "recipes"}
    assert {m for m, names in tests.items() if not names & declared(*extras, "test")} - local <= {
        "trl",
        "openenv",  # in a process of its own, with a Python that has it
        "verl",  # in tests/second, in environments of their own
        "accelerate",
    }


def test_every_declared_dependency_is_imported() -> None:
    used = distributions({module for path in SOURCES for module in imported(path)})
    assert declared() - set().union(*used.values()) == set()


def test_the_version_is_one() -> None:
    assert PROJECT["project"]["version"] == sojourn.__version__
    assert f"\n## {sojourn.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_unit_tests_start_no_process() -> None:
    starters = {"subprocess", "multiprocessing"}
    found = {path.name for path in (ROOT / "tests" / "unit").glob("*.py") if starters & {*imported(path)}}
    assert found == {"test_house.py"}  # which asks git for the files and the linter for the layers


# ------------------------------------------------------------------------------------------------------------ tree

UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
HUBS = ("huggingface" + ".co", "hf" + ".co", "modelscope" + ".cn", "pypi" + ".org", "pythonhosted" + ".org")


HOMES = re.compile(r"(?<![\w.~])/(?:home|root|Users)" + r"/\w+")


def test_nothing_is_left_for_later_and_no_hub_or_home_is_named() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [(path.name, word) for word in UNFINISHED.findall(text)]
        found += [(path.name, hub) for hub in HUBS if hub in text]
        found += [(path.name, home) for home in HOMES.findall(text)]
    assert found == []


def test_no_file_is_large() -> None:
    assert [str(path) for path in tracked() if path.stat().st_size > 1_000_000] == []


# ------------------------------------------------------------------------- what is advertised works, and is written up

PAGES = "\n".join(p.read_text(encoding="utf-8") for p in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
HORIZONS: dict[str, dict[str, Any]] = {
    "fixed": {"turns": 5},
    "stepwise": {"stages": [2, 5], "every": 3},
    "linear": {"start": 2, "end": 5, "over": 6},
    "success": {"stages": [2, 5], "threshold": 0.5, "window": 2},
}
"""A schedule of each kind that ends at 5 turns."""


def horizon_kinds() -> dict[str, Any]:
    union = get_args(HorizonConfig)[0]
    return {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in get_args(union)}


def choices(section: Any, field: str) -> tuple[str, ...]:
    values: tuple[str, ...] = get_args(section.model_fields[field].annotation)
    return values


def test_every_name_is_in_the_documentation() -> None:
    names = [*ALGORITHMS, *horizon_kinds(), *FORMATS, *SHIPPED]
    assert [name for name in names if f"`{name}`" not in PAGES and f'"{name}"' not in PAGES] == []


def test_the_tables_and_the_configuration_list_the_same_names() -> None:
    assert set(choices(PolicyConfig, "action_format")) == set(FORMATS)
    assert set(horizon_kinds()) == set(HORIZONS)
    assert TrainConfig.model_fields["algorithm"].default.name in ALGORITHMS


@pytest.mark.parametrize("kind", horizon_kinds())
def test_every_horizon_schedule_runs(kind: str) -> None:
    schedule = horizon_kinds()[kind].model_validate(HORIZONS[kind])
    state, seen = HorizonState(), []
    for update in range(8):
        seen.append(horizon_at(schedule, update, state))
        state = advanced(schedule, state, success=1.0)
    assert seen == sorted(seen)
    assert seen[-1] == 5
    assert unreachable_warning(schedule, 1) is None or not isinstance(schedule, FixedHorizon)


@pytest.mark.parametrize("name", FORMATS)
def test_every_action_format_reads_what_it_writes(name: str) -> None:
    form = action_format(name)
    assert form.parse(form.render("go to red ball 1")).action == "go to red ball 1"
    assert form.instructions("look").count("look") == 1


def toy_trajectory(token: int, reward: float, stop: StopReason) -> Trajectory:
    completion = Completion(token_ids=(token, 9), logprobs=(-1.0, -2.0), finish_reason="stop", policy_version=0)
    decision = Decision(prompt_ids=(1, 2), completion=completion, text="", action="press red")
    result = StepResult(observation="done", reward=reward, terminated=True, success=reward > 0)
    turn = Turn(decision=decision, result=result)
    task = Buttons().tasks("train")[0]
    return Trajectory(task=task, first=result, turns=(turn, turn), stop_reason=stop, horizon=2, seed=0)


def toy_batch(*, mask_horizon_cuts: bool = False) -> Batch:
    """One group: a success, a failure, and an episode that the horizon cut."""
    members = (
        toy_trajectory(5, 0.5, StopReason.TERMINATED),
        toy_trajectory(6, 0.0, StopReason.TERMINATED),
        toy_trajectory(7, 0.0, StopReason.HORIZON),
    )
    group = TrajectoryGroup(task=members[0].task, trajectories=members)
    return make_batch([group], temperature=1.0, mask_horizon_cuts=mask_horizon_cuts)


VARIANTS = [
    *({"name": name} for name in ALGORITHMS),
    *({"name": name, "divide_by_std": flag} for name in ALGORITHMS for flag in (True, False)),
    *({"loss_mean": mean} for mean in get_args(LossMean)),
    *({"loss": name} for name in LOSSES),
    *({"name": "ppo", "horizon_cut": cut} for cut in choices(AlgorithmConfig, "horizon_cut")),
    *({"kl_coef": 0.1, "kl_estimator": name} for name in choices(AlgorithmConfig, "kl_estimator")),
    *({"name": name, "kl_coef": 0.1, "kl_in": "reward"} for name in ALGORITHMS),
    {"dual_clip": 3.0},
    {"sampler_correction": True},
    {"name": "gigpo", "gamma": 0.9, "turn_weight": 0.5},
    {"name": "ppo_turn", "gamma": 0.9, "gae_lambda": 0.9},
    {"entropy_coef": 0.1},
    {"entropy_coef": 0.1, "entropy_floor": 5.0},
]
OPTIMS = [
    *({"old_logprobs": way} for way in choices(OptimConfig, "old_logprobs")),
    {"epochs": 2, "minibatches": 2},
    {"max_grad_norm": None},
    {"weight_decay": 0.1},
]


@pytest.mark.parametrize(("algorithm", "optim"), [*((a, {}) for a in VARIANTS), *(({}, o) for o in OPTIMS)], ids=str)
def test_every_option_of_the_update_trains(algorithm: dict[str, Any], optim: dict[str, Any]) -> None:
    settings = AlgorithmConfig.model_validate(algorithm)
    is_masked = settings.horizon_cut == "mask"
    batch = toy_batch(mask_horizon_cuts=is_masked)
    assert batch.num_trained == (8 if is_masked else 12)

    async def chance_of_the_better() -> tuple[float, float]:
        engine = TableEngine(32, max_length=64, seed=1)
        before = (await engine.forward(batch.rows)).logprobs_N[0]
        result = await update_policy(
            engine,
            batch,
            UpdateSettings(
                algorithm=settings,
                optim=OptimConfig.model_validate(optim),
                critic=CriticConfig(learning_rate=0.1),
                learning_rate=0.1,
                kl_coef=settings.kl_coef,
                entropy=1.0,
                seed=0,
            ),
        )
        assert result.num_steps >= 1
        assert result.nonfinite_rows == ()
        return float(before), float((await engine.forward(batch.rows)).logprobs_N[0])

    before, after = asyncio.run(chance_of_the_better())
    assert after > before
