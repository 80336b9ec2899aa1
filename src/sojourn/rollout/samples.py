"""Trajectories as training data: rows of ids for the engine, and flat arrays over the trained tokens.

Axes: R rows (one a trajectory) · N trained tokens of all rows, flat, in row order · S turns of all rows, flat.
A *trained token* is a sampled token that was a choice: one that the constraint forced carries no gradient and is in no
denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sojourn.engine.protocol import Row
from sojourn.types import Completion, StopReason, Trajectory, TrajectoryGroup

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """The episodes of one update, ready for an algorithm."""

    rows: tuple[Row, ...]
    trajectories: tuple[Trajectory, ...]
    """[R] where each row came from."""
    group_R: IntArray
    """Group index of each row."""
    return_R: FloatArray
    row_N: IntArray
    """Row index of each trained token."""
    turn_N: IntArray
    """Turn index (within its row) of each trained token."""
    sampler_logprobs_N: FloatArray
    """Log-probs that the sampler reported."""
    turn_reward_S: FloatArray
    """Reward of each turn; row r has ``num_turns_R[r]`` of them."""
    num_turns_R: IntArray
    anchor_S: IntArray
    """Index of the state each turn was taken in: equal where turns of one group saw the same observation."""
    horizon_R: IntArray
    """Turn limit that was in force."""
    is_cut_R: BoolArray
    """True where the horizon stopped the episode."""
    version_N: IntArray
    """Policy version that sampled each trained token."""
    num_masked: int = 0
    """Tokens that would be trained but for ``horizon_cut = "mask"``."""

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    @property
    def num_trained(self) -> int:
        """N."""
        return int(self.row_N.shape[0])

    @property
    def num_tokens(self) -> int:
        """Tokens of all rows, prompts included."""
        return sum(row.num_tokens for row in self.rows)

    def tokens_of(self, picked: IntArray) -> tuple[IntArray, list[int]]:
        """Positions, among the N trained tokens, of those of the rows `picked`; and where each row's begin in them.

        The second has one entry more than `picked`: row k has ``offsets[k]:offsets[k + 1]``.
        """
        counts = np.asarray([row.num_trained for row in self.rows], dtype=np.int64)
        ends = np.cumsum(counts)
        parts = [np.arange(ends[r] - counts[r], ends[r]) for r in picked]
        index = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
        return index, [0, *np.cumsum(counts[picked]).tolist()]


def make_row(trajectory: Trajectory, temperature: float) -> tuple[Row, list[float], list[int]]:
    """The row of one trajectory, with the sampler's log-prob and the turn of every trained token.

    Ids are concatenated exactly as they were read and sampled; nothing is tokenised again.
    """
    ids: list[int] = []
    mask: list[bool] = []
    allowed: list[tuple[int, ...] | None] = []
    logprobs: list[float] = []
    turn_ids: list[int] = []
    for number, turn in enumerate(trajectory.turns):
        completion = turn.decision.completion
        ids += turn.decision.prompt_ids
        mask += [False] * len(turn.decision.prompt_ids)
        ids += completion.token_ids
        for position, logprob in enumerate(completion.logprobs):
            options = completion.allowed[position] if completion.allowed is not None else None
            is_choice = options is None or len(options) != 1
            mask.append(is_choice)
            if is_choice:
                allowed.append(options)
                logprobs.append(logprob)
                turn_ids.append(number)
    row = Row(
        token_ids=np.asarray(ids, dtype=np.int64),
        mask=np.asarray(mask, dtype=np.bool_),
        allowed=tuple(allowed) if any(_is_confined(turn.decision.completion) for turn in trajectory.turns) else None,
        temperature=temperature,
    )
    return row, logprobs, turn_ids


def make_batch(groups: Sequence[TrajectoryGroup], *, temperature: float, mask_horizon_cuts: bool = False) -> Batch:
    """The batch of all trajectories of `groups`; failed ones are not in it.

    With `mask_horizon_cuts`, trajectories cut by the horizon keep their place in the baseline but train no token.
    """
    rows: list[Row] = []
    logprobs: list[float] = []
    turn_ids: list[int] = []
    row_ids: list[int] = []
    versions: list[int] = []
    num_masked = 0
    members = [(g, trajectory) for g, group in enumerate(groups) for trajectory in group.trajectories]
    for number, (_, trajectory) in enumerate(members):
        row, row_logprobs, row_turns = make_row(trajectory, temperature)
        if mask_horizon_cuts and trajectory.stop_reason is StopReason.HORIZON:
            num_masked += len(row_turns)
            row, row_logprobs, row_turns = _masked(row), [], []
        rows.append(row)
        logprobs += row_logprobs
        turn_ids += row_turns
        row_ids += [number] * len(row_turns)
        versions += [trajectory.turns[turn].decision.completion.policy_version for turn in row_turns]
    return Batch(
        rows=tuple(rows),
        trajectories=tuple(trajectory for _, trajectory in members),
        group_R=np.asarray([g for g, _ in members], dtype=np.int64),
        return_R=np.asarray([trajectory.return_ for _, trajectory in members], dtype=np.float32),
        row_N=np.asarray(row_ids, dtype=np.int64),
        turn_N=np.asarray(turn_ids, dtype=np.int64),
        sampler_logprobs_N=np.asarray(logprobs, dtype=np.float32),
        turn_reward_S=np.asarray([turn.result.reward for _, t in members for turn in t.turns], dtype=np.float32),
        num_turns_R=np.asarray([trajectory.num_turns for _, trajectory in members], dtype=np.int64),
        anchor_S=_anchors(members),
        horizon_R=np.asarray([trajectory.horizon for _, trajectory in members], dtype=np.int64),
        is_cut_R=np.asarray([t.stop_reason is StopReason.HORIZON for _, t in members], dtype=np.bool_),
        version_N=np.asarray(versions, dtype=np.int64),
        num_masked=num_masked,
    )


def _anchors(members: Sequence[tuple[int, Trajectory]]) -> IntArray:
    """Index of each turn's state [S]: its group and the observation that the turn answered."""
    index: dict[tuple[int, str], int] = {}
    anchors = []
    for group, trajectory in members:
        seen = [trajectory.first, *(turn.result for turn in trajectory.turns[:-1])]
        for result in seen[: trajectory.num_turns]:
            text = "" if result is None else result.observation
            anchors.append(index.setdefault((group, text), len(index)))
    return np.asarray(anchors, dtype=np.int64)


def _masked(row: Row) -> Row:
    allowed = None if row.allowed is None else ()
    return Row(token_ids=row.token_ids, mask=np.zeros_like(row.mask), allowed=allowed, temperature=row.temperature)


def _is_confined(completion: Completion) -> bool:
    return completion.allowed is not None
