"""Every decoder: a round trip, arbitrary bytes, a changed byte, and a second implementation."""

import contextlib
from enum import Enum
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import example as also
from hypothesis import given
from hypothesis import strategies as st

from protocol.blocks import Block, FinalizedBlocks, Header
from protocol.codec import decode, encode
from protocol.errors import DecodeError
from protocol.events import Event, SignedEvent
from protocol.genesis import AUTHORITIES_MAX, Genesis
from protocol.messages import (
    ADDRESS_LENGTH_MAX,
    ADDRESSES_MAX,
    EVENTS_PER_BUNDLE_MAX,
    GOSSIP_SIZE_MAX,
    HAVE_IDS_MAX,
    JUSTIFICATION_MAX,
    Bundle,
    ConsensusMessage,
    Gossiped,
    Have,
    Payload,
    PeerMessage,
    PeerRecord,
    Proposal,
    RangeWanted,
    Status,
    Topic,
)
from protocol.votes import Certificate, Vote
from tests.protocol.wire_examples import BLOCK, MESSAGES, SIGNED_EVENTS, WIRE_EXAMPLES

NAMES = sorted(WIRE_EXAMPLES)
DECODED = [
    Genesis,
    Header,
    Block,
    FinalizedBlocks,
    Event,
    SignedEvent,
    Vote,
    Certificate,
    Vote | Certificate,
    PeerMessage,
    ConsensusMessage,
    Gossiped,
]

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=70)
    | st.sampled_from(["vote", "bundle", "disclosure", "status"]),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


def plain(value: Any) -> Any:
    """Return lists, numbers, strings and bytes: what a message is without its types."""
    match value:
        case msgspec.Struct():
            tag = value.__struct_config__.tag
            fields = [plain(getattr(value, name)) for name in value.__struct_fields__]
            return fields if tag is None else [tag, *fields]
        case Enum():
            return value.value
        case tuple():
            return [plain(each) for each in value]
    return value


@pytest.mark.parametrize("name", NAMES)
def test_what_is_encoded_is_decoded_the_same(name: str) -> None:
    wire = WIRE_EXAMPLES[name]
    data = encode(wire.message)
    assert decode(data, wire.expected) == wire.message
    with pytest.raises(DecodeError):
        decode(data, wire.expected, size_max=len(data) - 1)


@pytest.mark.parametrize("name", NAMES)
def test_another_implementation_encodes_the_same_bytes(name: str) -> None:
    message = WIRE_EXAMPLES[name].message
    data = encode(message)
    assert msgpack.packb(plain(message)) == data
    assert msgpack.unpackb(data) == plain(message)


@given(st.sampled_from(NAMES), st.data())
def test_a_changed_byte_is_refused_or_makes_another_message(name: str, data: st.DataObject) -> None:
    wire = WIRE_EXAMPLES[name]
    encoded = bytearray(encode(wire.message))
    index = data.draw(st.integers(0, len(encoded) - 1))
    encoded[index] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(DecodeError):
        changed = decode(bytes(encoded), wire.expected)
        assert changed != wire.message
        assert encode(changed) == encoded


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("signed-event/")])
def test_each_single_byte_of_an_event_counts(name: str) -> None:
    wire = WIRE_EXAMPLES[name]
    encoded = encode(wire.message)
    for index in range(0, len(encoded), 7 if len(encoded) > 1_000 else 1):
        changed = bytearray(encoded)
        changed[index] ^= 1
        with contextlib.suppress(DecodeError):
            assert decode(bytes(changed), wire.expected) != wire.message


