"""A light client goes from the genesis to any epoch, and no further than quorums take it."""

import pytest
from msgspec.structs import replace

from protocol.blocks import Header, block_hash
from protocol.codec import decode, encode
from protocol.errors import InvalidBlock, InvalidCertificate
from protocol.genesis import Authority, authorities_hash
from protocol.identity import Verifier
from protocol.light import EpochProof, FinalHeader, LightClient
from protocol.votes import NO_BLOCK, Certificate, VoteKind, assemble_certificate, sign_vote
from tests.protocol.examples import Party, make_network, make_party, token

NETWORK = make_network(authority_count=4)
OTHERS = tuple(sorted((make_party(f"new {n}") for n in range(7)), key=lambda party: party.id))
SETS = (NETWORK.authorities, OTHERS[:4], OTHERS)
"""Who votes in epochs 0, 1 and 2."""


def authorities_of(parties: tuple[Party, ...]) -> tuple[Authority, ...]:
    return tuple(
        next((a for a in NETWORK.genesis.authorities if a.member == party.id), None)
        or _authority(party)
        for party in parties
    )


def _authority(party: Party) -> Authority:
    like = NETWORK.genesis.authorities[0]
    return replace(like, member=party.id, voting_key=party.voting_key.public)


def header_of(epoch: int, **changes: object) -> Header:
    following = epoch + 1
    names_next = following < len(SETS)
    header = Header(
        version=1,
        network=NETWORK.id,
        epoch=epoch,
        view=5,
        height=10 * following,
        parent=token("parent"),
        parent_view=4,
        timestamp=1,
        proposer=0,
        is_tail=False,
        event_count=0,
        events_root=token("events"),
        state_digest=token("state"),
        authorities=authorities_hash(epoch, authorities_of(SETS[epoch])),
        next_authorities=authorities_hash(following, authorities_of(SETS[following]))
        if names_next
        else NO_BLOCK,
    )
    return replace(header, **changes)


def tail_of(parent: Header) -> Header:
    return replace(
        parent,
        parent=block_hash(parent),
        is_tail=True,
        view=parent.view + 1,
        height=parent.height + 1,
    )


def certify(header: Header, parties: tuple[Party, ...], **changes: object) -> Certificate:
    said = {
        "kind": VoteKind.FINALIZE,
        "epoch": header.epoch,
        "view": header.view,
        "block": block_hash(header),
    } | changes
    votes = [
        sign_vote(party.voting_key, NETWORK.id, signer=signer, **said)  # type: ignore[arg-type]
        for signer, party in enumerate(parties)
    ]
    return assemble_certificate(votes, len(parties))


def final(epoch: int, **changes: object) -> FinalHeader:
    header = header_of(epoch, **changes)
    return FinalHeader(header, (), certify(header, SETS[epoch]))


def proof(epoch: int) -> EpochProof:
    return EpochProof(final(epoch), authorities_of(SETS[epoch + 1]))


@pytest.fixture
def light() -> LightClient:
    return LightClient(NETWORK.genesis, Verifier())


def test_it_walks_from_the_genesis_to_any_epoch(light: LightClient) -> None:
    for epoch in (0, 1):
        light.advance(proof(epoch))

    assert (light.epoch, light.authorities) == (2, authorities_of(SETS[2]))
    light.validate(final(2))


def test_a_proof_is_the_same_after_a_journey() -> None:
    assert decode(encode(proof(0)), EpochProof) == proof(0)


def test_a_descendant_may_hold_the_certificate(light: LightClient) -> None:
    header = header_of(0)
    tail = (tail_of(header), tail_of(tail_of(header)))
    certificate = certify(tail[-1], SETS[0])

    light.advance(EpochProof(FinalHeader(header, tail, certificate), authorities_of(SETS[1])))
    assert light.epoch == 1


def test_no_epoch_can_be_left_out(light: LightClient) -> None:
    with pytest.raises(InvalidBlock, match="of epoch 1 and not of 0"):
        light.advance(proof(1))


def test_a_set_that_the_header_does_not_name_is_refused(light: LightClient) -> None:
    with pytest.raises(InvalidBlock, match="next authorities"):
        light.advance(EpochProof(final(0), authorities_of(SETS[2])))


def test_a_header_without_a_next_set_leads_nowhere(light: LightClient) -> None:
    with pytest.raises(InvalidBlock, match="next authorities"):
        light.advance(EpochProof(final(0, next_authorities=NO_BLOCK), authorities_of(SETS[1])))


def test_authorities_of_another_epoch_cannot_certify(light: LightClient) -> None:
    header = header_of(0)
    with pytest.raises(InvalidCertificate):
        light.validate(FinalHeader(header, (), certify(header, SETS[1])))


@pytest.mark.parametrize(
    "bad",
    [
        final(0, network=token("another")),
        final(0, is_tail=True),
        final(0, authorities=token("others")),
        FinalHeader(header_of(0), (), certify(header_of(0, view=6), SETS[0])),
        FinalHeader(header_of(0), (), certify(header_of(0), SETS[0], kind=VoteKind.NOTARIZE)),
        FinalHeader(header_of(0), (), certify(header_of(0), SETS[0], epoch=1)),
        FinalHeader(header_of(0), (), certify(header_of(0), SETS[0], view=6)),
        FinalHeader(header_of(0), (header_of(0, view=6),), certify(header_of(0, view=6), SETS[0])),
    ],
    ids=["network", "tail", "set", "block", "kind", "epoch", "view", "link"],
)
def test_what_does_not_fit_together_is_refused(light: LightClient, bad: FinalHeader) -> None:
    with pytest.raises((InvalidBlock, InvalidCertificate)):
        light.validate(bad)


def test_fewer_than_a_quorum_are_not_enough(light: LightClient) -> None:
    good = final(0)
    fewer = replace(
        good.certificate,
        signers=good.certificate.signers[:-1],
        signatures=good.certificate.signatures[:-1],
    )
    with pytest.raises(InvalidCertificate):
        light.validate(replace(good, certificate=fewer))


def test_a_refused_proof_changes_nothing(light: LightClient) -> None:
    with pytest.raises(InvalidBlock):
        light.advance(EpochProof(final(0), authorities_of(SETS[2])))
    light.advance(proof(0))
    assert light.epoch == 1
