"""Our yamux against py-libp2p's: all sizes, several streams at once, slow readers, resets."""

from typing import cast

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from libp2p.stream_muxer.exceptions import MuxedStreamEOF, MuxedStreamError
from libp2p.stream_muxer.yamux.yamux import YamuxStream as StockStream

from daemon.transport.errors import StreamClosed
from daemon.transport.yamux_stream import WINDOW_SIZE, YamuxStream
from tests.daemon.transport.pairs import receive_all
from tests.daemon.transport.stock import pair_with_stock

SECONDS_MAX = 20

sizes = st.sampled_from([0, 1, 11, 12, 65_535, 65_536, WINDOW_SIZE - 1, WINDOW_SIZE + 1, 600_000])
chunk_sizes = st.sampled_from([1_000, 65_536, 100_000])


async def echo(stream: YamuxStream) -> None:
    while data := await stream.receive_some():
        await stream.send_all(bytes(data))
    stream.finish()


async def echo_stock(stream: StockStream) -> None:
    try:
        while data := await stream.read(65_536):
            await stream.write(data)
    except MuxedStreamEOF:
        pass
    await stream.close()


async def read_all_stock(stream: StockStream) -> bytes:
    received = bytearray()
    try:
        while data := await stream.read(65_536):
            received += data
    except MuxedStreamEOF:
        pass
    return bytes(received)


async def send_stock(stream: StockStream, data: bytes, chunk_size: int) -> None:
    for start in range(0, len(data), chunk_size):
        await stream.write(data[start : start + chunk_size])
    await stream.close()


async def send(stream: YamuxStream, data: bytes, chunk_size: int) -> None:
    for start in range(0, len(data), chunk_size):
        await stream.send_all(data[start : start + chunk_size])
    stream.finish()


@settings(max_examples=15)
@given(st.lists(sizes, min_size=1, max_size=4), chunk_sizes, st.booleans())
def test_we_echo_what_the_stock_yamux_sends(
    lengths: list[int], chunk_size: int, is_dialler: bool
) -> None:
    async def converse(stream: StockStream, data: bytes) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send_stock, stream, data, chunk_size)
            assert await read_all_stock(stream) == data

    async def main() -> None:
        with trio.fail_after(SECONDS_MAX):
            async with (
                pair_with_stock(echo, is_dialler=is_dialler) as (_, stock),
                trio.open_nursery() as nursery,
            ):
                for number, length in enumerate(lengths):
                    stream = await stock.open_stream()
                    nursery.start_soon(converse, stream, bytes([number]) * length)

    trio.run(main)


@settings(max_examples=15)
@given(st.lists(sizes, min_size=1, max_size=4), chunk_sizes, st.booleans())
def test_the_stock_yamux_echoes_what_we_send(
    lengths: list[int], chunk_size: int, is_dialler: bool
) -> None:
    async def converse(stream: YamuxStream, data: bytes) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, stream, data, chunk_size)
            assert await receive_all(stream) == data

    async def main() -> None:
        with trio.fail_after(SECONDS_MAX):
            async with (
                pair_with_stock(is_dialler=is_dialler) as (end, stock),
                trio.open_nursery() as nursery,
            ):
                for number, length in enumerate(lengths):
                    stream = end.yamux.open_stream()
                    nursery.start_soon(converse, stream, bytes([number]) * length)
                    nursery.start_soon(echo_stock, cast(StockStream, await stock.accept_stream()))

    trio.run(main)


async def test_a_slow_reader_of_ours_holds_the_stock_sender_back() -> None:
    async with (
        pair_with_stock(is_dialler=False) as (end, stock),
        trio.open_nursery() as nursery,
    ):
        data = bytes(3 * WINDOW_SIZE)
        nursery.start_soon(send_stock, await stock.open_stream(), data, 65_536)
        slow = await end.next_stream()
        await trio.sleep(0.05)
        assert await receive_all(slow) == data


async def test_a_reset_of_ours_reaches_the_stock_stream_and_back() -> None:
    async with pair_with_stock(is_dialler=False) as (end, stock):
        first, second = await stock.open_stream(), await stock.open_stream()
        (await end.next_stream()).reset()
        with pytest.raises(MuxedStreamError):
            await first.read(1)
        await second.reset()
        with pytest.raises(StreamClosed):
            await (await end.next_stream()).receive_some()
        third = await stock.open_stream()
        await third.write(b"fine")
        assert await (await end.next_stream()).receive_some() == b"fine"


@pytest.mark.parametrize("is_dialler", [True, False])
async def test_closing_one_end_ends_the_other(is_dialler: bool) -> None:
    async with pair_with_stock(is_dialler=is_dialler) as (end, stock):
        await stock.close()
        await end.ended.wait()
        assert end.error is None
    async with pair_with_stock(is_dialler=is_dialler) as (end, stock):
        await end.yamux.close()
        with trio.fail_after(SECONDS_MAX):
            await stock.event_shutting_down.wait()
