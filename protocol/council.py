"""Our seat among the authorities, from one epoch to the next (R10).

Each epoch has a consensus machine of its own, if we are among its authorities and hold the voting
key that it names. The next one is made when the last block of the epoch is final; the driver has
stored that before anything of the new epoch is done (W6). Whoever is no authority any more follows.

Messages of other epochs are nobody's fault. Who is behind is told where we stand, and asks for the
blocks that it lacks; they bring it on. Who is ahead says so with its `Status`.
"""

from collections.abc import Collection, Iterable, Iterator

from protocol.blocks import Block
from protocol.chain import Chain
from protocol.consensus import (
    CancelTimer,
    Consensus,
    LogRecord,
    StrayVote,
    epoch_of,
    epoch_of_message,
)
from protocol.effects import EpochStarted
from protocol.errors import LimitExceeded
from protocol.events import (
    EVENT_LIFETIME_MAX,
    Equivocation,
    Event,
    SignedEvent,
    sign_event,
)
from protocol.identity import MemberId, NetworkId, SigningKey
from protocol.messages import ConsensusMessage, Status
from protocol.origin import Origin
from protocol.state import EpochEntry
from protocol.votes import Certificate, Vote

HEARTBEAT_MIN = 1_000
HEARTBEAT_MAX = 30_000
"""Bounds of the time between two `Status` messages, in milliseconds."""

ANSWERS_MAX = 1_024
"""How many members that are behind are remembered, in order not to answer them too often."""


class Council:
    """Who the authorities are, and our consensus machine if we are one of them."""

    def __init__(self, origin: Origin, network: NetworkId, chain: Chain) -> None:
        self.epoch: EpochEntry = chain.epoch
        self.members: tuple[MemberId, ...] = ()
        self.certificate = origin.certificate
        """The newest one that finalizes."""
        self._origin = origin
        self._network = network
        self._chain = chain
        self._keys = origin.voting_keys
        self._is_stopped = False
        self._answered: dict[MemberId, int] = {}
        self._log: tuple[LogRecord, ...] = tuple(origin.log)
        self.consensus: Consensus | None = None
        self._take_seat((origin.head, origin.certificate), listens_first=True)

    def add_key(self, key: SigningKey) -> None:
        """Hold one more voting key, if it is one; an epoch that begins later may name it."""
        if not self._is_stopped and key.public not in [each.public for each in self._keys]:
            self._keys = (*self._keys, key)

    def stop(self) -> None:
        """Never vote again in this run, with whatever key."""
        self._is_stopped = True
        self._keys = ()
        self.consensus = None

    def move_on(self) -> Iterator[CancelTimer | EpochStarted]:
        """The chain has reached the end of our epoch, and that is stored: begin the next one."""
        was_voting = False
        if self.consensus is not None:
            was_voting = not self.consensus.is_listening
            yield from self.consensus.retire()
        self.epoch = self._chain.epoch
        self.consensus = None
        self._take_seat((self._chain.head, None), listens_first=not was_voting)
        yield EpochStarted(self.epoch, None if self.consensus is None else self._keys[0].public)

    @property
    def heartbeat(self) -> int:
        return min(max(30 * self._origin.genesis.delay_bound, HEARTBEAT_MIN), HEARTBEAT_MAX)

    def shares_consensus(self, peer: MemberId) -> bool:
        return self.consensus is not None and peer in self.members

    def without(self, peers: Iterable[MemberId]) -> tuple[MemberId, ...]:
        """Return the peers that hear nothing of us from consensus."""
        return tuple(peer for peer in peers if not self.shares_consensus(peer))

    def others(self) -> tuple[MemberId, ...]:
        """Return all authorities but ourselves."""
        return tuple(member for member in self.members if member != self._origin.key.public)

    def linked(self, peers: Collection[MemberId]) -> tuple[MemberId, ...]:
        """Return whom to push events to: the authorities among our peers, or all if there is none.

        Peers that are no authorities gossip what is new to them.
        """
        authorities = tuple(member for member in self.members if member in peers)
        return authorities or tuple(peers)

    def status(self, lowest_height: int) -> Status:
        """Return where we stand, in no view. The end of one epoch is the beginning of the next."""
        epoch, certificate, head = self.epoch.epoch, self.certificate, self._chain.head.header
        is_of_epoch = certificate is not None and certificate.epoch == epoch
        return Status(
            epoch=epoch,
            view=0,
            height=head.height,
            certificate=certificate if is_of_epoch else None,
            lowest_height=lowest_height,
        )

    def accusation(self, first: Vote, second: Vote, now: int) -> SignedEvent:
        """Return the event with the proof that an authority cheated."""
        key = self._origin.key
        body = Equivocation(reporter=key.public, first=first, second=second)
        event = Event(valid_until=now + EVENT_LIFETIME_MAX // 2, body=body)
        return sign_event(event, self._network, key)

    def is_for_us(self, sender: MemberId, message: ConsensusMessage) -> bool:
        """Say whether consensus should hear this. Raises `LimitExceeded` if nobody should."""
        epoch = epoch_of_message(message)
        if epoch is not None and epoch != self.epoch.epoch:
            return False
        if sender in self.members:
            return self.consensus is not None
        if isinstance(message, Status) or epoch is None:
            return False
        raise LimitExceeded("only authorities take part in consensus")

    def may_help(self, sender: MemberId, message: ConsensusMessage, now: int) -> bool:
        """Say whether to tell the sender, who is in an earlier epoch, where we stand."""
        epoch = epoch_of_message(message)
        if epoch is None or epoch >= self.epoch.epoch:
            return False
        last = self._answered.pop(sender, None)
        may = last is None or now - last >= self._origin.genesis.delay_bound
        self._answered[sender] = now if may or last is None else last
        if len(self._answered) > ANSWERS_MAX:
            del self._answered[next(iter(self._answered))]
        return may

    def _take_seat(self, tip: tuple[Block, Certificate | None], *, listens_first: bool) -> None:
        """Be an authority, if we are one; whoever was one all along has a log without gaps."""
        self.members = tuple(authority.member for authority in self.epoch.authorities)
        self._log = tuple(record for record in self._log if _is_of_use(record, self.epoch.epoch))
        key = self._key()
        if key is None:
            return
        self._keys = self._keys[self._keys.index(key) :]
        self.consensus = Consensus(
            genesis=self._origin.genesis,
            network=self._network,
            epoch=self.epoch,
            me=self.members.index(self._origin.key.public),
            key=key,
            application=self._chain,
            verifier=self._origin.verifier,
            log=self._log,
            tip=tip,
            listens_first=listens_first,
        )

    def _key(self) -> SigningKey | None:
        """Return the key that the epoch names for us, if we hold it."""
        for authority in self.epoch.authorities:
            if authority.member == self._origin.key.public:
                for key in self._keys:
                    if key.public == authority.voting_key:
                        return key
        return None


def _is_of_use(record: LogRecord, epoch: int) -> bool:
    """Say whether the machine of the epoch, or of a later one, should know the record."""
    return isinstance(record, StrayVote) or epoch_of(record) >= epoch
