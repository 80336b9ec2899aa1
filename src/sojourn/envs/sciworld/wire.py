"""py4j's wire protocol, batched: many calls in one write, so that a step of the simulator costs two exchanges.

py4j's own gateway sends one call at a time, retries what has already been done, and lets Python's garbage collector
talk to the JVM from whatever thread it runs in; here a call is sent once, by the one thread that owns the socket, and
what the JVM keeps for us is released by name.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from sojourn.errors import MissingDependencyError

try:
    from py4j import protocol
except ModuleNotFoundError as error:
    raise MissingDependencyError("py4j, which drives ScienceWorld,", "pip install 'sojourn[sciworld]'") from error


class Ref(str):
    """The name of an object that the JVM keeps for us."""

    __slots__ = ()


class JvmLostError(Exception):
    """The JVM did not answer in time, or is gone; nothing is known about the last calls."""


class JavaError(Exception):
    """A call raised an exception inside the JVM."""


def call(target: Ref, method: str, *arguments: object) -> str:
    """The command that calls `method` of an object."""
    return f"{protocol.CALL_COMMAND_NAME}{target}\n{method}\n{_encoded(arguments)}{_END}"


def call_static(class_name: str, method: str, *arguments: object) -> str:
    """The command that calls a static method."""
    return call(Ref(protocol.STATIC_PREFIX + class_name), method, *arguments)


def construct(class_name: str, *arguments: object) -> str:
    """The command that makes an object."""
    return f"{protocol.CONSTRUCTOR_COMMAND_NAME}{class_name}\n{_encoded(arguments)}{_END}"


def singleton(class_name: str) -> str:
    """The command that gives the instance of a Scala object."""
    get_member = f"{protocol.REFLECTION_COMMAND_NAME}{protocol.REFL_GET_MEMBER_SUB_COMMAND_NAME}"
    return f"{get_member}{class_name}$\nMODULE$\n{_END}"


def release(ref: Ref) -> str:
    """The command that lets the JVM forget an object."""
    return f"{protocol.MEMORY_COMMAND_NAME}{protocol.MEMORY_DEL_SUBCOMMAND_NAME}{ref}\n{_END}"


_END = protocol.END_COMMAND_PART
_REFERENCES = frozenset({"r", "t", "l", "a", "h", "g"})


def _encoded(arguments: Sequence[object]) -> str:
    return "".join(f"r{a}\n" if isinstance(a, Ref) else protocol.get_command_part(a) for a in arguments)


class Wire:
    """One connection to one JVM; used by one thread."""

    def __init__(self, port: int, token: str, timeout_s: float) -> None:
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=timeout_s)
        except OSError as error:
            raise JvmLostError(f"no connection: {error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self.send(f"{protocol.AUTH_COMMAND_NAME}\n{token}\n")
        self._answer_at_once()

    def _answer_at_once(self) -> None:
        """Switch off Nagle's algorithm on the JVM's side too.

        It sends the answers of a batch one by one, and would hold back the second until the first is acknowledged: for
        40 ms. py4j has no setting for it, and its list of connections is private; ours is the only one.
        """
        server = Ref(protocol.GATEWAY_SERVER_OBJECT_ID)
        kind: Ref = self.ask(call(server, "getClass"))
        field: Ref = self.ask(call(kind, "getDeclaredField", "connections"))
        self.ask(call(field, "setAccessible", True))
        connections: Ref = self.ask(call(field, "get", server))
        connection: Ref = self.ask(call(connections, "get", 0))
        java_socket: Ref = self.ask(call(connection, "getSocket"))
        self.ask(call(java_socket, "setTcpNoDelay", True))
        self.send(*map(release, (kind, field, connections, connection, java_socket)))

    def set_timeout(self, seconds: float) -> None:
        """How long an answer may take from now on."""
        self._socket.settimeout(seconds)

    @contextlib.contextmanager
    def patience(self, factor: float) -> Iterator[None]:
        """Within the with statement, an answer may take `factor` times as long."""
        before = self._socket.gettimeout()
        self._socket.settimeout(before and before * factor)
        yield
        self._socket.settimeout(before)

    def send(self, *commands: str) -> list[Any]:
        """The answers to `commands`, carried out in order. Raises `JavaError` for the first that raised one.

        The others have been carried out all the same. Raises `JvmLostError` if the JVM does not answer.
        """
        try:
            self._socket.sendall("".join(commands).encode())
            lines = [self._stream.readline() for _ in commands]
        except TimeoutError as error:
            raise JvmLostError(f"no answer within {self._socket.gettimeout():g} s") from error
        except OSError as error:
            raise JvmLostError(f"connection lost: {error}") from error
        if not all(line.endswith(b"\n") for line in lines):
            raise JvmLostError("the process is gone")
        answers = [line.decode().removeprefix("!").rstrip("\n") for line in lines]
        failed = next((answer for answer in answers if not answer.startswith(protocol.SUCCESS)), None)
        if failed is not None:
            raise JavaError(self._told(failed))
        return [_decoded(answer) for answer in answers]

    def ask(self, command: str) -> Any:
        """The answer to one command."""
        return self.send(command)[0]

    def _told(self, failed: str) -> str:
        """What an exception says, in one line."""
        if failed[1:2] != protocol.REFERENCE_TYPE:
            return str(protocol.unescape_new_line(failed[2:] or failed)).partition("\n")[0][:300]
        exception = Ref(failed[2:])
        text: str = self.ask(call(exception, "toString"))
        self.ask(release(exception))
        return text.partition("\n")[0][:300]

    def close(self) -> None:
        """Close the socket; may be called twice."""
        self._stream.close()
        self._socket.close()


def _decoded(answer: str) -> Any:
    kind, value = answer[1:2], answer[2:]
    if kind in _REFERENCES:
        return Ref(value)
    if kind in ("", protocol.VOID_TYPE, protocol.NULL_TYPE):
        return None
    return protocol.OUTPUT_CONVERTER[kind](value, None)
