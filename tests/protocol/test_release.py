"""The messages of an exchange: one refusal, at times that say nothing, and limits."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.container import CHUNK_COUNT_MAX, SEALED_CHUNK_SIZE
from protocol.errors import DecodeError, InvalidSignature
from protocol.identity import Verifier
from protocol.release import (
    CHUNKS_PER_ANSWER_MAX,
    CHUNKS_PER_REQUEST_MAX,
    REFUSAL,
    REFUSAL_QUANTUM,
    Acknowledged,
    ChunksSent,
    ChunksWanted,
    CustodianMessage,
    NotConsidered,
    NotLogged,
    Refused,
    RequesterMessage,
    Unconsidered,
    refusal_delay,
    sign_acknowledgement,
    validate_acknowledgement,
)
from tests.protocol.directive_examples import NETWORK, NOON
from tests.protocol.release_examples import CLINIC, PHARMACY, request_of

CHUNK = bytes(SEALED_CHUNK_SIZE)


@pytest.mark.parametrize(
    "message",
    [
        Refused(),
        NotLogged(),
        NotConsidered(Unconsidered.BUSY, NOON),
        ChunksSent(7, (b"one", b"two")),
        ChunksSent(0, (CHUNK,) * CHUNKS_PER_ANSWER_MAX),
    ],
)
def test_what_a_custodian_says_comes_back(message: CustodianMessage) -> None:
    assert decode(encode(message), CustodianMessage) == message


@pytest.mark.parametrize(
    "message",
    [
        request_of(),
        ChunksWanted(b"r" * 16, CHUNK_COUNT_MAX - 1, CHUNKS_PER_REQUEST_MAX),
        Acknowledged(b"d" * 32, b"r" * 32, b"s" * 64),
    ],
)
def test_what_a_requester_says_comes_back(message: RequesterMessage) -> None:
    assert decode(encode(message), RequesterMessage) == message


@pytest.mark.parametrize(
    "message",
    [
        ChunksSent(0, ()),
        ChunksSent(0, (CHUNK,) * (CHUNKS_PER_ANSWER_MAX + 1)),
        ChunksSent(0, (CHUNK + b"x",)),
        ChunksWanted(b"r" * 16, CHUNK_COUNT_MAX, 1),
        ChunksWanted(b"r" * 16, 0, CHUNKS_PER_REQUEST_MAX + 1),
        ChunksWanted(b"r" * 16, 0, 0),
    ],
)
def test_a_message_beyond_a_limit_does_not_decode(message: ChunksSent | ChunksWanted) -> None:
    with pytest.raises(DecodeError):
        decode(encode(message), type(message))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    for expected in (CustodianMessage, RequesterMessage):
        with contextlib.suppress(DecodeError):
            decode(data, expected)


def test_there_is_one_refusal() -> None:
    assert decode(REFUSAL, CustodianMessage) == Refused()
    assert len(REFUSAL) < 16


@given(st.integers(0, 10_000))
def test_a_refusal_leaves_a_multiple_of_the_quantum_after_the_request(elapsed: int) -> None:
    delay = refusal_delay(NOON, NOON + elapsed)
    assert (elapsed + delay) % REFUSAL_QUANTUM == 0
    assert 0 < delay <= REFUSAL_QUANTUM


def test_a_refusal_leaves_even_when_the_clock_was_set_back() -> None:
    assert refusal_delay(NOON, NOON - 3_600_000) == REFUSAL_QUANTUM


def test_a_receipt_is_the_requesters_for_one_release() -> None:
    receipt = sign_acknowledgement(CLINIC.key, NETWORK, disclosure=b"d" * 32, release=b"r" * 32)
    validate_acknowledgement(receipt, NETWORK, CLINIC.member.id, Verifier())
    for forged, network, requester in (
        (receipt, NETWORK, PHARMACY),
        (receipt, bytes(32), CLINIC),
        (Acknowledged(b"e" * 32, receipt.release, receipt.signature), NETWORK, CLINIC),
        (Acknowledged(receipt.disclosure, b"s" * 32, receipt.signature), NETWORK, CLINIC),
    ):
        with pytest.raises(InvalidSignature):
            validate_acknowledgement(forged, network, requester.member.id, Verifier())
