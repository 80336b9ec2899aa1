"""How much of the memory of playwright's driver is in use. What the process holds besides depends on V8: it collects
when it likes, and gives back what is free when it likes, so that with 20 MiB in use it has held 90 and 290.
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

ANSWER_S = 300.0
"""Seconds to wait for an answer: a driver that is busy, on a machine that is busy, answers late."""
_COLLECTIONS = 12
"""Code that was not run between some of them is thrown away, which is 1.5 MiB, at the third or so: not one that finds
nothing is the last that does. After twelve the same is left to 0.1 MiB, however many episodes there were.
"""

_SCRIPT = """'use strict';
if (require('node:worker_threads').isMainThread) {
  require('node:v8').setFlagsFromString('--expose-gc');
  const gc = require('node:vm').runInNewContext('gc');
  require('node:fs').rmSync(SOCKET, {force: true});
  const server = require('node:net').createServer(asking => {
    gc({type: 'major', execution: 'sync', flavor: 'last-resort'});
    const {heapUsed, external} = process.memoryUsage();
    asking.end(String(heapUsed + external));
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
        script.write_text(_SCRIPT.replace("SOCKET", json.dumps(str(self._socket))), encoding="utf-8")
        self.options = f"{os.environ.get('NODE_OPTIONS', '')} --require {json.dumps(str(script))}"
        """Value of ``NODE_OPTIONS``."""

    def used_bytes(self) -> int:
        """What is in use after collections that leave nothing to find."""
        return [self._collected() for _ in range(_COLLECTIONS)][-1]

    def _collected(self) -> int:
        with socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(ANSWER_S)
            asking.connect(str(self._socket))
            return int(b"".join(iter(lambda: asking.recv(64), b"")))
