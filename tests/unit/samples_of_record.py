"""Ready-made records for tests."""

from pathlib import Path

from sojourn.config import TrainConfig, make_config
from sojourn.record.evaluation import Evaluation, Interval, Summary
from sojourn.record.metrics import MetricsWriter
from sojourn.record.run_dir import RunDir
from sojourn.types import Completion, Decision, StepResult, StopReason, Task, Trajectory, Turn

VALIDATION = "buttons-v1/validation"


def config(**changes: object) -> TrainConfig:
    tree = {
        "name": "toy",
        "updates": 3,
        "env": {"name": "tests.toys:Buttons"},
        "horizon": {"kind": "fixed", "turns": 4},
    }
    return make_config(tree | changes)


def summary(success: float | None = 0.5, num_tasks: int = 20) -> Summary:
    return Summary(
        num_tasks=num_tasks,
        num_episodes=num_tasks,
        num_failed=0,
        success_rate=success,
        interval=None if success is None else Interval(low=max(0.0, success - 0.1), high=min(1.0, success + 0.1)),
        mean_return=success,
        mean_turns=3.25,
        unparsable_share=0.125,
        stop_reasons={"horizon": 10, "terminated": 10},
    )


def evaluation(agent: str = "policy", update: int | None = 0, success: float = 0.5, **changes: object) -> Evaluation:
    fields: dict[str, object] = {
        "agent": agent,
        "update": update,
        "env_id": "buttons-v1",
        "panel": "buttons-v1/test",
        "panel_sha256": "ab" * 32,
        "horizon": 6,
        "repeats": 1,
        "seed": 20_000,
        "temperature": 1.0,
        "interval_method": "wilson",
        "overall": summary(success),
        "categories": {"one": summary(success, 5), "two": summary(success, 15)},
    }
    return Evaluation(**(fields | changes))  # type: ignore[arg-type]


def trajectory(**changes: object) -> Trajectory:
    task = Task(env_id="buttons-v1", task_id="red", split="train", seed=0, category="one")
    completion = Completion(
        token_ids=(5, 6), logprobs=(-0.5, 0.0), finish_reason="stop", policy_version=3, allowed=((5, 7), (6,))
    )
    decision = Decision(prompt_ids=(1, 2, 3), completion=completion, text="press red", action="press red")
    result = StepResult(observation="Done.", reward=1.0, terminated=True, success=True, info={"steps": 1})
    fields: dict[str, object] = {
        "task": task,
        "first": StepResult(observation="Press red."),
        "turns": (Turn(decision=decision, result=result, sample_s=0.25, step_s=0.5),),
        "stop_reason": StopReason.TERMINATED,
        "horizon": 6,
        "seed": 11,
        "instructions": "Press.",
    }
    return Trajectory(**(fields | changes))  # type: ignore[arg-type]


def write_run(path: Path, updates: int = 12, *, gain: float = 0.5, **changes: object) -> RunDir:
    """A whole run's files: baselines, an evaluation every 4 updates, metrics that improve by `gain`."""
    stages = {"kind": "stepwise", "stages": [3, 6, 9], "every": 4}
    with RunDir.create(path, config(**({"name": path.name, "updates": updates, "horizon": stages} | changes))) as run:
        writer = MetricsWriter(run)
        for agent, success in (("random", 0.1), ("oracle", 1.0)):
            writer.evaluation(evaluation(agent, None, success, temperature=None))
        for done in range(updates + 1):
            success = 0.2 + gain * done / updates
            if done in (0, updates):
                writer.evaluation(evaluation(update=done, success=success))
            if done % 4 == 0:
                writer.evaluation(evaluation(update=done, success=success, panel=VALIDATION, panel_sha256="cd" * 32))
            if done < updates:
                writer.update(done, _metrics(done, success), _timings())
        writer.close()
    return run


def _metrics(done: int, success: float) -> dict[str, float]:
    return {
        "horizon": 3.0 + 3 * (done // 4),
        "train/success": success,
        "train/return": success,
        "train/turns": 2.5,
        "train/unparsable_share": 0.01,
        "train/episodes": 30,
        "train/failed_episodes": 2,
        "train/groups": 3,
        "train/groups_zero_variance": 1,
        "train/action_tokens": 900,
        "loss/policy": -0.1,
        "optim/grad_norm": 0.7,
        "stop/env_error": 2,
    }


def _timings() -> dict[str, float]:
    return {
        "time/collect": 40.0,
        "time/train": 20.0,
        "time/update": 60.0,
        "rate/action_tokens_per_s": 22.5,
        "memory/peak_mb": 812.0,
    }
