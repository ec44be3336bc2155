"""Talk to a running node from a program, with the standard library alone.

    with Client(Path("~/.placet/control.sock").expanduser()) as node:
        print(node.call("status"))
        for sequence, event in node.follow("events.tail", {"after": 0}):
            ...

Errors are `DaemonError`s with a code, a cause and a next step: `NodeNotRunning`, `NodeSilent`, and
`CallFailed` for what the node itself says. `daemon.client_async` is the same for trio.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from daemon.rpc import (
    LINE_SIZE_MAX,
    CallFailed,
    Failure,
    NodeSilent,
    Notice,
    Reply,
    Request,
    Result,
    encode_request,
    not_reached,
    parse_reply,
    reachable,
)

CONNECT_SECONDS_MAX = 5.0
CALL_SECONDS_MAX = 60.0
"""How long a call may take if the caller does not say otherwise."""

Progress = Callable[[Mapping[str, Any]], None]


class Client:
    """One connection with a node; calls follow each other."""

    def __init__(self, path: Path) -> None:
        """Connect to the control socket, or raise `NodeNotRunning`."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(CONNECT_SECONDS_MAX)
        self._buffer = bytearray()
        self._last_id = 0
        try:
            with reachable(path) as name:
                self._socket.connect(name)
        except OSError as error:
            self._socket.close()
            raise not_reached(path, error) from error

    def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        timeout_seconds: float = CALL_SECONDS_MAX,
    ) -> Any:
        """Return the result, or raise `CallFailed` or `NodeSilent`.

        The time starts anew with each progress report.
        """
        identifier = self._ask(method, params, timeout_seconds)
        while True:
            match self._receive(method):
                case Result(answered, value) if answered == identifier:
                    return value
                case Failure(_, error):
                    raise error
                case Notice("progress", fields) if progress is not None:
                    progress(fields)

    def follow(
        self, method: str, params: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[int, Any]]:
        """Yield sequence numbers and items until the caller stops; waits as long as it takes."""
        self._ask(method, params, None)
        while True:
            match self._receive(method):
                case Notice("item", fields):
                    yield fields["sequence"], fields["item"]
                case Failure(_, error):
                    raise error
                case Result():
                    return

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(
        self, method: str, params: Mapping[str, Any] | None, timeout_seconds: float | None
    ) -> int:
        self._last_id += 1
        line = encode_request(Request(self._last_id, method, params or {}))
        if len(line) > LINE_SIZE_MAX:
            raise CallFailed("the request is too long", code="request-too-large")
        self._socket.settimeout(timeout_seconds)
        try:
            self._socket.sendall(line)
        except BrokenPipeError:
            pass  # Why the node hung up may still be there to be read.
        except OSError as error:
            raise NodeSilent(f"the node did not take {method}") from error
        return self._last_id

    def _receive(self, method: str) -> Reply:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_SIZE_MAX:
                raise CallFailed("the node's answer never ends", code="answer-too-large")
            try:
                data = self._socket.recv(65_536)
            except TimeoutError as error:
                seconds = self._socket.gettimeout()
                raise NodeSilent(f"{method} got no answer in {seconds:g} s") from error
            except OSError as error:
                raise NodeSilent(f"the connection broke during {method}") from error
            if not data:
                raise NodeSilent(f"the node hung up during {method}")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return parse_reply(line)
