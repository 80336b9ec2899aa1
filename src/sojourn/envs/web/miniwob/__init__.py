"""MiniWoB++: small pages with scripts, each with a task, as a further suite for the chromium back end."""

from sojourn.envs.web.miniwob.scenario import MiniWob

__all__ = ["MiniWob"]
