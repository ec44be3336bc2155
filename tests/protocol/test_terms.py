"""Terms: one encoding, a commitment that hides them, and an event that belongs to them alone."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import MILLISECONDS_PER_DAY, decode, encode
from protocol.errors import DecodeError
from protocol.terms import (
    EXCEPTIONS_MAX,
    MEMBERS_MAX,
    TERMS_SIZE_MAX,
    TERMS_VERSION,
    DirectiveKind,
    InvalidTerms,
    LegalPolicy,
    Purpose,
    Recipients,
    Terms,
    TheseRecords,
    consent_given,
    expiry_day,
    is_within,
    terms_commitment,
    validate_terms,
)
from tests.protocol.directive_examples import (
    CLINIC,
    HOUR,
    NETWORK,
    NOON,
    directives,
    scope_of,
    terms_of,
)

SALT = b"salt" * 8


@given(directives())
def test_terms_come_back_from_their_encoding(everything) -> None:
    for directive in everything:
        assert decode(encode(directive.terms), Terms, TERMS_SIZE_MAX) == directive.terms


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(data, Terms)


def test_a_changed_byte_gives_other_terms_or_none() -> None:
    terms = terms_of(1, policy=LegalPolicy("https://example.org/policy", bytes(32)))
    encoded = encode(terms)
    for position in range(len(encoded)):
        changed = bytearray(encoded)
        changed[position] ^= 1
        with contextlib.suppress(DecodeError):
            other = decode(bytes(changed), Terms)
            assert other != terms
            assert terms_commitment(SALT, other) != terms_commitment(SALT, terms)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": TERMS_VERSION + 1},
        {"kind": "allow"},
        {"exceptions": (scope_of(),) * (EXCEPTIONS_MAX + 1)},
        {"scope": scope_of(purposes=())},
        {"scope": scope_of(records=())},
        {"scope": scope_of(records=(TheseRecords(()),))},
        {"scope": scope_of(recipients=Recipients(members=(CLINIC.id,) * (MEMBERS_MAX + 1)))},
        {"redisclosure": "x" * 501},
        {"consent": b"short"},
    ],
)
def test_terms_beyond_a_limit_do_not_decode(changes: dict[str, Any]) -> None:
    with pytest.raises(DecodeError):
        decode(encode(terms_of(1, **changes)), Terms)


@pytest.mark.parametrize(
    ("field", "value"), [("valid_until", NOON - HOUR), ("supersedes", bytes([1]) * 16)]
)
def test_terms_that_contradict_themselves_do_not_decode(field: str, value: object) -> None:
    fields = list(msgspec.to_builtins(terms_of(1), builtin_types=(bytes,)))
    fields[1 + Terms.__struct_fields__.index(field)] = value
    with pytest.raises(DecodeError):
        decode(encode(fields), Terms)
    with pytest.raises(ValueError, match="directive"):
        terms_of(1, DirectiveKind.PERMIT, **{field: value})


def test_nobody_is_not_a_recipient() -> None:
    nobody = encode([False, [], []])
    with pytest.raises(DecodeError):
        decode(nobody, Recipients)


def test_a_permit_and_a_restriction_look_alike_on_the_chain() -> None:
    permit = consent_given(SALT, terms_of(1, DirectiveKind.PERMIT))
    restriction = consent_given(SALT, terms_of(1, DirectiveKind.RESTRICT))
    assert msgspec.structs.replace(permit, terms=restriction.terms) == restriction
    assert len(encode(permit)) == len(encode(restriction))


@pytest.mark.parametrize(("extra", "days"), [(0, -1), (1, 0), (MILLISECONDS_PER_DAY, 0)])
def test_the_expiry_day_holds_the_last_millisecond(extra: int, days: int) -> None:
    midnight = NOON - NOON % MILLISECONDS_PER_DAY
    terms = terms_of(1, valid_from=0, valid_until=midnight + extra)
    assert expiry_day(terms) == midnight // MILLISECONDS_PER_DAY + days


def test_terms_belong_to_one_consent_in_one_network() -> None:
    terms = terms_of(1)
    given_ = consent_given(SALT, terms)
    validate_terms(terms, SALT, given=given_, network=NETWORK)

    for other in (
        terms_of(2),
        terms_of(1, valid_until=NOON + 1),
        terms_of(1, subject=b"t" * 32),
        terms_of(1, custodian=CLINIC.id),
    ):
        with pytest.raises(InvalidTerms):
            validate_terms(other, SALT, given=given_, network=NETWORK)
    with pytest.raises(InvalidTerms):
        validate_terms(terms, b"pepper.." * 4, given=given_, network=NETWORK)
    with pytest.raises(InvalidTerms):
        validate_terms(terms, SALT, given=given_, network=bytes(32))


def test_a_purpose_lies_within_itself_and_what_is_above_it() -> None:
    assert is_within(Purpose.BTG, Purpose.TREAT)
    assert is_within(Purpose.BTG, Purpose.ETREAT)
    assert is_within(Purpose.CLINTRCH, Purpose.HRESCH)
    assert not is_within(Purpose.TREAT, Purpose.ETREAT)
    assert not is_within(Purpose.CAREMGT, Purpose.ETREAT)
    assert all(is_within(purpose, purpose) for purpose in Purpose)
