"""Small seals: they open with the right key in the right context, and not otherwise."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt,
    crypto_aead_xchacha20poly1305_ietf_encrypt,
)
from nacl.exceptions import CryptoError

from protocol.errors import InvalidRecord
from protocol.sealing import SEAL_SIZE, SEALED_SIZE_MAX, open_seal, seal

KEY = bytes(range(32))
VECTORS = Path(__file__).parents[1] / "vectors"
CASES = json.loads((VECTORS / "wycheproof_xchacha20_poly1305.json").read_text())


@given(st.binary(max_size=100), st.binary(max_size=20))
def test_what_is_sealed_opens_again(plaintext: bytes, context: bytes) -> None:
    sealed = seal(KEY, plaintext, context)
    assert len(sealed) == len(plaintext) + SEAL_SIZE
    assert open_seal(KEY, sealed, context) == plaintext


@given(st.binary(max_size=40), st.data())
def test_one_flipped_bit_keeps_a_seal_shut(plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEY, plaintext, b"context"))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidRecord):
        open_seal(KEY, bytes(sealed), b"context")


@given(st.binary(max_size=40), st.data())
def test_a_truncated_seal_stays_shut(plaintext: bytes, data: st.DataObject) -> None:
    sealed = seal(KEY, plaintext, b"context")
    with pytest.raises(InvalidRecord):
        open_seal(KEY, sealed[: data.draw(st.integers(0, len(sealed) - 1))], b"context")


def test_another_key_or_context_opens_nothing() -> None:
    sealed = seal(KEY, b"text", b"context")
    for key, context in ((bytes(32), b"context"), (KEY, b"contex"), (KEY, b"")):
        with pytest.raises(InvalidRecord):
            open_seal(key, sealed, context)


def test_different_texts_and_contexts_have_different_nonces() -> None:
    pairs = ((b"text", b""), (b"tex", b"t"), (b"text", b"context"), (b"", b"text"))
    assert len({seal(KEY, text, context)[:24] for text, context in pairs}) == len(pairs)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_but_invalid_record(sealed: bytes) -> None:
    with contextlib.suppress(InvalidRecord):
        open_seal(KEY, sealed, b"context")


def test_a_seal_may_be_as_long_as_the_limit_and_no_longer() -> None:
    longest = seal(KEY, bytes(SEALED_SIZE_MAX - SEAL_SIZE), b"")
    assert open_seal(KEY, longest, b"") == bytes(SEALED_SIZE_MAX - SEAL_SIZE)
    with pytest.raises(AssertionError):
        seal(KEY, bytes(SEALED_SIZE_MAX - SEAL_SIZE + 1), b"")
    with pytest.raises(InvalidRecord, match="1048577 bytes"):
        open_seal(KEY, longest + b"x", b"")


def test_all_cases_are_there() -> None:
    assert len(CASES) == 315
    assert {case["result"] for case in CASES} == {"valid", "invalid"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['tcId']} {case['comment']}")
def test_the_cipher_does_what_wycheproof_says(case: dict[str, str]) -> None:
    key, nonce, context, plaintext = (
        bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg")
    )
    sealed = bytes.fromhex(case["ct"] + case["tag"])
    if case["result"] == "valid":
        encrypted = crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, context, nonce, key)
        assert encrypted == sealed
        opened = crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, context, nonce, key)
        assert opened == plaintext
    else:
        with pytest.raises((CryptoError, TypeError)):
            crypto_aead_xchacha20poly1305_ietf_decrypt(sealed, context, nonce, key)


def test_the_sealed_bytes_never_change() -> None:
    sealed = seal(KEY, b"text", b"context")
    assert sealed[:24].hex() == "617bfb884c1caeda14030c4d002f07d50d8acf0f8ac3e8b9"
    assert sealed[24:].hex() == "cec03b97f69eac5039b7fd5773805d4889104bf3"