@pytest.mark.parametrize("name", NAMES)
def test_bytes_that_end_early_or_go_on_are_refused(name: str) -> None:
    wire = WIRE_EXAMPLES[name]
    data = encode(wire.message)
    for wrong in (b"", data[:1], data[: len(data) // 2], data[:-1], data + b"\x00", data + data):
        with pytest.raises(DecodeError):
            decode(wrong, wire.expected)


@given(st.sampled_from(DECODED), st.binary(max_size=400))
@also(Genesis, b"\xdd\xff\xff\xff\xff")
@also(PeerMessage, b"\x91" * 5_000)
@also(PeerMessage, b"\x92\xa1\xff\x00")
@also(Gossiped, b"\xc6\xff\xff\xff\xff")
@also(SignedEvent, b"\x81\xc0\xc0")
def test_arbitrary_bytes_raise_nothing_but_decode_error(expected: Any, data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(data, expected)


@given(st.sampled_from(DECODED), anything)
def test_arbitrary_structures_raise_nothing_but_decode_error(expected: Any, value: Any) -> None:
    with contextlib.suppress(DecodeError):
        decode(msgpack.packb(value), expected)


@given(st.sampled_from(NAMES), st.data())
def test_a_message_with_a_strange_part_raises_nothing_but_decode_error(
    name: str, data: st.DataObject
) -> None:
    wire = WIRE_EXAMPLES[name]
    whole = part = plain(wire.message)
    while part:
        index = data.draw(st.integers(0, len(part) - 1))
        if not isinstance(part[index], list) or data.draw(st.integers(0, 3)) == 0:
            part[index] = data.draw(anything)
            break
        part = part[index]
    with contextlib.suppress(DecodeError):
        decode(msgpack.packb(whole), wire.expected)


@pytest.mark.parametrize("name", NAMES)
def test_one_field_more_or_less_is_refused(name: str) -> None:
    wire = WIRE_EXAMPLES[name]
    fields = plain(wire.message)
    for wrong in ([*fields, None], [*fields, 0], fields[:-1]):
        with pytest.raises(DecodeError):
            decode(msgpack.packb(wrong), wire.expected)


@pytest.mark.parametrize(
    ("canonical", "wasteful"),
    [
        (b"\x93\xacrange-wanted\x01\x02", b"\x93\xacrange-wanted\xcc\x01\x02"),
        (b"\x93\xacrange-wanted\x01\x02", b"\xdc\x00\x03\xacrange-wanted\x01\x02"),
        (b"\x93\xacrange-wanted\x01\x02", b"\x93\xd9\x0crange-wanted\x01\x02"),
        (b"\x93\xacrange-wanted\x01\x02", b"\x93\xacrange-wanted\xd0\x01\x02"),
        (b"\x93\xacrange-wanted\x01\x02", b"\x93\xacrange-wanted\xcb\x3f\xf0" + bytes(6) + b"\x02"),
        (b"\x93\xa7payload\x00\xc4\x01x", b"\x93\xa7payload\x00\xc5\x00\x01x"),
        (b"\x93\xa7payload\x00\xc4\x01x", b"\x93\xa7payload\x00\xa4eA=="),
    ],
)
def test_there_is_one_encoding_of_a_message(canonical: bytes, wasteful: bytes) -> None:
    decode(canonical, PeerMessage)
    with pytest.raises(DecodeError):
        decode(wasteful, PeerMessage)


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
@also(127, 128)
@also(255, 256)
@also(2**16 - 1, 2**16)
@also(2**32 - 1, 2**32)
@also(2**63 - 1, 0)
def test_numbers_of_all_sizes_are_encoded_alike(first: int, last: int) -> None:
    message = RangeWanted(first, last)
    data = encode(message)
    assert msgpack.packb(plain(message)) == data
    assert decode(data, PeerMessage) == message


@pytest.mark.parametrize("number", [-1, 2**63, 2**64 - 1])
def test_a_number_out_of_range_is_refused(number: int) -> None:
    with pytest.raises(DecodeError):
        decode(msgpack.packb(["range-wanted", number, 0]), PeerMessage)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 2**16 - 1, 2**16, GOSSIP_SIZE_MAX])
def test_payloads_of_all_sizes_are_encoded_alike(size: int) -> None:
    message = Payload(Topic.EVENTS, bytes(size))
    assert msgpack.packb(plain(message)) == encode(message)
    assert decode(encode(message), PeerMessage) == message


def one_beyond() -> dict[str, tuple[Any, Any]]:
    """Return for each limit a message that keeps to it, and one that does not."""
    bundle, vote = MESSAGES["bundle"], MESSAGES["vote-notarize"]
    record, certificate = MESSAGES["peer-record"], MESSAGES["certificate"]
    given = SIGNED_EVENTS["consent-given"]

    def pair(make: Any, limit: int) -> tuple[Any, Any]:
        return make(limit), make(limit + 1)

    def make_record(count: int, length: int = 9) -> PeerRecord:
        return PeerRecord(record.member, 1, ("/" + "x" * (length - 1),) * count, record.signature)

    return {
        "payload": pair(lambda n: Payload(Topic.EVENTS, bytes(n)), GOSSIP_SIZE_MAX),
        "ids": pair(lambda n: Have(Topic.EVENTS, (bytes(16),) * n), HAVE_IDS_MAX),
        "events of a bundle": pair(
            lambda n: Bundle(bundle.submitter, 1, (given,) * n, bundle.signature),
            EVENTS_PER_BUNDLE_MAX,
        ),
        "addresses": pair(make_record, ADDRESSES_MAX),
        "length of an address": pair(lambda n: make_record(1, n), ADDRESS_LENGTH_MAX),
        "justification": pair(
            lambda n: Proposal(BLOCK, vote, (certificate,) * n), JUSTIFICATION_MAX
        ),
        "index of a signer": pair(
            lambda n: Vote(vote.kind, 0, 1, vote.block, n, vote.signature), AUTHORITIES_MAX - 1
        ),
        "views": pair(lambda n: Status(0, n, 0, None, 0), 2**63 - 1),
    }


@pytest.mark.parametrize("name", one_beyond())
def test_every_limit_is_kept(name: str) -> None:
    within, beyond = one_beyond()[name]
    expected = PeerMessage | PeerRecord
    assert decode(encode(within), expected) == within
    with pytest.raises(DecodeError):
        decode(encode(beyond), expected)


@pytest.mark.parametrize("name", sorted(SIGNED_EVENTS))
def test_an_event_of_one_kind_is_never_one_of_another(name: str) -> None:
    """The tag is the first thing in the body, and no two are the same."""
    fields = plain(SIGNED_EVENTS[name].event.body)
    others = {plain(signed.event.body)[0] for signed in SIGNED_EVENTS.values()} - {fields[0]}
    assert len(others) == 11
    for tag in others:
        with contextlib.suppress(DecodeError):
            body = decode(msgpack.packb([0, [tag, *fields[1:]]]), Event).body
            assert type(body) is not type(SIGNED_EVENTS[name].event.body)
