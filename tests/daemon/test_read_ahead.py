"""Answers come before the core wants them, in its order, and nothing else changes for it."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trio

from daemon.driver import Driver
from daemon.read_ahead import ANSWERS_MAX, Answer, Fate, ReadAhead
from daemon.storage.proofs import range_answer
from daemon.storage.store import ChainStore
from protocol.blocks import FinalizedBlocks, genesis_block
from protocol.codec import decode, encode
from protocol.core import Core
from protocol.digest import StateDigest
from protocol.effects import MessageReceived
from protocol.errors import ProtocolError
from protocol.identity import MemberId
from protocol.ledger import genesis_changes
from protocol.messages import PeerMessage, RangeWanted, Status
from protocol.origin import Origin
from tests.daemon.executed_chains import ExecutedChain
from tests.daemon.stored_chains import finalize, make_chain
from tests.eventually import eventually
from tests.protocol.examples import consent_given, make_key, make_network, token

ANN, BOB = (token(name) for name in ("ann", "bob"))
CHAIN = make_chain(40)


@dataclass
class Peers:
    """What they were asked, and the part that asks them."""

    questions: list[tuple[MemberId, int, int]] = field(default_factory=list)
    ahead: ReadAhead = field(init=False)

    def __post_init__(self) -> None:
        self.ahead = ReadAhead(self._ask)

    def _ask(self, peer: MemberId, wanted: RangeWanted) -> None:
        self.questions.append((peer, wanted.first, wanted.last))

    def want(self, peer: MemberId, first: int, last: int = 40) -> tuple[int, int] | None:
        """Return the heights that the core has at once."""
        answer = self.ahead.want(peer, RangeWanted(first, last))
        return None if answer is None else (answer.first, answer.last)

    def say(self, peer: MemberId, first: int, last: int) -> Fate:
        blocks = tuple(CHAIN[first - 1 : last])
        return self.ahead.arrived(
            Answer(peer, FinalizedBlocks(blocks, finalize(blocks[-1]), ()), 1)
        )


@pytest.fixture
def peers() -> Peers:
    return Peers()


def test_what_follows_an_answer_is_asked_for_when_it_comes(peers: Peers) -> None:
    assert peers.want(ANN, 1) is None
    assert peers.say(ANN, 1, 5) is Fate.NOW
    assert peers.questions == [(ANN, 1, 40), (ANN, 6, 40)]

    assert peers.say(ANN, 6, 9) is Fate.LATER
    assert peers.questions[2:] == [(ANN, 10, 40)]
    assert peers.want(ANN, 6) == (6, 9)
    assert len(peers.questions) == 3, "the peer was asked for no block twice"


def test_only_few_answers_are_kept(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 1)
    for height in range(2, 2 + ANSWERS_MAX):
        assert peers.say(ANN, height, height) is Fate.LATER
    assert len(peers.questions) == 1 + ANSWERS_MAX

    assert peers.want(ANN, 2) == (2, 2)
    assert peers.questions[-1] == (ANN, 2 + ANSWERS_MAX, 40)


def test_an_answer_that_the_core_wants_by_now_does_not_wait(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 5)
    assert peers.want(ANN, 6) is None
    assert len(peers.questions) == 2
    assert peers.say(ANN, 6, 9) is Fate.NOW


def test_nothing_is_asked_for_beyond_the_range_of_the_core(peers: Peers) -> None:
    peers.want(ANN, 1, last=9)
    peers.say(ANN, 1, 5)
    peers.say(ANN, 6, 9)
    assert peers.questions == [(ANN, 1, 9), (ANN, 6, 9)]


def test_another_peer_is_asked_anew(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 5)
    peers.say(ANN, 6, 9)
    assert peers.want(BOB, 6) is None
    assert peers.questions[-1] == (BOB, 6, 40)
    assert peers.say(ANN, 10, 12) is Fate.NEVER, "it is not to blame for our question"
    assert peers.say(BOB, 6, 9) is Fate.NOW


def test_what_does_not_come_is_asked_for_again(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 5)
    peers.want(ANN, 6)
    assert peers.want(ANN, 6) is None
    assert peers.questions[-2:] == [(ANN, 6, 40), (ANN, 6, 40)]


def test_blocks_that_came_otherwise_are_not_wanted_any_more(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 5)
    peers.say(ANN, 6, 9)
    peers.ahead.advanced(9)
    assert peers.want(ANN, 10) is None
    assert peers.say(ANN, 10, 12) is Fate.NOW


def test_a_part_of_an_answer_is_worth_having(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 5)
    peers.say(ANN, 6, 9)
    assert peers.want(ANN, 8) == (6, 9)


def test_an_answer_that_ends_too_early_is_followed_by_the_right_question(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 5)
    assert peers.want(ANN, 10) is None
    assert peers.questions[-1] == (ANN, 6, 40), "a peer answers one question at a time"
    assert peers.say(ANN, 6, 9) is Fate.NEVER
    assert peers.questions[-1] == (ANN, 10, 40)


def test_what_nobody_asked_for_is_for_the_core(peers: Peers) -> None:
    assert peers.say(ANN, 1, 5) is Fate.NOW
    peers.want(ANN, 6)
    assert peers.say(BOB, 6, 9) is Fate.NOW
    assert peers.say(ANN, 6, 9) is Fate.NOW


def test_a_peer_that_is_back_is_asked_again(peers: Peers) -> None:
    peers.want(ANN, 1)
    peers.say(ANN, 1, 5)
    peers.ahead.left(ANN)
    assert peers.want(ANN, 6) is None
    assert peers.questions[-2:] == [(ANN, 6, 40), (ANN, 6, 40)]


def test_a_recovery_that_lies_ahead_is_asked_for_when_the_core_is_there(peers: Peers) -> None:
    assert not peers.ahead.declined(ANN)
    peers.want(ANN, 1)
    assert not peers.ahead.declined(ANN), "the core asked that itself"
    peers.say(ANN, 1, 5)
    assert not peers.ahead.declined(BOB)
    assert peers.ahead.declined(ANN)

    assert peers.want(ANN, 6) is None
    assert peers.questions[-2:] == [(ANN, 6, 40), (ANN, 6, 40)]
    assert not peers.ahead.declined(ANN)


NETWORK = make_network(member_count=1)
BLOCKS = 12
EVENTS_PER_BLOCK = 70
"""More than are needed to check signatures ahead."""


async def test_a_driver_takes_in_a_chain_whose_blocks_were_asked_for_ahead(tmp_path: Path) -> None:
    with (
        ChainStore.open(tmp_path / "theirs", NETWORK.id) as theirs,
        ChainStore.open(tmp_path / "ours", NETWORK.id) as ours,
    ):
        _fill(theirs)
        questions, blamed = await _sync(theirs, ours)
        assert ours.digest == theirs.digest
        assert [ours.block(height) for height in range(BLOCKS + 1)] == [
            theirs.block(height) for height in range(BLOCKS + 1)
        ]
    assert [first for first, _ in questions] == list(range(1, BLOCKS + 1)), "each of them once"
    assert any(first > height + 1 for first, height in questions), "none was asked ahead"
    assert blamed == []


def _fill(store: ChainStore) -> None:
    chain = ExecutedChain(store, NETWORK)
    for height in range(BLOCKS):
        labels = [f"{height} {number}" for number in range(EVENTS_PER_BLOCK)]
        chain.add(
            [
                consent_given(
                    NETWORK, make_key(label), NETWORK.authorities[0], consent=token(label, 16)
                )
                for label in labels
            ]
        )


async def _sync(
    theirs: ChainStore, ours: ChainStore
) -> tuple[list[tuple[int, int]], list[ProtocolError]]:
    """Let a driver with the store `ours` catch up with a peer.

    Return from which block on the peer was asked, each time with our height then, and the blames.
    """
    changes = genesis_changes(NETWORK.genesis)
    digest = StateDigest().updated({}, changes)
    ours.begin(genesis_block(NETWORK.genesis, digest.root), changes, digest.encode())
    origin = Origin(
        genesis=NETWORK.genesis,
        key=NETWORK.members[0].key,
        head=ours.head,
        certificate=None,
        state=ours,
        digest=digest,
        sequence=1,
    )
    asked, answering = trio.open_memory_channel[RangeWanted](4)
    questions: list[tuple[int, int]] = []
    blamed: list[ProtocolError] = []
    peer = NETWORK.authorities[0].id

    def send(member: MemberId, frame: bytes, _: bool) -> bool:
        message = decode(frame, PeerMessage)
        if isinstance(message, RangeWanted):
            assert member == peer
            asked.send_nowait(message)
        return True

    driver = Driver(
        core=Core(origin),
        origin=lambda: origin,
        store=ours,
        vote_log=None,
        send_frame=send,
        blame=lambda _, error: blamed.append(error),
    )

    async def answer() -> None:
        async for wanted in answering:
            questions.append((wanted.first, ours.height))
            found = range_answer(theirs, wanted.first, wanted.last, 2**22, size_wanted=1)
            driver.receive_frame(peer, encode(found))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer)
        await nursery.start(driver.run)
        status = Status(epoch=0, view=0, height=BLOCKS, certificate=None, lowest_height=0)
        await driver.put(MessageReceived(peer, status))
        await eventually(lambda: ours.height == BLOCKS)
        nursery.cancel_scope.cancel()
    return questions, blamed
