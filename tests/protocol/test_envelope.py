"""Envelopes: they open for one member and in one disclosure, and hold what was committed to."""

import contextlib
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.envelope import (
    ENVELOPES_MAX,
    RELEASE_SIZE_MAX,
    Envelope,
    Handover,
    Opening,
    Release,
    _info,
    check_release,
    open_envelope,
    release_digest,
    seal_envelope,
)
from protocol.errors import DecodeError, InvalidRecord
from protocol.kem import SUITE_X25519, KemPrivateKey, seal_to
from protocol.record import manifest_commitment
from tests.protocol.records import CUSTODIAN, DEK, DESCRIPTION, make_manifest

KEY = KemPrivateKey(b"k" * 32)
HANDOVER = Handover(network=b"n" * 32, custodian=CUSTODIAN, request=b"r" * 32)
MANIFEST = make_manifest()
OPENING = Opening(DEK, MANIFEST)
NOT_AFTER = 2_000_000_000_000
ENVELOPE = seal_envelope(OPENING, kem_public=KEY.public, handover=HANDOVER, not_after=NOT_AFTER)


def opened(envelope: Envelope, **changes: Any) -> Opening:
    known: dict[str, Any] = {"key": KEY, "handover": HANDOVER, "now": NOT_AFTER, **changes}
    return open_envelope(envelope, **known)


def sealed_by_a_liar(opening: Opening, **claims: Any) -> Envelope:
    """Seal what no honest custodian would: `claims` replace the envelope's clear fields."""
    draft = msgspec.structs.replace(ENVELOPE, **claims)
    sealed = seal_to(KEY.public, encode(opening), _info(draft, HANDOVER))
    return msgspec.structs.replace(draft, sealed=sealed)


def test_the_requester_opens_what_the_custodian_sealed() -> None:
    assert opened(ENVELOPE) == OPENING
    assert ENVELOPE.record == MANIFEST.id
    assert ENVELOPE.manifest_commitment == manifest_commitment(MANIFEST)


def test_the_classical_suite_works_too() -> None:
    key = KemPrivateKey(b"k" * 32, SUITE_X25519)
    envelope = seal_envelope(OPENING, kem_public=key.public, handover=HANDOVER, not_after=NOT_AFTER)
    assert opened(envelope, key=key) == OPENING


@pytest.mark.parametrize("name", ["network", "custodian", "request"])
def test_in_another_disclosure_it_does_not_open(name: str) -> None:
    with pytest.raises(InvalidRecord, match="does not open"):
        opened(ENVELOPE, handover=replace(HANDOVER, **{name: bytes(32)}))


@pytest.mark.parametrize(
    "changes",
    [
        {"record": bytes(16)},
        {"manifest_commitment": bytes(32)},
        {"not_after": NOT_AFTER + 1},
        {"sealed": ENVELOPE.sealed[:-1] + bytes([ENVELOPE.sealed[-1] ^ 1])},
        {"sealed": b""},
    ],
)
def test_with_any_field_changed_it_does_not_open(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidRecord):
        opened(msgspec.structs.replace(ENVELOPE, **changes))


def test_another_member_cannot_open_it() -> None:
    other = KemPrivateKey(bytes(32))
    with pytest.raises(InvalidRecord, match="another key"):
        opened(ENVELOPE, key=other)
    with pytest.raises(InvalidRecord, match="does not open"):
        opened(msgspec.structs.replace(ENVELOPE, kem_key=other.id), key=other)


def test_it_opens_until_the_last_millisecond_and_no_longer() -> None:
    assert opened(ENVELOPE, now=NOT_AFTER) == OPENING
    with pytest.raises(InvalidRecord, match="expired"):
        opened(ENVELOPE, now=NOT_AFTER + 1)


def test_a_key_that_the_manifest_does_not_commit_to_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="committed"):
        opened(sealed_by_a_liar(Opening(bytes(32), MANIFEST)))
    with pytest.raises(InvalidRecord, match="committed"):
        seal_envelope(
            Opening(bytes(32), MANIFEST),
            kem_public=KEY.public,
            handover=HANDOVER,
            not_after=NOT_AFTER,
        )


