"""What a reader of a run's report should know before she believes it."""

from __future__ import annotations

from collections.abc import Iterator

from sojourn.evaluate.history import History
from sojourn.horizon import unreachable_warning


def caveats(history: History) -> list[str]:
    """One sentence each, the gravest first; the last is always about the single seed."""
    return [
        *_of_completion(history),
        *_of_episodes(history),
        *_of_evaluations(history),
        *_of_source(history),
        "This is one run with one seed: the intervals cover the choice of tasks and episodes, not that of the seed.",
    ]


def _of_completion(history: History) -> Iterator[str]:
    config = history.config
    if history.num_updates < config.updates:
        yield f"The run is not complete: {history.num_updates} of {config.updates} updates."
    unreachable = unreachable_warning(config.horizon, config.updates)
    if unreachable is not None:
        yield f"{unreachable[0].upper()}{unreachable[1:]}."


def _of_episodes(history: History) -> Iterator[str]:
    failed, played = history.total("train/failed_episodes"), history.total("train/episodes")
    if failed > 0.05 * (failed + played):
        yield f"{failed / (failed + played):.0%} of the training episodes failed: see Failures and `run.log`."
    flat, trained = history.total("train/groups_zero_variance"), history.total("train/groups")
    if flat > 0.8 * (flat + trained):
        yield f"{flat / (flat + trained):.0%} of the groups had equal returns: most of the episodes taught nothing."
    _, unparsable = history.series("train/unparsable_share")
    if unparsable and unparsable[-1] > 0.2:
        yield f"In the last update {unparsable[-1]:.0%} of the turns held no readable action."


def _of_evaluations(history: History) -> Iterator[str]:
    rows = history.curve(history.config.evaluate.final_split)
    if not rows:
        yield f"The policy was not evaluated on the split `{history.config.evaluate.final_split}`."
        return
    if rows[0].update != 0:
        yield "There is no evaluation before training on the final panel."
    if len({(e.panel_sha256, e.horizon, e.repeats) for e in rows}) > 1:
        yield "The final panel or its limits changed between evaluations; only those like the last are compared."
    num_failed = sum(e.overall.num_failed for e in rows)
    if num_failed:
        yield f"{num_failed} episodes of the final evaluations failed in every attempt and are left out."


def _of_source(history: History) -> Iterator[str]:
    starts = history.run.starts()
    if any(str(start.get("git")).endswith("+changes") for start in starts):
        yield "The source had uncommitted changes: its revision alone does not say what ran."
    if len({str(start.get("packages")) for start in starts}) > 1:
        yield "The run was resumed with other package versions than it was started with."
