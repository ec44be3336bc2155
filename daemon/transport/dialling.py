"""Reaching a member at one of its addresses, and saying in words why not."""

import os

import trio

from daemon.transport.addresses import InvalidAddress, parse_address
from daemon.transport.admission import HANDSHAKE_SECONDS_MAX
from daemon.transport.connection import Connection, Line, Socket, dial
from daemon.transport.errors import StreamClosed, Unreachable
from daemon.transport.negotiation import NoCommonProtocol
from daemon.transport.noise_handshake import NoiseHandshake
from daemon.transport.yamux import YamuxLimits
from protocol.errors import ProtocolError
from protocol.identity import MemberId

DIAL_SECONDS_MAX = 5

_HANDSHAKE_ERRORS = (
    NoCommonProtocol,
    ProtocolError,
    StreamClosed,
    trio.BrokenResourceError,
    trio.TooSlowError,
)


async def open_socket(address: str) -> Socket:
    """Return a TCP connection, or raise `Unreachable`."""
    try:
        host, port = parse_address(address)
        with trio.fail_after(DIAL_SECONDS_MAX):
            return Socket(await trio.open_tcp_stream(host, port))
    except (InvalidAddress, OSError, trio.TooSlowError) as error:
        raise Unreachable(_in_words(error)) from error


async def dial_on(
    line: Line, member: MemberId, handshake: NoiseHandshake, limits: YamuxLimits
) -> Connection:
    """Return a connection to exactly `member` at the end of `line`, or raise `Unreachable`."""
    try:
        with trio.fail_after(HANDSHAKE_SECONDS_MAX):
            return await dial(line, handshake, member, limits)
    except _HANDSHAKE_ERRORS as error:
        await line.abort()
        raise Unreachable(_in_words(error)) from error
    except BaseException:
        await line.abort()
        raise


def _in_words(error: BaseException) -> str:
    match error:
        case trio.TooSlowError():
            return "no answer in time"
        case trio.BrokenResourceError():
            return "the peer closed the connection during the handshake"
        case OSError(__cause__=ExceptionGroup(exceptions=[OSError() as first, *_])):
            return _in_words(first)
        case OSError(errno=int() as code) if code > 0:
            return os.strerror(code).lower()
    return str(error)
