"""Talk to a running node from a trio program; `daemon.client` is the same without trio.

async with connect(path) as node:
    print(await node.call("status"))
    async with aclosing(node.follow("events.tail")) as events:
        async for sequence, event in events:
            ...
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

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
"""How long a call may go without a sign of life, if the caller does not say otherwise."""

Progress = Callable[[Mapping[str, Any]], None]


@asynccontextmanager
async def connect(path: Path) -> AsyncIterator["AsyncClient"]:
    """Connect to the control socket, or raise `NodeNotRunning`."""
    try:
        with trio.fail_after(CONNECT_SECONDS_MAX), reachable(path) as name:
            stream = await trio.open_unix_socket(name)
    except OSError as error:
        raise not_reached(path, error) from error
    except trio.TooSlowError as error:
        raise NodeSilent("the node did not take the connection") from error
    async with stream:
        yield AsyncClient(stream)


class AsyncClient:
    """One connection with a node; calls follow each other."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._last_id = 0

    async def call(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        progress: Progress | None = None,
        timeout_seconds: float = CALL_SECONDS_MAX,
    ) -> Any:
        """Return the result, or raise `CallFailed` or `NodeSilent`."""
        identifier = await self._ask(method, params)
        while True:
            try:
                with trio.fail_after(timeout_seconds):
                    reply = await self._receive(method)
            except trio.TooSlowError as error:
                raise NodeSilent(f"{method} got no answer in {timeout_seconds:g} s") from error
            match reply:
                case Result(answered, value) if answered == identifier:
                    return value
                case Failure(_, failure):
                    raise failure
                case Notice("progress", fields) if progress is not None:
                    progress(fields)

    async def follow(
        self, method: str, params: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[tuple[int, Any], None]:
        """Yield sequence numbers and items until the caller stops; waits as long as it takes."""
        await self._ask(method, params)
        while True:
            match await self._receive(method):
                case Notice("item", fields):
                    yield fields["sequence"], fields["item"]
                case Failure(_, error):
                    raise error
                case Result():
                    return

    async def _ask(self, method: str, params: Mapping[str, Any] | None) -> int:
        self._last_id += 1
        line = encode_request(Request(self._last_id, method, params or {}))
        if len(line) > LINE_SIZE_MAX:
            raise CallFailed("the request is too long", code="request-too-large")
        try:
            with trio.fail_after(CALL_SECONDS_MAX):
                await self._stream.send_all(line)
        except trio.BrokenResourceError:
            pass  # Why the node hung up may still be there to be read.
        except trio.TooSlowError as error:
            raise NodeSilent(f"the node did not take {method}") from error
        return self._last_id

    async def _receive(self, method: str) -> Reply:
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > LINE_SIZE_MAX:
                raise CallFailed("the node's answer never ends", code="answer-too-large")
            try:
                data = await self._stream.receive_some(65_536)
            except trio.BrokenResourceError as error:
                raise NodeSilent(f"the connection broke during {method}") from error
            if not data:
                raise NodeSilent(f"the node hung up during {method}")
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return parse_reply(line)
