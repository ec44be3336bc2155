"""What others call final is believed only byte for byte, and only from our head on."""

import pytest
from msgspec.structs import replace

from protocol import follower as module
from protocol.blocks import Block, FinalizedBlocks, block_hash
from protocol.codec import encode
from protocol.errors import InvalidBlock, InvalidCertificate, ProtocolError
from protocol.follower import GOSSIPED_BLOCKS_MAX, Follower, Place, gossiped
from protocol.votes import Certificate, VoteKind
from tests.protocol.example_chain import ExampleChain, changed
from tests.protocol.examples import make_certificate, make_network, records_committed, token

NETWORK = make_network()
CLINIC = NETWORK.members[0]


def make_blocks(count: int) -> list[Block]:
    example = ExampleChain(NETWORK)
    blocks: list[Block] = []
    for number in range(count):
        signed = records_committed(NETWORK, CLINIC, root=token(f"root {number}"))
        blocks.append(example.proposed(signed, parent=blocks[-1] if blocks else None))
    return blocks


BLOCKS = make_blocks(4)


def certificate_of(block: Block, kind: VoteKind = VoteKind.FINALIZE) -> Certificate:
    name = block_hash(block.header)
    return make_certificate(NETWORK, kind=kind, view=block.header.view, block=name)


def final(*blocks: Block) -> FinalizedBlocks:
    return FinalizedBlocks(blocks, certificate_of(blocks[-1]))


@pytest.fixture
def follower() -> Follower:
    """Follow a chain whose head is the first of the blocks."""
    example = ExampleChain(NETWORK)
    example.finalize(BLOCKS[0])
    return Follower(chain=example.chain, genesis=NETWORK.genesis, verifier=example.verifier)


@pytest.mark.parametrize(
    ("blocks", "place"),
    [
        (BLOCKS[:1], Place.KNOWN),
        (BLOCKS[:2], Place.NEXT),
        (BLOCKS[1:], Place.NEXT),
        (BLOCKS[2:], Place.AHEAD),
    ],
)
def test_blocks_have_their_place(follower: Follower, blocks: list[Block], place: Place) -> None:
    assert follower.judge(final(*blocks)) is place


def test_only_what_is_above_our_head_is_taken(follower: Follower) -> None:
    assert follower.fresh(final(*BLOCKS[:3])) == tuple(BLOCKS[1:3])


def test_a_final_block_beside_our_head_is_a_fork(follower: Follower) -> None:
    rival = changed(BLOCKS[1], parent=token("another block of height 1"))

    assert follower.judge(final(rival)) is Place.BESIDE


def test_a_block_with_another_body_is_refused(follower: Follower) -> None:
    """The certificate vouches for the header alone; believing the body made the node halt."""
    block = BLOCKS[1]
    exchanged = Block(block.header, BLOCKS[2].events)

    with pytest.raises(InvalidBlock, match="not those of the header"):
        follower.judge(final(exchanged))


LIES: list[FinalizedBlocks] = [
    final(BLOCKS[1], BLOCKS[3]),
    final(BLOCKS[2], BLOCKS[1]),
    final(BLOCKS[1], BLOCKS[1]),
    FinalizedBlocks((BLOCKS[1],), certificate_of(BLOCKS[2])),
    FinalizedBlocks((BLOCKS[1],), certificate_of(BLOCKS[1], VoteKind.NOTARIZE)),
    FinalizedBlocks((BLOCKS[2],), certificate_of(BLOCKS[2], VoteKind.NOTARIZE)),
]


@pytest.mark.parametrize("lie", LIES)
def test_blocks_and_certificate_must_belong_together(
    follower: Follower, lie: FinalizedBlocks
) -> None:
    with pytest.raises(InvalidBlock):
        follower.judge(lie)


def test_a_quorum_must_have_signed(follower: Follower) -> None:
    good = certificate_of(BLOCKS[1])
    few = replace(good, signers=good.signers[1:], signatures=good.signatures[1:])
    forged = replace(good, signatures=(bytes(64), *good.signatures[1:]))

    for certificate in (few, forged):
        with pytest.raises(InvalidCertificate):
            follower.judge(FinalizedBlocks((BLOCKS[1],), certificate))


def test_an_epoch_that_we_do_not_know_yet_proves_nothing(follower: Follower) -> None:
    later = replace(certificate_of(BLOCKS[1]), epoch=1)

    assert follower.judge(FinalizedBlocks(tuple(BLOCKS[:2]), later)) is Place.UNPROVEN


@pytest.mark.parametrize(
    ("blocks", "tail"),
    [
        ((changed(BLOCKS[1], epoch=1),), ()),
        ((changed(BLOCKS[1], is_tail=True),), ()),
        ((BLOCKS[1],), (BLOCKS[2],)),
        ((BLOCKS[1],), (changed(BLOCKS[3], is_tail=True),)),
    ],
)
def test_authorities_finalize_their_own_epoch_and_tails_only_behind_it(
    follower: Follower, blocks: tuple[Block, ...], tail: tuple[Block, ...]
) -> None:
    certificate = certificate_of((*blocks, *tail)[-1])

    with pytest.raises(InvalidBlock):
        follower.judge(FinalizedBlocks(blocks, certificate, tail))


def test_a_height_far_ahead_must_be_proved(follower: Follower) -> None:
    far = changed(BLOCKS[3], height=10**6)

    with pytest.raises(ProtocolError):
        follower.judge(FinalizedBlocks((far,), certificate_of(BLOCKS[3])))


def test_what_one_certificate_finalizes_is_gossiped_together() -> None:
    assert gossiped(BLOCKS, certificate_of(BLOCKS[-1])) == final(*BLOCKS)


def test_of_many_blocks_the_newest_are_gossiped() -> None:
    many = [BLOCKS[0]] * GOSSIPED_BLOCKS_MAX + BLOCKS[1:2]
    certificate = certificate_of(BLOCKS[1])

    assert gossiped(many, certificate).blocks == tuple(many[1:])


def test_no_more_is_gossiped_than_a_message_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GOSSIP_SIZE_MAX", len(encode(final(*BLOCKS[2:]))))
    certificate = certificate_of(BLOCKS[-1])
    assert gossiped(BLOCKS, certificate).blocks == tuple(BLOCKS[2:])

    monkeypatch.setattr(module, "GOSSIP_SIZE_MAX", 1)
    assert gossiped(BLOCKS, certificate).blocks == (BLOCKS[-1],)
