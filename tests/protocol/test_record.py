"""Manifests: sealed, committed to, and no larger than their types allow."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import decode, encode
from protocol.errors import DecodeError, InvalidRecord
from protocol.record import (
    LABELS_MAX,
    MANIFEST_SIZE_MAX,
    SEALED_MANIFEST_SIZE_MAX,
    Description,
    Manifest,
    manifest_commitment,
    manifests_commitment,
    open_manifest,
    seal_manifest,
)
from tests.protocol.records import DEK, DESCRIPTION, make_manifest

MANIFEST = make_manifest()

texts = st.text(min_size=1, max_size=200)
labels = st.lists(st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9:._-]{0,63}\Z"), max_size=LABELS_MAX)
descriptions = st.builds(
    Description,
    subject=st.binary(min_size=32, max_size=32),
    custodian=st.binary(min_size=32, max_size=32),
    mime_type=st.sampled_from(("text/plain", "application/dicom", "application/vnd.x-1+json")),
    categories=labels.map(lambda items: tuple(sorted(set(items)))),
    sensitivity=labels.map(lambda items: tuple(sorted(set(items)))),
    author=texts,
    authored_at=st.integers(0, 2**53 - 1),
    title=st.none() | texts,
)


@given(descriptions)
def test_a_sealed_manifest_opens_again(description: Description) -> None:
    manifest = msgspec.structs.replace(MANIFEST, description=description)
    sealed = seal_manifest(manifest, DEK)
    assert len(sealed) <= SEALED_MANIFEST_SIZE_MAX
    assert open_manifest(sealed, DEK, record=manifest.id) == manifest


def test_the_longest_manifest_is_within_the_limit() -> None:
    wide = "\N{MUSICAL SYMBOL G CLEF}" * 200
    many = tuple(f"{number:064}" for number in range(LABELS_MAX))
    longest = msgspec.structs.replace(
        DESCRIPTION, mime_type="a/" + "b" * 125, categories=many, sensitivity=many, author=wide,
        title=wide, authored_at=2**53 - 1,
    )  # fmt: skip
    assert decode(encode(longest), Description) == longest
    encoded = encode(msgspec.structs.replace(MANIFEST, description=longest))
    assert len(encoded) <= MANIFEST_SIZE_MAX


def test_a_sealed_manifest_opens_with_its_key_and_under_its_id_only() -> None:
    sealed = seal_manifest(MANIFEST, DEK)
    for dek, record in ((bytes(32), MANIFEST.id), (DEK, bytes(16))):
        with pytest.raises(InvalidRecord):
            open_manifest(sealed, dek, record=record)


@given(st.data())
def test_one_flipped_bit_keeps_a_manifest_shut(data: st.DataObject) -> None:
    sealed = bytearray(seal_manifest(MANIFEST, DEK))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidRecord):
        open_manifest(bytes(sealed), DEK, record=MANIFEST.id)


def test_a_manifest_is_not_sealed_with_a_key_it_does_not_commit_to() -> None:
    with pytest.raises(InvalidRecord):
        seal_manifest(MANIFEST, bytes(32))


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": b"u" * 31},
        {"mime_type": "text"},
        {"mime_type": "text/plain\n"},
        {"mime_type": "Text/plain"},
        {"mime_type": "text/plain; charset=utf-8"},
        {"mime_type": "a/" + "b" * 126},
        {"categories": ("",)},
        {"categories": ("a b",)},
        {"categories": ("a" * 65,)},
        {"categories": tuple(f"{number:02}" for number in range(LABELS_MAX + 1))},
        {"author": ""},
        {"author": "a" * 201},
        {"title": "a" * 201},
        {"authored_at": -1},
    ],
)
def test_a_description_beyond_a_limit_is_refused(changes: dict[str, Any]) -> None:
    changed = msgspec.structs.replace(DESCRIPTION, **changes)
    with pytest.raises(DecodeError):
        decode(encode(changed), Description)


@pytest.mark.parametrize("labels", [("b", "a"), ("a", "a")])
def test_labels_are_sorted_and_not_repeated(labels: tuple[str, ...]) -> None:
    encoded = encode(msgspec.structs.replace(DESCRIPTION, categories=("a", "b")))
    with pytest.raises(ValueError, match="sorted"):
        msgspec.structs.replace(DESCRIPTION, sensitivity=labels)
    with pytest.raises(DecodeError, match="sorted"):
        decode(encoded.replace(b"\xa1a\xa1b", b"".join(b"\xa1" + x.encode() for x in labels)),
               Description)  # fmt: skip


@given(st.binary(max_size=300))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(data, Manifest)


def test_commitments_depend_on_everything_and_on_the_order() -> None:
    others = [
        msgspec.structs.replace(MANIFEST, id=bytes(16)),
        msgspec.structs.replace(MANIFEST, salt=bytes(32)),
        msgspec.structs.replace(
            MANIFEST, description=msgspec.structs.replace(DESCRIPTION, title=None)
        ),
    ]
    commitments = [manifest_commitment(manifest) for manifest in (MANIFEST, *others)]
    assert len(set(commitments)) == 4
    assert manifests_commitment(commitments) != manifests_commitment(commitments[::-1])
    assert manifests_commitment(commitments[:1]) != manifests_commitment(commitments[:2])


def test_the_commitment_never_changes() -> None:
    assert (
        manifest_commitment(MANIFEST).hex()
        == "42172e90018c49fbe47229f8a6e96e9c60aa058ee1889332b7f6d050651e5d48"
    )
