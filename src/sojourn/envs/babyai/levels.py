"""The 40 levels, in the order that AgentGym numbers them, and the category each is reported under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sojourn.errors import ConfigError, unknown_name

NUM_LEVELS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """One BabyAI level."""

    number: int
    """1 to 40; task id = seed * 40 + number - 1."""
    name: str
    """minigrid's name, without ``BabyAI-`` and ``-v0``."""
    category: str

    @property
    def registry_id(self) -> str:
        """The id under which minigrid registers it."""
        return f"BabyAI-{self.name}-v0"


_CATEGORIES = (
    (
        "GoTo",
        "GoToRedBallGrey GoToRedBall GoToRedBallNoDists GoToObjS4 GoToLocalS8N7 GoToObjMazeS7 GoToImpUnlock "
        "GoToSeqS5R2 GoToRedBlueBall GoToDoor GoToObjDoor",
    ),
    ("Open", "Open OpenRedDoor OpenDoorLoc OpenRedBlueDoorsDebug OpenDoorsOrderN4Debug"),
    ("Pickup", "Pickup UnblockPickup PickupLoc PickupDistDebug PickupAbove"),
    ("PutNext", "PutNextLocalS6N4 PutNextS7N4Carrying"),
    ("Unlock", "Unlock UnlockLocalDist KeyInBox UnlockPickupDist BlockedUnlockPickup UnlockToUnlock"),
    ("ActionObjDoor", "ActionObjDoor"),
    ("FindObj", "FindObjS7"),
    ("KeyCorridor", "KeyCorridorS6R3"),
    ("OneRoom", "OneRoomS20"),
    ("MoveTwoAcross", "MoveTwoAcrossS8N9"),
    ("Synth", "SynthS5R2"),
    ("SynthLoc", "SynthLoc"),
    ("SynthSeq", "SynthSeq"),
    ("Boss", "MiniBossLevel BossLevel BossLevelNoUnlock"),
)
# AgentGym's level 4 is GoToObjS6-v0, which minigrid 3 renamed and rebuilt; GoToObjS4-v0 is what that id used to build.

LEVELS: tuple[Level, ...] = tuple(
    Level(number=number, name=name, category=category)
    for number, (category, name) in enumerate(
        ((category, name) for category, names in _CATEGORIES for name in names.split()), start=1
    )
)
"""All levels by number (``LEVELS[0]`` is level 1)."""

CATEGORIES: tuple[str, ...] = tuple(category for category, _ in _CATEGORIES)
"""All categories, in level order."""

PAPER_CATEGORIES: tuple[str, ...] = ("GoTo", "Pickup", "ActionObjDoor", "FindObj", "OneRoom", "SynthLoc")
"""The six that the AgentGym-RL paper reports."""

_BY_NAME = {level.name: level for level in LEVELS}


def select_levels(levels: Sequence[str | int] | None, categories: Sequence[str] | None) -> tuple[Level, ...]:
    """The levels named by number, name or minigrid id that lie in `categories`, in level order; None selects all."""
    chosen = set(LEVELS) if levels is None else {_level(key) for key in levels}
    for category in categories or ():
        if category not in CATEGORIES:
            raise unknown_name("BabyAI category", category, CATEGORIES)
    selected = tuple(
        level for level in LEVELS if level in chosen and (categories is None or level.category in categories)
    )
    if not selected:
        raise ConfigError(f"levels={levels!r} and categories={categories!r} leave no BabyAI level")
    return selected


def _level(key: str | int) -> Level:
    if isinstance(key, int):
        if not 1 <= key <= NUM_LEVELS:
            raise ConfigError(f"a BabyAI level number is 1 to {NUM_LEVELS}, got {key}")
        return LEVELS[key - 1]
    name = key.removeprefix("BabyAI-").removesuffix("-v0")
    if name not in _BY_NAME:
        raise unknown_name("BabyAI level", key, _BY_NAME)
    return _BY_NAME[name]
