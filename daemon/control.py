"""The local interface of a node: a unix socket on which its own user gives orders.

The socket has mode 0600 in a folder of mode 0700, and the kernel tells us who calls: nobody but the
node's own user and root is heard. `rpc` says how the lines look. Connections, calls at once and
lines have upper bounds, and whoever does not read its answers is cut off, so no local program can
stop the node.

A method is an async function of a `Call`. What it raises as `DaemonError` or `ProtocolError`, what
the system refuses and what takes too long become the answer; anything else is a mistake of ours and
ends the node like any other.
"""

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from daemon.call import Call, Caller, Method
from daemon.errors import DaemonError, Exit
from daemon.hint import did_you_mean
from daemon.logs.logs import get_logger
from daemon.next_steps import next_step_for
from daemon.rpc import (
    LINE_SIZE_MAX,
    METHOD_NOT_FOUND,
    CallFailed,
    Failure,
    Reply,
    Request,
    Result,
    encode_reply,
    parse_request,
    reachable,
)
from protocol.errors import ProtocolError

CONNECTIONS_MAX = 32
CALLS_PER_CONNECTION_MAX = 16
REPLIES_WAITING_MAX = 64
REPLIES_TOGETHER_SIZE = 64 * 1024
"""Beyond so many bytes of replies, the others that wait are another write."""

SEND_SECONDS_MAX = 30.0
"""How long a caller may take to read one line of ours."""

ROOT = 0

_log = get_logger("control")


class ControlUnavailable(DaemonError):
    """The control socket cannot be made."""

    code = "control-unavailable"


class Control:
    """Serves `methods` on the socket at `path` until it is cancelled."""

    def __init__(
        self,
        path: Path,
        methods: Mapping[str, Method],
        *,
        quiet: frozenset[str] = frozenset(),
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        """Take the methods; calls of those in `quiet`, which change nothing, are not logged."""
        self._path = path
        self._methods = methods
        self._quiet = quiet
        self._connections_max = connections_max
        self._connection_count = 0

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        with _listening_socket(self._path) as listening:
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(listening))
            task_status.started()
            await trio.serve_listeners(self._welcome, [listener])

    async def _welcome(self, stream: trio.SocketStream) -> None:
        caller = _caller(stream)
        if caller.uid not in (os.geteuid(), ROOT):
            _log.warning("caller refused", uid=caller.uid, pid=caller.pid)
            return
        if self._connection_count >= self._connections_max:
            await _turn_away(stream, self._connections_max)
            return
        self._connection_count += 1
        try:
            await self._serve(stream, caller)
        finally:
            self._connection_count -= 1

    async def _serve(self, stream: trio.SocketStream, caller: Caller) -> None:
        _log.debug("connection opened", uid=caller.uid, pid=caller.pid)
        replies, outbox = trio.open_memory_channel[Reply](REPLIES_WAITING_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_send_replies, outbox, stream, nursery.cancel_scope)
            async with replies:
                try:
                    await self._take_calls(stream, caller, replies)
                except CallFailed as error:
                    await replies.send(Failure(None, error))

    async def _take_calls(
        self, stream: trio.SocketStream, caller: Caller, replies: trio.MemorySendChannel[Reply]
    ) -> None:
        """Answer what comes until the caller hangs up, which ends the calls that go on."""
        free = trio.Semaphore(CALLS_PER_CONNECTION_MAX)
        lines = _Lines(stream)
        failure: CallFailed | None = None
        async with trio.open_nursery() as nursery:
            try:
                while (line := await lines.next()) is not None:
                    request = parse_request(line)
                    if free.value == 0:
                        await replies.send(Failure(request.id, _too_many_calls()))
                        continue
                    free.acquire_nowait()
                    nursery.start_soon(self._answer, request, caller, replies, free)
            except CallFailed as error:
                failure = error  # Raised here, it would come out of the nursery in a group.
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _answer(
        self,
        request: Request,
        caller: Caller,
        replies: trio.MemorySendChannel[Reply],
        free: trio.Semaphore,
    ) -> None:
        started = trio.current_time()
        call = Call(request.id, request.params, caller, replies.send)
        try:
            reply: Reply = Result(request.id, await self._method(request.method)(call))
            outcome = "done"
        except (DaemonError, ProtocolError, OSError, trio.TooSlowError) as error:
            failure = _as_failure(error)
            reply, outcome = Failure(request.id, failure), failure.code
        finally:
            free.release()
        if request.method not in self._quiet:
            milliseconds = int(1000 * (trio.current_time() - started))
            _log.info(
                "call",
                method=request.method,
                outcome=outcome,
                milliseconds=milliseconds,
                uid=caller.uid,
            )
        await replies.send(reply)

    def _method(self, name: str) -> Method:
        if name not in self._methods:
            raise CallFailed(
                f"there is no method `{name}`{did_you_mean(name, self._methods)}",
                code="method-not-found",
                next_step="Use the placet command of the same version as the node.",
                exit_code=Exit.USAGE,
                rpc_code=METHOD_NOT_FOUND,
            )
        return self._methods[name]