def test_a_manifest_that_was_not_committed_to_is_refused() -> None:
    other = msgspec.structs.replace(MANIFEST, salt=bytes(32))
    with pytest.raises(InvalidRecord, match="not the one that was committed to"):
        opened(sealed_by_a_liar(Opening(DEK, other)))


def test_a_manifest_of_another_record_or_custodian_is_refused() -> None:
    moved = msgspec.structs.replace(
        MANIFEST, description=msgspec.structs.replace(DESCRIPTION, custodian=bytes(32))
    )
    for manifest in (make_manifest(record=bytes(16)), moved):
        commitment = manifest_commitment(manifest)
        with pytest.raises(InvalidRecord, match="another record"):
            opened(sealed_by_a_liar(Opening(DEK, manifest), manifest_commitment=commitment))


def test_what_is_no_opening_is_refused() -> None:
    with pytest.raises(DecodeError):
        opened(sealed_by_a_liar(MANIFEST))  # type: ignore[arg-type]


def test_sealing_twice_gives_different_bytes_and_so_another_digest() -> None:
    again = seal_envelope(OPENING, kem_public=KEY.public, handover=HANDOVER, not_after=NOT_AFTER)
    assert again.sealed != ENVELOPE.sealed
    assert release_digest(Release((again,))) != release_digest(Release((ENVELOPE,)))


def test_the_context_and_the_digest_never_change() -> None:
    envelope = msgspec.structs.replace(ENVELOPE, sealed=b"sealed")
    assert (
        _info(envelope, HANDOVER).hex()
        == "adef854e0f56e1dd7fccba70258de131325d8ae244a3135a7ef6d5c4a538d4e4"
    )
    assert (
        release_digest(Release((envelope,))).hex()
        == "956d99fc5f5a47665cab9b73fc87bf45e02b16d35478c446109c54a2f5295c20"
    )


def test_a_release_that_was_not_logged_is_refused() -> None:
    release = Release((ENVELOPE,))
    check_release(release, release_digest(release))
    with pytest.raises(InvalidRecord, match="not the one of the disclosure"):
        check_release(release, bytes(32))


def test_a_release_has_one_envelope_for_each_record_in_order() -> None:
    other = msgspec.structs.replace(ENVELOPE, record=b"a" * 16)
    release = Release((other, ENVELOPE))
    assert decode(encode(release), Release) == release
    for envelopes in ((ENVELOPE, other), (ENVELOPE, ENVELOPE)):
        with pytest.raises(ValueError, match="sorted"):
            Release(envelopes)


def test_a_release_may_have_as_many_envelopes_as_the_limit_and_no_more() -> None:
    envelopes = tuple(
        msgspec.structs.replace(ENVELOPE, record=number.to_bytes(16, "big"))
        for number in range(ENVELOPES_MAX + 1)
    )
    longest = Release(envelopes[:-1])
    assert decode(encode(longest), Release, RELEASE_SIZE_MAX) == longest
    with pytest.raises(DecodeError):
        decode(encode(Release(envelopes)), Release, RELEASE_SIZE_MAX)
    with pytest.raises(DecodeError):
        decode(encode(Release(())), Release)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(data, Release)


@given(st.integers(0, len(encode(Release((ENVELOPE,)))) * 8 - 1))
def test_one_flipped_bit_of_a_release_is_noticed(bit: int) -> None:
    release = Release((ENVELOPE,))
    changed = bytearray(encode(release))
    changed[bit // 8] ^= 1 << bit % 8
    with contextlib.suppress(DecodeError), pytest.raises(InvalidRecord):
        check_release(decode(bytes(changed), Release), release_digest(release))


def test_an_opening_does_not_print_its_key() -> None:
    assert DEK.hex() not in repr(OPENING)
    assert repr(DEK) not in repr(OPENING)


def test_a_simulation_may_seal_with_something_that_draws_no_random_number() -> None:
    seen: list[bytes] = []

    def seal(public: bytes, plaintext: bytes, info: bytes) -> bytes:
        seen.append(plaintext)
        return seal_to(public, plaintext, info)

    envelope = seal_envelope(
        OPENING, kem_public=KEY.public, handover=HANDOVER, not_after=NOT_AFTER, seal=seal
    )
    assert seen == [encode(OPENING)]
    assert opened(envelope) == OPENING
