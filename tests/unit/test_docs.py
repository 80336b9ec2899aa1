"""What the documentation says is what the code does: configuration, metrics, commands, names, recipes.

After a change of configuration, flags or results: ``UPDATE_DOCS=1 pytest tests/unit/test_docs.py`` writes
docs/configuration.md, docs/commands.md and docs/results.md anew.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from benchmarks._learning_page import page as results_page
from benchmarks._search_page import table as search_table
from tests.unit.samples_of_record import config

from sojourn.algorithms.table import ALGORITHMS
from sojourn.cli.parser import COMMANDS, build_parser, split_overrides
from sojourn.cli.training import run_training
from sojourn.config import TrainConfig, load_config, make_config
from sojourn.envs.catalog import SHIPPED
from sojourn.envs.contract import EnvContract
from sojourn.errors import ConfigError
from sojourn.policy.formats import FORMATS
from sojourn.record.run_dir import RunDir
from sojourn.types import StopReason

ROOT = Path(__file__).resolve().parents[2]
CONFIGURATION = ROOT / "docs" / "configuration.md"
COMMAND_PAGE = ROOT / "docs" / "commands.md"
RESULTS = ROOT / "benchmarks" / "results"
RESULT_PAGE = ROOT / "docs" / "results.md"
METRICS = ROOT / "docs" / "metrics.md"
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "recipes").rglob("*.md"),
    ]
)

# ------------------------------------------------------------------------------------------------ configuration.md

INTRODUCTION = """\
# Configuration

One TOML file, one table per section. `sojourn train CONFIG --rollout.group_size 4` changes any key on the command line;
values are read as TOML, else as text. What was resolved is in the run's `config.json`. A key that is not here is an
error that names the nearest one. `name` is the file's, or its folder's for a file called `train.toml`, if it is absent.

Written from the code by `UPDATE_DOCS=1 pytest tests/unit/test_docs.py`; do not edit it by hand.
"""
COMMANDS_INTRODUCTION = """\
# Commands

`sojourn --help`, or `sojourn COMMAND --help`. Exit codes: 0 done, 2 told what is wrong, 130 stopped by Ctrl-C (a run
writes a checkpoint first and goes on with `--resume`).