def _too_many_calls() -> CallFailed:
    cause = f"{CALLS_PER_CONNECTION_MAX} calls of this connection are not answered yet"
    return CallFailed(cause, code="too-many-calls", exit_code=Exit.TRY_AGAIN)


def _as_failure(error: DaemonError | ProtocolError | OSError | trio.TooSlowError) -> CallFailed:
    match error:
        case CallFailed():
            return error
        case DaemonError():
            return CallFailed(
                str(error), code=error.code, next_step=error.next_step, exit_code=error.exit_code
            )
        case ProtocolError():
            return CallFailed(str(error), code=error.code, next_step=next_step_for(error.code))
        case trio.TooSlowError():
            return CallFailed(
                "it took too long",
                code="too-slow",
                next_step="Try again; see: placet peer list",
                exit_code=Exit.TRY_AGAIN,
            )
    return CallFailed(
        f"the system says: {error.strerror}", code="system-error", next_step="See: placet doctor"
    )


@contextmanager
def _listening_socket(path: Path) -> Iterator[socket.socket]:
    """Open the socket, in place of one that a killed node left; the home's lock is ours."""
    _close_folder(path.parent)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)
        with reachable(path) as name:
            listening.bind(name)
        listening.listen()
    except OSError as error:
        listening.close()
        next_step = "Make sure that the folder exists, is ours, and is not on a network drive."
        raise ControlUnavailable(f"cannot listen on {path}: {error.strerror}", next_step) from error
    finally:
        os.umask(before)
    try:
        yield listening
    finally:
        listening.close()
        path.unlink(missing_ok=True)


def _close_folder(folder: Path) -> None:
    try:
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
            _log.warning("home was open to other users and is closed now", folder=folder)
    except OSError as error:
        raise ControlUnavailable(
            f"{folder} cannot be closed to others: {error.strerror}"
        ) from error


def _caller(stream: trio.SocketStream) -> Caller:
    size = struct.calcsize("3i")
    credentials = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    pid, uid, _ = struct.unpack("3i", credentials)
    return Caller(pid, uid)


async def _turn_away(stream: trio.SocketStream, connections_max: int) -> None:
    error = CallFailed(
        f"{connections_max} local programs are connected already",
        code="too-many-connections",
        next_step="Close one of them, or raise control_connections_max in [limits].",
        exit_code=Exit.TRY_AGAIN,
    )
    with trio.move_on_after(SEND_SECONDS_MAX), suppress(trio.BrokenResourceError):
        await stream.send_all(encode_reply(Failure(None, error)))


class _Lines:
    """Cuts what comes from a caller into lines."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = bytearray()

    async def next(self) -> bytes | None:
        """Return the next line without its end, or None once the caller hung up."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) >= LINE_SIZE_MAX:
                cause = f"a line is longer than {LINE_SIZE_MAX} bytes"
                raise CallFailed(cause, code="request-too-large", exit_code=Exit.USAGE)
            try:
                data = await self._stream.receive_some(65_536)
            except trio.BrokenResourceError:
                return None
            if not data:
                return None
            self._buffer += data
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line


async def _send_replies(
    outbox: trio.MemoryReceiveChannel[Reply],
    stream: trio.SocketStream,
    connection: trio.CancelScope,
) -> None:
    try:
        async for reply in outbox:
            lines = _encode_waiting(reply, outbox)
            with trio.fail_after(SEND_SECONDS_MAX):
                await stream.send_all(lines)
    except (trio.BrokenResourceError, trio.TooSlowError):
        _log.debug("a caller does not read its answers")
        connection.cancel()


def _encode_waiting(first: Reply, outbox: trio.MemoryReceiveChannel[Reply]) -> bytes:
    """Return the lines of all replies that wait, which cost one write: a block settles many."""
    lines = [encode_reply(first)]
    size = len(lines[0])
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while size < REPLIES_TOGETHER_SIZE:
            lines.append(encode_reply(outbox.receive_nowait()))
            size += len(lines[-1])
    return b"".join(lines)
