"""How fast are bytes and small messages between two nodes, two processes on loopback?

Medians and 99th percentiles are in milliseconds, bulk figures in MiB/s of frames received and
counted at the other end, `gossip_messages_per_second` over the swarm's links.

    python -m tests.benchmarks.transport [--mebibytes 512]
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import structlog
import trio

from daemon.links.swarm import Swarm
from daemon.transport import Stream, StreamClosed, Transport

ECHO = "/bench/echo/1"
SINK = "/bench/sink/1"

CLIENT_SEED = bytes([1]) * 32
SERVER_SEED = bytes([2]) * 32

MEBIBYTE = 1024 * 1024
BULK_FRAME_SIZES = (64 * 1024, 256 * 1024, MEBIBYTE)
MESSAGE_SIZE = 300
ROUND_TRIPS = 2_000
CONNECTS = 50
OPENS = 200
GOSSIP_MESSAGES = 50_000
WINDOW = 2_000
"""Gossip messages under way before their echoes are awaited."""


class Bulk(NamedTuple):
    """How one bulk transfer went. CPU is what other processes disturb least."""

    mib_per_second: float
    sender_cpu_ms_per_mib: float
    receiver_cpu_ms_per_mib: float


async def serve() -> None:
    """Be the other end, until the standard input ends."""
    transport = _make_transport(SERVER_SEED)
    transport.serve(ECHO, _echo)
    transport.serve(SINK, _count)
    swarm = Swarm(transport, me=transport.me, wanted=dict)
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await nursery.start(swarm.run)
        nursery.start_soon(_echo_gossip, swarm)
        sys.stdout.write(json.dumps([transport.me.hex(), transport.addresses]) + "\n")
        sys.stdout.flush()
        async with trio.lowlevel.FdStream(sys.stdin.fileno()) as stdin:
            await stdin.receive_some()
        nursery.cancel_scope.cancel()


async def measure(server: bytes, addresses: tuple[str, ...], mebibytes: int) -> dict[str, Any]:
    """Return all figures."""
    figures: dict[str, Any] = {}
    transport = _make_transport(CLIENT_SEED)
    swarm = Swarm(transport, me=transport.me, wanted=lambda: {server: addresses}, random=Random(1))
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)

        async def connect() -> None:
            await transport.connect(server, addresses)

        async def disconnect() -> None:
            await transport.disconnect(server)
            while transport.connected():
                await transport.changes.receive()

        figures["connect_ms"] = await _time(connect, CONNECTS, between=disconnect)
        await connect()

        async def open_stream() -> None:
            async with await transport.open_stream(server, ECHO):
                pass

        figures["open_stream_ms"] = await _time(open_stream, OPENS)
        async with await transport.open_stream(server, ECHO) as stream:

            async def round_trip() -> None:
                await stream.send(bytes(MESSAGE_SIZE))
                await stream.receive()

            figures[f"round_trip_{MESSAGE_SIZE}_bytes_ms"] = await _time(round_trip, ROUND_TRIPS)
        for size in BULK_FRAME_SIZES:
            runs = [await _bulk(transport, server, size, mebibytes) for _ in range(3)]
            for name, values in zip(Bulk._fields, zip(*runs, strict=True), strict=True):
                figures.setdefault(f"bulk_{name}", {})[size] = round(statistics.median(values), 2)
        await nursery.start(swarm.run)
        figures["gossip_messages_per_second"] = await _gossip(swarm, server)
        figures["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        nursery.cancel_scope.cancel()
    return figures


async def _bulk(transport: Transport, server: bytes, frame_size: int, mebibytes: int) -> Bulk:
    """Send that much on one stream, until the other end has counted all of it."""
    frame = os.urandom(frame_size)
    count = mebibytes * MEBIBYTE // frame_size
    async with await transport.open_stream(server, SINK) as stream:
        started, cpu_started = time.perf_counter(), time.process_time()
        for _ in range(count):
            await stream.send(frame)
        await stream.close()
        counted, cpu_seconds = json.loads(await stream.receive())
        assert counted == count * frame_size
        return Bulk(
            mib_per_second=mebibytes / (time.perf_counter() - started),
            sender_cpu_ms_per_mib=1000 * (time.process_time() - cpu_started) / mebibytes,
            receiver_cpu_ms_per_mib=1000 * cpu_seconds / mebibytes,
        )


async def _gossip(swarm: Swarm, server: bytes) -> int:
    """Send messages that come back; return how many a second went there and back."""
    await swarm.changes.receive()
    started = time.perf_counter()
    sent = received = 0
    while received < GOSSIP_MESSAGES:
        while sent < GOSSIP_MESSAGES and sent - received < WINDOW:
            assert swarm.send(server, bytes(MESSAGE_SIZE), urgent=False)
            sent += 1
        await swarm.inbox.receive()
        received += 1
    return round(GOSSIP_MESSAGES / (time.perf_counter() - started))


async def _echo(stream: Stream) -> None:
    while True:
        try:
            frame = await stream.receive()
        except StreamClosed:
            return
        await stream.send(frame)


async def _count(stream: Stream) -> None:
    counted, cpu_started = 0, time.process_time()
    while True:
        try:
            counted += len(await stream.receive())
        except StreamClosed:
            break
    await stream.send(json.dumps([counted, time.process_time() - cpu_started]).encode())


async def _echo_gossip(swarm: Swarm) -> None:
    while True:
        member, frame = await swarm.inbox.receive()
        swarm.send(member, frame, urgent=False)


async def _time(
    what: Callable[[], Awaitable[None]],
    repetitions: int,
    between: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint,
) -> dict[str, float]:
    timings = []
    for _ in range(repetitions):
        started = time.perf_counter()
        await what()
        timings.append(1000 * (time.perf_counter() - started))
        await between()
    timings.sort()
    return {
        "p50": round(statistics.median(timings), 3),
        "p99": round(timings[int(0.99 * (len(timings) - 1))], 3),
    }


def _make_transport(seed: bytes) -> Transport:
    return Transport(seed=seed, listen=["/ip4/127.0.0.1/tcp/0"], admit=lambda _: True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mebibytes", type=int, default=512)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if arguments.serve:
        trio.run(serve)
        return
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.transport", "--serve"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[2],
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            member, addresses = json.loads(server.stdout.readline())
            figures = trio.run(
                measure, bytes.fromhex(member), tuple(addresses), arguments.mebibytes
            )
        finally:
            server.stdin.close()
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
