"""How local programs talk to the daemon: JSON-RPC 2.0, one object a line, as pure functions.

    to the daemon    {"jsonrpc":"2.0","id":1,"method":"consent.give","params":{...}}
    from it          {"jsonrpc":"2.0","id":1,"result":...}
                     {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":...,"data":{...}}}
                     {"jsonrpc":"2.0","method":"progress","params":{"id":1,...}}
                     {"jsonrpc":"2.0","method":"item","params":{"id":1,"sequence":7,"item":...}}

`data` of an error holds our own stable code, the next step and the exit code of a command. Items
belong to a subscription: a call that is not answered as long as it goes on. Each has a sequence
number; whoever comes back says the last one it has seen. Hanging up ends all calls of a connection.
Bytes travel as hex. Batches and requests without an id are refused.

Only the standard library is imported here: a command must start within a tenth of a second.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daemon.errors import DaemonError, Exit

LINE_SIZE_MAX = 4 * 1024 * 1024
"""The longest line in bytes, with its end."""

METHOD_LENGTH_MAX = 64

SOCKET_PATH_LENGTH_MAX = 100
"""The kernel takes 107 bytes; a longer path is reached through its folder (see `reachable`)."""

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
CALL_FAILED = -32000

Json = Any
"""What JSON can say."""


class CallFailed(DaemonError):
    """The daemon refused or could not do what a call asked."""

    def __init__(
        self,
        message: str,
        *,
        code: str,
        next_step: str = "",
        exit_code: int = Exit.FAILED,
        rpc_code: int = CALL_FAILED,
    ) -> None:
        super().__init__(message, next_step)
        self.code = code
        self.exit_code = exit_code
        self.rpc_code = rpc_code


class NodeNotRunning(DaemonError):
    """Nobody answers on the control socket."""

    code = "node-not-running"
    exit_code = Exit.NOT_RUNNING
    next_step = "Start it with: placet start"


class NodeSilent(DaemonError):
    """The node took the call and did not answer in time, or went away while at it."""

    code = "node-silent"
    exit_code = Exit.TRY_AGAIN
    next_step = "See what it is doing with: placet logs"


@dataclass(frozen=True, slots=True)
class Request:
    id: int | str
    method: str
    params: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    id: int | str | None
    value: Json


@dataclass(frozen=True, slots=True)
class Failure:
    id: int | str | None
    error: CallFailed


@dataclass(frozen=True, slots=True)
class Notice:
    """Something about a call that goes on: `progress` or `item`."""

    method: str
    params: Mapping[str, Json]


Reply = Result | Failure | Notice


def encode_request(request: Request) -> bytes:
    return _line(
        {"jsonrpc": "2.0", "id": request.id, "method": request.method, "params": request.params}
    )


def encode_reply(reply: Reply) -> bytes:
    """Return the line; an answer that is longer than allowed becomes a failure."""
    line = _line(_reply_object(reply))
    if len(line) <= LINE_SIZE_MAX:
        return line
    error = CallFailed(
        f"the answer is longer than {LINE_SIZE_MAX} bytes",
        code="answer-too-large",
        next_step="Ask for a smaller range.",
    )
    return _line(_reply_object(Failure(getattr(reply, "id", None), error)))


def parse_request(line: bytes) -> Request:
    """Return the request, or raise `CallFailed`."""
    found = _parse(line)
    if not isinstance(found, dict):
        raise _invalid("a request is one JSON object")
    identifier, method, params = found.get("id"), found.get("method"), found.get("params", {})
    if found.get("jsonrpc") != "2.0" or not _is_id(identifier) or identifier is None:
        raise _invalid("a request has jsonrpc 2.0 and an id")
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_LENGTH_MAX:
        raise _invalid("a request has a method")
    if not isinstance(params, dict):
        raise _invalid("params are an object: arguments have names")
    return Request(identifier, method, params)


def parse_reply(line: bytes) -> Reply:
    """Return what the daemon said, or raise `CallFailed` if it makes no sense."""
    found = _parse(line)
    if not isinstance(found, dict) or not _is_id(found.get("id")):
        raise _invalid("a reply is one JSON object")
    if isinstance(found.get("method"), str) and isinstance(found.get("params"), dict):
        return Notice(found["method"], found["params"])
    if isinstance(found.get("error"), dict):
        return Failure(found.get("id"), _error_of(found["error"]))
    if "result" in found:
        return Result(found.get("id"), found["result"])
    raise _invalid("a reply has a result or an error")


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a name for the socket at `path` that is short enough for the kernel."""
    if len(os.fsencode(path)) <= SOCKET_PATH_LENGTH_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def not_reached(path: Path, error: OSError) -> DaemonError:
    """Return what it means that the control socket at `path` cannot be opened."""
    if isinstance(error, PermissionError):
        return DaemonError(
            f"{path} belongs to another user", "Run the command as the user of the node."
        )
    if not (path.parent / "config.toml").exists():
        return NodeNotRunning(
            f"there is no node in {path.parent}",
            "Make one with `placet init` or `placet join`, or name its folder with --home.",
        )
    return NodeNotRunning(f"no node is running in {path.parent}")


def _reply_object(reply: Reply) -> dict[str, Json]:
    match reply:
        case Result(identifier, value):
            return {"jsonrpc": "2.0", "id": identifier, "result": value}
        case Notice(method, params):
            return {"jsonrpc": "2.0", "method": method, "params": params}
        case Failure(identifier, error):
            data = {
                "code": error.code,
                "next_step": error.next_step,
                "exit_code": int(error.exit_code),
            }
            inner = {"code": error.rpc_code, "message": str(error), "data": data}
            return {"jsonrpc": "2.0", "id": identifier, "error": inner}


def _error_of(error: Mapping[str, Json]) -> CallFailed:
    data = error.get("data")
    known = data if isinstance(data, dict) else {}
    exit_code = known.get("exit_code")
    return CallFailed(
        str(error.get("message", "the call failed")),
        code=str(known.get("code", "call-failed")),
        next_step=str(known.get("next_step", "")),
        exit_code=exit_code if isinstance(exit_code, int) else Exit.FAILED,
    )


def _line(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _parse(line: bytes) -> Json:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CallFailed(
            "the line is not JSON", code="not-json", exit_code=Exit.USAGE, rpc_code=PARSE_ERROR
        ) from error


def _is_id(value: Json) -> bool:
    return value is None or (isinstance(value, int | str) and not isinstance(value, bool))


def _invalid(message: str) -> CallFailed:
    return CallFailed(
        message, code="invalid-request", exit_code=Exit.USAGE, rpc_code=INVALID_REQUEST
    )
