"""multistream-select 1.0: two peers agree on the protocol of a connection or stream.

Each line is a varint length, UTF-8 text and a newline. Both sides open with the header; the
dialler then proposes, and the listener echoes what it speaks or answers `na`
(https://github.com/multiformats/multistream-select). The dialler sends the header and its first
proposal together: one round trip.
"""

from collections.abc import Container, Sequence

from daemon.transport.bytestream import BufferedStream
from protocol.errors import DecodeError, LimitExceeded

LINE_SIZE_MAX = 1024
"""Bytes of one line, the newline included."""

PROPOSALS_MAX = 16
"""How many protocols a dialler may propose before we give up on it."""

HEADER = "/multistream/1.0.0"
NOT_AVAILABLE = "na"


class NoCommonProtocol(Exception):
    """The peer speaks none of the protocols that we proposed."""


async def propose(stream: BufferedStream, protocols: Sequence[str]) -> str:
    """Return the first of `protocols` that the listener speaks, or raise `NoCommonProtocol`."""
    await stream.send_all(encode_line(HEADER) + encode_line(protocols[0]))
    await _expect_header(stream)
    for position, protocol in enumerate(protocols):
        if position > 0:
            await stream.send_all(encode_line(protocol))
        answer = await _read_line(stream)
        if answer == protocol:
            return protocol
        if answer != NOT_AVAILABLE:
            raise DecodeError("the answer to a proposed protocol is neither it nor 'na'")
    raise NoCommonProtocol(f"the peer does not speak {' or '.join(protocols)}")


async def answer(stream: BufferedStream, protocols: Container[str]) -> str:
    """Return the first protocol that the dialler proposes and that is in `protocols`."""
    await stream.send_all(encode_line(HEADER))
    await _expect_header(stream)
    for _ in range(PROPOSALS_MAX):
        proposal = await _read_line(stream)
        if proposal in protocols:
            await stream.send_all(encode_line(proposal))
            return proposal
        await stream.send_all(encode_line(NOT_AVAILABLE))
    raise LimitExceeded(f"more than {PROPOSALS_MAX} protocols were proposed")


def encode_line(text: str) -> bytes:
    line = text.encode() + b"\n"
    assert len(line) <= LINE_SIZE_MAX
    if len(line) < 0x80:
        return bytes([len(line)]) + line
    return bytes([len(line) & 0x7F | 0x80, len(line) >> 7]) + line


async def _expect_header(stream: BufferedStream) -> None:
    if await _read_line(stream) != HEADER:
        raise DecodeError(f"the peer does not speak {HEADER}")


async def _read_line(stream: BufferedStream) -> str:
    line = await stream.receive_exactly(await _read_length(stream))
    if not line.endswith(b"\n"):
        raise DecodeError("a multistream line does not end with a newline")
    try:
        return line[:-1].decode()
    except UnicodeDecodeError as error:
        raise DecodeError("a multistream line is not UTF-8") from error


async def _read_length(stream: BufferedStream) -> int:
    """Read a varint of at most two bytes: enough for `LINE_SIZE_MAX`."""
    (low,) = await stream.receive_exactly(1)
    if low < 0x80:
        return low
    (high,) = await stream.receive_exactly(1)
    length = low & 0x7F | high << 7
    if high >= 0x80 or length > LINE_SIZE_MAX:
        raise LimitExceeded(f"a multistream line is longer than {LINE_SIZE_MAX} bytes")
    return length
