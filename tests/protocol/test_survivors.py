"""The report of a survivor: what makes it one, and what shows that its author went on voting."""

import pytest
from msgspec.structs import replace

from protocol.codec import decode, encode
from protocol.consensus import CertificateLogged, OwnVote, ProposalLogged, report_of
from protocol.errors import InvalidBlock, InvalidCertificate, InvalidSignature, ProtocolError
from protocol.survivors import (
    REPORT_SIZE_MAX,
    FrozenTooLate,
    InvalidReport,
    SurvivorReport,
    own_votes,
    sign_report,
    validate_report,
    validate_together,
)
from tests.protocol.conversation import WORLD, block_on, certificate_of, leader_of, vote_of
from tests.protocol.survivor_examples import ENDED, MEMBER_KEYS, VERIFIER, F, N, X, report_from

FIRST = block_on(WORLD.base, 1, 7)
OTHER = block_on(WORLD.base, 1, 8)
NOTARIZATION = certificate_of(N, 1, FIRST)
FINALIZATION = certificate_of(F, 1, FIRST)
LEADER = leader_of(1)
AUTHOR = next(signer for signer in range(4) if signer != LEADER)
GOOD = report_from(
    AUTHOR,
    vote_of(AUTHOR, N, 1, FIRST),
    vote_of(LEADER, N, 1, FIRST),
    certificates=(NOTARIZATION,),
    blocks=(FIRST,),
)


def check(report: SurvivorReport) -> None:
    validate_report(report, WORLD.network, ENDED, VERIFIER)


def test_a_log_and_a_head_make_a_good_report() -> None:
    log = (
        ProposalLogged(FIRST, vote_of(LEADER, N, 1, FIRST)),
        OwnVote(vote_of(AUTHOR, N, 1, FIRST)),
        CertificateLogged(NOTARIZATION),
        OwnVote(vote_of(AUTHOR, F, 1, FIRST)),
    )
    report = report_of(
        log,
        network=WORLD.network,
        epoch=0,
        key=MEMBER_KEYS[AUTHOR],
        head=WORLD.base,
        certificate=None,
    )

    check(report)
    assert {vote.kind for vote in own_votes(report, ENDED.authorities)} == {N, F}
    assert report.blocks == (FIRST,)
    assert report.certificates == (NOTARIZATION,)
    assert decode(encode(report), SurvivorReport, REPORT_SIZE_MAX) == report


def test_what_is_settled_is_not_reported() -> None:
    report = report_of(
        (OwnVote(vote_of(AUTHOR, N, 1, FIRST)), OwnVote(vote_of(AUTHOR, X, 2))),
        network=WORLD.network,
        epoch=0,
        key=MEMBER_KEYS[AUTHOR],
        head=FIRST,
        certificate=FINALIZATION,
    )

    check(report)
    assert report.votes == (vote_of(AUTHOR, X, 2),)


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        (replace(GOOD, epoch=1), InvalidReport),
        (replace(GOOD, network=bytes(32)), InvalidReport),
        (replace(GOOD, votes=()), InvalidReport),
        (replace(GOOD, member=bytes(32)), InvalidReport),
        (report_from(AUTHOR, head=FIRST), InvalidReport),
        (report_from(AUTHOR, head=OTHER, certificate=FINALIZATION), InvalidReport),
        (report_from(AUTHOR, head=FIRST, certificate=NOTARIZATION), InvalidReport),
        (report_from(AUTHOR, replace(vote_of(AUTHOR, X, 1), epoch=1)), InvalidReport),
        (report_from(AUTHOR, vote_of(AUTHOR, X, 1), vote_of(AUTHOR, F, 1, FIRST)), InvalidReport),
        (report_from(AUTHOR, replace(vote_of(AUTHOR, X, 1), view=2)), InvalidSignature),
        (
            report_from(
                AUTHOR, certificates=(replace(NOTARIZATION, signers=NOTARIZATION.signers[:2]),)
            ),
            InvalidCertificate,
        ),
        (report_from(AUTHOR, blocks=(replace(FIRST, events=OTHER.events),)), InvalidBlock),
    ],
)
def test_a_bad_report_is_refused(bad: SurvivorReport, error: type[ProtocolError]) -> None:
    with pytest.raises(error):
        check(bad)


def test_to_notarize_and_nullify_is_no_contradiction() -> None:
    check(report_from(AUTHOR, vote_of(AUTHOR, X, 1), vote_of(AUTHOR, N, 1, FIRST)))


def test_who_voted_after_its_report_is_found_by_the_reports_of_others() -> None:
    other = next(signer for signer in range(4) if signer not in (AUTHOR, LEADER))
    early = report_from(AUTHOR, vote_of(AUTHOR, N, 1, FIRST))
    signers = tuple(sorted({AUTHOR, LEADER, other}))
    shown = report_from(other, certificates=(certificate_of(F, 1, FIRST, signers),))

    validate_together([early, report_from(other)], ENDED.authorities)
    with pytest.raises(FrozenTooLate):
        validate_together([early, shown], ENDED.authorities)
    leading = report_from(LEADER)
    with pytest.raises(FrozenTooLate):
        validate_together([GOOD, leading], ENDED.authorities)


def test_votes_that_were_settled_need_not_be_reported() -> None:
    settled = report_from(0, head=FIRST, certificate=FINALIZATION)
    shown = report_from(1, vote_of(1, N, 1, FIRST), vote_of(1, F, 1, FIRST))
    behind = replace(shown, certificates=(NOTARIZATION,))

    validate_together([settled, sign_report(MEMBER_KEYS[1], behind)], ENDED.authorities)


def test_an_authority_reports_once() -> None:
    with pytest.raises(InvalidReport):
        validate_together([GOOD, GOOD], ENDED.authorities)
