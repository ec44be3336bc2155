"""An honest member in a process of its own, that asks a node for a block all the time.

    python -m tests.system.attacks.honest SEED MEMBER ADDRESS...

What it measures is the whole way: its frame through the links into the core, the block from the
store, and back on the other stream. For each line on the standard input it prints one of JSON about
the time since the line before; it ends with its standard input.
"""

import json
import sys
import time

import structlog
import trio

from daemon.links.swarm import GOSSIP_PROTOCOL
from daemon.transport import Stream, StreamClosed, Transport, Unreachable
from protocol.blocks import FinalizedBlocks
from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.messages import PeerMessage, RangeWanted

PAUSE_SECONDS = 0.02
ANSWER_SECONDS_MAX = 5.0
"""A question that is not answered in this time counts as lost, and is asked again."""

QUESTION = encode(RangeWanted(1, 1))


class Honest:
    """Asks, waits and takes the time."""

    def __init__(self, seed: bytes, target: bytes, addresses: list[str]) -> None:
        self._target = target
        self._addresses = addresses
        self._answered = trio.Event()
        self._seconds: list[float] = []
        self._lost = 0
        self._transport = Transport(
            seed=seed,
            listen=["/ip4/127.0.0.1/tcp/0"],
            admit=lambda member: member == target,
            handlers={GOSSIP_PROTOCOL: self._listen},
        )

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._transport.run)
            nursery.start_soon(self._ask_again_and_again)
            await self._report_when_asked()
            nursery.cancel_scope.cancel()

    async def _ask_again_and_again(self) -> None:
        while True:
            try:
                await self._transport.connect(self._target, self._addresses)
                stream = await self._transport.open_stream(self._target, GOSSIP_PROTOCOL)
                while True:
                    await self._ask(stream)
                    await trio.sleep(PAUSE_SECONDS)
            except (Unreachable, StreamClosed):
                self._lost += 1
                await trio.sleep(10 * PAUSE_SECONDS)

    async def _ask(self, stream: Stream) -> None:
        self._answered = trio.Event()
        started = time.perf_counter()
        await stream.send(QUESTION)
        with trio.move_on_after(ANSWER_SECONDS_MAX) as scope:
            await self._answered.wait()
        if scope.cancelled_caught:
            self._lost += 1
        else:
            self._seconds.append(time.perf_counter() - started)

    async def _listen(self, stream: Stream) -> None:
        while True:
            try:
                message = decode(await stream.receive(), PeerMessage)
            except (StreamClosed, DecodeError):
                return
            if isinstance(message, FinalizedBlocks):
                self._answered.set()

    async def _report_when_asked(self) -> None:
        async with trio.lowlevel.FdStream(sys.stdin.fileno()) as stdin:
            while await stdin.receive_some():
                taken, self._seconds = sorted(self._seconds), []
                lost, self._lost = self._lost, 0
                sys.stdout.write(json.dumps(_summary(taken, lost)) + "\n")
                sys.stdout.flush()


def _summary(seconds: list[float], lost: int) -> dict[str, float]:
    """Return how many questions were answered, and how fast, in milliseconds."""
    if not seconds:
        return {"answered": 0, "lost": lost, "p50": 0.0, "p99": 0.0, "max": 0.0}
    return {
        "answered": len(seconds),
        "lost": lost,
        "p50": 1000 * seconds[len(seconds) // 2],
        "p99": 1000 * seconds[min(len(seconds) - 1, 99 * len(seconds) // 100)],
        "max": 1000 * seconds[-1],
    }


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    _seed, _member, *_addresses = sys.argv[1:]
    trio.run(Honest(bytes.fromhex(_seed), bytes.fromhex(_member), _addresses).run)
