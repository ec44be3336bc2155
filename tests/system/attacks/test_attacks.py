"""Every remote attack that ends or swells a stock libp2p host, from a stock host against ours.

Each time an honest member asks all along, and is answered.
"""

import contextlib
import os
import signal
from typing import cast

import pytest
import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.host.ping import PingService
from libp2p.stream_muxer.yamux.yamux import Yamux, YamuxStream

from daemon.transport import StreamClosed
from daemon.transport.admission import HANDSHAKE_SECONDS_MAX
from daemon.transport.identity import peer_id_of
from daemon.transport.transport import TransportLimits
from daemon.transport.yamux_frames import DATA, RST, SYN, WINDOW_UPDATE, encode_header
from tests.system.attacks.arena import (
    ATTACKER_SEED,
    MEBIBYTE,
    STRANGER_SEED,
    ask,
    connect,
    honest_member,
    open_stream,
    served_meanwhile,
    stock_host,
    until,
    victim,
)
from tests.system.attacks.victim import ECHO, JOIN, RAISING, UNREAD

pytestmark = pytest.mark.system

CUT_OFF = (BaseLibp2pError, trio.BrokenResourceError, trio.ClosedResourceError)
RSS_GROWTH_MAX = 40 * MEBIBYTE
GARBAGE = bytes(range(200, 250))
INVALID_LINES = (
    b"\x14" + b"\xff" * 19 + b"\n",
    b"\x05\xc3\x28\xa0\xa1\n",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00",
)


async def wait_until_cut_off(muxer: Yamux) -> None:
    await until(lambda: muxer.is_closed, seconds=5)


async def push(muxer: Yamux, frame: bytes, size: int = 300 * MEBIBYTE) -> int:
    """Write a frame again and again; return how many bytes it took until we were cut off."""
    pushed = 0
    with contextlib.suppress(*CUT_OFF):
        # The stock connection swallows what is written after it was closed.
        while pushed < size and not muxer.is_closed:
            await muxer.secured_conn.write(frame)
            pushed += len(frame)
    return pushed


async def test_invalid_utf8_in_a_multistream_header_ends_one_stream() -> None:
    async with victim() as target, served_meanwhile(target), stock_host(ATTACKER_SEED) as host:
        muxer = await connect(host, target)
        for line in (
            b"\x14" + b"\xff" * 19 + b"\n",
            b"\x05\xc3\x28\xa0\xa1\n",
            b"\xff\xff\xff\xff",
        ):
            stream = await muxer.open_stream()
            await stream.write(line)
        assert await PingService(host).ping(peer_id_of(target.member))


async def test_fifty_bytes_of_garbage_end_a_stream_or_connection() -> None:
    async with victim() as target, served_meanwhile(target), stock_host(ATTACKER_SEED) as host:
        muxer = await connect(host, target)
        stream = await open_stream(host, target, ECHO)
        await stream.write(GARBAGE)
        with pytest.raises(BaseLibp2pError), trio.fail_after(5):
            await stream.read(1)
        await muxer.secured_conn.write(GARBAGE)
        await wait_until_cut_off(muxer)
        async with await trio.open_tcp_stream("127.0.0.1", target.port) as raw:
            await raw.send_all(GARBAGE)
            assert await _is_closed(raw)


async def test_a_protocol_that_we_do_not_speak_is_declined() -> None:
    async with victim() as target, served_meanwhile(target), stock_host(ATTACKER_SEED) as host:
        await connect(host, target)
        with pytest.raises(BaseLibp2pError):
            await open_stream(host, target, "/meshsub/1.1.0")


async def test_300_mebibytes_into_an_unread_stream_are_cut_off() -> None:
    async with (
        victim() as target,
        served_meanwhile(target) as watch,
        stock_host(ATTACKER_SEED) as host,
    ):
        muxer = await connect(host, target)
        stream = await open_stream(host, target, UNREAD)
        stream_id = cast(YamuxStream, stream.muxed_stream).stream_id
        frame = encode_header(DATA, 0, stream_id, 65_536) + bytes(65_536)
        assert await push(muxer, frame) < 16 * MEBIBYTE, "mostly kernel buffers"
        assert watch.rss_growth < RSS_GROWTH_MAX


