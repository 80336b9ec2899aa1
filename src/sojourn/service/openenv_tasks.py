"""What an OpenEnv server says about itself before any episode: name, schemas, tasks."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from sojourn.errors import ConfigError
from sojourn.service.agentgym_ids import derived

_TIMEOUT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    """A server's own words."""

    url: str
    name: str
    version: str
    description: str
    action_schema: Mapping[str, Any]
    observation_schema: Mapping[str, Any]

    @property
    def socket_url(self) -> str:
        """Where sessions are opened."""
        return f"ws{self.url.removeprefix('http')}/ws"


def read_info(url: str, name: str | None) -> ServerInfo:
    """Ask the server at `url`; raises `ConfigError` if it is not there, or is no OpenEnv server."""
    base = re.sub(r"^ws(s?)://", r"http\1://", url.rstrip("/").removesuffix("/ws"))
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"expected a url such as http://127.0.0.1:8000, got {url!r}")
    metadata, schema = _get(base, "/metadata"), _get(base, "/schema")
    said = name or str(metadata.get("name") or "environment")
    return ServerInfo(
        url=base,
        name=re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-") or "environment",
        version=re.sub(r"[^A-Za-z0-9.]+", "-", str(metadata.get("version") or "1")),
        description=str(metadata.get("description") or f"Play {said}."),
        action_schema=_schema(base, schema, "action"),
        observation_schema=_schema(base, schema, "observation"),
    )


def _schema(base: str, answer: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = answer.get(name)
    if not isinstance(value, dict):
        raise ConfigError(f"{base}/schema: expected the schema of an {name}; is it an OpenEnv server?")
    return value


def server_splits(info: ServerInfo) -> dict[str, tuple[str, Sequence[int]]]:
    """Split -> the server's own name for it, and the numbers of its tasks.

    A tenth of ``train`` (at most 100), chosen by digest, becomes ``validation`` where the server has none.
    """
    (env_name, *_) = _asked(info.url, "/list_environments", None) or [""]
    names = [str(split.get("name")) for split in _asked(info.url, f"/{env_name}/splits", None)]
    missing = {"train", "test"} - set(names)
    if missing:
        raise ConfigError(f"the server lists the splits {', '.join(names)}; expected {', '.join(sorted(missing))}, too")
    counts = {name: int(_asked(info.url, f"/{env_name}/num_tasks", {"split": name})["num_tasks"]) for name in names}
    empty = [name for name, count in counts.items() if count < 1]
    if empty:
        raise ConfigError(f"the server's splits {', '.join(empty)} have no tasks")
    found: dict[str, tuple[str, Sequence[int]]] = {name: (name, range(count)) for name, count in counts.items()}
    if "validation" not in found:
        held = derived(range(counts["train"]), None, info.name)
        found["validation"] = ("train", held)
        found["train"] = ("train", tuple(sorted(set(range(counts["train"])) - set(held))))
    order = ("train", "validation", "test", *sorted(found.keys() - {"train", "validation", "test"}))
    return {split: found[split] for split in order}


def _get(base: str, path: str) -> dict[str, Any]:
    answer = _asked(base, path, None)
    if not isinstance(answer, dict):
        raise ConfigError(f"{base}{path}: expected a JSON object; is it an OpenEnv server?")
    return answer


def _asked(base: str, path: str, body: Mapping[str, Any] | None) -> Any:
    """The JSON that one call is answered with, in a moment and without an event loop."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{base}{path}", data, {"Content-Type": "application/json"})
    is_here = urlsplit(base).hostname in ("localhost", "127.0.0.1", "::1")
    opener = urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if is_here else []))
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            said = error.read()[:200].decode(errors="replace")
        raise ConfigError(
            f"{request.get_method()} {base}{path}: expected status 200, got {error.code}: {said}"
        ) from error
    except (OSError, HTTPException) as error:
        raise ConfigError(f"no OpenEnv server answers at {base}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"{base}{path}: expected JSON; is it an OpenEnv server?") from error
