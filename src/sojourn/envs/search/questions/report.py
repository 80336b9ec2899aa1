"""What the checks dropped and kept: saved beside the questions, printed for the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(kw_only=True, slots=True)
class Tally:
    """The candidates of one split and hop count. What fails a check is not shown to the later ones."""

    split: str
    hops: int
    drawn: int = 0
    """Distinct candidate paths."""
    capped: int = 0
    """Dropped: the answer has as many questions as it may have."""
    not_unique: int = 0
    """Dropped by check 1."""
    answer_in_question: int = 0
    """Dropped by check 2."""
    hop_not_found: int = 0
    """Dropped by check 4."""
    found_at_once: int = 0
    """Dropped by check 3."""
    surplus: int = 0
    """Passed all checks, and the split has enough."""
    kept: int = 0
    """In the split."""
    answers: int = 0
    """Distinct answers of those kept."""
    starts: int = 0
    """Distinct countries that those kept start in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionChecks:
    """The tallies of all splits and hop counts of one atlas."""

    atlas: str
    tallies: tuple[Tally, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data, as it is saved."""
        return {"atlas": self.atlas, "tallies": [asdict(tally) for tally in self.tallies]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> QuestionChecks:
        """What `as_json` gave."""
        return cls(atlas=data["atlas"], tallies=tuple(Tally(**row) for row in data["tallies"]))

    @property
    def num_kept(self) -> int:
        """All questions."""
        return sum(tally.kept for tally in self.tallies)

    def table(self) -> str:
        """A Markdown table: one row for each split and hop count, and one for their sums."""
        names = [field.name for field in fields(Tally)]
        rows = [[str(getattr(tally, name)) for name in names] for tally in self.tallies]
        counted = names[2:-2]
        sums = ["all", "", *(str(sum(getattr(t, name) for t in self.tallies)) for name in counted), "", ""]
        heads = [name.replace("_", " ") for name in names]
        return "\n".join(_row(cells) for cells in (heads, ["-"] * 2 + ["-:"] * (len(names) - 2), *rows, sums))


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
