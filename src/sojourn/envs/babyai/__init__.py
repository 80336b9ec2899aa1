"""BabyAI: missions in a grid of rooms, told in words (needs ``sojourn[babyai]``)."""

from sojourn.envs.babyai.env import BabyAIEnv
from sojourn.envs.babyai.levels import CATEGORIES, LEVELS, PAPER_CATEGORIES, Level
from sojourn.envs.babyai.oracle import BabyAIOracle
from sojourn.envs.babyai.scenario import BabyAI

__all__ = ["CATEGORIES", "LEVELS", "PAPER_CATEGORIES", "BabyAI", "BabyAIEnv", "BabyAIOracle", "Level"]
