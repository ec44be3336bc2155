"""Events that are set aside, and those that cannot go without them, in blocks on one node."""

import pytest

from protocol.blocks import Block
from protocol.events import ConsentBasis, SignedEvent
from protocol.quarantine import PASSES_MIN
from tests.protocol.example_chain import ExampleChain
from tests.protocol.examples import (
    consent_given,
    disclosure,
    id_of,
    make_key,
    make_network,
    records_committed,
    token,
)

NETWORK = make_network()
CLINIC, OTHER = NETWORK.members
PATIENT = make_key("patient")
CONSENT = consent_given(NETWORK, PATIENT, CLINIC)


def event(number: int) -> SignedEvent:
    return records_committed(NETWORK, CLINIC, root=token(f"root {number}"))


def test_what_cannot_go_without_what_is_set_aside_waits_with_it() -> None:
    example = ExampleChain(NETWORK)
    example.submit(CONSENT)
    example.mempool.quarantine.set_aside([id_of(NETWORK, CONSENT)])
    basis = ConsentBasis(token("consent", 16))
    cited = disclosure(NETWORK, PATIENT, CLINIC, OTHER, basis=basis)
    assert not example.submit(cited)
    assert example.chain.is_wanted(example.chain.head_hash)

    assert example.propose() is None
    assert not example.chain.is_wanted(example.chain.head_hash)
    assert example.proposed(event(1)).events == (event(1),)
    example.mempool.quarantine.release()
    block = example.propose()
    assert block is not None
    assert set(block.events) == {CONSENT, cited, event(1)}


@pytest.mark.parametrize("are_together", [True, False])
def test_blocks_that_become_final_together_pass_an_event_over_once(are_together: bool) -> None:
    leader, other = ExampleChain(NETWORK), ExampleChain(NETWORK)
    other.submit(CONSENT)
    blocks: list[Block] = []
    for number in range(PASSES_MIN):
        blocks.append(leader.proposed(event(number), parent=blocks[-1] if blocks else None))
    for together in [blocks] if are_together else [[block] for block in blocks]:
        other.finalize(*together)

    assert other.chain.is_wanted(other.chain.head_hash) == are_together
