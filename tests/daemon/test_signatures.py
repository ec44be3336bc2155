"""Signatures of many events are checked in threads, and then not again by the core."""

from pathlib import Path

import pytest
import trio
from msgspec.structs import replace

from daemon.signatures import CHECKS_MIN, SignatureChecks, check_signatures
from daemon.storage.store import ChainStore
from protocol.blocks import Block, FinalizedBlocks, genesis_block
from protocol.consensus import Instant
from protocol.core import Core
from protocol.digest import StateDigest
from protocol.effects import Effect, MessageReceived, StoreBlocks
from protocol.events import SignedEvent
from protocol.identity import Verifier, is_valid_signature
from protocol.ledger import genesis_changes
from protocol.origin import Origin
from tests.daemon.executed_chains import ExecutedChain
from tests.protocol.examples import (
    CREATED_AT,
    Network,
    consent_given,
    make_key,
    make_network,
    token,
)

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


def make_core(watched: Watched, network: Network = NETWORK) -> Core:
    changes = genesis_changes(network.genesis)
    digest = StateDigest().updated({}, changes)
    return Core(
        Origin(
            genesis=network.genesis,
            key=MEMBER.key,
            voting_keys=(),
            head=genesis_block(network.genesis, digest.root),
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
    half = CHECKS_MIN // 2
    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        ExecutedChain(store, NETWORK).add(grants(0, half), grants(half, half))
        found = store.finalized_range(1, 2, 2**22)
    assert found is not None
    return found


@pytest.fixture
def answers(tmp_path: Path) -> list[FinalizedBlocks]:
    """Return two blocks, each with a certificate and enough events for threads."""
    with ChainStore.open(tmp_path / "answers", NETWORK.id) as store:
        chain = ExecutedChain(store, NETWORK)
        chain.add(grants(0, CHECKS_MIN))
        chain.add(grants(CHECKS_MIN, CHECKS_MIN))
        found = [store.finalized_range(height, height, 2**22) for height in (1, 2)]
    return [each for each in found if each is not None]


def grants(first: int, count: int) -> list[SignedEvent]:
    return [
        consent_given(NETWORK, make_key(f"{n}"), PEER, consent=token(f"{n}", 16))
        for n in range(first, first + count)
    ]


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


async def test_blocks_that_the_core_will_have_soon_are_checked_before(
    answers: list[FinalizedBlocks],
) -> None:
    watched, checks = Watched(), SignatureChecks()
    core = make_core(watched)
    async with trio.open_nursery() as nursery:
        checks.begin(core, answers[1], nursery)
    for finalized in answers:
        await checks.finish(core, finalized)
        take_in(core, finalized)

    assert core.chain.height == 2
    assert watched.count == 2 * SIGNERS


async def test_who_wants_blocks_waits_for_a_check_that_has_begun(
    answers: list[FinalizedBlocks],
) -> None:
    watched, checks = Watched(), SignatureChecks()
    core = make_core(watched)
    async with trio.open_nursery() as nursery:
        checks.begin(core, answers[0], nursery)
        await checks.finish(core, answers[0])
        take_in(core, answers[0])

        assert watched.count == SIGNERS


async def test_what_could_not_be_checked_before_is_checked_when_it_is_wanted(
    answers: list[FinalizedBlocks],
) -> None:
    """As long as the epoch before has not ended, its blocks are like those of another network."""
    watched, checks = Watched(), SignatureChecks()
    async with trio.open_nursery() as nursery:
        checks.begin(make_core(Watched(), make_network(name="other")), answers[0], nursery)
    core = make_core(watched)
    await checks.finish(core, answers[0])
    take_in(core, answers[0])

    assert watched.count == SIGNERS
