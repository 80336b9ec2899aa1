"""The official WebArena: its 812 tasks on its own sites, where there are any."""

from sojourn.envs.web.webarena.scenario import WebArena

__all__ = ["WebArena"]
