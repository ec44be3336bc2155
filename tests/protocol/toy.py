"""A world of authorities, and a toy ledger in which almost every event is valid.

What it thinks of epochs is written down here once more, without a look at `protocol.headers`.

The toy keeps its promises to consensus (`protocol.consensus.Application`) in the plainest way. A
body is here while it is the tip or above it; older blocks come by ranges, as between real nodes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from protocol.consensus import may_be_empty
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
from protocol.quarantine import Quarantine
from protocol.state import EpochEntry
from protocol.votes import NO_BLOCK
from simulations.world.crypto import FastKey, is_valid_fast
from tests.protocol.toy_epochs import Change, KeyOf, Roles, next_entry

EVENTS_MAX = 20
FORBIDDEN = 999_999
"""No valid block contains the event of this number."""


@dataclass(frozen=True)
class World:
    """What all authorities of a test share."""

    genesis: Genesis
    network: bytes
    keys: tuple[SigningKey, ...]
    """Of the first epoch, by name."""
    base: Block
    verifier: Verifier
    roles: Roles
    key_of: KeyOf

    @property
    def size(self) -> int:
        """How many names there are."""
        return len(self.keys)

    @property
    def first_epoch(self) -> EpochEntry:
        return EpochEntry(epoch=0, base_height=0, authorities=self.genesis.authorities)

    def index(self, member: bytes) -> int:
        return self.roles.ids.index(member)

    def member(self, index: int) -> bytes:
        return self.roles.ids[index]

    def playing(self, traitors: frozenset[int], changes: tuple[Change, ...]) -> "World":
        """Return the same world with what is going to happen in it."""
        return replace(self, roles=Roles(self.roles.ids, traitors, changes))


def make_world(
    count: int, *, joiners: int = 0, delay_bound: int = 1_000, fast: bool = True
) -> World:
    """Return a network of `count` authorities, and `joiners` that may become some."""
    make = FastKey if fast else SigningKey
    ids = tuple(sorted(digest("member", bytes([number])) for number in range(count + joiners)))
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
            for identifier, key in zip(ids[:count], keys[:count], strict=True)
        ),
    )
    verifier = Verifier(is_valid_fast) if fast else Verifier()
    base = genesis_block(genesis, bytes(32))
    return World(genesis, network_id(genesis), keys, base, verifier, Roles(ids), KeyOf(make, keys))


def toy_event(number: int) -> SignedEvent:
    """Return the event that carries a number; its signature is never looked at."""
    body = ConsentWithdrawn(subject=bytes(32), consent=number.to_bytes(16, "big"))
    return SignedEvent(Event(valid_until=0, body=body), (bytes(64),))


def event_name(number: int) -> bytes:
    """Return what stands for the id of an event."""
    return number.to_bytes(32, "big")


def numbers_of(block: Block) -> tuple[int, ...]:
    return tuple(
        int.from_bytes(signed.event.body.consent, "big")
        for signed in block.events
        if isinstance(signed.event.body, ConsentWithdrawn)
    )


class ToyApplication:
    """A ledger whose state is the hash of all events so far."""

    def __init__(
        self, world: World, tip: Block, final: set[int], epochs: Sequence[EpochEntry] = ()
    ) -> None:
        self.world = world
        self.tip = tip
        self.final = set(final)
        """Numbers of the events in finalized blocks."""
        self.waiting: dict[int, None] = {}
        self.believes_all = False
        """A fault: it finds the forbidden event valid, alone."""
        self.quarantine = Quarantine()
        self.bodies: dict[BlockHash, Block] = {block_hash(tip.header): tip}
        self.epochs = list(epochs or (world.first_epoch,))
        """All that finalized blocks have begun or scheduled, by number."""
        self._newest: dict[BlockHash, EpochEntry] = {}

    def block(self, identifier: BlockHash) -> Block | None:
        return self.bodies.get(identifier)

    def keep(self, block: Block) -> None:
        if block.header.height > self.tip.header.height:
            self.bodies.setdefault(block_hash(block.header), block)

    def is_wanted(self, parent: BlockHash) -> bool:
        return bool(self._wanted(parent))

    def set_aside(self, parent: BlockHash) -> None:
        self.quarantine.set_aside(event_name(number) for number in self._wanted(parent))

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
        above = self.bodies[parent].header
        assert parent_view == (above.view if epoch == above.epoch else 0)
        numbers = self._wanted(parent)[:EVENTS_MAX]
        if not numbers and not may_be_empty:
            return None
        return self.make(
            parent=self.bodies[parent],
            view=view,
            proposer=proposer,
            timestamp=timestamp,
            numbers=numbers,
            epoch=epoch,
        )

    def make(
        self,
        *,
        parent: Block,
        view: int,
        proposer: int,
        timestamp: int,
        numbers: Sequence[int],
        epoch: int = 0,
    ) -> Block:
        """Return a block as asked for, valid or not."""
        events = tuple(toy_event(number) for number in numbers)
        above = parent.header
        is_tail = self._has_ended(above, epoch)
        before = self.newest(block_hash(above))
        after = self._after(before, epoch, above.height + 1, tuple(numbers))
        own = self._entry(epoch, before)
        header = Header(
            version=1,
            network=self.world.network,
            epoch=epoch,
            view=view,
            height=above.height + 1,
            parent=block_hash(above),
            parent_view=above.view if above.epoch == epoch else 0,
            timestamp=timestamp,
            proposer=proposer,
            is_tail=is_tail,
            event_count=len(events),
            events_root=compute_events_root(events),
            state_digest=above.state_digest if is_tail else toy_digest(above.state_digest, events),
            authorities=authorities_hash(epoch, own.authorities),
            next_authorities=_next_authorities(after, epoch),
        )
        return Block(header, events)

    def validate(self, block: Block) -> None:
        header = block.header
        above = self.bodies[header.parent].header
        validate_block_form(block)
        before = self.newest(header.parent)
        numbers = numbers_of(block)
        after = self._after(before, header.epoch, header.height, numbers)
        self._validate_epoch(header, above, before, after)
        if header.timestamp <= above.timestamp:
            raise InvalidBlock("the block is not later than its parent")
        if header.is_tail:
            if numbers or header.state_digest != above.state_digest:
                raise InvalidBlock("a tail changes nothing")
            return
        is_pending = after.epoch > header.epoch
        may = is_pending or may_be_empty(above, epoch=header.epoch, view=header.view)
        if not numbers and not may:
            raise InvalidBlock("the block may not be empty")
        if header.state_digest != toy_digest(above.state_digest, block.events):
            raise InvalidBlock("the block names another state")
        is_forbidden = FORBIDDEN in numbers and not self.believes_all
        if is_forbidden or len(set(numbers)) != len(numbers):
            raise InvalidBlock("an event is not valid")
        if set(numbers) & (self.final | self._pending(header.parent)):
            raise InvalidBlock("an event is in the chain already")

    def _validate_epoch(
        self, header: Header, above: Header, before: EpochEntry, after: EpochEntry
    ) -> None:
        parent_view = above.view
        if header.epoch != above.epoch:
            is_next = before.epoch == header.epoch == above.epoch + 1
            if not is_next or above.is_tail or before.base_height != above.height:
                raise InvalidBlock("the epoch does not follow")
            parent_view = 0
        if (header.height, header.parent_view) != (above.height + 1, parent_view):
            raise InvalidBlock("the block does not follow its parent")
        if header.view <= parent_view:
            raise InvalidBlock("the block's view is not later")
        if header.is_tail != self._has_ended(above, header.epoch):
            raise InvalidBlock("tails are what follows the end of an epoch")
        own = self._entry(header.epoch, before)
        if header.authorities != authorities_hash(header.epoch, own.authorities):
            raise InvalidBlock("the block names other authorities")
        if header.next_authorities != _next_authorities(after, header.epoch):
            raise InvalidBlock("the block names other authorities for the next epoch")

    def newest(self, identifier: BlockHash) -> EpochEntry:
        """Return the newest epoch that is known after a block whose ancestors are all here."""
        branch = []
        while identifier != block_hash(self.tip.header) and identifier not in self._newest:
            if identifier not in self.bodies:
                return self.epochs[-1]
            branch.append(identifier)
            identifier = self.bodies[identifier].header.parent
        known = self._newest.get(identifier, self.epochs[-1])
        for above in reversed(branch):
            header, numbers = self.bodies[above].header, numbers_of(self.bodies[above])
            known = self._newest[above] = self._after(known, header.epoch, header.height, numbers)
        return known

    def end_height(self, parent: BlockHash, epoch: int) -> int | None:
        newest = self.newest(parent)
        return newest.base_height if newest.epoch > epoch else None

    def _has_ended(self, above: Header, epoch: int) -> bool:
        end = self.end_height(block_hash(above), epoch)
        return above.epoch == epoch and end is not None and above.height >= end

    def _after(
        self, before: EpochEntry, epoch: int, height: int, numbers: tuple[int, ...]
    ) -> EpochEntry:
        """Return what is known after a block of `epoch`, given what was known before."""
        if before.epoch != epoch:
            return before
        found = next_entry(self.world.roles, before, numbers, height, self.world.key_of)
        return before if found is None else found

    def _entry(self, epoch: int, newest: EpochEntry) -> EpochEntry:
        return self.epochs[epoch] if epoch < len(self.epochs) else newest

    def finalize(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            assert block.header.parent == block_hash(self.tip.header)
            assert not block.header.is_tail
            newest = self.newest(block_hash(block.header))
            if newest.epoch == len(self.epochs):
                self.epochs.append(newest)
            self.tip = block
            numbers = set(numbers_of(block))
            assert not numbers & self.final, "no event is final twice"
            self.final |= numbers
        for number in [number for number in self.waiting if number in self.final]:
            del self.waiting[number]
            self.quarantine.forget(event_name(number))
        waiting = [event_name(number) for number in self.waiting]
        if any(0 < block.header.event_count < EVENTS_MAX for block in blocks):
            self.quarantine.pass_over(waiting, len(self.running().authorities))
        self.bodies = {
            identifier: body
            for identifier, body in self.bodies.items()
            if body.header.height > self.tip.header.height
        }
        self.bodies[block_hash(self.tip.header)] = self.tip
        self._newest = {each: kept for each, kept in self._newest.items() if each in self.bodies}

    def _wanted(self, parent: BlockHash) -> list[int]:
        body = self.bodies.get(parent)
        running = self.running().epoch
        if not self.waiting or (body is not None and self._has_ended(body.header, running)):
            return []
        pending = self._pending(parent)
        is_aside = self.quarantine.is_aside
        wanted = (number for number in self.waiting if not is_aside(event_name(number)))
        return [number for number in wanted if number not in pending]

    def running(self) -> EpochEntry:
        """Return the epoch of the next block."""
        begun = [entry for entry in self.epochs if entry.base_height <= self.tip.header.height]
        return begun[-1]

    def _pending(self, identifier: BlockHash) -> set[int]:
        """Return the events in `identifier` and its ancestors above the tip."""
        pending: set[int] = set()
        while (body := self.bodies.get(identifier)) is not None and body is not self.tip:
            pending.update(numbers_of(body))
            identifier = body.header.parent
        return pending


def _next_authorities(newest: EpochEntry, epoch: int) -> bytes:
    if newest.epoch == epoch:
        return NO_BLOCK
    return authorities_hash(newest.epoch, newest.authorities)


def toy_digest(before: bytes, events: tuple[SignedEvent, ...]) -> bytes:
    return digest("toy-state", before, encode(events))
