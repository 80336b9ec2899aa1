"""How much of the memory of playwright's driver its objects use. What the process holds besides depends on V8, which
collects when it likes and gives back what is free when it likes: with 20 MiB in use it has held from 90 to 180.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

_ANSWER_S = 300.0
"""Seconds to wait for an answer: a driver that is busy, on a machine that is busy, answers late."""
_COLLECTIONS = 12
"""Code that was not run between some of them is thrown away, which is 1.5 MiB, at the third or so: that one finds
nothing does not mean that the next will not.
"""
_SPACES = ("new_space", "old_space")
"""Where objects are. Code is elsewhere and grows as V8 makes it faster; so is what is larger than a page, of which the
driver has a table of the lines of its own source: 0.6 MiB, made when it first tells where an error came from.
"""

_SCRIPT = """
if (require('node:worker_threads').isMainThread) {
  require('node:v8').setFlagsFromString('--expose-gc');
  const gc = require('node:vm').runInNewContext('gc');
  require('node:fs').rmSync(SOCKET, {force: true});
  const server = require('node:net').createServer(asking => {
    gc({type: 'major', execution: 'sync', flavor: 'last-resort'});
    const spaces = require('node:v8').getHeapSpaceStatistics().filter(space => KINDS.includes(space.space_name));
    const used = spaces.reduce((sum, space) => sum + space.space_used_size, process.memoryUsage().external);
    asking.end(String(used));
  });
  server.listen(SOCKET);
  server.unref();
}
"""


class DriverHeap:
    """Asks the driver itself, which has to be started with `options` in its environment."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "heap"
        script = folder / "heap.cjs"
        known = f"const SOCKET = {json.dumps(str(self._socket))}, KINDS = {json.dumps(_SPACES)};\n"
        script.write_text(known + _SCRIPT, encoding="utf-8")
        self.options = f"{os.environ.get('NODE_OPTIONS', '')} --require {json.dumps(str(script))}"
        """Value of ``NODE_OPTIONS``."""

    def used_bytes(self) -> int:
        """What objects use when collections have left no more to find, and buffers outside the heap."""
        return [self._collected() for _ in range(_COLLECTIONS)][-1]

    def _collected(self) -> int:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(_ANSWER_S)
            asking.connect(str(self._socket))
            return int(b"".join(iter(lambda: asking.recv(64), b"")))
