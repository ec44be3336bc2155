"""A world of authorities, and a toy ledger in which almost every event is valid.

The toy keeps its promises to consensus (`protocol.consensus.Application`) in the plainest way. A
body is here while it is the tip or above it; older blocks come by ranges, as between real nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from protocol.blocks import (
    Block,
    BlockHash,
    Header,
    block_hash,
    compute_events_root,
    genesis_block,
    validate_block_form,
)
from protocol.codec import digest, encode
from protocol.consensus import (
    may_be_empty,
)
from protocol.errors import InvalidBlock
from protocol.events import ConsentWithdrawn, Event, SignedEvent
from protocol.genesis import (
    Authority,
    Genesis,
    Member,
    MemberKind,
    Profile,
    authorities_hash,
    network_id,
)
from protocol.identity import SigningKey, Verifier
from protocol.votes import NO_BLOCK
from simulations.world.crypto import FastKey, is_valid_fast

EVENTS_MAX = 20
FORBIDDEN = 999_999
"""No valid block contains the event of this number."""


@dataclass(frozen=True)
class World:
    """What all authorities of a test share."""

    genesis: Genesis
    network: bytes
    keys: tuple[SigningKey, ...]
    base: Block
    verifier: Verifier

    @property
    def size(self) -> int:
        return len(self.keys)

    def index(self, member: bytes) -> int:
        return next(i for i, a in enumerate(self.genesis.authorities) if a.member == member)

    def member(self, index: int) -> bytes:
        return self.genesis.authorities[index].member


def make_world(count: int, *, delay_bound: int = 1_000, fast: bool = True) -> World:
    """Return a network of `count` authorities and nobody else."""
    make = FastKey if fast else SigningKey
    ids = sorted(digest("member", bytes([number])) for number in range(count))
    keys = tuple(make(digest("voting", identifier)) for identifier in ids)
    members = tuple(
        Member(identifier, f"member-{number}", MemberKind.CLINIC, bytes(1216), bytes(32))
        for number, identifier in enumerate(ids)
    )
    genesis = Genesis(
        version=1,
        name="toy",
        created_at=1_600_000_000_000,
        profile=Profile.OPT_IN,
        emergency_veto=False,
        delay_bound=delay_bound,
        members=members,
        authorities=tuple(
            Authority(member=identifier, voting_key=key.public, recovery_key=identifier[::-1])
            for identifier, key in zip(ids, keys, strict=True)
        ),
    )
    verifier = Verifier(is_valid_fast) if fast else Verifier()
    base = genesis_block(genesis, bytes(32))
    return World(genesis, network_id(genesis), keys, base, verifier)


def toy_event(number: int) -> SignedEvent:
    """Return the event that carries a number; its signature is never looked at."""
    body = ConsentWithdrawn(subject=bytes(32), consent=number.to_bytes(16, "big"))
    return SignedEvent(Event(valid_until=0, body=body), (bytes(64),))


def numbers_of(block: Block) -> tuple[int, ...]:
    return tuple(
        int.from_bytes(signed.event.body.consent, "big")
        for signed in block.events
        if isinstance(signed.event.body, ConsentWithdrawn)
    )


class ToyApplication:
    """A ledger whose state is the hash of all events so far."""

    def __init__(self, world: World, tip: Block, final: set[int]) -> None:
        self.world = world
        self.tip = tip
        self.final = set(final)
        """Numbers of the events in finalized blocks."""
        self.waiting: dict[int, None] = {}
        self.bodies: dict[BlockHash, Block] = {block_hash(tip.header): tip}
        self._authorities = authorities_hash(0, world.genesis.authorities)

    def block(self, identifier: BlockHash) -> Block | None:
        return self.bodies.get(identifier)

    def keep(self, block: Block) -> None:
        if block.header.height > self.tip.header.height:
            self.bodies.setdefault(block_hash(block.header), block)

    def is_wanted(self, parent: BlockHash) -> bool:
        return bool(self._wanted(parent))

    def build(
        self,
        *,
        parent: BlockHash,
        epoch: int,
        view: int,
        parent_view: int,
        proposer: int,
        timestamp: int,
        may_be_empty: bool,
    ) -> Block | None:
        assert (epoch, parent_view) == (0, self.bodies[parent].header.view)
        numbers = self._wanted(parent)[:EVENTS_MAX]
        if not numbers and not may_be_empty:
            return None
        return self.make(
            parent=self.bodies[parent],
            view=view,
            proposer=proposer,
            timestamp=timestamp,
            numbers=numbers,
        )

    def make(
        self, *, parent: Block, view: int, proposer: int, timestamp: int, numbers: Sequence[int]
    ) -> Block:
        """Return a block as asked for, valid or not."""
        events = tuple(toy_event(number) for number in numbers)
        above = parent.header
        header = Header(
            version=1,
            network=self.world.network,
            epoch=0,
            view=view,
            height=above.height + 1,
            parent=block_hash(above),
            parent_view=above.view,
            timestamp=timestamp,
            proposer=proposer,
            is_tail=False,
            event_count=len(events),
            events_root=compute_events_root(events),
            state_digest=toy_digest(above.state_digest, events),
            authorities=self._authorities,
            next_authorities=NO_BLOCK,
        )
        return Block(header, events)

    def validate(self, block: Block) -> None:
        header = block.header
        above = self.bodies[header.parent].header
        validate_block_form(block)
        if (header.height, header.parent_view) != (above.height + 1, above.view):
            raise InvalidBlock("the block does not follow its parent")
        if header.timestamp <= above.timestamp:
            raise InvalidBlock("the block is not later than its parent")
        if header.event_count == 0 and not may_be_empty(above, header.view):
            raise InvalidBlock("the block may not be empty")
        if header.state_digest != toy_digest(above.state_digest, block.events):
            raise InvalidBlock("the block names another state")
        numbers = numbers_of(block)
        if FORBIDDEN in numbers or len(set(numbers)) != len(numbers):
            raise InvalidBlock("an event is not valid")
        if set(numbers) & (self.final | self._pending(header.parent)):
            raise InvalidBlock("an event is in the chain already")

    def finalize(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            assert block.header.parent == block_hash(self.tip.header)
            self.tip = block
            numbers = set(numbers_of(block))
            assert not numbers & self.final, "no event is final twice"
            self.final |= numbers
        for number in [number for number in self.waiting if number in self.final]:
            del self.waiting[number]
        self.bodies = {
            identifier: body
            for identifier, body in self.bodies.items()
            if body.header.height > self.tip.header.height
        }
        self.bodies[block_hash(self.tip.header)] = self.tip

    def _wanted(self, parent: BlockHash) -> list[int]:
        pending = self._pending(parent) if self.waiting else set()
        return [number for number in self.waiting if number not in pending]

    def _pending(self, identifier: BlockHash) -> set[int]:
        """Return the events in `identifier` and its ancestors above the tip."""
        pending: set[int] = set()
        while (body := self.bodies.get(identifier)) is not None and body is not self.tip:
            pending.update(numbers_of(body))
            identifier = body.header.parent
        return pending


def toy_digest(before: bytes, events: tuple[SignedEvent, ...]) -> bytes:
    return digest("toy-state", before, encode(events))
