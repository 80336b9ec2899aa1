"""SciWorld: elementary science in a simulated house, 30 tasks with 7,207 variations (ScienceWorld)."""

from sojourn.envs.sciworld.pool import close_pools
from sojourn.envs.sciworld.scenario import SciWorld
from sojourn.envs.sciworld.tables import (
    CATEGORIES,
    KINDS,
    PAPER_CATEGORIES,
    agentgym_id,
    agentgym_size,
    from_agentgym_id,
)

__all__ = [
    "CATEGORIES",
    "KINDS",
    "PAPER_CATEGORIES",
    "SciWorld",
    "agentgym_id",
    "agentgym_size",
    "close_pools",
    "from_agentgym_id",
]
