"""What our transport is compared with: bare TCP, and py-libp2p's own host with its Noise and yamux.

Both ends of each, in two processes, sending as much as `transport` does. The receiver counts what
it gets and answers with the count and the CPU seconds that it spent.
"""

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

import trio
from libp2p import new_host
from libp2p.abc import IHost, INetStream
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_x25519_key_pair
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.peerinfo import PeerInfo
from libp2p.security.noise.transport import PROTOCOL_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.stream_muxer.yamux.yamux import Yamux
from multiaddr import Multiaddr

from daemon.transport.identity import peer_id_of

SINK = TProtocol("/bench/sink/1")
ANYWHERE = "/ip4/127.0.0.1/tcp/0"
MEBIBYTE = 1024 * 1024
WRITE_SIZE = 256 * 1024
READ_SIZE = 256 * 1024
STOCK_SIZE = 64 * 1024
"""Bytes that the stock host is given at once: more make it no faster."""


class Bulk(NamedTuple):
    """How one bulk transfer went. CPU is what other processes disturb least."""

    mib_per_second: float
    sender_cpu_ms_per_mib: float
    receiver_cpu_ms_per_mib: float


class Stopwatch:
    """Times a transfer at the sender."""

    def __init__(self) -> None:
        self._started, self._cpu_started = time.perf_counter(), time.process_time()

    def stop(self, answer: bytes, mebibytes: int) -> Bulk:
        """Return how it went, given what the receiver says about its end."""
        seconds = time.perf_counter() - self._started
        counted, cpu_seconds = json.loads(answer)
        assert counted == mebibytes * MEBIBYTE
        return Bulk(
            mib_per_second=mebibytes / seconds,
            sender_cpu_ms_per_mib=1000 * (time.process_time() - self._cpu_started) / mebibytes,
            receiver_cpu_ms_per_mib=1000 * cpu_seconds / mebibytes,
        )


class Counter:
    """Counts at the receiver."""

    def __init__(self) -> None:
        self.count = 0
        self._cpu_started = time.process_time()

    def answer(self) -> bytes:
        return json.dumps([self.count, time.process_time() - self._cpu_started]).encode()


@contextmanager
def other_end(module: str, *arguments: str) -> Iterator[tuple[bytes, tuple[str, ...]]]:
    """Start a module that prints its key and addresses; yield these, and let it end at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            member, addresses = json.loads(process.stdout.readline())
            yield bytes.fromhex(member), tuple(addresses)
        finally:
            process.stdin.close()


async def send_bare(address: str, mebibytes: int) -> Bulk:
    """Send over TCP alone."""
    data = bytes(WRITE_SIZE)
    port = int(address.rpartition("/")[2])
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        watch = Stopwatch()
        for _ in range(mebibytes * MEBIBYTE // WRITE_SIZE):
            await stream.send_all(data)
        await stream.send_eof()
        return watch.stop(bytes(await stream.receive_some()), mebibytes)


async def send_stock(member: bytes, addresses: tuple[str, ...], mebibytes: int) -> Bulk:
    """Send from one stock host to another."""
    peer = PeerInfo(peer_id_of(member), [Multiaddr(it) for it in addresses])
    data = bytes(STOCK_SIZE)
    async with _stock_host(seed=bytes([5]) * 32) as host:
        await host.connect(peer)
        stream = await host.new_stream(peer.peer_id, [SINK])
        watch = Stopwatch()
        for _ in range(mebibytes * MEBIBYTE // STOCK_SIZE):
            await stream.write(data)
        await stream.close()
        return watch.stop(await stream.read(1_000), mebibytes)


async def _serve_bare() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listener.socket.getsockname()[1]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, _count_bare, [listener])
        await _announce(bytes(32), [f"/ip4/127.0.0.1/tcp/{port}"])
        nursery.cancel_scope.cancel()


async def _count_bare(stream: trio.SocketStream) -> None:
    counter = Counter()
    while data := await stream.receive_some(READ_SIZE):
        counter.count += len(data)
    await stream.send_all(counter.answer())


async def _serve_stock() -> None:
    async with _stock_host(seed=bytes([6]) * 32) as host:
        host.set_stream_handler(SINK, _count_stock)
        key = create_new_key_pair(bytes([6]) * 32).public_key.to_bytes()
        addresses = [str(it).partition("/p2p/")[0] for it in host.get_addrs()]
        await _announce(key, addresses)


async def _count_stock(stream: INetStream) -> None:
    counter = Counter()
    try:
        while data := await stream.read(STOCK_SIZE):
            counter.count += len(data)
    except StreamEOF:
        pass
    await stream.write(counter.answer())
    await stream.close()


@asynccontextmanager
async def _stock_host(seed: bytes) -> AsyncIterator[IHost]:
    keys = create_new_key_pair(seed)
    noise = NoiseTransport(keys, create_x25519_key_pair().private_key)
    host = new_host(
        key_pair=keys, sec_opt={PROTOCOL_ID: noise}, muxer_opt={TProtocol(YAMUX_ID): Yamux}
    )
    async with host.run([Multiaddr(ANYWHERE)]):
        try:
            yield host
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(5):
                await host.close()


async def _announce(member: bytes, addresses: list[str]) -> None:
    """Print who and where we are, and wait until the standard input ends."""
    sys.stdout.write(json.dumps([member.hex(), addresses]) + "\n")
    sys.stdout.flush()
    async with trio.lowlevel.FdStream(sys.stdin.fileno()) as stdin:
        await stdin.receive_some()


if __name__ == "__main__":
    trio.run({"bare": _serve_bare, "stock": _serve_stock}[sys.argv[1]])
