"""When a vote counts, when votes make a certificate, and which two votes nobody honest signs."""

import pytest
from msgspec.structs import replace

from protocol.errors import InvalidCertificate, InvalidSignature
from protocol.identity import Verifier
from protocol.votes import (
    NO_BLOCK,
    Certificate,
    Vote,
    VoteKind,
    assemble_certificate,
    is_equivocation,
    validate_certificate,
    validate_vote,
    votes_of,
)
from tests.protocol.examples import Network, make_certificate, make_network, make_vote, token

NETWORK = make_network()
AUTHORITIES = NETWORK.genesis.authorities
NOTARIZE, NULLIFY, FINALIZE = VoteKind
ONE, OTHER = token("one"), token("other")
VOTE = make_vote(NETWORK, 1)
CERTIFICATE = make_certificate(NETWORK)


def check_vote(vote: Vote, network: Network = NETWORK) -> None:
    validate_vote(vote, network.id, AUTHORITIES, Verifier())


def check_certificate(certificate: Certificate, network: Network = NETWORK) -> None:
    validate_certificate(certificate, network.id, AUTHORITIES, Verifier())


@pytest.mark.parametrize("kind", VoteKind)
def test_a_signed_vote_counts(kind: VoteKind) -> None:
    check_vote(make_vote(NETWORK, 3, kind=kind, view=9))


@pytest.mark.parametrize(
    "forged",
    [
        replace(VOTE, kind=FINALIZE),
        replace(VOTE, epoch=1),
        replace(VOTE, view=2),
        replace(VOTE, block=OTHER),
        replace(VOTE, signer=2),
        replace(VOTE, signer=4),
        replace(VOTE, signer=99),
        replace(VOTE, signature=bytes(64)),
        replace(VOTE, block=NO_BLOCK),
        make_vote(NETWORK, 1, kind=NULLIFY, block=ONE),
        make_vote(NETWORK, 1, block=NO_BLOCK),
        make_vote(make_network(name="elsewhere"), 1),
    ],
)
def test_no_other_vote_counts(forged: Vote) -> None:
    with pytest.raises(InvalidSignature):
        check_vote(forged)


@pytest.mark.parametrize("kind", VoteKind)
def test_a_quorum_of_votes_is_a_certificate(kind: VoteKind) -> None:
    votes = [make_vote(NETWORK, signer, kind=kind) for signer in (3, 0, 2, 1)]
    certificate = assemble_certificate(votes, len(AUTHORITIES))

    assert certificate.signers == (0, 1, 2)
    assert votes_of(certificate) == sorted(votes, key=lambda vote: vote.signer)[:3]
    check_certificate(certificate)


def test_less_than_a_quorum_is_nothing() -> None:
    votes = [make_vote(NETWORK, signer) for signer in range(2)]
    with pytest.raises(AssertionError):
        assemble_certificate(votes, len(AUTHORITIES))


def with_signers(*signers: int) -> Certificate:
    signatures = tuple(make_vote(NETWORK, signer % 4).signature for signer in signers)
    return replace(CERTIFICATE, signers=signers, signatures=signatures)


@pytest.mark.parametrize(
    "wrong",
    [
        with_signers(),
        with_signers(0, 1),
        with_signers(0, 1, 2, 3),
        with_signers(0, 1, 1),
        with_signers(0, 2, 1),
        with_signers(1, 2, 4),
        with_signers(1, 2, 99),
        replace(CERTIFICATE, signatures=CERTIFICATE.signatures[:2]),
        replace(CERTIFICATE, signatures=CERTIFICATE.signatures[::-1]),
        replace(CERTIFICATE, signatures=(*CERTIFICATE.signatures[:2], bytes(64))),
        replace(CERTIFICATE, kind=NOTARIZE),
        replace(CERTIFICATE, kind=NULLIFY, block=NO_BLOCK),
        replace(CERTIFICATE, epoch=1),
        replace(CERTIFICATE, view=2),
        replace(CERTIFICATE, block=OTHER),
    ],
)
def test_no_other_certificate_proves_anything(wrong: Certificate) -> None:
    with pytest.raises(InvalidCertificate):
        check_certificate(wrong)


def test_a_certificate_of_another_network_proves_nothing() -> None:
    with pytest.raises(InvalidCertificate):
        check_certificate(CERTIFICATE, make_network(name="elsewhere"))


LEGAL = [
    ((NOTARIZE, ONE), (NOTARIZE, ONE)),
    ((NOTARIZE, ONE), (FINALIZE, ONE)),
    ((NOTARIZE, ONE), (NULLIFY, NO_BLOCK)),
    ((NULLIFY, NO_BLOCK), (NULLIFY, NO_BLOCK)),
]
CRIMES = [
    ((NOTARIZE, ONE), (NOTARIZE, OTHER)),
    ((FINALIZE, ONE), (FINALIZE, OTHER)),
    ((FINALIZE, ONE), (NULLIFY, NO_BLOCK)),
    ((FINALIZE, ONE), (NOTARIZE, OTHER)),
]


def votes(pair: tuple) -> list[Vote]:
    return [make_vote(NETWORK, 1, kind=kind, block=block) for kind, block in pair]


@pytest.mark.parametrize("pair", CRIMES)
def test_these_two_votes_prove_a_crime_in_either_order(pair: tuple) -> None:
    first, second = votes(pair)
    assert is_equivocation(first, second)
    assert is_equivocation(second, first)


@pytest.mark.parametrize("pair", LEGAL)
def test_these_two_votes_are_legal_in_either_order(pair: tuple) -> None:
    first, second = votes(pair)
    assert not is_equivocation(first, second)
    assert not is_equivocation(second, first)


@pytest.mark.parametrize("pair", CRIMES)
def test_votes_of_two_views_epochs_or_signers_are_legal(pair: tuple) -> None:
    first, second = votes(pair)
    for other in (replace(second, view=2), replace(second, epoch=1), replace(second, signer=2)):
        assert not is_equivocation(first, other)
