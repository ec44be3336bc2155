"""What the swarm knows of one member whom it wants as a neighbour, or who is connected."""

import time
from dataclasses import dataclass, field

import trio

from daemon.links.outbox import Outbox
from daemon.transport import Stream
from protocol.identity import MemberId


@dataclass(frozen=True, slots=True)
class LinkUp:
    """Frames flow both ways between this member and us, from now on."""

    member: MemberId


@dataclass(frozen=True, slots=True)
class LinkDown:
    """Frames do not flow any more; those in the outbox are lost."""

    member: MemberId


@dataclass(frozen=True, slots=True)
class PeerReport:
    """How we stand with one member, for the operator.

    `last_seen` is in milliseconds since the Unix epoch. `failure` says in words why there is no
    link, and is None while there is one.
    """

    member: MemberId
    connected: bool
    address: str | None
    last_seen: int | None
    failure: str | None
    frames_dropped: int
    bytes_sent: int
    bytes_received: int


@dataclass(slots=True, eq=False)
class Neighbour:
    """The state of a link: our stream to it, its stream to us, and what waits."""

    member: MemberId
    outbox: Outbox = field(default_factory=Outbox)
    nudged: trio.Event = field(default_factory=trio.Event)
    inbound: Stream | None = None
    is_sending: bool = False
    was_up: bool = False
    last_seen: int | None = None
    failure: str | None = "not tried yet"
    bytes_sent: int = 0
    bytes_received: int = 0

    @property
    def is_up(self) -> bool:
        return self.is_sending and self.inbound is not None

    def note_seen(self) -> None:
        self.last_seen = time.time_ns() // 1_000_000

    def report(self, address: str | None) -> PeerReport:
        """Return how things stand, given the other end's address while there is a connection."""
        if address is not None:
            self.note_seen()
        return PeerReport(
            member=self.member,
            connected=address is not None,
            address=address,
            last_seen=self.last_seen,
            failure=None if self.is_up else self.failure,
            frames_dropped=self.outbox.dropped,
            bytes_sent=self.bytes_sent,
            bytes_received=self.bytes_received,
        )
