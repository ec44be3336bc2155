"""The chain as one node holds it: the finalized head, and the blocks that may follow it.

Above the finalized state, which the driver stores, each block that was executed has an overlay
with what it changed. So a leader builds on a block that is not final yet, and a voter knows the
state after a proposal before it votes. Finalizing keeps one branch and drops the others.

What `validate` decides is a function of the block, its parent's state and the genesis: no clock,
no configuration, no order of arrival (see docs/protocol.md, "Valid blocks"). Tail blocks are
executed like others, change nothing, and never become final themselves.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from protocol.blocks import (
    BLOCK_SIZE_MAX,
    EVENTS_PER_BLOCK_MAX,
    Block,
    BlockHash,
    Header,
    block_hash,
    compute_events_root,
    validate_block_form,
)
from protocol.codec import MESSAGE_SIZE_MAX, encode
from protocol.context import Context
from protocol.digest import StateDigest
from protocol.electorates import begin_epoch, epoch_entry, newest_epoch
from protocol.errors import InvalidBlock, InvalidEvent
from protocol.events import EVENT_SIZE_MAX, EventId, SignedEvent
from protocol.executed import Executed, Result, nothing, result_of, with_result
from protocol.genesis import PROTOCOL_VERSION, Genesis, authorities_hash, network_id
from protocol.headers import Epochs, validate_content, validate_place
from protocol.identity import Verifier
from protocol.ledger import Execute, Execution, execute, execute_selection
from protocol.mempool import Mempool
from protocol.state import Changes, EpochEntry, Overlay, StateView

BODIES_MAX = 512
"""How many blocks that are not final are kept; the oldest goes first."""

EXECUTED_MAX = 512
"""How many of them are kept executed; more than a walk back to the head may be long."""

OVERLAYS_MERGED = 16
"""What so many blocks changed is looked up in one place where hundreds are finalized at once."""

UNFINALIZED_SIZE_MAX = 3 * BLOCK_SIZE_MAX // 2
"""How many bytes of blocks a leader wants to be final with one certificate: they are gossiped, and
later sent to whoever lacks them, all in one message."""

EVENTS_PER_BLOCK_MIN = 64
"""How many events a leader offers at least, however slow the network seems."""

ROOM_MIN = 32 * 1024
"""The room for events in a block that is built while this is exceeded: the chain goes on."""

FLUSH_SIZE_MAX = MESSAGE_SIZE_MAX - BLOCK_SIZE_MAX // 2
"""Beyond so many bytes leaders build empty blocks only, until a certificate finalizes them all.

