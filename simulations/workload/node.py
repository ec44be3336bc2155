"""What a clinic needs of the virtual node that it works at; the world's hosts have all of it."""

from collections.abc import Callable
from typing import Protocol

from protocol.events import ConsentId, EventId, SignedEvent
from protocol.genesis import Genesis, Member
from protocol.identity import MemberId, NetworkId, SigningKey, SubjectId, Verifier
from protocol.state import StateView
from simulations.world.frame import Frame


class ClinicNode(Protocol):
    """The node of one member, as seen by the clinic."""

    @property
    def member(self) -> Member: ...

    @property
    def key(self) -> SigningKey: ...

    @property
    def officer_key(self) -> SigningKey: ...

    @property
    def network(self) -> NetworkId: ...

    @property
    def genesis(self) -> Genesis: ...

    @property
    def verifier(self) -> Verifier: ...

    @property
    def is_up(self) -> bool: ...

    @property
    def state(self) -> StateView:
        """The state after the newest block that is final here."""

    @property
    def timestamp(self) -> int:
        """When that block was made, in wall milliseconds."""

    def now(self) -> int:
        """Return the node's wall time in milliseconds."""

    def virtual_now(self) -> int:
        """Return the milliseconds since the start of the run."""

    def directory(self, member: MemberId, /) -> Member | None:
        """Return a member of the network."""

    def is_withdrawn(self, consent: ConsentId, /) -> bool: ...

    def next_counter(self, subject: SubjectId, /) -> int: ...

    def find(self, event: EventId, /) -> tuple[SignedEvent, int] | None:
        """Return a final event, and the timestamp of its block."""

    def submit(self, *events: SignedEvent) -> None: ...

    def later(self, delay: int, action: Callable[[], None], /) -> None:
        """Act after `delay` milliseconds, unless the process has died by then."""

    def say(self, peer: MemberId, frame: Frame, /) -> None: ...

    def life_of(self, peer: MemberId, /) -> int | None:
        """Return which start of its process the peer is in, or `None` if it cannot be reached."""
