"""The files of generated projects: short, plausible, and naming what tasks ask about."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a project is about."""

    namespace: str
    name: str
    language: str
    description: str
    parts: tuple[str, ...]
    """Names of its parts: ``tide chart``."""
    license: str


_NEEDS = {
    "python": ("Python 3.{}", (9, 10, 11, 12)),
    "go": ("Go 1.{}", (20, 21, 22)),
    "rust": ("Rust 1.{}", (70, 74, 76)),
    "javascript": ("Node.js {}", (16, 18, 20)),
    "shell": ("Bash {}", (4, 5)),
}
_INSTALL = {
    "python": "pip install {}",
    "go": "go install ./cmd/{}",
    "rust": "cargo install {}",
    "javascript": "npm install {}",
    "shell": "./install.sh {}",
}
_ENDINGS = {"python": "py", "go": "go", "rust": "rs", "javascript": "js", "shell": "sh"}
_BODIES = {
    "python": '"""{Title} of {name}."""\n\nLIMIT = {limit}\n\n\ndef {word}(values):\n'
    '    """Keep what the {part} needs."""\n'
    "    return [value for value in values if value < LIMIT]\n",
    "go": "// {Title} of {name}.\npackage {flat}\n\nconst limit = {limit}\n\nfunc Keep(values []int) []int {{\n"
    "\tvar kept []int\n\tfor _, value := range values {{\n\t\tif value < limit {{\n\t\t\tkept = append(kept, value)\n"
    "\t\t}}\n\t}}\n\treturn kept\n}}\n",
    "rust": "//! {Title} of {name}.\n\nconst LIMIT: u32 = {limit};\n\npub fn {word}(values: &[u32]) -> Vec<u32> {{\n"
    "    values.iter().copied().filter(|v| *v < LIMIT).collect()\n}}\n",
    "javascript": "// {Title} of {name}.\nconst limit = {limit};\n\nexport function keep(values) {{\n"
    "  return values.filter((value) => value < limit);\n}}\n",
    "shell": '#!/bin/sh\n# {Title} of {name}.\nlimit={limit}\n\nfor value in "$@"; do\n'
    '  [ "$value" -lt "$limit" ] && echo "$value"\ndone\n',
}
_CONFIGS = {
    "python": "setup.cfg",
    "go": "go.mod",
    "rust": "Cargo.toml",
    "javascript": "package.json",
    "shell": "Makefile",
}


def source_path(plan: Plan, part: str) -> str:
    """Where the source of a part lies: ``src/tide_chart.py``."""
    return f"src/{part.replace(' ', '_')}.{_ENDINGS[plan.language]}"


def readme(rng: Random, plan: Plan) -> str:
    """The README: what it is, what it needs, how it is installed, its version and port."""
    needs, versions = _NEEDS[plan.language]
    version = f"{rng.randint(0, 4)}.{rng.randint(0, 19)}.{rng.randint(0, 9)}"
    parts = "\n".join(f"- {part}" for part in plan.parts)
    return (
        f"# {plan.name}\n\n{plan.description}.\n\n## Parts\n\n{parts}\n\n## Install\n\n"
        f"Needs {needs.format(rng.choice(versions))} or later.\n\n"
        f"    {_INSTALL[plan.language].format(plan.name)}\n\nThe current version is {version}."
        f" It listens on port {rng.randint(3000, 9999)} by default.\n\n## License\n\n{plan.license}\n"
    )


def files(rng: Random, plan: Plan) -> dict[str, str]:
    """Path -> text of all files of a project."""
    made = {"README.md": readme(rng, plan)}
    made["LICENSE"] = f"{plan.license} License\n\nCopyright (c) {rng.randint(2015, 2023)} the authors of {plan.name}\n"
    if rng.random() < 0.6:
        made["CONTRIBUTING.md"] = (
            f"# Contributing\n\nOpen an issue first. Run the {rng.choice(('tests', 'linter', 'benchmarks'))} before you"
            f" push.\nPatches need {rng.choice(('one approval', 'two approvals'))}.\n"
        )
    made[_CONFIGS[plan.language]] = (
        f"name = {plan.name}\ntimeout = {rng.randint(2, 90)}\nworkers = {rng.randint(1, 16)}\n"
    )
    for part in plan.parts:
        made[source_path(plan, part)] = _BODIES[plan.language].format(
            Title=part.capitalize(),
            name=plan.name,
            part=part,
            word=part.replace(" ", "_"),
            flat=part.replace(" ", ""),
            limit=rng.randint(10, 9_999),
        )
    return made
