"""Real web applications (Oscar, Spirit, Trac) as a test that no template of ours was written for."""

from sojourn.envs.web.webapps.scenario import WebApps

__all__ = ["WebApps"]
