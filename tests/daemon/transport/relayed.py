"""Three transports on loopback: a relay, a member reached through it, and one that calls it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import trio

from daemon.transport import Relay, Reservations, Stream, StreamClosed, Transport, format_circuit
from protocol.identity import MemberId

ECHO = "/test/echo/1"
SECONDS_MAX = 5


async def echo(stream: Stream) -> None:
    while True:
        try:
            frame = await stream.receive()
        except StreamClosed:
            return
        await stream.send(frame)


async def nothing() -> None:
    """Tell nobody about new addresses."""


@dataclass
class Town:
    relay: Transport
    service: Relay
    callee: Transport
    reservations: Reservations
    caller: Transport

    @property
    def circuit(self) -> str:
        """Where the callee is reached."""
        return format_circuit(self.relay.me, self.relay.addresses[0])

    async def reserve(self) -> None:
        await self.callee.connect(self.relay.me, self.relay.addresses)
        await self.reservations.refresh()

    async def call(self) -> None:
        await self.caller.connect(self.callee.me, [self.circuit])


@asynccontextmanager
async def running(
    number: int, admit: Callable[[MemberId], bool] = lambda _: True
) -> AsyncIterator[Transport]:
    transport = Transport(
        seed=bytes([number]) * 32,
        listen=["/ip4/127.0.0.1/tcp/0"],
        admit=admit,
        handlers={ECHO: echo},
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(transport.run)
        yield transport
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def town(
    relay_admits: Callable[[MemberId], bool] = lambda _: True,
    callee_admits: Callable[[MemberId], bool] = lambda _: True,
) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(running(1, relay_admits))
        callee = await stack.enter_async_context(running(2, callee_admits))
        caller = await stack.enter_async_context(running(3))
        service = Relay(relay, admit=relay_admits, addresses=lambda: relay.addresses)
        reservations = Reservations(callee, candidates=lambda: [relay.me], on_change=nothing)
        yield Town(relay, service, callee, reservations, caller)


async def ask(transport: Transport, member: MemberId, frame: bytes = b"hello") -> bytes:
    """Send a frame to `member`, and return what it sends back."""
    with trio.fail_after(SECONDS_MAX):
        async with await transport.open_stream(member, ECHO) as stream:
            await stream.send(frame)
            return await stream.receive()