Written from the code by `UPDATE_DOCS=1 pytest tests/unit/test_docs.py`; do not edit it by hand.
"""
Schema = Mapping[str, Any]


def configuration_page() -> str:
    """docs/configuration.md."""
    schema = TrainConfig.model_json_schema()
    pages = [INTRODUCTION, _table("Top level", "", schema, schema)]
    for path, title, section in _sections(schema, schema, ""):
        pages.append(_table(title, path, section, schema))
    return "\n".join([*pages, _names()])


def _sections(node: Schema, schema: Schema, prefix: str) -> Iterator[tuple[str, str, Schema]]:
    """Path, title and schema of every table below `node`, depth first."""
    for key, value in node["properties"].items():
        for option in _options(value):
            if "$ref" not in option:
                continue
            section = schema["$defs"][option["$ref"].rsplit("/", 1)[-1]]
            path = f"{prefix}{key}"
            kind = section["properties"].get("kind", {}).get("const")
            yield path, f'`[{path}]`, kind = "{kind}"' if kind else f"`[{path}]`", section
            yield from _sections(section, schema, f"{path}.")


def _table(title: str, path: str, section: Schema, schema: Schema) -> str:
    text = section.get("description", "") if path else "The keys outside any table."
    rows = ["| key | type | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", ())
    for key, value in section["properties"].items():
        if not any("$ref" in option for option in _options(value)):
            default = "required" if key in required else _shown(value.get("default"))
            rows.append(f"| `{key}` | {_type(value)} | {default} | {_cell(value.get('description', ''))} |")
    return "\n".join([f"## {title}", "", _plain(text), "", *rows, ""])


def _options(value: Schema) -> Sequence[Schema]:
    return value.get("anyOf") or value.get("oneOf") or [value]


def _type(value: Schema) -> str:
    kinds = [_kind(option) for option in _options(value)]
    return _cell(" or ".join(sorted(kinds, key=lambda kind: kind == "absent")))


def _kind(value: Schema) -> str:
    if "const" in value:
        return _shown(value["const"])
    if "enum" in value:
        return " or ".join(_shown(name) for name in value["enum"])
    if value["type"] == "null":
        return "absent"
    if value["type"] == "array":
        return f"list of {_kind(value['items'])}"
    name = {"string": "text", "object": "table"}.get(value["type"], value["type"])
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    return " ".join([name, ", ".join(f"{sign} {value[key]}" for key, sign in signs.items() if key in value)]).strip()


def _shown(value: object) -> str:
    return "absent" if value is None else f"`{json.dumps(value)}`"


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|")


def _names() -> str:
    """The names that values can be taken from, out of their tables."""
    lines = ["## `algorithm.name`", "", "| name | source | least `rollout.group_size` |", "|---|---|---|"]
    lines += [f"| `{name}` | {row.source} | {row.min_group_size} |" for name, row in ALGORITHMS.items()]
    lines += ["", "## `policy.action_format`", "", "| name | what a reply must look like |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(form.expected).replace('<', '&lt;')} |" for name, form in FORMATS.items()]
    for name, target in SHIPPED.items():
        module, _, factory = target.partition(":")
        made = getattr(importlib.import_module(module), factory)
        lines += ["", f'## `[env.options]` of env.name = "{name}"', "", _plain(inspect.getdoc(made) or ""), ""]
        lines += ["| option | default |", "|---|---|"]
        for key, parameter in inspect.signature(made).parameters.items():
            lines.append(f"| `{key}` | {_shown(parameter.default)} |")
    return "\n".join([*lines, ""])


def commands_page() -> str:
    """docs/commands.md."""
    return "\n".join([COMMANDS_INTRODUCTION, *_command_sections(build_parser(), "sojourn")])


def _command_sections(parser: argparse.ArgumentParser, prefix: str) -> Iterator[str]:
    """A section for every command of `parser`, each followed by those of its sub-commands."""
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in action.choices.items():
        has_commands = any(isinstance(a, argparse._SubParsersAction) for a in command._actions)
        rows = [] if has_commands else [_flag(a) for a in command._actions if a.dest != "help"]
        table = ["| argument | meaning |", "|---|---|", *rows, ""] if rows else []
        epilog = [_cell(command.epilog), ""] if command.epilog else []
        yield "\n".join([f"## `{prefix} {name}`", "", command.description or "", "", *table, *epilog])
        if has_commands:
            yield from _command_sections(command, f"{prefix} {name}")


def _flag(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else action.metavar or f"{{{','.join(action.choices or ())}}}"
    value = value if value != "{}" else "VALUE"
    name = " ".join([*action.option_strings[-1:], str(value)]).strip()
    return f"| `{_cell(name)}` | {_cell(action.help or '')} |"


GENERATED = [
    (CONFIGURATION, configuration_page),
    (COMMAND_PAGE, commands_page),
    (RESULT_PAGE, lambda: results_page(RESULTS)),
]


@pytest.mark.parametrize(("path", "page"), GENERATED, ids=lambda value: getattr(value, "name", ""))
def test_the_page_is_what_the_code_says(path: Path, page: Callable[[], str]):
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(page(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == page(), "run UPDATE_DOCS=1 pytest tests/unit/test_docs.py"


def test_every_key_of_the_configuration_has_a_meaning():
    schema = TrainConfig.model_json_schema()
    tables = [("", schema), *((path, section) for path, _, section in _sections(schema, schema, ""))]
    silent = [
        f"{path}.{key}"
        for path, section in tables
        for key, value in section["properties"].items()
        if not (value.get("description") or "const" in value or any("$ref" in option for option in _options(value)))
    ]
    assert silent == []


# ------------------------------------------------------------------------------------------------------ metrics.md


def documented(heading: str) -> set[str]:
    """Keys in the tables of docs/metrics.md under `heading`, ``<…>`` written out."""
    text = METRICS.read_text(encoding="utf-8").partition(f"\n## {heading}")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE))


def test_every_way_an_episode_stops_is_in_the_table_of_failures():
    text = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| `(\w+)` \| (yes|no) \|", text, flags=re.MULTILINE)
    assert {StopReason(name): said == "yes" for name, said in rows} == {r: r.is_failure for r in StopReason}


BUTTONS = {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 384, "max_length": 512}
"""A base policy that now and then presses the right one."""
OPTIONAL: dict[str, dict[str, Any]] = {
    "group": {"kl_coef": 0.1, "entropy_coef": 0.1, "sampler_correction": True, "horizon_cut": "mask"},
    "critic": {"name": "ppo", "kl_coef": 0.1, "kl_in": "reward", "horizon_cut": "bootstrap"},
    "penalty": {"horizon_cut": "penalty"},
}
"""Together they have every optional term of an update."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[RunDir]:
    """Real runs of one update, with every optional term of the loss among them."""
    folder = tmp_path_factory.mktemp("docs")
    return [run_once(folder, name, algorithm, staleness=int(name == "group")) for name, algorithm in OPTIONAL.items()]


