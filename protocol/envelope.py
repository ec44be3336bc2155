"""How the keys of records travel: sealed to one member, for one disclosure, for nothing else.

An envelope holds the dek and the manifest of one record, sealed with HPKE (see `kem`). The `info`
is the hash of all that it belongs to; in any other context it does not open at all:

    "envelope" | network | record | manifest commitment | request commitment | custodian
               | KEM key id | not after:8

The hash of the `Release` is in the disclosure, which is final before the release is sent: what is
handed over is what was logged. The disclosure's id cannot be in `info`, since it depends on that
hash; the commitment to the request is just as unique on the chain.
"""

from dataclasses import dataclass
from typing import Annotated

import msgspec

from protocol.codec import Bytes32, Digest, Message, Timestamp, decode, digest, encode
from protocol.container import check_dek
from protocol.errors import InvalidRecord
from protocol.identity import MemberId, NetworkId
from protocol.kem import KemPrivateKey, Seal, kem_key_id, seal_to
from protocol.record import MANIFEST_SIZE_MAX, Manifest, RecordId, manifest_commitment

ENVELOPES_MAX = 64
"""How many records one disclosure may hand over."""

ENVELOPE_SIZE_MAX = MANIFEST_SIZE_MAX + 2_048

RELEASE_SIZE_MAX = ENVELOPES_MAX * (ENVELOPE_SIZE_MAX + 256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """Which disclosure an envelope belongs to, as both sides know it."""

    network: NetworkId
    custodian: MemberId
    request: Bytes32
    """The request's commitment, which the disclosure carries and no other one does."""


class Opening(Message, frozen=True, tag="opening"):
    """What an envelope holds: enough to open one record, and to check it."""

    dek: Bytes32
    manifest: Manifest

    def __repr__(self) -> str:
        return "Opening()"


class Envelope(Message, frozen=True, tag="envelope"):
    """The sealed key of one record. What is in clear is bound by what is sealed."""

    record: RecordId
    manifest_commitment: Bytes32
    kem_key: Digest
    not_after: Timestamp
    sealed: Annotated[bytes, msgspec.Meta(max_length=ENVELOPE_SIZE_MAX)]


class Release(Message, frozen=True, tag="release"):
    """What a disclosure hands over: one envelope for each record, sorted by record id."""

    envelopes: Annotated[tuple[Envelope, ...], msgspec.Meta(min_length=1, max_length=ENVELOPES_MAX)]

    def __post_init__(self) -> None:
        records = [envelope.record for envelope in self.envelopes]
        if records != sorted(set(records)):
            raise ValueError("envelopes must be sorted by record id, one for each")


def seal_envelope(
    opening: Opening,
    *,
    kem_public: bytes,
    handover: Handover,
    not_after: Timestamp,
    seal: Seal = seal_to,
) -> Envelope:
    """Seal a record's key to a requester. Randomized by the library, as `seal_to` is.

    Only simulations seal with something else, so that equal seeds give equal runs.
    """
    check_dek(opening.dek, opening.manifest.content)
    draft = Envelope(
        record=opening.manifest.id,
        manifest_commitment=manifest_commitment(opening.manifest),
        kem_key=kem_key_id(kem_public),
        not_after=not_after,
        sealed=b"",
    )
    sealed = seal(kem_public, encode(opening), _info(draft, handover))
    return msgspec.structs.replace(draft, sealed=sealed)


def open_envelope(
    envelope: Envelope, key: KemPrivateKey, *, handover: Handover, now: Timestamp
) -> Opening:
    """Return the record's key and manifest, or raise `InvalidRecord` or `DecodeError`.

    What comes out is what was disclosed: the dek is the one the manifest commits to, the manifest
    the one whose commitment the envelope names. That this is the commitment of the disclosure, and
    the release the one of its digest, is for the caller to check (`check_release`).
    """
    if envelope.kem_key != key.id:
        raise InvalidRecord("the envelope is sealed to another key")
    if now > envelope.not_after:
        raise InvalidRecord("the envelope has expired")
    opening = decode(key.open(envelope.sealed, _info(envelope, handover)), Opening)
    manifest = opening.manifest
    if manifest.id != envelope.record or manifest.description.custodian != handover.custodian:
        raise InvalidRecord("the manifest is of another record than the envelope says")
    if manifest_commitment(manifest) != envelope.manifest_commitment:
        raise InvalidRecord("the manifest is not the one that was committed to")
    check_dek(opening.dek, manifest.content)
    return opening


def release_digest(release: Release) -> Digest:
    """Return what the disclosure says about the release."""
    return digest("release", encode(release))


def check_release(release: Release, expected_digest: Digest) -> None:
    """Raise `InvalidRecord` unless `release` is what was logged."""
    if release_digest(release) != expected_digest:
        raise InvalidRecord("the release is not the one of the disclosure")


def _info(envelope: Envelope, handover: Handover) -> Digest:
    return digest(
        "envelope",
        handover.network,
        envelope.record,
        envelope.manifest_commitment,
        handover.request,
        handover.custodian,
        envelope.kem_key,
        envelope.not_after.to_bytes(8, "big"),
    )
