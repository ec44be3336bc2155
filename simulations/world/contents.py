"""What others signed in a message, wherever in it: votes and certificates, good or not."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from protocol import relay
from protocol.blocks import FinalizedBlocks
from protocol.errors import DecodeError
from protocol.messages import Payload, Proposal, Status, Topic, VotesSeen
from protocol.votes import Certificate, Vote, VoteKind, votes_of

ITEMS_REMEMBERED_MAX = 4_096
"""How many gossiped messages are remembered as they were read."""

SIGNED = frozenset({Certificate, Proposal, Status, FinalizedBlocks, Payload, Vote, VotesSeen})
"""The messages that may hold votes or certificates."""

read_item = lru_cache(maxsize=ITEMS_REMEMBERED_MAX)(relay.read_item)
"""Bytes always mean the same, so what one node of the process has read, the others need not read:
they get the same message, which nobody can change. Bytes that mean nothing are read by each."""


def certificates_in(message: Any) -> Iterator[Certificate]:
    """Yield all certificates that the message holds."""
    if type(message) not in SIGNED:
        return
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
            yield from certificates_in(_read(content))
        case _:
            pass


def votes_in(message: Any, kind: VoteKind | None = None) -> Iterator[Vote]:
    """Yield all votes (of a kind) that the message holds, those of its certificates included."""
    if type(message) not in SIGNED:
        return
    for vote in _lone_votes_in(message):
        if kind is None or vote.kind == kind:
            yield vote
    for certificate in certificates_in(message):
        if kind is not None and certificate.kind != kind:
            continue
        if len(certificate.signers) == len(certificate.signatures):
            yield from votes_of(certificate)


def _lone_votes_in(message: Any) -> tuple[Vote, ...]:
    match message:
        case Vote():
            return (message,)
        case Proposal(vote=vote):
            return (vote,)
        case VotesSeen(votes=votes):
            return votes
    return ()


def _read(content: bytes) -> Any:
    try:
        return read_item(content).message
    except DecodeError:
        return None
