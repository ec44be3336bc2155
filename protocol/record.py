"""The manifest: what a record is, and whose. Sealed wherever it is kept or sent.

Its salted commitment is what the chain knows of a record. The salt is inside, so when the manifest
is destroyed the commitment says nothing to anybody.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from protocol.codec import (
    Bytes16,
    Bytes32,
    Digest,
    Message,
    Timestamp,
    commit,
    decode,
    digest,
    encode,
)
from protocol.container import Content, check_dek
from protocol.identity import MemberId, SubjectId
from protocol.keys import derive
from protocol.sealing import SEAL_SIZE, open_seal, seal

MANIFEST_SIZE_MAX = 8 * 1024
"""The longest encoded manifest in bytes."""

SEALED_MANIFEST_SIZE_MAX = MANIFEST_SIZE_MAX + SEAL_SIZE

LABELS_MAX = 16
"""How many categories, and how many sensitivity labels, a record may have."""

RecordId = Bytes16
"""Random: it says nothing about the record. Each version of a record has its own."""

Label = Annotated[str, msgspec.Meta(max_length=64, pattern=r"\A[A-Za-z0-9][A-Za-z0-9:._-]*\Z")]
"""A code such as `laboratory`, `34133-9` (LOINC) or `PSY` (HL7 sensitivity)."""

Labels = Annotated[tuple[Label, ...], msgspec.Meta(max_length=LABELS_MAX)]
"""Sorted, each once, so that equal sets have equal encodings."""

MimeType = Annotated[
    str, msgspec.Meta(max_length=127, pattern=r"\A[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9!#$&^_.+-]+\Z")
]
"""As in RFC 6838, in lower case and without parameters."""

Text = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Description(Message, frozen=True):
    """What people say about a record when they add it."""

    subject: SubjectId
    custodian: MemberId
    mime_type: MimeType
    categories: Labels
    sensitivity: Labels
    author: Text
    authored_at: Timestamp
    title: Text | None

    def __post_init__(self) -> None:
        for labels in (self.categories, self.sensitivity):
            if list(labels) != sorted(set(labels)):
                raise ValueError("labels must be sorted, each once")


class Manifest(Message, frozen=True, tag="manifest"):
    """All that is to be known about a record, but for its bytes and its key."""

    id: RecordId
    description: Description
    content: Content
    salt: Bytes32


def seal_manifest(manifest: Manifest, dek: bytes) -> bytes:
    """Seal `manifest` under a key that follows from the record's dek."""
    check_dek(dek, manifest.content)
    return seal(derive(dek, "record-manifest"), encode(manifest), manifest.id)


def open_manifest(sealed: bytes, dek: bytes, *, record: RecordId) -> Manifest:
    """Return the manifest of `record`, or raise `InvalidRecord` or `DecodeError`."""
    manifest = decode(
        open_seal(derive(dek, "record-manifest"), sealed, record), Manifest, MANIFEST_SIZE_MAX
    )
    check_dek(dek, manifest.content)
    return manifest


def manifest_commitment(manifest: Manifest) -> Bytes32:
    """Return what the chain knows of a record."""
    return commit("manifest", manifest.salt, encode(manifest))


def manifests_commitment(commitments: Sequence[Bytes32]) -> Digest:
    """Return what a disclosure says about its records, given their commitments in order."""
    return digest("manifests", *commitments)