def run_once(folder: Path, name: str, algorithm: dict[str, Any], staleness: int) -> RunDir:
    """A run of one update, in `folder`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOJOURN_CACHE", str(folder / "cache"))
        tree = config(
            name=name,
            updates=1,
            out=str(folder),
            env={"name": "tests.toys:Buttons", "options": {"lengths": [1]}},
            policy={"base": BUTTONS, "action_format": "bare", "constraint": "admissible", "max_new_tokens": 8},
            rollout={"tasks_per_update": 2, "group_size": 4, "filter_zero_variance": False, "staleness": staleness},
            algorithm=algorithm,
            optim={"minibatches": 2},
            evaluate={"horizon": 3},
        )
        assert run_training(tree, resume=False) == 0
    return RunDir.open(tree.run_dir)


@pytest.mark.parametrize("name", ["metrics.jsonl", "timings.jsonl"])
def test_every_recorded_key_is_documented_and_every_documented_key_recorded(recorded: list[RunDir], name: str):
    lines = [json.loads(line) for run in recorded for line in (run.path / name).read_text().splitlines()]
    assert {key for line in lines for key in line} == documented(f"`{name}`")


def test_every_file_of_a_run_directory_is_in_the_readme(recorded: list[RunDir]):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [
        path.name for path in recorded[0].path.iterdir() if path.name != "lock" and f"`{path.name}" not in readme
    ]
    assert missing == []


# -------------------------------------------------------------------------------------------------------- commands


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert "" not in {name for name, _ in found}, f"{page.name}: a code block names its language"
    return [text for name, text in found if name == language]


def commands(page: Path) -> Iterator[list[str]]:
    """The commands in the code blocks of a page, word by word; comments and continuation lines are taken care of."""
    for block in blocks(page, "sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True) if line.strip() else []
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words:
                yield [words[0].rsplit("/", 1)[-1], *words[1:]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_the_documentation_exist(page: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    for program, *arguments in commands(page):
        if program == "make":
            _check_make(arguments)
        if program == "sojourn" and arguments:
            _check_sojourn(arguments)


def _check_make(arguments: Sequence[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for argument in arguments:
        name, equals, value = argument.partition("=")
        assert equals or name in targets, f"no target {name!r} in the Makefile"
        if name == "ARGS":
            _check_sojourn(["train", "recipes/babyai/train.toml", *shlex.split(value)])


def _check_sojourn(arguments: list[str]) -> None:
    own, overrides = split_overrides(arguments) if arguments[0] == "train" else (arguments, [])
    try:
        options = build_parser().parse_args(own)
    except SystemExit as stop:
        if stop.code != 0:
            pytest.fail(f"refused: sojourn {shlex.join(arguments)}")
        return
    if arguments[0] == "train" and options.config.exists():
        load_config(options.config, overrides)


def test_every_command_is_in_the_readme():
    used = {words[1] for words in commands(ROOT / "README.md") if words[0] == "sojourn" and len(words) > 1}
    assert set(COMMANDS) <= used


def test_the_page_on_questions_has_the_measured_table():
    measured = json.loads((RESULTS / "search_baselines.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "search_questions.md").read_text(encoding="utf-8")
    assert search_table(measured["corpora"]) in page


# ------------------------------------------------------------------------------------------------ links and recipes


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    text = re.sub(r"```.*?```|<!--.*?-->", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if target and not (page.parent / target).exists()]
    assert missing == []


def test_the_readme_is_short_and_links_the_two_loops_first():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    assert links[:2] == ["src/sojourn/rollout/episode.py", "src/sojourn/train/loop.py"]
    assert text.count("\n") < 160


def test_decisions_are_numbered_and_listed():
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    assert [page.name for page in pages if f"({page.name})" not in index] == []
    for page in pages:
        text = page.read_text(encoding="utf-8")
        headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert headings == ["Context", "Choice", "Cost and alternatives"], page.name
        assert text.count("\n") <= 60, f"{page.name}: a decision is one page"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(recipe.relative_to(ROOT)))
def test_recipes_load(recipe: Path):
    env = load_config(recipe).env
    wrapped = env.options.get("name") if env.name == "sojourn.envs.faulty:Faulty" else env.name
    assert wrapped in SHIPPED
    assert (recipe.parent / "README.md").exists()


# -------------------------------------------------------------------------------------------------------- examples


def example_scenario() -> Any:
    """The environment that docs/your_own_environment.md shows; tests/e2e trains on it."""
    names: dict[str, Any] = {}
    exec(blocks(ROOT / "docs" / "your_own_environment.md", "python")[0], names)
    return names["scenario"]()


class TestTheExampleEnvironment(EnvContract):
    tasks_per_split = 2
    memory_episodes = 40

    def make_scenario(self) -> Any:
        return example_scenario()

    def test_the_oracle_solves_and_is_paid_once(self) -> None:
        with pytest.raises(ConfigError, match="expert"):
            example_scenario().oracle(example_scenario().make())


def test_the_toml_of_the_readme_is_a_configuration():
    for block in blocks(ROOT / "README.md", "toml"):
        tree = {"name": "x", "updates": 300, "env": {"name": "babyai"}} | tomllib.loads(block)
        assert make_config(tree).horizon.kind == "stepwise"
