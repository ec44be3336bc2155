"""A chain on a dict, as a node holds it, and proposals that break one rule each.

`ExampleChain.propose` builds what a good leader builds; `changed` breaks it on purpose.
"""

from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block, Header, block_hash, genesis_block
from protocol.chain import Chain, Finalization
from protocol.context import Context
from protocol.digest import StateDigest
from protocol.events import SignedEvent
from protocol.identity import Verifier
from protocol.ledger import genesis_changes
from protocol.mempool import Mempool, Refusal
from tests.protocol.examples import CREATED_AT, Network, Party, make_bundle


class ExampleChain:
    """A chain with its mempool and its store, in which time passes with each block."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.verifier = Verifier()
        changes = genesis_changes(network.genesis)
        digest = StateDigest().updated({}, changes)
        self.stored: dict[bytes, bytes] = {k: v for k, v in changes.items() if v is not None}
        self.mempool = Mempool(network.id)
        self.chain = Chain(
            genesis=network.genesis,
            head=genesis_block(network.genesis, digest.root),
            state=self.stored,
            digest=digest,
            mempool=self.mempool,
            verifier=self.verifier,
        )
        self._sequence = 0

    def submit(self, *events: SignedEvent, party: Party | None = None) -> list[Refusal]:
        """Let events wait; return those that are refused."""
        self._sequence += 1
        party = party or self.network.members[0]
        bundle = make_bundle(self.network, party, *events, sequence=self._sequence)
        return self.mempool.add(bundle, self.chain.state, self._context(), self.verifier)[1]

    def propose(
        self, parent: Block | None = None, *, view: int | None = None, may_be_empty: bool = False
    ) -> Block | None:
        """Build on `parent`, or on the head, as the leader of the next view or of `view`."""
        above = (parent or self.chain.head).header
        view = above.view + 1 if view is None else view
        return self.chain.build(
            parent=block_hash(above),
            epoch=0,
            view=view,
            parent_view=above.view,
            proposer=view % 4,
            timestamp=above.timestamp + 1_000,
            may_be_empty=may_be_empty,
        )

    def proposed(self, *events: SignedEvent, parent: Block | None = None, **how: Any) -> Block:
        """Submit events and return a block of all that waits."""
        assert not self.submit(*events)
        block = self.propose(parent, **how)
        assert block is not None
        return block

    def finalize(self, *blocks: Block) -> Finalization:
        """Make the blocks final; nothing is stored yet."""
        self.chain.finalize(blocks)
        finalization = self.chain.take_finalization()
        self.mempool.prune(
            self.chain.state, self._context(), self.verifier, finalization.changes.keys()
        )
        return finalization

    def store(self, finalization: Finalization) -> None:
        for key, value in finalization.changes.items():
            if value is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = value
        self.chain.stored(finalization.blocks[-1].header.height)

    def _context(self) -> Context:
        head = self.chain.head.header
        timestamp = max(CREATED_AT, head.timestamp) + 1
        return self.chain.context(height=head.height + 1, timestamp=timestamp)


def changed(block: Block, **fields: Any) -> Block:
    """Return the block with another header; the events stay."""
    header: Header = replace(block.header, **fields)
    return Block(header, block.events)
