"""``sojourn serve`` in a process of its own, and a way to it that can be cut."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sojourn.types import Task

ROOT = Path(__file__).parents[1]
PATIENCE_S = 60.0


class Service:
    """A running service; what it says on standard error is in `log`."""

    def __init__(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.log = folder / f"serve-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sojourn.cli", "serve", *arguments, "--port", "0"],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(env or {})},
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert " at http://" in line, f"expected the address, got {line!r}:\n{self.log.read_text()}"
        self.url = line.rstrip().rpartition(" ")[2]

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=10) as answer:
            text = answer.read().decode()
        return json.loads(text) if path.startswith("/v1") else text

    def num_open(self) -> int:
        """Open episodes."""
        found: int = self.get("/v1/health")["open_episodes"]
        return found

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.get("/metrics").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def workers(self) -> list[int]:
        """Process ids of its children."""
        return [int(pid) for pid in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def stop(self) -> int:
        """End it gently; returns the exit code."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        """The exit code."""
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            if self.process.returncode is None:
                self.process.kill()
                self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


@contextmanager
def serving(folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Service]:
    """A service that ends with the block, and then has ended well unless the block has ended it."""
    service = Service(folder, *arguments, env=env)
    try:
        yield service
    finally:
        had_ended = service.process.poll() is not None
        code = service.stop()
        assert had_ended or code == 0, service.log.read_text()


def wait_until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll until `condition` holds."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def task_of(env_id: str, task_id: str = "0") -> Task:
    return Task(env_id=env_id, task_id=task_id, split="train", seed=0)


class CuttingProxy:
    """Passes requests on, one a connection at a time; drops the answer of those that `cuts` picks, once they came.

    The server has acted by then, the client does not know.
    """

    def __init__(self, port: int, cuts: Callable[[bytes], bool]) -> None:
        self._port = port
        self._cuts = cuts
        self.num_cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                threading.Thread(target=self._pass_on, args=(connection,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(("127.0.0.1", self._port)) as server:
            while request := _message(client):
                server.sendall(request)
                answer = _message(server)
                if self._cuts(request):
                    self.num_cut += 1
                    return
                client.sendall(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)


def _message(sock: socket.socket) -> bytes:
    """One HTTP message with a Content-Length (or no body)."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = sock.recv(65536)
        if not received:
            return b""
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length:
        received = sock.recv(65536)
        data += received
        body += received
    return data
