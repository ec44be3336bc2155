"""Whole cores: one that copied a state is like one that executed every block."""

import pytest

from protocol.digest import compute_digest
from protocol.effects import BlocksPruned, PeerConnected, RefuseEvents
from protocol.events import SignedEvent
from protocol.messages import BucketWanted, ManifestWanted, RangeWanted, Status
from protocol.renewal import settled
from tests.protocol.copying import Source
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.example_node import finalized, joined, of, said
from tests.protocol.examples import (
    consent_given,
    id_of,
    make_key,
    make_network,
    records_committed,
    token,
)
from tests.protocol.snapshot_node import SnapshotNode, exchange

NETWORK = make_network()
FIRST = NETWORK.authorities[0]
CLINIC, OTHER = NETWORK.members
HEIGHT = 6


def consent(label: object) -> SignedEvent:
    return consent_given(
        NETWORK, make_key(f"patient {label}"), CLINIC, consent=token(f"{label}", 16)
    )


@pytest.fixture
def ledger() -> ExampleLedger:
    return ExampleLedger(NETWORK)


@pytest.fixture
def old(ledger: ExampleLedger) -> SnapshotNode:
    """Return a node that has executed all blocks, and kept the newest one only."""
    node = SnapshotNode(NETWORK, FIRST, CLINIC)
    for height in range(HEIGHT):
        blocks = finalized(ledger, consent(height))
        node.gossip(OTHER, blocks)
    node.source = Source(ledger, blocks.certificate)
    node.step(BlocksPruned(HEIGHT))
    return node


@pytest.fixture
def new() -> SnapshotNode:
    return SnapshotNode(NETWORK, CLINIC)


def meet(new: SnapshotNode, old: SnapshotNode) -> None:
    nodes = {each.party.id: each for each in (new, old)}
    effects = new.step(PeerConnected(FIRST.id))
    exchange(nodes, new, effects, steps=200)
    exchange(nodes, old, old.step(PeerConnected(CLINIC.id)), steps=200)


def test_who_joins_by_a_snapshot_has_the_state_of_who_executed_all(
    new: SnapshotNode, old: SnapshotNode
) -> None:
    meet(new, old)

    assert new.core.chain.height == HEIGHT
    assert new.stored == old.stored
    assert new.core.chain.head == old.core.chain.head
    assert compute_digest(new.stored.items()).root == new.core.chain.head.header.state_digest
    assert new.core.catching_up.lowest_height == HEIGHT
    assert new.core.catching_up.progress is None


def test_both_go_on_in_the_same_way(
    new: SnapshotNode, old: SnapshotNode, ledger: ExampleLedger
) -> None:
    meet(new, old)
    for height in range(3):
        block = finalized(ledger, consent(f"later {height}"))
        for node in (new, old):
            node.gossip(OTHER, block)

    assert new.core.chain.height == old.core.chain.height == HEIGHT + 3
    assert new.stored == old.stored == ledger.state


def test_it_asks_for_the_blocks_that_came_meanwhile(
    new: SnapshotNode, old: SnapshotNode, ledger: ExampleLedger
) -> None:
    """The state that its peer holds is older than the peer's newest block."""
    meet(new, old)
    old.gossip(OTHER, finalized(ledger, consent("meanwhile")))
    late = SnapshotNode(NETWORK, OTHER)
    nodes = {each.party.id: each for each in (late, old)}
    late.step(PeerConnected(FIRST.id))
    heard = exchange(nodes, old, old.step(PeerConnected(OTHER.id)), steps=200)

    assert late.core.chain.height == HEIGHT
    assert (OTHER.id, RangeWanted(HEIGHT + 1, HEIGHT + 1)) in heard


def test_events_that_wait_go_over_to_the_new_core(new: SnapshotNode, old: SnapshotNode) -> None:
    pending, final = records_committed(NETWORK, CLINIC), consent(2)
    new.submit(pending)
    new.submit(final)

    meet(new, old)

    assert new.core._intake.submissions.waiting() == (pending,)
    assert settled(new.core, (id_of(NETWORK, pending), id_of(NETWORK, final))) == (
        id_of(NETWORK, final),
    )


def test_nothing_that_is_final_is_refused_to_its_client(
    new: SnapshotNode, old: SnapshotNode
) -> None:
    new.submit(consent(2))
    refused: list[RefuseEvents] = []
    step = new.step

    def watched(input: object) -> list:
        effects = step(input)  # type: ignore[arg-type]
        refused.extend(of(RefuseEvents, effects))
        return effects

    new.step = watched  # type: ignore[method-assign]
    meet(new, old)
    assert refused == []


def test_a_copy_that_blocks_have_overtaken_is_given_up(
    new: SnapshotNode, ledger: ExampleLedger
) -> None:
    """Somebody sends blocks that nobody asked for: the chain must not go back to the copy."""
    blocks = [finalized(ledger, consent(height)) for height in range(HEIGHT - 1)]
    source = Source(ledger, blocks[-1].certificate)
    last = finalized(ledger, consent(HEIGHT - 1))
    status = Status(epoch=0, view=1, height=HEIGHT, certificate=None, lowest_height=HEIGHT)
    assert said(new.hear(FIRST, status), ManifestWanted) != []

    for each in blocks[:-1]:
        new.hear(OTHER, each)
    asked = said(new.hear(FIRST, source.manifest()), BucketWanted)
    assert asked != []
    new.hear(OTHER, joined(blocks[-1], last))
    while asked:
        answer = source.answer(asked[0][1])
        assert answer is not None
        asked = said(new.hear(FIRST, answer), BucketWanted)

    assert new.staging.adopted is None
    assert new.staging.entries == {}
    assert new.core.chain.height == HEIGHT
    assert new.stored == ledger.state


def test_what_was_pruned_before_the_copy_says_nothing_about_it(
    new: SnapshotNode, old: SnapshotNode
) -> None:
    meet(new, old)
    new.step(BlocksPruned(2))

    assert new.core.catching_up.lowest_height == HEIGHT
