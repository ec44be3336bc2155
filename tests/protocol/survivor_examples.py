"""Authorities with member, voting and recovery keys, and what they report when others are lost."""

from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block, block_hash
from protocol.codec import digest
from protocol.genesis import Authority
from protocol.identity import SigningKey, Verifier
from protocol.state import EpochEntry
from protocol.survivors import SurvivorReport, sign_report
from protocol.votes import Certificate, Vote, VoteKind
from tests.protocol.conversation import WORLD

VERIFIER = Verifier()
MEMBER_KEYS = sorted(
    (SigningKey(digest("member-key", bytes([number]))) for number in range(4)),
    key=lambda key: key.public,
)
RECOVERY_KEYS = [SigningKey(digest("recovery-key", bytes([number]))) for number in range(4)]
ENDED = EpochEntry(
    epoch=0,
    base_height=0,
    authorities=tuple(
        Authority(member=member.public, voting_key=voting.public, recovery_key=recovery.public)
        for member, voting, recovery in zip(MEMBER_KEYS, WORLD.keys, RECOVERY_KEYS, strict=True)
    ),
)


def report_from(
    author: int,
    *votes: Vote,
    head: Block = WORLD.base,
    certificate: Certificate | None = None,
    certificates: tuple[Certificate, ...] = (),
    blocks: tuple[Block, ...] = (),
    **changes: Any,
) -> SurvivorReport:
    """Return the signed report of an authority."""
    report = SurvivorReport(
        network=WORLD.network,
        epoch=0,
        member=MEMBER_KEYS[author].public,
        head=head.header,
        certificate=certificate,
        votes=votes,
        certificates=certificates,
        blocks=blocks,
        signature=bytes(64),
    )
    return sign_report(MEMBER_KEYS[author], replace(report, **changes))


def hashes(blocks: tuple[Block, ...]) -> list[bytes]:
    return [block_hash(block.header) for block in blocks]


N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
