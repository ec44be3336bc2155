"""What others signed in a message, wherever in it: votes and certificates, good or not."""

from collections.abc import Iterator
from typing import Any

from protocol.blocks import FinalizedBlocks
from protocol.codec import decode
from protocol.errors import DecodeError
from protocol.messages import (
    GOSSIP_SIZE_MAX,
    Gossiped,
    Payload,
    Proposal,
    Status,
    Topic,
    VotesSeen,
)
from protocol.votes import Certificate, Vote, votes_of


def certificates_in(message: Any) -> Iterator[Certificate]:
    """Yield all certificates that the message holds."""
    match message:
        case Certificate():
            yield message
        case Proposal(justification=justification):
            yield from justification
        case Status(certificate=Certificate() as certificate):
            yield certificate
        case FinalizedBlocks(certificate=certificate):
            yield certificate
        case Payload(topic=Topic.BLOCKS, content=content):
            yield from certificates_in(_decoded(content))
        case _:
            pass


def votes_in(message: Any) -> Iterator[Vote]:
    """Yield all votes that the message holds, those of its certificates included."""
    match message:
        case Vote():
            yield message
        case Proposal(vote=vote):
            yield vote
        case VotesSeen(votes=votes):
            yield from votes
        case _:
            pass
    for certificate in certificates_in(message):
        if len(certificate.signers) == len(certificate.signatures):
            yield from votes_of(certificate)


def _decoded(content: bytes) -> Any:
    try:
        return decode(content, Gossiped, GOSSIP_SIZE_MAX)
    except DecodeError:
        return None
