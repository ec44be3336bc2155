"""How fast are bytes and small messages between two nodes, two processes on loopback?

Medians and 99th percentiles are in milliseconds, bulk figures in MiB/s of frames received and
counted at the other end, `gossip_messages_per_second` over the swarm's links. `compared` is ours
beside py-libp2p's host and bare TCP (`transport_others`).

    python -m tests.benchmarks.transport [--mebibytes 512]
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import structlog
import trio

from daemon.links.swarm import Swarm
from daemon.transport import Stream, StreamClosed, Transport
from tests.benchmarks.transport_others import (
    MEBIBYTE,
    Bulk,
    Counter,
    Stopwatch,
    other_end,
    send_bare,
    send_stock,
)

ECHO = "/bench/echo/1"
SINK = "/bench/sink/1"

CLIENT_SEED = bytes([1]) * 32
SERVER_SEED = bytes([2]) * 32

BULK_FRAME_SIZES = (64 * 1024, 256 * 1024, MEBIBYTE)
MESSAGE_SIZE = 300
ROUND_TRIPS = 2_000
CONNECTS = 50
OPENS = 200
ROUNDS = 3
STOCK_SHARE = 8
"""The stock host sends that much less: it takes that much longer."""

GOSSIP_MESSAGES = 50_000
WINDOW = 2_000
"""Gossip messages under way before their echoes are awaited."""


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
            runs = [await _bulk(transport, server, size, mebibytes) for _ in range(ROUNDS)]
            for name, value in _median(runs)._asdict().items():
                figures.setdefault(f"bulk_{name}", {})[size] = value
        figures["compared"] = await _compare(transport, server, mebibytes)
        await nursery.start(swarm.run)
        figures["gossip_messages_per_second"] = await _gossip(swarm, server)
        figures["rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        nursery.cancel_scope.cancel()
    return figures


async def _bulk(transport: Transport, server: bytes, frame_size: int, mebibytes: int) -> Bulk:
    """Send that much on one stream, until the other end has counted all of it."""
    frame = os.urandom(frame_size)
    async with await transport.open_stream(server, SINK) as stream:
        watch = Stopwatch()
        for _ in range(mebibytes * MEBIBYTE // frame_size):
            await stream.send(frame)
        await stream.close()
        return watch.stop(await stream.receive(), mebibytes)


async def _compare(transport: Transport, server: bytes, mebibytes: int) -> dict[str, Any]:
    """Send with ours, the stock host and TCP alone, in turns, so that each meets the same load."""
    runs: dict[str, list[Bulk]] = {"ours": [], "stock": [], "tcp": []}
    module = "tests.benchmarks.transport_others"
    with other_end(module, "bare") as (_, bare), other_end(module, "stock") as stock:
        for _ in range(ROUNDS):
            runs["ours"].append(await _bulk(transport, server, MEBIBYTE, mebibytes))
            runs["stock"].append(await send_stock(*stock, mebibytes // STOCK_SHARE))
            runs["tcp"].append(await send_bare(bare[0], mebibytes))
    figures: dict[str, Any] = {name: _median(bulks)._asdict() for name, bulks in runs.items()}
    for name in ("stock", "tcp"):
        ratios = [
            ours.mib_per_second / other.mib_per_second
            for ours, other in zip(runs["ours"], runs[name], strict=True)
        ]
        figures[f"ratio_to_{name}"] = round(statistics.median(ratios), 2)
    return figures


def _median(runs: list[Bulk]) -> Bulk:
    return Bulk(*(round(statistics.median(it), 2) for it in zip(*runs, strict=True)))


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
    counter = Counter()
    while True:
        try:
            counter.count += len(await stream.receive())
        except StreamClosed:
            break
    await stream.send(counter.answer())


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
    with other_end("tests.benchmarks.transport", "--serve") as (member, addresses):
        figures = trio.run(measure, member, addresses, arguments.mebibytes)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
