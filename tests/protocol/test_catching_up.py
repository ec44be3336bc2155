"""One core that has no old blocks: it says so, and those who ask for them turn to another."""

import pytest

from protocol.effects import BlocksPruned, PeerConnected, SendRange
from protocol.messages import RangeWanted, Status
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.example_node import ExampleNode, finalized, of, said
from tests.protocol.examples import make_network, records_committed, token

NETWORK = make_network()
FIRST, SECOND = NETWORK.authorities[:2]
CLINIC, OTHER = NETWORK.members


@pytest.fixture
def node() -> ExampleNode:
    """Return a clinic's node that is at height 3, and has no blocks below 2."""
    node = ExampleNode(NETWORK, CLINIC, FIRST, OTHER)
    ledger = ExampleLedger(NETWORK)
    for height in range(3):
        event = records_committed(NETWORK, OTHER, root=token(f"root {height}"))
        node.gossip(FIRST, finalized(ledger, event))
    node.step(BlocksPruned(2))
    return node


def test_a_status_says_which_block_is_the_oldest(node: ExampleNode) -> None:
    [(_, status)] = said(node.step(PeerConnected(SECOND.id)), Status)
    assert (status.lowest_height, status.height) == (2, 3)


def test_a_question_for_what_was_pruned_is_answered_by_where_we_stand(node: ExampleNode) -> None:
    effects = node.hear(OTHER, RangeWanted(1, 3))

    [(peer, status)] = said(effects, Status)
    assert (peer, status.lowest_height) == (OTHER.id, 2)
    assert of(SendRange, effects) == []


def test_a_question_for_what_is_here_is_answered(node: ExampleNode) -> None:
    assert of(SendRange, node.hear(OTHER, RangeWanted(2, 3))) == [SendRange(OTHER.id, 2, 3)]


def test_who_is_refused_asks_another() -> None:
    node = ExampleNode(NETWORK, CLINIC, FIRST, OTHER)
    status = Status(epoch=0, view=1, height=9, certificate=None, lowest_height=0)
    [(peer, _)] = said(node.hear(OTHER, status), RangeWanted)
    assert peer == OTHER.id
    node.hear(FIRST, status)

    pruned = Status(epoch=0, view=1, height=9, certificate=None, lowest_height=5)
    assert said(node.hear(OTHER, pruned), RangeWanted) == [(FIRST.id, RangeWanted(1, 9))]
