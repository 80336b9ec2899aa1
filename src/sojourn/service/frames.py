"""Frames between the service and its workers: a length, then a pickled list of tuples.

Pickle, because both ends are our own code, one the child of the other, on one machine and in one version.
"""

from __future__ import annotations

import asyncio
import pickle
import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

_LENGTH = struct.Struct("!I")


class Hello(NamedTuple):
    """The first thing a worker hears."""

    name: str
    """Of the scenario, as `load_scenario` knows it."""
    options: Mapping[str, Any]
    timeout_s: float
    """Deadline of every operation."""
    path: tuple[str, ...]
    """``sys.path`` of the parent, so that ``module:Factory`` is found there, too."""


class FrameProtocol(asyncio.Protocol):
    """Receives frames, and sends what was said in one turn of the event loop as one frame.

    `on_rows` is called with the rows of every frame, `on_lost` once, when the other end has gone.
    """

    def __init__(self, on_rows: Callable[[list[Any]], None], on_lost: Callable[[], None]) -> None:
        self._on_rows = on_rows
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._outgoing: list[Any] = []
        self._is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The pipe is open."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are none by class
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Bytes came; hand on the frames that are complete."""
        received = self._received
        received += data
        start = 0
        while len(received) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(received, start)
            end = start + _LENGTH.size + length
            if len(received) < end:
                break
            rows = pickle.loads(memoryview(received)[start + _LENGTH.size : end])
            start = end
            self._on_rows(rows)
        if start:
            del received[:start]

    def connection_lost(self, exc: Exception | None) -> None:
        """The other end has gone."""
        self._is_lost = True
        self._on_lost()

    def send(self, row: Any) -> None:
        """Say `row`, in one frame with whatever else is said before the event loop turns."""
        if not self._outgoing and self._transport is not None:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(row)

    def flush(self) -> None:
        """Send now what `send` has collected."""
        self._flush()

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if not self._outgoing or self._transport is None or self._is_lost:
            return
        rows, self._outgoing = self._outgoing, []
        payload = pickle.dumps(rows, protocol=5)
        self._transport.write(_LENGTH.pack(len(payload)) + payload)
