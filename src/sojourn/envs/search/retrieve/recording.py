"""Answers of a web search kept on disk: recorded once, replayed as often as wanted, so that a run can be repeated."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from sojourn.errors import ConfigError, EnvError


class Recording:
    """A folder with one JSON file an answer, by the service, the query and the number of hits. It holds no key."""

    def __init__(self, folder: Path, *, is_replay: bool) -> None:
        self._folder = folder
        self.is_replay = is_replay
        if is_replay and not folder.is_dir():
            raise ConfigError(f"replay: there is no folder {folder}")
        folder.mkdir(parents=True, exist_ok=True)

    def _path(self, service: str, query: str, k: int) -> Path:
        name = hashlib.sha256(json.dumps([service, query, k]).encode()).hexdigest()
        return self._folder / name[:2] / f"{name[:32]}.json"

    def recalled(self, service: str, query: str, k: int) -> Any | None:
        """What was answered; None for what is yet to be recorded.

        Raises `EnvError` for a replay without it: the net is never asked then.
        """
        path = self._path(service, query, k)
        try:
            return json.loads(path.read_text(encoding="utf-8"))["answer"]
        except FileNotFoundError:
            if self.is_replay:
                raise EnvError(
                    f"web search {service}: {query[:100]!r} (k={k}) is not among the recordings, and a replay does not "
                    "ask the net: record it first (record=)"
                ) from None
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise EnvError(f"web search {service}: the recording {path.name} cannot be read: {error}") from error

    def keep(self, service: str, query: str, k: int, answer: Any) -> None:
        """Record an answer; the file appears complete or not at all."""
        path = self._path(service, query, k)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        draft.write_text(
            json.dumps({"service": service, "query": query, "k": k, "answer": answer}, ensure_ascii=False),
            encoding="utf-8",
        )
        draft.replace(path)
