"""Two or three transports on loopback: who may connect, speak what, and what is said when not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from daemon.transport import (
    CannotListen,
    PeerConnected,
    PeerDisconnected,
    Stream,
    StreamClosed,
    Transport,
    TransportLimits,
    Unreachable,
)
from daemon.transport.connection import Socket, dial
from daemon.transport.frames import FRAME_SIZE_MAX
from daemon.transport.noise_handshake import NoiseHandshake
from daemon.transport.transport import MEMBER_LIMITS
from daemon.transport.yamux_stream import YamuxStream
from protocol.errors import LimitExceeded
from protocol.identity import MemberId, SigningKey

ECHO = "/test/echo/1"
OPEN = "/test/open/1"
LITTLE = "/test/little/1"
LOOPBACK = "/ip4/127.0.0.1/tcp/0"
SECONDS_MAX = 5


async def echo(stream: Stream) -> None:
    while True:
        try:
            frame = await stream.receive()
        except StreamClosed:
            return
        await stream.send(frame)


@asynccontextmanager
async def running(
    number: int, admit: Callable[[MemberId], bool] = lambda _: True, **options: Any
) -> AsyncIterator[Transport]:
    transport = Transport(
        seed=bytes([number]) * 32,
        listen=[LOOPBACK],
        admit=admit,
        handlers={ECHO: echo, OPEN: echo},
        open_protocols=frozenset({OPEN}),
        **options,
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        yield transport
        nursery.cancel_scope.cancel()


async def ask(transport: Transport, member: MemberId, protocol: str = ECHO) -> None:
    with trio.fail_after(SECONDS_MAX):
        async with await transport.open_stream(member, protocol) as stream:
            await stream.send(b"question")
            assert await stream.receive() == b"question"


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(SECONDS_MAX):
        while not condition():  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_members_talk_both_ways_over_one_connection() -> None:
    async with running(1) as one, running(2) as two:
        await one.connect(two.me, two.addresses)
        assert await two.changes.receive() == PeerConnected(one.me)
        assert await one.changes.receive() == PeerConnected(two.me)
        await ask(one, two.me)
        await ask(two, one.me)
        assert one.connected() == {two.me}
        assert one.address_of(two.me) == two.addresses[0]


async def test_one_member_more_finds_no_room_unless_it_is_vital() -> None:
    async with running(2) as two, running(3) as three, running(4) as four:
        limits = TransportLimits(members_max=1, vital=frozenset({four.me}))
        async with running(1, limits=limits) as one:
            await two.connect(one.me, one.addresses)
            await until(lambda: one.connected() == {two.me})
            await three.connect(one.me, one.addresses)
            await until(lambda: one.me not in three.connected())
            assert one.connected() == {two.me}

            await four.connect(one.me, one.addresses)
            await ask(four, one.me)
            await ask(two, one.me)


async def test_frames_of_every_size_pass_and_many_at_once() -> None:
    async with running(1) as one, running(2) as two:
        await one.connect(two.me, two.addresses)
        async with await one.open_stream(two.me, ECHO) as stream:
            for size in (0, 1, 65_536, FRAME_SIZE_MAX):
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(stream.send, bytes(size))
                    assert await stream.receive() == bytes(size)
            await stream.send_many([b"a", b"", b"c"])
            assert [await stream.receive() for _ in range(3)] == [b"a", b"", b"c"]


async def test_what_is_not_a_frame_resets_the_stream_and_blames_the_sender() -> None:
    async with running(1) as one, running(2) as two:
        await one.connect(two.me, two.addresses)

        async def send_garbage(stream: Stream) -> None:
            await stream._carrier.send_all(b"\x93abc")

        two.serve("/test/garbage/1", send_garbage)
        stream = await one.open_stream(two.me, "/test/garbage/1")
        with pytest.raises(LimitExceeded):
            await stream.receive()
        with pytest.raises(StreamClosed):
            await stream.send(b"x")


async def test_the_addresses_are_tried_in_turn_and_each_failure_is_told() -> None:
    async with running(1) as one, running(2) as two, running(3) as three:
        with pytest.raises(Unreachable) as caught:
            await one.connect(
                two.me,
                ["/ip4/127.0.0.1/tcp/1", "nowhere", "/dns/x.invalid/tcp/1", *three.addresses],
            )
        for reason in ("connection refused", "is not like", "another member answers there"):
            assert reason in str(caught.value)
        await one.connect(two.me, ["/ip4/127.0.0.1/tcp/1", *two.addresses])
        await ask(one, two.me)


async def test_ipv6_is_as_good() -> None:
    other = Transport(
        seed=bytes([2]) * 32,
        listen=["/ip6/::1/tcp/0"],
        admit=lambda _: True,
        handlers={ECHO: echo},
    )
    async with running(1) as one, trio.open_nursery() as nursery:
        try:
            await nursery.start(other.run)
        except CannotListen:
            pytest.skip("this machine has no IPv6")
        assert other.addresses[0].startswith("/ip6/::1/tcp/")
        await one.connect(other.me, other.addresses)
        await ask(one, other.me)
        nursery.cancel_scope.cancel()


async def test_a_transport_that_does_not_run_reaches_nobody() -> None:
    stopped = Transport(seed=bytes([9]) * 32, listen=[LOOPBACK], admit=lambda _: True)
    async with running(1) as one:
        with pytest.raises(Unreachable, match="not running"):
            await stopped.connect(one.me, one.addresses)


async def test_without_an_address_or_connection_a_member_is_unreachable() -> None:
    async with running(1) as one:
        with pytest.raises(Unreachable, match="no address is known"):
            await one.connect(bytes(32), [])
        with pytest.raises(Unreachable, match="not connected"):
            await one.open_stream(bytes(32), ECHO)


async def test_who_asks_in_vain_again_and_again_lets_others_run() -> None:
    async with running(1) as one:
        with trio.testing.assert_checkpoints(), pytest.raises(Unreachable):
            await one.open_stream(bytes(32), ECHO)


async def test_a_protocol_that_nobody_serves_is_unreachable() -> None:
    async with running(1) as one, running(2) as two:
        await one.connect(two.me, two.addresses)
        with pytest.raises(Unreachable, match="does not speak /test/none/1"):
            await one.open_stream(two.me, "/test/none/1")


async def test_a_stranger_has_the_open_protocols_until_it_is_a_member() -> None:
    members: set[MemberId] = set()
    async with running(1) as one, running(2, admit=members.__contains__) as two:
        await one.connect(two.me, two.addresses)
        await ask(one, two.me, OPEN)
        with pytest.raises(Unreachable):
            await ask(one, two.me, ECHO)
        assert two.connected() == frozenset()
        members.add(one.me)
        await ask(one, two.me, ECHO)
        await until(lambda: two.connected() == {one.me})
        assert await two.changes.receive() == PeerConnected(one.me)


async def test_a_removed_member_is_a_stranger_at_its_next_stream() -> None:
    members: set[MemberId] = set()
    async with running(1) as one, running(2, admit=members.__contains__) as two:
        members.add(one.me)
        await one.connect(two.me, two.addresses)
        await ask(one, two.me, ECHO)
        members.clear()
        with pytest.raises(Unreachable):
            await ask(one, two.me, ECHO)


async def test_disconnecting_ends_the_streams_of_both_sides() -> None:
    async with running(1) as one, running(2) as two:
        await one.connect(two.me, two.addresses)
        await one.changes.receive()
        stream = await one.open_stream(two.me, ECHO)
        await two.disconnect(one.me)
        with pytest.raises(StreamClosed):
            await stream.receive()
        assert await one.changes.receive() == PeerDisconnected(two.me)
        await until(lambda: not two.connected())
        await one.connect(two.me, two.addresses)
        await ask(one, two.me)


async def test_two_sides_that_dial_at_once_end_with_one_connection() -> None:
    async with running(1) as one, running(2) as two:
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(one.connect, two.me, two.addresses)
                nursery.start_soon(two.connect, one.me, one.addresses)
        await trio.sleep(0.2)
        await ask(one, two.me)
        await ask(two, one.me)


async def test_a_handler_is_cancelled_with_its_connection() -> None:
    ended = trio.Event()

    async def wait(stream: Stream) -> None:
        del stream
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with running(1) as one, running(2) as two:
        two.serve("/test/wait/1", wait)
        await one.connect(two.me, two.addresses)
        await one.open_stream(two.me, "/test/wait/1")
        await one.disconnect(two.me)
        with trio.fail_after(SECONDS_MAX):
            await ended.wait()


async def test_a_taken_port_is_the_operators_to_mend() -> None:
    async with running(1) as one:
        other = Transport(seed=bytes([9]) * 32, listen=one.addresses, admit=lambda _: True)
        with pytest.raises(CannotListen, match="Another program already listens on") as caught:
            await other.run()
        assert "another port" in caught.value.next_step


@pytest.mark.parametrize("address", ["nonsense", "/ip4/203.0.113.77/tcp/0"])
async def test_an_address_that_cannot_be_listened_on_is_too(address: str) -> None:
    transport = Transport(seed=bytes([9]) * 32, listen=[address], admit=lambda _: True)
    with pytest.raises(CannotListen):
        await transport.run()


async def test_the_supervisor_restarts_the_host_on_the_same_port() -> None:
    async with running(1) as one, running(2) as two:
        addresses = two.addresses
        await one.connect(two.me, addresses)
        with structlog.testing.capture_logs() as logs:
            assert two._nursery is not None
            two._nursery.start_soon(_break)
            await until(lambda: any(line["event"] == "transport-restarts" for line in logs))
        await until(lambda: not one.connected())
        with trio.fail_after(SECONDS_MAX):
            while not one.connected():
                with trio.move_on_after(1):
                    await _connect_if_possible(one, two)
                await trio.sleep(0.05)
        await ask(one, two.me)
        assert two.addresses == addresses


async def _break() -> None:
    raise AssertionError("a promise of ours that we broke")


async def _connect_if_possible(one: Transport, two: Transport) -> None:
    try:
        await one.connect(two.me, two.addresses)
    except Unreachable:
        return


async def test_a_copy_of_ourselves_is_refused() -> None:
    async with running(1) as one, running(1) as copy, running(2) as two:
        with structlog.testing.capture_logs() as logs:
            socket = await trio.open_tcp_stream("127.0.0.1", int(one.addresses[0].split("/")[-1]))
            handshake = NoiseHandshake(SigningKey(bytes([1]) * 32))
            connection = await dial(Socket(socket), handshake, one.me, MEMBER_LIMITS)
            with trio.fail_after(SECONDS_MAX):
                await connection.yamux.run(_refuse)
            await trio.aclose_forcefully(socket)
        assert [line["log_level"] for line in logs if line["event"] == "handshake-refused"]
        assert not one.connected()
        await two.connect(copy.me, one.addresses)
        await ask(two, one.me)


async def _refuse(stream: YamuxStream) -> None:
    stream.reset()


async def test_a_frame_beyond_what_the_handler_takes_ends_the_stream() -> None:
    async def take_little(stream: Stream) -> None:
        stream.limit_frames(100)
        await stream.receive()
        await stream.send(b"taken")

    async with running(1) as one, running(2) as two:
        one.serve(LITTLE, take_little)
        await two.connect(one.me, one.addresses)
        with trio.fail_after(SECONDS_MAX):
            fitting = await two.open_stream(one.me, LITTLE)
            await fitting.send(bytes(100))
            assert await fitting.receive() == b"taken"
            long = await two.open_stream(one.me, LITTLE)
            await long.send(bytes(101))
            with pytest.raises(StreamClosed):
                await long.receive()


async def test_who_has_moved_says_so_and_leaves_connections_that_lead_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(1) as one, running(2) as two:
        await one.connect(two.me, two.addresses)
        assert not await one.follow_addresses()
        assert one.connected() == {two.me}
        before, moved = one.addresses, ("/ip4/192.0.2.9/tcp/4001",)

        monkeypatch.setattr("daemon.transport.transport.expand_wildcards", lambda _: moved)
        assert await one.follow_addresses()
        await until(lambda: not one.connected() and not two.connected())
        assert one.addresses == moved
        assert not await one.follow_addresses()

        monkeypatch.setattr("daemon.transport.transport.expand_wildcards", lambda _: before)
        assert not await one.follow_addresses(), "a machine without network stays where it was"
        assert one.addresses == moved
