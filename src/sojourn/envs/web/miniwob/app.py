"""One MiniWoB++ episode as a site: its page out of the package, with a script that starts it and reports its end.

The page's own clock is stopped, so that a slow model is not late and replaying an episode shows the same. Pages of
other tasks are not served: they would pay for something else.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sojourn.errors import DataError, MissingDependencyError

HOST = "miniwob.example.com"
"""The address that agents see; a name reserved for examples."""

_REPORT = "/report"
_MAX_REPORT_BYTES = 100_000
_SCRIPT = """<style>#reward-display, #click-canvas, #sync-task-cover { display: none !important; }</style><script>
(function() {
  function tell(what) {
    var request = new XMLHttpRequest();
    request.open('POST', '%(report)s', false);
    request.send(JSON.stringify(what));
  }
  core.EPISODE_MAX_TIME = 1e9;
  core.countdownTimer = core.clearTimer = function() {};
  var end = core.endEpisode, isOver = false;
  core.endEpisode = function(reward, timeProportional, reason) {
    if (core.EP_TIMER === null || isOver) return;
    isOver = true;
    end(reward, timeProportional, reason);
    tell({reward: reward});
  };
  window.addEventListener('load', function() {
    Math.seedrandom('%(seed)s');
    core.startEpisodeReal();
    tell({goal: core.getUtterance()});
  });
})();
</script>"""


@cache
def html_folder() -> Path:
    """The package's pages. Raises `MissingDependencyError` without it."""
    spec = find_spec("miniwob")  # found and not imported: it would want selenium
    if spec is None or spec.origin is None:
        raise MissingDependencyError("miniwob", "pip install --no-deps miniwob==1.1")
    return Path(spec.origin).parent / "html"


@cache
def task_names() -> tuple[str, ...]:
    """The names of all tasks in the package, sorted."""
    return tuple(sorted(path.stem for path in (html_folder() / "miniwob").glob("*.html")))


@dataclass(kw_only=True)
class Reported:
    """What the page has said so far."""

    goal: str | None = None
    """What is to be done, in MiniWoB++'s words."""
    reward: float | None = None
    """MiniWoB++'s own reward without its discount for time, in [-1, 1]; None while the episode goes on."""


class MiniWobApp:
    """The WSGI application of one episode: the page of `task` under `seed`, and what it needs."""

    def __init__(self, task: str, seed: int) -> None:
        if task not in task_names():
            raise DataError(f"expected a MiniWoB++ task such as click-test, got {task!r}")
        self._task = task
        self._seed = seed
        self.reported = Reported()

    @property
    def url(self) -> str:
        """The address of the task's page."""
        return f"http://{HOST}/miniwob/{self._task}.html"

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Serve the page and its files; anything else is 404."""
        path, method = environ.get("PATH_INFO", ""), environ["REQUEST_METHOD"]
        if method == "POST" and path == _REPORT:
            self._note(environ)
            return _answer(start, "204 No Content", "text/plain", b"")
        if method not in ("GET", "HEAD"):
            return _answer(start, "405 Method Not Allowed", "text/plain", b"only GET")
        file = (html_folder() / path.lstrip("/")).resolve()
        if not file.is_relative_to(html_folder().resolve()) or not file.is_file() or self._is_another_task(file):
            return _answer(start, "404 Not Found", "text/html", b"<title>Not found</title><h1>Not found</h1>")
        body = file.read_bytes()
        if file.stem == self._task and file.suffix == ".html":
            script = _SCRIPT % {"report": _REPORT, "seed": self._seed}
            body = body.replace(b"</body>", script.encode() + b"</body>", 1)
        return _answer(start, "200 OK", mimetypes.guess_type(file.name)[0] or "application/octet-stream", body)

    def _is_another_task(self, file: Path) -> bool:
        return file.parent.name == "miniwob" and file.suffix == ".html" and file.stem != self._task

    def _note(self, environ: dict[str, Any]) -> None:
        size = min(int(environ.get("CONTENT_LENGTH") or 0), _MAX_REPORT_BYTES)
        said = json.loads(environ["wsgi.input"].read(size))
        if "goal" in said and self.reported.goal is None:
            self.reported.goal = str(said["goal"])
        if "reward" in said and self.reported.reward is None:
            self.reported.reward = float(said["reward"])


def _answer(start: Callable[..., Any], status: str, kind: str, body: bytes) -> Iterable[bytes]:
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
