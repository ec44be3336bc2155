"""A member that means no good: our transport with a member's key, and nothing that is honest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

from daemon.joining.setup import load_node_keys
from daemon.links.swarm import GOSSIP_PROTOCOL
from daemon.transport import Stream, StreamClosed, StreamHandler, Transport, Unreachable
from protocol.codec import Message, encode
from protocol.identity import MemberId, SigningKey
from tests.system.nets import Daemon

ANSWER_SECONDS_MAX = 15
PAUSE_SECONDS = 0.05


@dataclass
class Hostile:
    """A member that is connected with a victim, and may send it anything."""

    transport: Transport
    key: SigningKey
    victim: Daemon
    target: MemberId
    stream: Stream

    @property
    def is_connected(self) -> bool:
        return self.target in self.transport.connected()

    async def send(self, message: bytes | Message) -> None:
        """Send a frame on the gossip stream, whatever is in it."""
        await self.stream.send(message if isinstance(message, bytes) else encode(message))

    async def send_raw(self, data: bytes) -> None:
        """Send bytes that need not even be a frame."""
        await self.stream._buffered.send_all(data)

    async def reconnect(self) -> None:
        """Open a new gossip stream, over a new connection if need be."""
        addresses = await trio.to_thread.run_sync(addresses_of, self.victim)
        await self.transport.connect(self.target, addresses)
        self.stream = await self.transport.open_stream(self.target, GOSSIP_PROTOCOL)

    async def fail_to_return(self) -> None:
        """Try to have a stream again; fail if we get one that is not closed at once."""
        with trio.fail_after(ANSWER_SECONDS_MAX), pytest.raises((Unreachable, StreamClosed)):
            await self._return()

    async def _return(self) -> None:
        await self.reconnect()
        await self.stream.receive()

    async def wait_until_cut_off(self) -> None:
        with trio.fail_after(ANSWER_SECONDS_MAX):
            while self.is_connected:  # noqa: ASYNC110
                await trio.sleep(PAUSE_SECONDS)


@asynccontextmanager
async def hostile(
    member: Daemon, victim: Daemon, listen: StreamHandler | None = None
) -> AsyncIterator[Hostile]:
    """Pose as `member`, whose own daemon does not run, with a gossip stream to `victim`.

    `listen` gets what the victim sends; otherwise it is read, and that is all.
    """
    seed = load_node_keys(member.home, None).signing_seed
    async with connected(seed, victim, listen) as transport:
        stream = await transport.open_stream(victim.id, GOSSIP_PROTOCOL)
        yield Hostile(transport, SigningKey(seed), victim, victim.id, stream)


@asynccontextmanager
async def connected(
    seed: bytes, victim: Daemon, listen: StreamHandler | None = None
) -> AsyncIterator[Transport]:
    """Run a transport with that key, connected with `victim`."""
    transport = Transport(
        seed=seed,
        listen=["/ip4/127.0.0.1/tcp/0"],
        admit=lambda _: True,
        handlers={GOSSIP_PROTOCOL: listen or _read_all},
    )
    addresses = await trio.to_thread.run_sync(addresses_of, victim)
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        await transport.connect(victim.id, addresses)
        yield transport
        nursery.cancel_scope.cancel()


def addresses_of(daemon: Daemon) -> list[str]:
    found: list[str] = daemon.status()["node"]["addresses"]
    return found


async def _read_all(stream: Stream) -> None:
    """Take what the victim sends, as a neighbour would."""
    try:
        while True:
            await stream.receive()
    except StreamClosed:
        return
