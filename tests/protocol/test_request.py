"""A request binds its requester, to one custodian in one network, and nobody else."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.envelope import ENVELOPES_MAX
from protocol.errors import DecodeError, InvalidSignature
from protocol.identity import Verifier
from protocol.request import (
    CLOCK_DIFFERENCE_MAX,
    JUSTIFICATION_LENGTH_MAX,
    REQUEST_LIFETIME_MAX,
    ROLE_LENGTH_MAX,
    SignedRequest,
    is_timely,
    request_statement,
    validate_request,
)
from tests.protocol.directive_examples import NETWORK, NOON
from tests.protocol.release_examples import CLINIC, HOSPITAL, PHARMACY, Party, request_of


def validate(
    signed: SignedRequest,
    *,
    requester: Party = CLINIC,
    custodian: Party = HOSPITAL,
    network: bytes = NETWORK,
) -> None:
    statement = request_statement(
        signed, requester=requester.member.id, custodian=custodian.member.id
    )
    validate_request(signed, statement, network, Verifier())


def test_a_request_holds_for_its_requester_custodian_and_network_alone() -> None:
    signed = request_of()
    validate(signed)
    with pytest.raises(InvalidSignature):
        validate(signed, requester=PHARMACY)
    with pytest.raises(InvalidSignature):
        validate(signed, custodian=PHARMACY)
    with pytest.raises(InvalidSignature):
        validate(signed, network=bytes(32))


@pytest.mark.parametrize(
    "changes",
    [
        {"records": (b"r" * 16,)},
        {"purpose": "HRESCH"},
        {"role": "receptionist"},
        {"consent": b"c" * 16},
        {"justification": "x"},
        {"valid_until": NOON},
    ],
)
def test_a_changed_request_is_not_signed(changes: dict[str, Any]) -> None:
    signed = request_of()
    request = msgspec.structs.replace(signed.request, **changes)
    with pytest.raises(InvalidSignature):
        validate(msgspec.structs.replace(signed, request=request))


def test_another_salt_is_another_commitment() -> None:
    signed = request_of()
    other = msgspec.structs.replace(signed, salt=bytes(32))
    assert other.commitment != signed.commitment
    with pytest.raises(InvalidSignature):
        validate(other)


def test_a_request_comes_back_from_its_encoding() -> None:
    signed = request_of(records=(b"r" * 16,), consent=b"c" * 16)
    assert decode(encode(signed), SignedRequest) == signed


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(data, SignedRequest)


@pytest.mark.parametrize(
    "changes",
    [
        {"records": tuple(bytes([n]) * 16 for n in range(ENVELOPES_MAX + 1))},
        {"role": ""},
        {"role": "x" * (ROLE_LENGTH_MAX + 1)},
        {"justification": "x" * (JUSTIFICATION_LENGTH_MAX + 1)},
        {"version": 2},
    ],
)
def test_a_request_beyond_a_limit_does_not_decode(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode(encode(request_of(**changes)), SignedRequest)


def test_a_request_lasts_a_day_at_most_and_clocks_may_differ() -> None:
    latest = NOON + REQUEST_LIFETIME_MAX + CLOCK_DIFFERENCE_MAX
    assert is_timely(request_of(valid_until=latest).request, NOON)
    assert not is_timely(request_of(valid_until=latest + 1).request, NOON)
    assert is_timely(request_of(valid_until=NOON).request, NOON)
    assert not is_timely(request_of(valid_until=NOON).request, NOON + 1)
