"""TextCraft: craft a goal item from listed recipes, some of which do not help."""

from sojourn.envs.textcraft.procedural import ProceduralTextCraft
from sojourn.envs.textcraft.scenario import TextCraft

__all__ = ["ProceduralTextCraft", "TextCraft"]
