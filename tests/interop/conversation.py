"""What we and a peer of another libp2p implementation do with each other.

A peer is a program that prints its key and addresses as a line of JSON, then tries everything on
the one connection, whoever dialled it, and prints what it saw as another line. Meanwhile we try the
same the other way round.
"""

import json
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import trio

from daemon.transport import PeerConnected, Stream, StreamClosed, Transport
from daemon.transport.identity import peer_id_of
from protocol.identity import MemberId

SECONDS_MAX = 120
LINE_SIZE_MAX = 64 * 1024

MEBIBYTE = 1024 * 1024
FRAME_SIZE = 65_536
HEADER_SIZE = 5
FRAMES = 1024
SLOW_FRAMES = 32
SLOW_SECONDS = 1


@dataclass
class Us:
    """Our node, and what its handlers saw."""

    transport: Transport = field(
        default_factory=lambda: Transport(
            seed=bytes([1]) * 32, listen=["/ip4/127.0.0.1/tcp/0"], admit=lambda _: True
        )
    )
    greetings: list[bytes] = field(default_factory=list)
    was_reset: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        for protocol, handler in {
            "/test/echo/1": _echo,
            "/test/slow/1": _read_slowly,
            "/test/reset/1": _reset,
            "/test/await-reset/1": self._await_reset,
            "/test/call-back/1": self._call_back,
        }.items():
            self.transport.serve(protocol, handler)

    @property
    def address(self) -> str:
        return f"{self.transport.addresses[0]}/p2p/{peer_id_of(self.transport.me)}"

    async def _call_back(self, stream: Stream) -> None:
        async with await self.transport.open_stream(stream.member, "/test/hello/1") as hello:
            self.greetings.append(await hello.receive())

    async def _await_reset(self, stream: Stream) -> None:
        assert await stream.receive() == b"hi"
        try:
            await stream.receive()
        except StreamClosed as error:
            if "reset" in str(error):
                self.was_reset.set()


async def check_that_they_understand_us(command: Sequence[str], *, we_dial: bool) -> None:
    """Start the peer, and fail unless everything works in both directions."""
    us = Us()
    with trio.fail_after(SECONDS_MAX):
        async with trio.open_nursery() as nursery:
            await nursery.start(us.transport.run)
            arguments = ["listen"] if we_dial else ["dial", us.address]
            async with _running([*command, *arguments]) as lines:
                ready = await lines.next()
                member = bytes.fromhex(ready["key"])
                if we_dial:
                    await us.transport.connect(member, ready["addresses"])
                assert await us.transport.changes.receive() == PeerConnected(member)
                async with trio.open_nursery() as trials:
                    trials.start_soon(_try_everything, us.transport, member)
                    seen = await lines.next()
                await us.was_reset.wait()
            nursery.cancel_scope.cancel()
    assert us.greetings == [b"hi"]
    _check(seen)


def _check(seen: dict[str, Any]) -> None:
    """Compare what the peer says with what it should have seen."""
    assert {"/ipfs/ping/1.0.0", "/test/echo/1"} < set(seen.pop("identity"))
    slow_size = SLOW_FRAMES * (HEADER_SIZE + FRAME_SIZE)
    assert seen == {
        "ping": True,
        "refused": True,
        "echo": {"size": FRAMES * (HEADER_SIZE + FRAME_SIZE), "same": True},
        "slow": len(_encoded(slow_size)) + 2,
        "wasReset": True,
        "greeted": True,
        "pingAtEnd": True,
    }


async def _try_everything(transport: Transport, member: MemberId) -> None:
    await _exchange(transport, member)
    async with await transport.open_stream(member, "/test/slow/1") as slow:
        for _ in range(SLOW_FRAMES):
            await slow.send(bytes(FRAME_SIZE))
        await slow.close()
        assert await slow.receive() == _encoded(SLOW_FRAMES * (HEADER_SIZE + FRAME_SIZE))
    async with await transport.open_stream(member, "/test/reset/1") as doomed:
        await doomed.send(b"hi")
        with pytest.raises(StreamClosed, match="the peer reset the stream"):
            await doomed.receive()


async def _exchange(transport: Transport, member: MemberId) -> None:
    """Have 64 MiB echoed."""

    async def send(stream: Stream) -> None:
        for number in range(FRAMES * FRAME_SIZE // MEBIBYTE):
            await stream.send(bytes([number]) * MEBIBYTE)
        await stream.close()

    async with (
        await transport.open_stream(member, "/test/echo/1") as stream,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(send, stream)
        for number in range(FRAMES * FRAME_SIZE // MEBIBYTE):
            assert await stream.receive() == bytes([number]) * MEBIBYTE


async def _echo(stream: Stream) -> None:
    while True:
        try:
            frame = await stream.receive()
        except StreamClosed:
            return
        await stream.send(frame)


async def _read_slowly(stream: Stream) -> None:
    await trio.sleep(SLOW_SECONDS)
    size = 0
    while True:
        try:
            size += HEADER_SIZE + len(await stream.receive())
        except StreamClosed:
            break
    await stream.send(_encoded(size))


async def _reset(stream: Stream) -> None:
    await stream.receive()
    await stream.reset()


def _encoded(size: int) -> bytes:
    return size.to_bytes(8, "big")


class Lines:
    """What a peer prints, line by line."""

    def __init__(self, output: trio.abc.ReceiveStream) -> None:
        self._output = output
        self._received = b""

    async def next(self) -> dict[str, Any]:
        while b"\n" not in self._received:
            data = await self._output.receive_some()
            assert data, "the peer ended, and said why on the standard error"
            self._received += data
            assert len(self._received) < LINE_SIZE_MAX
        line, _, self._received = self._received.partition(b"\n")
        return cast(dict[str, Any], json.loads(line))


@asynccontextmanager
async def _running(command: Sequence[str]) -> AsyncIterator[Lines]:
    """Start a program, and end it at the end."""
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Lines(process.stdout)
    finally:
        with trio.CancelScope(shield=True):
            await process.stdin.aclose()
            process.kill()
            await process.wait()
            await process.stdout.aclose()
