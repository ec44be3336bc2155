"""Nothing that a member can say makes a core raise: it is taken, ignored or blamed.

Good messages are spoilt one field at a time: numbers at the ends of their range, other bytes, runs
that are shorter, longer or in another order. What is still a message goes to a member's core and
to an authority's, from an authority and from a member.
"""

from random import Random
from typing import Any

import msgspec
import pytest

from protocol.blocks import FinalizedBlocks, block_hash
from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.messages import (
    BlockSent,
    BlockWanted,
    CertificateWanted,
    Graft,
    Have,
    Payload,
    PeerMessage,
    Proposal,
    Prune,
    RangeWanted,
    Status,
    Topic,
)
from protocol.votes import VoteKind
from tests.protocol.authority_examples import equivocation
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.example_node import ExampleNode
from tests.protocol.examples import (
    consent_given,
    disclosure,
    make_bundle,
    make_certificate,
    make_key,
    make_network,
    make_party,
    make_peer_record,
    make_vote,
    member_admitted,
    records_committed,
    token,
)

NETWORK = make_network()
FIRST, SECOND = NETWORK.authorities[:2]
CLINIC, OTHER = NETWORK.members
PATIENT = make_key("patient")
ROUNDS = 1_000
NUMBERS = (0, 1, 2, 3, 7, 64, 255, 1_000, 2**31, 2**53 - 1, 2**63 - 1)


def good_messages() -> list[Any]:
    """Return messages of all kinds, most of which belong to a chain of two blocks."""
    ledger = ExampleLedger(NETWORK)
    first, finalization, _ = ledger.next_block(
        consent_given(NETWORK, PATIENT, CLINIC), records_committed(NETWORK, CLINIC)
    )
    second, other, _ = ledger.next_block(disclosure(NETWORK, PATIENT, CLINIC, OTHER))
    bundle = make_bundle(
        NETWORK,
        OTHER,
        member_admitted(NETWORK, make_party("newcomer"), FIRST),
        equivocation(NETWORK, OTHER, 3),
    )
    blocks = FinalizedBlocks((first, second), other)
    leader = first.header.proposer
    vote = make_vote(NETWORK, leader, block=block_hash(first.header))
    nullification = make_certificate(NETWORK, kind=VoteKind.NULLIFY, view=3)
    return [
        FinalizedBlocks((first,), finalization),
        blocks,
        Payload(Topic.BLOCKS, encode(blocks)),
        Payload(Topic.EVENTS, encode(bundle)),
        Payload(Topic.PEERS, encode(make_peer_record(NETWORK, OTHER))),
        bundle,
        Proposal(first, vote, (nullification, finalization)),
        vote,
        make_vote(NETWORK, 2, kind=VoteKind.NULLIFY),
        nullification,
        finalization,
        Status(0, 3, 1, finalization, 0),
        Have(Topic.BLOCKS, (token("a", 16), token("b", 16))),
        Graft(Topic.EVENTS, (token("a", 16),)),
        Prune(Topic.PEERS),
        RangeWanted(1, 5),
        BlockWanted(block_hash(first.header)),
        BlockSent(first),
        CertificateWanted(0, 1),
    ]


MESSAGES = good_messages()


def spoilt(value: Any, chance: Random) -> Any:
    """Return the value with one thing changed, somewhere within."""
    match value:
        case list() if value and chance.random() < 0.8:
            index = chance.randrange(len(value))
            return [*value[:index], spoilt(value[index], chance), *value[index + 1 :]]
        case list():
            return chance.choice([value[:-1], value + value, value[::-1], []])
        case bool():
            return not value
        case int():
            return chance.choice([*NUMBERS, value + 1, max(0, value - 1)])
        case bytes():
            return _other_bytes(value, chance)
        case _:
            return value


def _other_bytes(value: bytes, chance: Random) -> bytes:
    """Return zeros, the bytes with one changed, or a spoilt message if they hold one."""
    try:
        inner = msgspec.msgpack.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        inner = None
    if isinstance(inner, list) and chance.random() < 0.9:
        return msgspec.msgpack.encode(spoilt(inner, chance))
    if not value or chance.random() < 0.4:
        return bytes(len(value))
    index = chance.randrange(len(value))
    return value[:index] + bytes([value[index] ^ 1]) + value[index + 1 :]


def spoilt_message(message: Any, chance: Random) -> Any | None:
    """Return a message that differs, or `None` if it is none any more."""
    fields = msgspec.msgpack.decode(encode(message))
    for _ in range(chance.choice((1, 1, 2, 4))):
        fields = spoilt(fields, chance)
    try:
        return decode(msgspec.msgpack.encode(fields), PeerMessage)
    except DecodeError:
        return None


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_no_message_makes_a_core_raise(message: Any) -> None:
    chance = Random(encode(message))
    nodes = [ExampleNode(NETWORK, party, SECOND, OTHER) for party in (CLINIC, FIRST)]
    heard = 0
    for _ in range(ROUNDS):
        lie = spoilt_message(message, chance)
        if lie is None:
            continue
        heard += 1
        for node in nodes:
            node.now += 10
            for sender in (SECOND, OTHER):
                node.hear(sender, lie)

    assert heard > ROUNDS // 20
    assert [node.core.chain.height for node in nodes] in ([0, 0], [1, 1], [2, 2])


def test_all_kinds_of_messages_in_any_order_make_no_core_raise() -> None:
    chance = Random(1)
    nodes = [ExampleNode(NETWORK, party, SECOND, OTHER) for party in (CLINIC, FIRST)]
    for _ in range(2_000):
        message = chance.choice(MESSAGES)
        lie = message if chance.random() < 0.3 else spoilt_message(message, chance)
        if lie is not None:
            for node in nodes:
                node.now += 10
                node.hear(chance.choice((SECOND, OTHER)), lie)

    assert [node.core.chain.height for node in nodes] == [2, 2]
