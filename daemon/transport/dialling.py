"""Reaching a member at one of its addresses, and saying in words why not."""

import os

import trio

from daemon.transport.addresses import InvalidAddress, parse_address
from daemon.transport.admission import HANDSHAKE_SECONDS_MAX
from daemon.transport.connection import Connection, dial
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


async def dial_address(
    address: str, member: MemberId, handshake: NoiseHandshake, limits: YamuxLimits
) -> Connection:
    """Return a connection to exactly `member` at `address`, or raise `Unreachable`."""
    socket = await _open_socket(address)
    try:
        with trio.fail_after(HANDSHAKE_SECONDS_MAX):
            return await dial(socket, handshake, member, limits)
    except _HANDSHAKE_ERRORS as error:
        await trio.aclose_forcefully(socket)
        raise Unreachable(_in_words(error)) from error
    except BaseException:
        await trio.aclose_forcefully(socket)
        raise


async def _open_socket(address: str) -> trio.SocketStream:
    try:
        host, port = parse_address(address)
        with trio.fail_after(DIAL_SECONDS_MAX):
            return await trio.open_tcp_stream(host, port)
    except (InvalidAddress, OSError, trio.TooSlowError) as error:
        raise Unreachable(_in_words(error)) from error


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
