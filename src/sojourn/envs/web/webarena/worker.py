"""Runs `webarena-verified` in an interpreter of its own: JSON lines in, JSON lines out. Not imported by Sojourn.

Its 17 exact pins would clash with those of a training stack. This file is run by path with the interpreter that
`SOJOURN_WEBARENA_PYTHON` names; it needs the standard library and that package, and ends when its input does.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from importlib.resources import files
from typing import Any, TextIO

_PLACEHOLDER = "__{}__"


class Worker:
    """Answers calls; `call` names one of its methods."""

    def __init__(self, addresses: dict[str, str]) -> None:
        config = import_module("webarena_verified.types.config").WebArenaVerifiedConfig(
            environments={_PLACEHOLDER.format(name): {"urls": [address]} for name, address in addresses.items()}
        )
        self._verified = import_module("webarena_verified.api").WebArenaVerified(config=config)

    def tasks(self) -> list[dict[str, Any]]:
        """All tasks: the verified definition and, under ``original``, the data set's first one."""
        data = files("webarena_verified") / "assets" / "dataset"
        original = {task["task_id"]: task for task in json.loads((data / "test.raw.json").read_text(encoding="utf-8"))}
        verified = json.loads((data / "webarena-verified.json").read_text(encoding="utf-8"))
        return [{**task, "original": original[task["task_id"]]} for task in verified]

    def evaluate(self, task_id: int, answer: Any, events: list[dict[str, Any]]) -> dict[str, Any]:
        """How the verified evaluators judge an episode's final answer and its recorded requests."""
        result = self._verified.evaluate_task(task_id=task_id, agent_response=answer, network_trace=events)
        parts = [
            {"evaluator": part.evaluator_name, "status": str(part.status), "reward": part.score}
            for part in result.evaluators_results
        ]
        return {
            "status": str(result.status),
            "reward": result.score,
            "error": result.error_msg or "; ".join(str(p.error_msg) for p in result.evaluators_results if p.error_msg),
            "parts": parts,
        }


def main(lines: TextIO, out: TextIO) -> None:
    """Answer the calls in `lines` until they end; the first is the table of addresses."""
    worker = Worker(json.loads(next(lines)))
    print(json.dumps({"result": "ready"}), file=out, flush=True)
    for line in lines:
        call = json.loads(line)
        try:
            answer = {"result": getattr(worker, call["call"])(**call["arguments"])}
        except Exception as error:  # reported to the caller, which fails the episode
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=out, flush=True)


if __name__ == "__main__":
    # whatever the package prints must not get between the answers
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    main(sys.stdin, channel)
