"""multistream-select with ourselves, with py-libp2p, and with garbage."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from libp2p.custom_types import TProtocol
from libp2p.protocol_muxer.multiselect import Multiselect
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

from daemon.transport.bytestream import BufferedStream
from daemon.transport.errors import StreamClosed
from daemon.transport.negotiation import (
    HEADER,
    LINE_SIZE_MAX,
    PROPOSALS_MAX,
    NoCommonProtocol,
    answer,
    encode_line,
    propose,
)
from protocol.errors import DecodeError, LimitExceeded, ProtocolError
from tests.daemon.transport.pairs import MemoryStream, memory_pair
from tests.daemon.transport.stock import as_closer


async def both(left: Callable[[], Awaitable[str]], right: Callable[[], Awaitable[str]]) -> set[str]:
    results: set[str] = set()

    async def note(side: Callable[[], Awaitable[str]]) -> None:
        results.add(await side())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(note, left)
        nursery.start_soon(note, right)
    return results


async def test_the_first_common_protocol_is_chosen() -> None:
    left, right = map(BufferedStream, memory_pair())
    assert await both(
        lambda: propose(left, ["/x", "/b", "/a"]), lambda: answer(right, ["/a", "/b"])
    ) == {"/b"}


async def test_what_follows_the_negotiation_is_not_lost() -> None:
    left, right = map(BufferedStream, memory_pair())
    assert await both(lambda: propose(left, ["/a"]), lambda: answer(right, ["/a"])) == {"/a"}
    await left.send_all(b"after")
    assert await right.receive_exactly(5) == b"after"


async def test_a_stock_dialler_gets_what_it_proposes() -> None:
    left, right = memory_pair()
    protocols = [TProtocol("/x"), TProtocol("/b")]
    dialler = MultiselectCommunicator(as_closer(left))
    assert await both(
        lambda: MultiselectClient().select_one_of(protocols, dialler),
        lambda: answer(BufferedStream(right), ["/a", "/b"]),
    ) == {"/b"}


async def test_a_stock_listener_understands_our_proposals() -> None:
    left, right = memory_pair()
    listener = Multiselect({TProtocol("/a"): None, TProtocol("/b"): None})

    async def listen() -> str:
        protocol, _ = await listener.negotiate(MultiselectCommunicator(as_closer(right)))
        return str(protocol)

    assert await both(lambda: propose(BufferedStream(left), ["/x", "/b"]), listen) == {"/b"}


async def test_without_a_common_protocol_the_dialler_is_told() -> None:
    left, right = map(BufferedStream, memory_pair())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, right, ["/b"])
        with pytest.raises(NoCommonProtocol, match="does not speak /a"):
            await propose(left, ["/a"])
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def peer_that_sent(data: bytes) -> AsyncIterator[MemoryStream]:
    ours, theirs = memory_pair()
    await theirs.send_all(data)
    await theirs.send_eof()
    yield ours


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\x03\xff\xfe\n", DecodeError),
        (b"\x03abc", DecodeError),
        (b"\x00", DecodeError),
        (encode_line("/multistream/9.9.9"), DecodeError),
        (bytes([LINE_SIZE_MAX + 1 & 0x7F | 0x80, LINE_SIZE_MAX + 1 >> 7]), LimitExceeded),
        (b"\xff\xff\xff\xff", LimitExceeded),
        (encode_line(HEADER) + encode_line("/x") * PROPOSALS_MAX, LimitExceeded),
        (encode_line(HEADER), StreamClosed),
    ],
)
async def test_a_bad_opening_is_refused(data: bytes, error: type[Exception]) -> None:
    async with peer_that_sent(data) as stream:
        with pytest.raises(error):
            await answer(BufferedStream(stream), ["/a"])


async def test_an_answer_that_is_neither_yes_nor_no_is_refused() -> None:
    async with peer_that_sent(encode_line(HEADER) + encode_line("/other")) as stream:
        with pytest.raises(DecodeError):
            await propose(BufferedStream(stream), ["/a"])


def test_a_line_of_the_greatest_length_is_read() -> None:
    protocol = "/" + (LINE_SIZE_MAX - 2) * "x"

    async def main() -> str:
        async with peer_that_sent(encode_line(HEADER) + encode_line(protocol)) as stream:
            return await answer(BufferedStream(stream), [protocol])

    assert trio.run(main) == protocol


@given(st.binary(max_size=60), st.booleans())
def test_garbage_raises_nothing_but_a_protocol_error(garbage: bytes, has_header: bool) -> None:
    async def main() -> None:
        header = encode_line(HEADER) if has_header else b""
        async with peer_that_sent(header + garbage) as stream:
            with pytest.raises((ProtocolError, StreamClosed)):
                await answer(BufferedStream(stream), ["/a"])

    trio.run(main)
