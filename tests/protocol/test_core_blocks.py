"""One core that follows blocks which others finalized, and asks for those it lacks."""

import pytest
from msgspec.structs import replace

from protocol.blocks import Block, FinalizedBlocks, block_hash
from protocol.consensus import Halt, HaltReason
from protocol.effects import (
    PeerDisconnected,
    ScheduleTimer,
    SendRange,
    StoreBlocks,
)
from protocol.messages import (
    BLOCKS_PER_RANGE_MAX,
    RangeWanted,
    Status,
)
from protocol.sync import ANSWER_TIMEOUT, SyncTimer
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.example_node import (
    ExampleNode,
    blamed,
    finalized,
    gossiped_to,
    joined,
    of,
    said,
)
from tests.protocol.examples import (
    consent_given,
    make_certificate,
    make_key,
    make_network,
    records_committed,
    token,
)

NETWORK = make_network()
FIRST, SECOND = NETWORK.authorities[:2]
CLINIC, OTHER = NETWORK.members
CONSENT = consent_given(NETWORK, make_key("patient"), CLINIC)
EVENT = records_committed(NETWORK, CLINIC)
MADE, CERTIFICATE, _ = ExampleLedger(NETWORK).next_block(EVENT)
FINAL = FinalizedBlocks((MADE,), CERTIFICATE)
FORGED = replace(CERTIFICATE, signatures=(bytes(64), *CERTIFICATE.signatures[1:]))
EXCHANGED = FinalizedBlocks((Block(MADE.header, ()),), CERTIFICATE)


@pytest.fixture
def node() -> ExampleNode:
    """Return a clinic's node with links to two authorities and another clinic."""
    return ExampleNode(NETWORK, CLINIC, FIRST, SECOND, OTHER)


@pytest.fixture
def authority() -> ExampleNode:
    return ExampleNode(NETWORK, FIRST, *NETWORK.authorities[1:], CLINIC)


@pytest.fixture
def ledger() -> ExampleLedger:
    return ExampleLedger(NETWORK)


def test_a_finalized_block_is_stored_and_passed_on(node: ExampleNode) -> None:
    effects = node.gossip(FIRST, FINAL)

    [stored] = of(StoreBlocks, effects)
    assert stored.finalization.blocks == (MADE,)
    assert stored.certificate == CERTIFICATE
    assert [peer for peer, _ in gossiped_to(effects, FinalizedBlocks)] == [SECOND.id, OTHER.id]
    assert node.core.chain.height == 1
    assert node.core._council.certificate == CERTIFICATE


def test_an_authority_follows_blocks_that_others_finalized(authority: ExampleNode) -> None:
    authority.gossip(SECOND, FINAL)

    assert authority.core.consensus is not None
    assert authority.core.consensus.waiting_for().height == 1


def test_a_gap_makes_us_ask_and_the_block_may_come_again(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    old, new = finalized(ledger, EVENT), finalized(ledger, CONSENT)
    effects = node.gossip(FIRST, new)
    assert said(effects, RangeWanted) == [(FIRST.id, RangeWanted(1, 2))]

    effects = node.hear(FIRST, joined(old, new))
    assert [each.finalization.blocks for each in of(StoreBlocks, effects)] == [
        (*old.blocks, *new.blocks)
    ]
    assert {peer for peer, _ in gossiped_to(effects, FinalizedBlocks)} >= {SECOND.id, OTHER.id}


def test_who_claims_more_is_asked_and_left_for_another_when_silent(node: ExampleNode) -> None:
    effects = node.hear(OTHER, Status(0, 0, 5, None, 0))
    assert said(effects, RangeWanted) == [(OTHER.id, RangeWanted(1, 5))]
    assert ScheduleTimer(SyncTimer(1), node.now + ANSWER_TIMEOUT) in effects
    node.hear(FIRST, Status(0, 0, 5, None, 0))

    effects = node.fire(SyncTimer(1))
    assert said(effects, RangeWanted) == [(FIRST.id, RangeWanted(1, 5))]


@pytest.mark.parametrize("lie", [EXCHANGED, FinalizedBlocks((MADE,), FORGED)])
def test_who_lies_about_blocks_is_blamed_and_left_for_another(
    node: ExampleNode, lie: FinalizedBlocks
) -> None:
    node.hear(OTHER, Status(0, 0, 5, None, 0))
    node.hear(FIRST, Status(0, 0, 5, None, 0))

    effects = node.hear(OTHER, lie)
    assert len(blamed(effects)) == 1
    assert said(effects, RangeWanted) == [(FIRST.id, RangeWanted(1, 5))]


def test_an_answer_that_does_not_fit_blames_nobody(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    node.hear(OTHER, Status(0, 0, 5, None, 0))
    node.hear(FIRST, Status(0, 0, 5, None, 0))
    finalized(ledger, EVENT)

    effects = node.hear(OTHER, finalized(ledger, CONSENT))
    assert blamed(effects) == []
    assert said(effects, RangeWanted) == [(FIRST.id, RangeWanted(1, 5))]


def test_who_leaves_is_not_waited_for(node: ExampleNode) -> None:
    node.hear(OTHER, Status(0, 0, 5, None, 0))
    node.hear(FIRST, Status(0, 0, 4, None, 0))

    effects = node.step(PeerDisconnected(OTHER.id))
    assert said(effects, RangeWanted) == [(FIRST.id, RangeWanted(1, 4))]


def test_a_question_for_blocks_is_answered_within_bounds(node: ExampleNode) -> None:
    assert node.hear(OTHER, RangeWanted(3, 5)) == [SendRange(OTHER.id, 3, 5)]

    [answer] = node.hear(OTHER, RangeWanted(3, 10**9))
    assert answer == SendRange(OTHER.id, 3, 2 + BLOCKS_PER_RANGE_MAX)


def test_a_final_block_beside_ours_halts_the_node_and_blames_nobody(
    node: ExampleNode, ledger: ExampleLedger
) -> None:
    node.gossip(FIRST, FINAL)
    rival = ExampleLedger(NETWORK)
    rival.next_block(CONSENT)

    effects = node.gossip(SECOND, finalized(rival, EVENT))
    assert of(Halt, effects) == [Halt(HaltReason.CONFLICTING_CHAIN)]
    assert blamed(effects) == []


def test_a_final_block_that_leads_elsewhere_halts_the_node(node: ExampleNode) -> None:
    header = replace(MADE.header, state_digest=token("elsewhere"))
    certificate = make_certificate(NETWORK, view=header.view, block=block_hash(header))
    elsewhere = FinalizedBlocks((Block(header, MADE.events),), certificate)

    effects = node.gossip(SECOND, elsewhere)
    assert of(Halt, effects) == [Halt(HaltReason.STATE_DIVERGED)]
    assert node.core.chain.height == 0
