"""A ledger in a dict: blocks of events in, and each digest checked against one from nothing.

ledger = ExampleLedger(network)
ledger.apply(consent_given(network, patient, hospital))
assert ledger.refusal(disclosure(...)) is CounterGap
"""

from protocol.blocks import Block, Header, block_hash, compute_events_root, genesis_block
from protocol.digest import StateDigest, compute_digest
from protocol.electorates import enter_epoch, newest_epoch
from protocol.errors import InvalidEvent
from protocol.events import SignedEvent
from protocol.genesis import PROTOCOL_VERSION, authorities_hash
from protocol.identity import Verifier
from protocol.ledger import Context, Execution, execute, genesis_changes
from protocol.state import Changes, EpochEntry
from protocol.votes import NO_BLOCK, Certificate
from tests.protocol.examples import CREATED_AT, Network, Party, make_certificate

BLOCK_INTERVAL = 1_000
"""Milliseconds from one block to the next, if the test does not say."""

KNOWS_ALL_SIGNATURES = Verifier()
"""Shared by all tests, so that each signature is checked once."""


class ExampleLedger:
    """The state after some blocks. `timestamp` is that of the next one, and may be set."""

    def __init__(self, network: Network, verifier: Verifier = KNOWS_ALL_SIGNATURES) -> None:
        self.network = network
        self.verifier = verifier
        self.state: dict[bytes, bytes] = {}
        self.height = 0
        self.timestamp = CREATED_AT
        changes = genesis_changes(network.genesis)
        self.digest = StateDigest().updated(self.state, changes)
        self._write(changes)
        self.head = genesis_block(network.genesis, self.digest.root)
        self.timestamp += BLOCK_INTERVAL

    @property
    def context(self) -> Context:
        """The context of the next block."""
        return Context(
            network=self.network.id,
            genesis=self.network.genesis,
            height=self.height + 1,
            timestamp=self.timestamp,
        )

    def judge(self, *events: SignedEvent) -> Execution:
        """Return what a block of `events` would do, or raise `InvalidEvent`."""
        return execute(self.state, self.digest, events, self.context, self.verifier)

    def apply(self, *events: SignedEvent) -> Execution:
        """Execute the next block, or raise `InvalidEvent` and change nothing."""
        execution = self.judge(*events)
        self._write(execution.changes)
        self.digest = execution.digest
        self.height += 1
        self.timestamp += BLOCK_INTERVAL
        return execution

    def refusal(self, *events: SignedEvent) -> type[InvalidEvent] | None:
        """Return why a block of `events` is not valid; `None` if it is. Changes nothing."""
        before = dict(self.state)
        try:
            self.judge(*events)
        except InvalidEvent as error:
            return type(error)
        finally:
            assert self.state == before
        return None

    def assert_digest(self) -> None:
        """The digest that was kept up to date is that of the state."""
        assert self.digest == compute_digest(self.state.items())

    def next_block(
        self, *events: SignedEvent, view: int | None = None
    ) -> tuple[Block, Certificate, Execution]:
        """Make the next block with `events`, final by the first quorum, and apply it."""
        view = self.height + 1 if view is None else view
        parent, timestamp = self.head.header, self.timestamp
        execution = self.apply(*events)
        header = Header(
            version=PROTOCOL_VERSION,
            network=self.network.id,
            epoch=0,
            view=view,
            height=self.height,
            parent=block_hash(parent),
            parent_view=parent.view,
            timestamp=timestamp,
            proposer=view % len(self.network.authorities),
            is_tail=False,
            event_count=len(events),
            events_root=compute_events_root(events),
            state_digest=execution.digest.root,
            authorities=authorities_hash(0, self.network.genesis.authorities),
            next_authorities=NO_BLOCK,
        )
        self.head = Block(header, events)
        certificate = make_certificate(self.network, view=view, block=block_hash(header))
        return self.head, certificate, execution

    def set(self, changes: Changes) -> None:
        """Change the state without a block, for histories that would be long to tell."""
        self.digest = self.digest.updated(self.state, changes)
        self._write(changes)

    def begin_epoch(self, *parties: Party) -> None:
        """Let these parties vote from the next block on."""
        entry = EpochEntry(
            epoch=newest_epoch(self.state).epoch + 1,
            base_height=self.height,
            authorities=tuple(party.authority for party in parties),
        )
        self.set(enter_epoch(entry))

    def _write(self, changes: Changes) -> None:
        for key, value in changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
