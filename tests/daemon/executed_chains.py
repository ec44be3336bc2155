"""A chain whose blocks the ledger has executed, and a store that it fills as a node would."""

from collections.abc import Sequence
from typing import Protocol

from daemon.storage.store import ChainStore
from protocol.blocks import Block, Header, block_hash, compute_events_root, genesis_block
from protocol.context import Context
from protocol.digest import StateDigest
from protocol.events import SignedEvent
from protocol.genesis import PROTOCOL_VERSION
from protocol.identity import Verifier
from protocol.ledger import execute, genesis_changes
from protocol.state import Changes, Overlay, StateView
from protocol.votes import NO_BLOCK, Certificate
from tests.protocol.examples import (
    Network,
    consent_given,
    consent_withdrawn,
    disclosure,
    emergency_reviewed,
    make_certificate,
    make_key,
    make_network,
    token,
)

SECOND = 1_000


class Store(StateView, Protocol):
    """What a chain needs of a `ChainStore`."""

    def begin(self, genesis: Block, changes: Changes, digest: bytes) -> None: ...

    def append(
        self, blocks: Sequence[Block], certificate: Certificate, changes: Changes, digest: bytes
    ) -> None: ...


class ExecutedChain:
    """Adds blocks to a store, all of them valid."""

    def __init__(
        self,
        store: Store,
        network: Network,
        *,
        verifier: Verifier | None = None,
        block_milliseconds: int = SECOND,
    ) -> None:
        self.network = network
        self._store = store
        self._verifier = verifier or Verifier()
        self._block_milliseconds = block_milliseconds
        changes = genesis_changes(network.genesis)
        self._digest = StateDigest().updated({}, changes)
        self._head = genesis_block(network.genesis, self._digest.root)
        store.begin(self._head, changes, self._digest.encode())

    def add(self, *events_of_blocks: Sequence[SignedEvent]) -> None:
        """Append a block with each of the lists of events, and a certificate for the last one."""
        overlay = Overlay(self._store)
        blocks = [self._build(overlay, tuple(events)) for events in events_of_blocks]
        certificate = make_certificate(
            self.network, view=blocks[-1].header.view, block=block_hash(blocks[-1].header)
        )
        changes: Changes = overlay.changes
        self._store.append(blocks, certificate, changes, self._digest.encode())

    def _build(self, overlay: Overlay, events: tuple[SignedEvent, ...]) -> Block:
        parent = self._head.header
        context = Context(
            network=self.network.id,
            genesis=self.network.genesis,
            height=parent.height + 1,
            timestamp=parent.timestamp + self._block_milliseconds,
        )
        execution = execute(overlay, self._digest, events, context, self._verifier)
        overlay.apply(execution.changes)
        self._digest = execution.digest
        header = Header(
            version=PROTOCOL_VERSION,
            network=self.network.id,
            epoch=0,
            view=parent.view + 1,
            height=context.height,
            parent=block_hash(parent),
            parent_view=parent.view,
            timestamp=context.timestamp,
            proposer=0,
            is_tail=False,
            event_count=len(events),
            events_root=compute_events_root(events),
            state_digest=execution.digest.root,
            authorities=parent.authorities,
            next_authorities=NO_BLOCK,
        )
        self._head = Block(header, events)
        return self._head


def fill(store: ChainStore, block_count: int = 6, events_per_block: int = 4) -> Network:
    """Fill a store with consents, a withdrawal, disclosures and a review."""
    network = make_network()
    hospital, clinic = network.authorities[:2]
    chain = ExecutedChain(store, network)
    for height in range(1, block_count + 1):
        labels = [f"{height} {number}" for number in range(events_per_block)]
        chain.add(
            [
                consent_given(network, make_key(label), hospital, consent=token(label, 16))
                for label in labels
            ]
        )
    patient = make_key("1 0")
    disclosed = disclosure(network, patient, hospital, clinic)
    withdrawn = consent_withdrawn(network, patient, consent=token("1 0", 16))
    chain.add([disclosed], [withdrawn, emergency_reviewed(network, disclosed, hospital)])
    return network