However many of those there are, the answer to who lacks all these blocks is one message.
"""

HEADER_RESERVE = 1_024
"""Bytes of `BLOCK_SIZE_MAX` that a leader leaves for the header."""


@dataclass(frozen=True, slots=True)
class Finalization:
    """What the driver stores, all at once: consecutive blocks and all that they changed."""

    blocks: tuple[Block, ...]
    event_heights: dict[EventId, int]
    """In which block each event stands."""
    changes: Changes
    digest: StateDigest


class Chain:
    """The finalized head and the tree of blocks above it."""

    def __init__(  # noqa: PLR0913
        self,
        *,
        genesis: Genesis,
        head: Block,
        state: StateView,
        digest: StateDigest,
        mempool: Mempool,
        verifier: Verifier,
        recoveries: Mapping[BlockHash, EpochEntry] | None = None,
        execute: Execute = execute,
    ) -> None:
        self.head = head
        self.head_hash = block_hash(head.header)
        self.mempool = mempool
        self._genesis = genesis
        self._network = network_id(genesis)
        self._verifier = verifier
        self._execute_events = execute
        self._recoveries = recoveries or {}
        """Epochs that begin on a block by a recovery that the operator accepted."""
        self._stored = state
        self._finalizations: deque[Finalization] = deque()
        self._bodies: OrderedDict[BlockHash, Block] = OrderedDict()
        own = epoch_entry(state, head.header.epoch)
        assert own is not None, "the state knows the epoch of its block"
        epochs = Epochs(own=own, newest=newest_epoch(state))
        result = Result(Overlay(state), digest, epochs, {})
        self._executed: dict[BlockHash, Executed] = {self.head_hash: with_result(head, result)}

    @property
    def height(self) -> int:
        return self.head.header.height

    @property
    def state(self) -> StateView:
        """The state after the finalized head."""
        return self._executed[self.head_hash].state

    @property
    def epoch(self) -> EpochEntry:
        """The epoch of the next block: who votes on it."""
        return self._executed[self.head_hash].next_epoch

    def context(self, *, height: int, timestamp: int) -> Context:
        return Context(
            network=self._network, genesis=self._genesis, height=height, timestamp=timestamp
        )

    def block(self, hash: BlockHash) -> Block | None:  # noqa: A002
        """Return the head or a block above it, if its body is here."""
        executed = self._executed.get(hash)
        return executed.block if executed is not None else self._bodies.get(hash)

    def keep(self, block: Block) -> None:
        """Remember a body. Nothing is known about its validity."""
        if block.header.height <= self.height:
            return
        self._bodies.setdefault(block_hash(block.header), block)
        if len(self._bodies) > BODIES_MAX:
            self._bodies.popitem(last=False)

    def is_wanted(self, parent: BlockHash) -> bool:
        """Say whether pending events wait that a block on `parent` may have.

        Those are not in `parent` or its ancestors already, nor set aside.
        """
        if not len(self.mempool):
            return False
        above = self._executed.get(parent)
        if above is not None and above.has_ended(self.epoch.epoch):
            return False
        included = [executed.event_ids for executed in self._branch(parent)]
        return any(
            all(identifier not in ids for ids in included) for identifier in self.mempool.wanted()
        )

    def set_aside(self, parent: BlockHash) -> None:
        """Let events that a block on `parent` may have be no reason for it, for a while."""
        self.mempool.quarantine.set_aside(self._not_included(self.mempool.ids(), parent))

    def end_height(self, parent: BlockHash, epoch: int) -> int | None:
        """Return at which height `epoch` ends, as far as the valid block `parent` knows."""
        return self._execute_known(parent).epochs.end_height(epoch)

    def build(  # noqa: PLR0913
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
        """Return a valid block on `parent` with pending events, or `None` if there is nothing.

        The bodies of `parent` and of its ancestors are here.
        """
        above = self._execute_known(parent)
        is_tail = above.has_ended(epoch)
        context = self.context(height=above.block.header.height + 1, timestamp=timestamp)
        events: list[SignedEvent] = []
        execution = nothing(above)
        if not is_tail:
            events, execution = self._select(above, context, nullified=view - parent_view - 1)
        if not events and not may_be_empty:
            self.mempool.quarantine.hold_back(self._not_included(self.mempool.wanted(), parent))
            return None
        result = result_of(execution, above, epoch=epoch)
        own = result.epochs.own
        header = Header(
            version=PROTOCOL_VERSION,
            network=self._network,
            epoch=epoch,
            view=view,
            height=context.height,
            parent=parent,
            parent_view=parent_view,
            timestamp=timestamp,
            proposer=proposer,
            is_tail=is_tail,
            event_count=len(events),
            events_root=compute_events_root(tuple(events)),
            state_digest=result.digest.root,
            authorities=authorities_hash(own.epoch, own.authorities),
            next_authorities=result.epochs.next_authorities(epoch),
        )
        block = Block(header=header, events=tuple(events))
        self._add(block, result)
        self._forget_oldest()
        return block

    def validate(self, block: Block) -> None:
        """Execute the block, all of whose ancestors are here. Raises `InvalidBlock`."""
        self._execute_once(block)
        self._forget_oldest()

    def finalize(self, blocks: Iterable[Block], *, are_synced: bool = False) -> None:
        """Make consecutive blocks on top of the head final, and forget all other branches.

        What is to be stored waits in `take_finalization`. Raises `InvalidBlock` if a block is not
        valid: then a quorum agreed on what we cannot follow, and nothing is changed. Blocks that
        `are_synced` may be older than what waits here, and do not speak against it.
        """
        finalized = tuple(blocks)
        for number, block in enumerate(finalized, 1):
            self._execute_once(block)
            if number % OVERLAYS_MERGED == 0:
                self._executed[block_hash(block.header)].state.flatten(OVERLAYS_MERGED)
        changes: Changes = {}
        heights: dict[EventId, int] = {}
        for block in finalized:
            assert block.header.parent == self.head_hash, "finalized blocks are consecutive"
            assert not block.header.is_tail, "a tail is no part of the chain"
            above = self._executed[block_hash(block.header)]
            changes.update(above.state.changes)
            heights |= dict.fromkeys(above.event_ids, block.header.height)
            self.head, self.head_hash = block, above.hash
        self._drop_other_branches()
        self.mempool.remove(heights)
        if not are_synced and any(map(_has_room, finalized)):
            self.mempool.quarantine.pass_over(self.mempool.wanted(), len(self.epoch.authorities))
        digest = self._executed[self.head_hash].digest
        self._finalizations.append(Finalization(finalized, heights, changes, digest))

    def take_finalization(self) -> Finalization:
        """Return the oldest finalization that the driver was not told of yet."""
        return self._finalizations.popleft()

    def stored(self, height: int) -> None:
        """The driver has stored all up to `height`: read it there from now on."""
        if height < self.height:
            return
        assert height == self.height, "nothing is stored before it is final"
        head = self._executed[self.head_hash]
        self._executed[self.head_hash] = replace(head, state=Overlay(self._stored))
        for executed in self._executed.values():
            if executed.state.parent is head.state:
                executed.state.parent = self._executed[self.head_hash].state

    def _execute_once(self, block: Block) -> None:
        if block_hash(block.header) not in self._executed:
            self._execute(block, self._execute_known(block.header.parent))

    def _execute_known(self, hash: BlockHash) -> Executed:  # noqa: A002
        """Return the block executed, and execute its ancestors first where that is left to do."""
        path: list[Block] = []
        while (above := self._executed.get(hash)) is None:
            path.append(self._bodies[hash])
            hash = path[-1].header.parent  # noqa: A001
        for block in reversed(path):
            above = self._execute(block, above)
        return above

    def _execute(self, block: Block, above: Executed) -> Executed:
        header = block.header
        if header.network != self._network:
            raise InvalidBlock("the block belongs to another network")
        validate_place(header, above.block.header, above.epochs)
        validate_block_form(block)
        result = result_of(self._execution(block, above), above, epoch=header.epoch)
        validate_content(block, above.block.header, result.epochs)
        if result.digest.root != header.state_digest:
            raise InvalidBlock(f"block {header.height} names another state than it leads to")
        return self._add(block, self._recovered(block, result))

    def _recovered(self, block: Block, result: Result) -> Result:
        """Return the state on which the next block is made, if a recovery begins here."""
        entry = self._recoveries.get(block_hash(block.header))
        if entry is None:
            return result
        changes = begin_epoch(entry)
        digest = result.digest.updated(result.state, changes)
        result.state.apply(changes)
        return replace(result, digest=digest, epochs=replace(result.epochs, newest=entry))

    def _execution(self, block: Block, above: Executed) -> Execution:
        header = block.header
        if header.is_tail:
            return nothing(above)
        try:
            return self._execute_events(
                above.state,
                above.digest,
                block.events,
                self.context(height=header.height, timestamp=header.timestamp),
                self._verifier,
            )
        except InvalidEvent as error:
            raise InvalidBlock(
                f"an event of block {header.height} is not valid: {error}"
            ) from error

    def _add(self, block: Block, result: Result) -> Executed:
        added = with_result(block, result)
        self._bodies.pop(added.hash, None)
        self._executed[added.hash] = added
        return added

    def _select(
        self, above: Executed, context: Context, *, nullified: int
    ) -> tuple[list[SignedEvent], Execution]:
        """Return events for a block on `above`, after so many nullified views, and what they do."""
        included = self._included(above.hash)
        return execute_selection(
            above.state,
            above.digest,
            [
                signed
                for identifier, signed in self.mempool.candidates()
                if identifier not in included
            ],
            context,
            self._verifier,
            count_max=_count_max(above.block.header, nullified),
            size_max=self._room(above.hash),
        )

    def _not_included(self, identifiers: Iterable[EventId], parent: BlockHash) -> Iterator[EventId]:
        included = self._included(parent)
        return (identifier for identifier in identifiers if identifier not in included)

    def _included(self, hash: BlockHash) -> set[EventId]:  # noqa: A002
        """Return the ids of all events in the block and its ancestors above the head."""
        included: set[EventId] = set()
        for executed in self._branch(hash):
            included.update(executed.event_ids)
        return included

    def _room(self, parent: BlockHash) -> int:
        """Return how many bytes of events a block on `parent` should have at most."""
        size = sum(len(encode(executed.block)) for executed in self._branch(parent))
        if size > FLUSH_SIZE_MAX:
            return 0
        return max(ROOM_MIN, min(BLOCK_SIZE_MAX, UNFINALIZED_SIZE_MAX - size) - HEADER_RESERVE)

    def _branch(self, hash: BlockHash) -> Iterator[Executed]:  # noqa: A002
        while hash != self.head_hash and (executed := self._executed.get(hash)) is not None:
            yield executed
            hash = executed.block.header.parent  # noqa: A001

    def _forget_oldest(self) -> None:
        """Views may fail for hours. What is needed after all is fetched and executed again."""
        while len(self._executed) > EXECUTED_MAX:
            del self._executed[next(each for each in self._executed if each != self.head_hash)]

    def _drop_other_branches(self) -> None:
        """Keep the head, and what was executed on top of it."""
        kept = {self.head_hash: self._executed[self.head_hash]}
        for executed in sorted(self._executed.values(), key=lambda each: each.block.header.height):
            if executed.block.header.parent in kept:
                kept[executed.hash] = executed
        self._executed = kept
        for hash_ in [h for h, b in self._bodies.items() if b.header.height <= self.height]:
            del self._bodies[hash_]


def _has_room(block: Block) -> bool:
    """Say whether any leader could have put more into the block, and meant to put in anything."""
    is_short = 0 < block.header.event_count < EVENTS_PER_BLOCK_MIN
    return is_short and len(encode(block)) + EVENT_SIZE_MAX < ROOM_MIN


def _count_max(parent: Header, nullified: int) -> int:
    """Return how many events a leader should offer: a block must be made and checked in time.

    Half as many again as were notarized last, and half of that for each view that was nullified
    since. So leaders feel their way to what the slowest machines of a quorum can do, and the chain
    itself remembers it. (With full blocks only, slow machines nullified view after view until the
    timers had grown to the size of the backlog, and began anew after each block.)
    """
    offered = max(EVENTS_PER_BLOCK_MIN, parent.event_count * 3 // 2)
    return min(EVENTS_PER_BLOCK_MAX, max(EVENTS_PER_BLOCK_MIN, offered >> min(nullified, 16)))
