"""Which task numbers belong to which split: from AgentGym's published lists, or from ranges."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from sojourn.errors import ConfigError, DataError

log = logging.getLogger(__name__)

REQUIRED = ("train", "test")
_PUBLISHED = re.compile(r"([a-z]+)_(\d{1,15})")
_MAX_DERIVED = 100


def split_ids(
    names: Sequence[str],
    known_ids: str,
    ids: Mapping[str, str | Sequence[int]],
    ranges: Mapping[str, Sequence[int]],
    validation: int | None,
) -> dict[str, Sequence[int]]:
    """Split -> task numbers, each number in one split.

    `names` are the prefixes that published ids may have. Where there is no split ``validation``, `validation` tasks of
    ``train`` become it (absent: a tenth, at most 100), chosen by a digest of their number, so that neither order nor
    neighbours matter. A number listed for evaluation is taken out of ``train``, with a warning that counts them.
    """
    both = ids.keys() & ranges.keys()
    if both:
        raise ConfigError(f"ids and ranges both give the split {sorted(both)[0]!r}: give it once")
    splits: dict[str, Sequence[int]] = {split: _listed(split, value, names) for split, value in ids.items()}
    splits |= {split: _range(split, value) for split, value in ranges.items()}
    missing = [split for split in REQUIRED if not splits.get(split)]
    if missing:
        raise ConfigError(
            f'no tasks for {" and ".join(missing)}: give ids = {{{missing[0]} = "<file>.json"}} (a published list) or '
            f"ranges = {{{missing[0]} = [first, end]}}; task numbers of {names[0]}: {known_ids}"
        )
    held = _held_out(splits)
    train = _without(splits["train"], held)
    if "validation" not in splits:
        splits["validation"] = derived(train, validation, names[0])
        train = _without(train, frozenset(splits["validation"]), is_told=False)
    elif validation is not None:
        raise ConfigError("validation = N derives a split that is given: leave out one of them")
    splits["train"] = train
    order = ("train", "validation", "test", *sorted(splits.keys() - {"train", "validation", "test"}))
    return {split: splits[split] for split in order}


def _listed(split: str, value: str | Sequence[int], names: Sequence[str]) -> tuple[int, ...]:
    numbers = _published(Path(value), names) if isinstance(value, str) else tuple(value)
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise ConfigError(f"ids.{split}: expected task numbers of 0 and more, or a file's name, got {value!r}")
    if len(set(numbers)) != len(numbers):
        raise DataError(f"ids.{split} lists a task twice")
    return numbers


def _published(path: Path, names: Sequence[str]) -> tuple[int, ...]:
    """The numbers in a file of ``[{"item_id": "<task>_<number>"}, …]``."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        texts = [row["item_id"] for row in rows]
    except OSError as error:
        raise ConfigError(f"cannot read the list of tasks {str(path)!r}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f'{path.name}: expected JSON such as [{{"item_id": "{names[0]}_0"}}]') from error
    numbers = []
    for text in texts:
        match = _PUBLISHED.fullmatch(text) if isinstance(text, str) else None
        if match is None or match[1] not in names:
            raise DataError(f"{path.name}: expected ids such as {names[0]}_0, got {text!r}")
        numbers.append(int(match[2]))
    return tuple(numbers)


def _range(split: str, value: Sequence[int]) -> range:
    if len(value) != 2 or not all(isinstance(end, int) for end in value) or not 0 <= value[0] < value[1]:
        raise ConfigError(f"ranges.{split}: expected [first, end] with 0 <= first < end, got {list(value)!r}")
    return range(value[0], value[1])


def _held_out(splits: Mapping[str, Sequence[int]]) -> frozenset[int]:
    """The numbers of every split but train's; raises where two of those share one."""
    owner: dict[int, str] = {}
    for split, numbers in splits.items():
        for number in numbers if split != "train" else ():
            if owner.setdefault(number, split) != split:
                raise DataError(f"task {number} is in two splits, {owner[number]} and {split}")
    return frozenset(owner)


def _without(train: Sequence[int], held: frozenset[int], is_told: bool = True) -> Sequence[int]:
    left = tuple(number for number in train if number not in held)
    if len(left) == len(train):
        return train
    if is_told:
        log.warning("%d tasks of train are also listed for evaluation: left out of train", len(train) - len(left))
    if not left:
        raise DataError("every task of train is also listed for evaluation: nothing is left to train on")
    return left


def derived(train: Sequence[int], count: int | None, name: str) -> tuple[int, ...]:
    """`count` numbers of `train` (None: a tenth, at most 100), chosen by the digest of `name` and the number."""
    count = max(1, min(len(train) // 10, _MAX_DERIVED)) if count is None else count
    if not 0 < count < len(train):
        raise ConfigError(f"validation = {count}: expected 1 to {len(train) - 1} of the {len(train)} tasks of train")
    return tuple(sorted(sorted(train, key=lambda n: hashlib.sha256(f"{name}_{n}".encode()).digest())[:count]))
