"""Sealing to a key, checked against what others have sealed: RFC 9180, and age's test kit."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.bindings._rust import openssl
from hypothesis import given
from hypothesis import strategies as st

from protocol import kem
from protocol.errors import InvalidRecord
from protocol.kem import (
    HYBRID_KEY_SIZE,
    PLAINTEXT_SIZE_MAX,
    SUITE_HYBRID,
    SUITE_X25519,
    KemPrivateKey,
    seal_to,
)

VECTORS = Path(__file__).parents[1] / "vectors"
RFC_9180 = json.loads((VECTORS / "rfc9180_x25519_chacha20_poly1305.json").read_text())
AGE = json.loads((VECTORS / "age_mlkem768x25519.json").read_text())

KEYS = {suite: KemPrivateKey(b"k" * 32, suite) for suite in (SUITE_X25519, SUITE_HYBRID)}
suites = st.sampled_from((SUITE_X25519, SUITE_HYBRID))


@given(suites, st.binary(max_size=100), st.binary(max_size=20))
def test_what_is_sealed_to_a_key_opens_with_it(suite: int, plaintext: bytes, info: bytes) -> None:
    sealed = seal_to(KEYS[suite].public, plaintext, info)
    assert sealed[0] == suite
    assert len(sealed) - len(plaintext) == {SUITE_X25519: 49, SUITE_HYBRID: 1_137}[suite]
    assert KEYS[suite].open(sealed, info) == plaintext


@given(suites, st.data())
def test_one_flipped_bit_keeps_it_shut(suite: int, data: st.DataObject) -> None:
    sealed = bytearray(seal_to(KEYS[suite].public, b"text", b"info"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    # X25519 ignores the highest bit of the ephemeral key, but HPKE hashes the key as sent.
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidRecord):
        KEYS[suite].open(bytes(sealed), b"info")


@given(suites, st.data())
def test_truncated_it_stays_shut(suite: int, data: st.DataObject) -> None:
    sealed = seal_to(KEYS[suite].public, b"text", b"info")
    with pytest.raises(InvalidRecord):
        KEYS[suite].open(sealed[: data.draw(st.integers(0, len(sealed) - 1))], b"info")


@given(suites, st.binary(max_size=1_300))
def test_arbitrary_bytes_raise_nothing_but_invalid_record(suite: int, sealed: bytes) -> None:
    with pytest.raises(InvalidRecord):
        KEYS[suite].open(bytes([suite]) + sealed, b"info")


@pytest.mark.parametrize("suite", KEYS)
def test_another_key_or_info_opens_nothing(suite: int) -> None:
    sealed = seal_to(KEYS[suite].public, b"text", b"info")
    with pytest.raises(InvalidRecord):
        KemPrivateKey(bytes(32), suite).open(sealed, b"info")
    with pytest.raises(InvalidRecord):
        KEYS[suite].open(sealed, b"other")
    with pytest.raises(InvalidRecord, match=f"suite {suite}"):
        KEYS[3 - suite].open(sealed, b"info")


@pytest.mark.parametrize(
    "public",
    [
        b"",
        bytes(31),
        bytes(32),  # A point of small order: everybody would know the shared secret.
        b"\xff" * HYBRID_KEY_SIZE,  # Coefficients beyond the modulus of ML-KEM.
        KEYS[SUITE_HYBRID].public[:-1],
        KEYS[SUITE_HYBRID].public[:-32] + bytes(32),
    ],
)
def test_nothing_is_sealed_to_what_is_no_key(public: bytes) -> None:
    with pytest.raises(InvalidRecord):
        seal_to(public, b"text", b"info")


def test_one_seed_gives_one_key_and_the_key_does_not_show_it() -> None:
    key = KemPrivateKey(b"k" * 32)
    assert key.public == KEYS[SUITE_HYBRID].public
    assert len(key.public) == HYBRID_KEY_SIZE
    assert len({KemPrivateKey(bytes([n]) * 32).id for n in range(5)}) == 5
    assert repr(key) == f"KemPrivateKey({key.id.hex()[:8]})"


def test_a_text_may_be_as_long_as_the_limit_and_no_longer() -> None:
    key = KEYS[SUITE_HYBRID]
    sealed = seal_to(key.public, bytes(PLAINTEXT_SIZE_MAX), b"")
    assert key.open(sealed, b"") == bytes(PLAINTEXT_SIZE_MAX)
    with pytest.raises(AssertionError):
        seal_to(key.public, bytes(PLAINTEXT_SIZE_MAX + 1), b"")
    with pytest.raises(InvalidRecord, match="cannot be sealed"):
        key.open(bytes(kem.SEALED_SIZE_MAX + 1), b"")


@pytest.mark.parametrize("case", AGE, ids=lambda case: case["name"])
def test_the_hybrid_opens_what_age_sealed_and_nothing_that_age_refuses(
    case: dict[str, Any],
) -> None:
    key = KemPrivateKey(bytes.fromhex(case["seed"]))
    sealed = bytes([SUITE_HYBRID]) + bytes.fromhex(case["enc"] + case["body"])
    info = b"age-encryption.org/mlkem768x25519"
    if case["opens"]:
        assert key.open(sealed, info).hex() == case["file_key"]
    else:
        with pytest.raises(InvalidRecord):
            key.open(sealed, info)


@pytest.mark.parametrize("case", RFC_9180)
def test_the_x25519_suite_is_the_one_of_rfc_9180(case: dict[str, str]) -> None:
    # The vectors use associated data, which the library's public functions leave out.
    private, info, sealed, aad = (
        bytes.fromhex(case[name]) for name in ("skRm", "info", "ct", "aad")
    )
    key = KemPrivateKey(private, SUITE_X25519)
    assert key.public.hex() == case["pkRm"]
    plaintext = openssl.hpke._decrypt_with_aad(
        kem._SUITES[SUITE_X25519], bytes.fromhex(case["enc"]) + sealed, key._key, info, aad
    )
    assert plaintext.hex() == case["pt"]
