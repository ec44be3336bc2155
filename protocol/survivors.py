"""What an authority can still tell when too many others are lost for ever.

Before it reports, it *freezes*: its vote log says durably that it signs nothing more in this epoch.
Then it says all that it knows above its final head: its own votes, certificates, and the blocks it
voted for. What it signed afterwards, if it lied about freezing, shows in the reports of others.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import msgspec

from protocol.blocks import Block, BlockHash, Header, block_hash, validate_block_form
from protocol.codec import Counter, Message, encode
from protocol.errors import ProtocolError
from protocol.genesis import Authority
from protocol.identity import (
    MemberId,
    NetworkId,
    Signature,
    SigningKey,
    Verifier,
    short,
    signing_bytes,
)
from protocol.state import EpochEntry
from protocol.votes import (
    Certificate,
    Vote,
    VoteKind,
    is_equivocation,
    validate_certificate,
    validate_vote,
    votes_of,
)

REPORT_VOTES_MAX = 4_096
REPORT_CERTIFICATES_MAX = 4_096
REPORT_BLOCKS_MAX = 256
REPORT_SIZE_MAX = 64 * 1024 * 1024
"""The largest encoded report in bytes."""


class SurvivorReport(Message, frozen=True, tag="survivor-report"):
    """All that a frozen authority knows above its final head. `certificate` finalizes the head.

    It is absent if nothing is final in this epoch yet; then the head is what the epoch stands on.
    `votes` are all its own, and those of the leaders for whose blocks it voted.
    """

    network: NetworkId
    epoch: Counter
    member: MemberId
    head: Header
    certificate: Certificate | None
    votes: Annotated[tuple[Vote, ...], msgspec.Meta(max_length=REPORT_VOTES_MAX)]
    certificates: Annotated[
        tuple[Certificate, ...], msgspec.Meta(max_length=REPORT_CERTIFICATES_MAX)
    ]
    blocks: Annotated[tuple[Block, ...], msgspec.Meta(max_length=REPORT_BLOCKS_MAX)]
    signature: Signature

    @property
    def finalized_view(self) -> int:
        return 0 if self.certificate is None else self.certificate.view


class InvalidReport(ProtocolError):
    """The report contradicts itself, or is not of this epoch."""

    code = "invalid-report"


class FrozenTooLate(InvalidReport):
    """A survivor has signed votes that its report does not have: it went on after reporting."""

    code = "frozen-too-late"


def sign_report(key: SigningKey, report: SurvivorReport) -> SurvivorReport:
    """Return the report with the signature of its member, who holds `key`."""
    assert report.member == key.public
    return msgspec.structs.replace(report, signature=key.sign(_statement(report)))


def validate_report(
    report: SurvivorReport, network: NetworkId, ended: EpochEntry, verifier: Verifier
) -> None:
    """Raise a `ProtocolError` unless an authority of the epoch signed a report that makes sense."""
    epoch, authorities = ended.epoch, ended.authorities
    if (report.network, report.epoch) != (network, epoch):
        raise InvalidReport("the report is about another network or epoch")
    signer_of(report, authorities)
    if not verifier.is_valid(report.member, _statement(report), report.signature):
        raise InvalidReport(f"{short(report.member)} did not sign this report")
    for certificate in _certificates(report):
        _validate_epoch(certificate.epoch, epoch)
        validate_certificate(certificate, network, authorities, verifier)
    for vote in report.votes:
        _validate_epoch(vote.epoch, epoch)
        validate_vote(vote, network, authorities, verifier)
    for block in report.blocks:
        _validate_epoch(block.header.epoch, epoch)
        validate_block_form(block)
    _validate_head(report, ended.base_height)
    _validate_own_votes(own_votes(report, authorities))


def validate_together(
    reports: Sequence[SurvivorReport], authorities: tuple[Authority, ...]
) -> None:
    """Raise `FrozenTooLate` if one report shows votes that another should have and has not.

    The reports have been validated one by one.
    """
    if len({report.member for report in reports}) != len(reports):
        raise InvalidReport("an authority reports once")
    seen = {(vote.signer, _said(vote)) for report in reports for vote in _votes_in(report)}
    for report in reports:
        signer = signer_of(report, authorities)
        own = {_said(vote) for vote in own_votes(report, authorities)}
        for other, said in sorted(seen):
            if other == signer and said[0] > report.finalized_view and said not in own:
                raise FrozenTooLate(
                    f"{short(report.member)} voted in view {said[0]}, and its report hides that"
                )


def signer_of(report: SurvivorReport, authorities: tuple[Authority, ...]) -> int:
    """Return the index of the report's author among the authorities of its epoch."""
    for index, authority in enumerate(authorities):
        if authority.member == report.member:
            return index
    raise InvalidReport(f"{short(report.member)} is no authority of this epoch")


def own_votes(report: SurvivorReport, authorities: tuple[Authority, ...]) -> tuple[Vote, ...]:
    """Return what the author of the report says that it signed."""
    signer = signer_of(report, authorities)
    return tuple(vote for vote in report.votes if vote.signer == signer)


def _certificates(report: SurvivorReport) -> Iterator[Certificate]:
    if report.certificate is not None:
        yield report.certificate
    yield from report.certificates


def _votes_in(report: SurvivorReport) -> Iterator[Vote]:
    yield from report.votes
    for certificate in _certificates(report):
        yield from votes_of(certificate)


def _said(vote: Vote) -> tuple[int, int, BlockHash]:
    return vote.view, int(vote.kind), vote.block


def _validate_epoch(found: int, epoch: int) -> None:
    if found != epoch:
        raise InvalidReport(f"something of epoch {found} is in a report of epoch {epoch}")


def _validate_head(report: SurvivorReport, base_height: int) -> None:
    certificate = report.certificate
    if report.head.network != report.network:
        raise InvalidReport("the head is of another network")
    if certificate is None:
        if report.head.height != base_height:
            raise InvalidReport("a head that nothing finalizes is the base of the epoch")
        return
    if certificate.kind != VoteKind.FINALIZE or certificate.block != block_hash(report.head):
        raise InvalidReport("the certificate does not finalize the head")


def _validate_own_votes(votes: Iterable[Vote]) -> None:
    by_view: dict[int, list[Vote]] = {}
    for vote in votes:
        earlier = by_view.setdefault(vote.view, [])
        if any(is_equivocation(other, vote) for other in earlier):
            raise InvalidReport(f"the author contradicts itself in view {vote.view}")
        earlier.append(vote)


def _statement(report: SurvivorReport) -> bytes:
    unsigned = msgspec.structs.replace(report, signature=bytes(64))
    return signing_bytes("survivor-report", report.network, encode(unsigned))