async def test_a_stock_host_that_keeps_to_its_window_waits() -> None:
    async with (
        victim() as target,
        served_meanwhile(target) as watch,
        stock_host(ATTACKER_SEED) as host,
    ):
        await connect(host, target)
        stream = await open_stream(host, target, UNREAD)
        with trio.move_on_after(1):
            await stream.write(bytes(8 * MEBIBYTE))
        assert await PingService(host).ping(peer_id_of(target.member))
        assert watch.rss_growth < RSS_GROWTH_MAX


@pytest.mark.parametrize("flags", [(SYN,), (SYN, RST)], ids=["kept", "reset-at-once"])
async def test_2000_streams_at_once_are_refused(flags: tuple[int, ...]) -> None:
    async with (
        victim() as target,
        served_meanwhile(target) as watch,
        stock_host(ATTACKER_SEED) as host,
    ):
        muxer = await connect(host, target)
        flood = b"".join(
            encode_header(WINDOW_UPDATE, flag, 10_001 + 2 * number, 0)
            for number in range(2000)
            for flag in flags
        )
        await muxer.secured_conn.write(flood)
        await wait_until_cut_off(muxer)
        assert watch.rss_growth < RSS_GROWTH_MAX


@pytest.mark.soak
async def test_500_silent_connections_keep_nobody_out() -> None:
    async with victim() as target:
        sockets = [await trio.open_tcp_stream("127.0.0.1", target.port) for _ in range(500)]
        async with served_meanwhile(target) as watch:
            assert target.open_files() < TransportLimits().handshakes_max + 30
            assert watch.rss_growth < RSS_GROWTH_MAX
            with trio.fail_after(HANDSHAKE_SECONDS_MAX + 2):
                await _drip(sockets[-1])
                for socket in sockets:
                    assert await _is_closed(socket)
        await until(lambda: target.open_files() < 30)


async def _drip(socket: trio.SocketStream) -> None:
    """Send a handshake so slowly that it never ends, until the other side has enough."""
    for byte in b"\x13/multistream/1.0.0\n\x07/noise\n" + bytes(1000):
        try:
            await socket.send_all(bytes([byte]))
        except trio.BrokenResourceError:
            return
        await trio.sleep(0.2)


async def _is_closed(socket: trio.SocketStream) -> bool:
    try:
        while await socket.receive_some():
            pass
    except trio.BrokenResourceError:
        pass
    await socket.aclose()
    return True


async def test_a_stranger_has_the_open_protocols_alone() -> None:
    async with victim() as target, served_meanwhile(target), stock_host(STRANGER_SEED) as host:
        await connect(host, target)
        peer_id = peer_id_of(target.member)
        with pytest.raises(BaseLibp2pError):
            await open_stream(host, target, ECHO)
        assert await PingService(host).ping(peer_id)
        stream = await open_stream(host, target, JOIN)
        await stream.write(b"\xc4\x02hi")
        assert await stream.read(4) == b"\xc4\x02hi"
        await stream.close()


async def test_a_handler_that_raises_loses_its_stream_only() -> None:
    async with victim() as target, honest_member() as member:
        await member.connect(target.member, target.addresses)
        broken = await member.open_stream(target.member, RAISING)
        await broken.send(b"now")
        with pytest.raises(StreamClosed):
            await broken.receive()
        await ask(await member.open_stream(target.member, ECHO))


@pytest.mark.soak
async def test_a_stopped_member_is_given_up_within_thirty_seconds() -> None:
    async with victim() as stopped, honest_member() as member:
        await member.connect(stopped.member, stopped.addresses)
        await ask(await member.open_stream(stopped.member, ECHO))
        os.kill(stopped.process.pid, signal.SIGSTOP)
        await until(lambda: not member.connected(), seconds=30)
        os.kill(stopped.process.pid, signal.SIGCONT)
        await member.connect(stopped.member, stopped.addresses)
        await ask(await member.open_stream(stopped.member, ECHO))


async def test_a_killed_member_is_noticed_at_once_and_found_elsewhere() -> None:
    async with honest_member() as member:
        for _ in range(2):
            async with victim() as target:
                await member.connect(target.member, target.addresses)
                await ask(await member.open_stream(target.member, ECHO))
                os.kill(target.process.pid, signal.SIGKILL)
                await until(lambda: not member.connected(), 2)
                target.is_dead = True
