"""All tasks, by name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from sojourn.envs.web.webapps.seed.template import templates
from sojourn.envs.web.webapps.tasks.across import across_tasks
from sojourn.envs.web.webapps.tasks.dashboard import dashboard_tasks
from sojourn.envs.web.webapps.tasks.forum import forum_tasks
from sojourn.envs.web.webapps.tasks.shop import shop_tasks
from sojourn.envs.web.webapps.tasks.task import AppTask, Data
from sojourn.envs.web.webapps.tasks.tracker import tracker_tasks


@cache
def all_tasks() -> Mapping[str, AppTask]:
    """Name -> task, in a fixed order. Raises `MissingDependencyError` without the extra."""
    data = Data(templates())
    try:
        parts = (shop_tasks, dashboard_tasks, forum_tasks, tracker_tasks, across_tasks)
        found = {task.name: task for make in parts for task in make(data)}
    finally:
        data.close()
    return found
