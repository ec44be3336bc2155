"""Long-lived links to the members that this node wants as neighbours: the one dial loop.

A link is two streams of `/placet/gossip/1`, one each way: who opens a stream sends on it. It is up
when both are open. Frames to a neighbour wait in a bounded outbox (`outbox`) and leave
together, in one write, while the write before is under way.

Of two members that want each other, the one with the lower id dials; the other waits
`GRACE_SECONDS` first, so that two connections at once are rare. A failed dial is repeated after a
growing, random pause.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import assert_never

import structlog
import trio

from daemon.links.incoming import Incoming
from daemon.links.neighbour import LinkDown, LinkUp, Neighbour, PeerReport
from daemon.transport import (
    FRAME_SIZE_MAX,
    News,
    PeerConnected,
    PeerDisconnected,
    Stream,
    StreamClosed,
    Transport,
    Unreachable,
)
from protocol.errors import ProtocolError
from protocol.identity import MemberId, short

GOSSIP_PROTOCOL = "/placet/gossip/1"

TICK_SECONDS = 1
"""How often we look whom we want."""

GRACE_SECONDS = 1.0
PAUSE_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MIN = 0.25
BACKOFF_SECONDS_MAX = 30.0
STABLE_SECONDS = 10
"""A link that lasted this long starts with the shortest pause again."""

SEND_SECONDS_MAX = 30
"""How long one batch may take: a neighbour that does not read loses its link."""

log = structlog.get_logger()

Wanted = Callable[[], Mapping[MemberId, tuple[str, ...]]]


class Swarm:
    """Keeps links up. One task for each neighbour; everything ends with `run`."""

    def __init__(
        self, transport: Transport, *, me: MemberId, wanted: Wanted, random: Random | None = None
    ) -> None:
        self._transport = transport
        self._me = me
        self._wanted = wanted
        self._random = random or Random()
        self._neighbours: dict[MemberId, Neighbour] = {}
        self.inbox = Incoming()
        self._links = News[LinkUp | LinkDown]()
        self._nursery: trio.Nursery | None = None
        transport.serve(GOSSIP_PROTOCOL, self._receive)

    @property
    def changes(self) -> trio.MemoryReceiveChannel[LinkUp | LinkDown]:
        """Which links came up and went down; up twice in a row means down in between."""
        return self._links.receive

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Dial, reconnect and send until cancelled."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._links.run)
                nursery.start_soon(self._follow_connections)
                task_status.started()
                while True:
                    for member in self._wanted().keys() - {self._me}:
                        self._tend(member)
                    await trio.sleep(TICK_SECONDS)
        finally:
            self._nursery = None

    def send(self, member: MemberId, frame: bytes, *, urgent: bool) -> bool:
        """Queue a frame, without waiting; say whether it will be sent if the link lasts."""
        assert len(frame) <= FRAME_SIZE_MAX, "the caller keeps its messages below the limit"
        neighbour = self._neighbours.get(member)
        if neighbour is None or not neighbour.is_sending:
            return False
        return neighbour.outbox.put(frame, urgent=urgent)

    def report(self) -> tuple[PeerReport, ...]:
        """Return how we stand with each member whom we want or who is connected."""
        return tuple(
            self._neighbours[it].report(self._transport.address_of(it))
            for it in sorted(self._neighbours)
        )

    async def _follow_connections(self) -> None:
        async for change in self._transport.changes:
            match change:
                case PeerConnected(member):
                    self._tend(member).nudged.set()
                case PeerDisconnected():
                    pass  # The streams of the link have ended, and their tasks know.
                case _:
                    assert_never(change)

    def _tend(self, member: MemberId) -> Neighbour:
        """Return the neighbour; if it is new, start the task that looks after it."""
        assert member != self._me, "nobody is its own neighbour"
        assert self._nursery is not None, "run starts before anybody is looked after"
        neighbour = self._neighbours.get(member)
        if neighbour is None:
            neighbour = self._neighbours[member] = Neighbour(member)
            self._nursery.start_soon(self._look_after, neighbour)
        return neighbour

    async def _look_after(self, neighbour: Neighbour) -> None:
        """Reach the neighbour and send to it, again and again, while there is reason to."""
        pause = BACKOFF_SECONDS_MIN
        while self._is_of_interest(neighbour.member):
            started_at = trio.current_time()
            try:
                await self._reach(neighbour)
                stream = await self._transport.open_stream(neighbour.member, GOSSIP_PROTOCOL)
                await self._send_all(neighbour, stream)
            except Unreachable as error:
                self._note_failure(neighbour, str(error))
            if trio.current_time() - started_at > STABLE_SECONDS:
                pause = BACKOFF_SECONDS_MIN
            await trio.sleep(PAUSE_SECONDS_MIN)
            await _wait_for_nudge(neighbour, pause * self._random.uniform(0.5, 1.5))
            pause = min(2 * pause, BACKOFF_SECONDS_MAX)
        del self._neighbours[neighbour.member]

    def _is_of_interest(self, member: MemberId) -> bool:
        return member in self._transport.connected() or member in self._wanted()

    async def _reach(self, neighbour: Neighbour) -> None:
        """Wait until there is a connection, whoever dials; or raise `Unreachable`."""
        if neighbour.member in self._transport.connected():
            return
        if self._me > neighbour.member:
            await _wait_for_nudge(neighbour, GRACE_SECONDS * self._random.uniform(1, 2))
            if neighbour.member in self._transport.connected():
                return
        addresses = self._wanted().get(neighbour.member)
        if addresses is None:
            raise Unreachable("the member has left, and we do not look for it")
        await self._transport.connect(neighbour.member, addresses)

    async def _send_all(self, neighbour: Neighbour, stream: Stream) -> None:
        """Send what comes into the outbox, until the stream ends; raise `Unreachable` then."""
        neighbour.is_sending = True
        neighbour.failure = "it has not opened its stream to us yet"
        self._announce(neighbour)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._drain, neighbour, stream)
                reason = await _wait_for_end(stream)
                nursery.cancel_scope.cancel()
        finally:
            neighbour.is_sending = False
            neighbour.outbox.clear()
            self._announce(neighbour)
        raise Unreachable(f"the link was lost: {reason}")

    async def _drain(self, neighbour: Neighbour, stream: Stream) -> None:
        """Write batches; if the neighbour does not take one in time, reset the stream."""
        try:
            while True:
                batch = await neighbour.outbox.take_batch()
                with trio.fail_after(SEND_SECONDS_MAX):
                    await stream.send_many(batch)
                neighbour.bytes_sent += sum(map(len, batch))
        except (StreamClosed, trio.TooSlowError):
            await stream.reset()

    async def _receive(self, stream: Stream) -> None:
        """Take in what a neighbour sends, as fast as the node takes it from the inbox."""
        if self._nursery is None:
            raise Unreachable("the node is starting or stopping")
        neighbour = self._tend(stream.member)
        previous, neighbour.inbound = neighbour.inbound, stream
        if previous is not None:
            await previous.reset()
        neighbour.nudged.set()
        self._announce(neighbour)
        try:
            while True:
                frame = await stream.receive()
                neighbour.bytes_received += len(frame)
                neighbour.note_seen()
                await self.inbox.put(stream.member, frame)
        finally:
            if neighbour.inbound is stream:
                neighbour.inbound = None
                self._announce(neighbour)

    def _announce(self, neighbour: Neighbour) -> None:
        """Tell the node if the link has come up or gone down."""
        if neighbour.is_up == neighbour.was_up:
            return
        neighbour.was_up = neighbour.is_up
        neighbour.note_seen()
        member = neighbour.member
        if neighbour.is_up:
            log.info("link-up", peer=short(member))
            self._links.announce(member, LinkUp(member))
        else:
            log.info("link-down", peer=short(member))
            self._links.announce(member, LinkDown(member))

    def _note_failure(self, neighbour: Neighbour, failure: str) -> None:
        if failure != neighbour.failure:
            log.info("peer-not-reached", peer=short(neighbour.member), reason=failure)
        neighbour.failure = failure


async def _wait_for_nudge(neighbour: Neighbour, seconds: float) -> None:
    """Wait, but not longer than until the neighbour connects or opens its stream."""
    neighbour.nudged = trio.Event()
    with trio.move_on_after(seconds):
        await neighbour.nudged.wait()


async def _wait_for_end(stream: Stream) -> str:
    """Return why a stream ended on which the other side never sends."""
    try:
        await stream.receive()
    except (StreamClosed, ProtocolError) as error:
        return str(error)
    await stream.reset()
    return "the peer sent on our stream"
