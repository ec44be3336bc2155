"""Signatures of many events are checked in threads, and then not again by the core."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from daemon.signatures import CHECKS_MIN, check_signatures
from daemon.storage.store import ChainStore
from protocol.blocks import Block, FinalizedBlocks, genesis_block
from protocol.consensus import Instant
from protocol.core import Core
from protocol.digest import StateDigest
from protocol.effects import Effect, MessageReceived, StoreBlocks
from protocol.identity import Verifier, is_valid_signature
from protocol.ledger import genesis_changes
from protocol.origin import Origin
from tests.daemon.executed_chains import ExecutedChain
from tests.protocol.examples import CREATED_AT, consent_given, make_key, make_network, token

NETWORK = make_network(member_count=1)
MEMBER = NETWORK.members[0]
PEER = NETWORK.authorities[0]
SIGNERS = 3
"""Of a certificate."""


class Watched:
    """Checks signatures for a core, and counts how many it was asked for."""

    def __init__(self) -> None:
        self.count = 0

    def is_valid(self, key: bytes, message: bytes, signature: bytes) -> bool:
        self.count += 1
        return is_valid_signature(key, message, signature)


def make_core(watched: Watched) -> Core:
    changes = genesis_changes(NETWORK.genesis)
    digest = StateDigest().updated({}, changes)
    return Core(
        Origin(
            genesis=NETWORK.genesis,
            key=MEMBER.key,
            voting_keys=(),
            head=genesis_block(NETWORK.genesis, digest.root),
            certificate=None,
            state={key: value for key, value in changes.items() if value is not None},
            digest=digest,
            verifier=Verifier(watched.is_valid),
            sequence=1,
        )
    )


@pytest.fixture
def chain(tmp_path: Path) -> FinalizedBlocks:
    """Return two blocks with enough events for threads, all signed."""
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        grants = [
            consent_given(NETWORK, make_key(f"{n}"), PEER, consent=token(f"{n}", 16))
            for n in range(CHECKS_MIN)
        ]
        half = CHECKS_MIN // 2
        ExecutedChain(store, NETWORK).add(grants[:half], grants[half:])
        found = store.finalized_range(1, 2, 2**22)
    assert found is not None
    return found


def take_in(core: Core, finalized: FinalizedBlocks) -> list[Effect]:
    return core.step(Instant(0, CREATED_AT), MessageReceived(PEER.id, finalized))


def with_bad_signature(block: Block) -> Block:
    first, *others = block.events
    forged = replace(first, signatures=(bytes(64),))
    return replace(block, events=(forged, *others))


async def test_the_core_checks_only_what_threads_did_not(chain: FinalizedBlocks) -> None:
    watched = Watched()
    core = make_core(watched)
    await check_signatures(core, chain)
    assert watched.count == SIGNERS

    effects = take_in(core, chain)

    assert watched.count == SIGNERS
    assert any(isinstance(effect, StoreBlocks) for effect in effects)


async def test_blocks_that_are_not_what_a_quorum_made_final_cost_their_certificate_alone(
    chain: FinalizedBlocks,
) -> None:
    watched = Watched()
    core = make_core(watched)
    forged = replace(chain, blocks=(with_bad_signature(chain.blocks[0]), chain.blocks[1]))
    await check_signatures(core, forged)
    assert watched.count <= SIGNERS

    take_in(core, chain)

    assert watched.count == SIGNERS + CHECKS_MIN, "nothing was remembered"


async def test_few_signatures_are_left_to_the_core(chain: FinalizedBlocks) -> None:
    watched = Watched()
    core = make_core(watched)
    await check_signatures(core, replace(chain, blocks=chain.blocks[:1]))
    assert watched.count == 0
