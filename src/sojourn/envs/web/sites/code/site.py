"""The code host as a site."""

from __future__ import annotations

from pathlib import Path

from sojourn.envs.web.sites.code import issues, merges, people, planning, projects, repository
from sojourn.envs.web.sites.code.generate import generate
from sojourn.envs.web.sites.code.queries import frame
from sojourn.envs.web.sites.framework import Accounts, Site

SITE = Site(
    "code",
    title="GitLab",
    folder=Path(__file__).parent,
    generate=generate,
    accounts=Accounts(table="code_user", login="username"),
    log_in_path="/users/sign_in",
    parts=(people.routes, projects.routes, repository.routes, issues.routes, planning.routes, merges.routes),
    frame=frame,
)
