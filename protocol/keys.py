"""Keys that follow from other keys, each for one purpose only.

    secret                purpose             gives
    patient's seed        subject-signing     the key that signs towards one custodian
    patient's seed        subject-kem         the key to which that custodian seals
    dek of a record       record-chunks       the key of the chunks
    dek of a record       record-manifest     the key of the manifest
    dek of a record       record-commit       the commitment to the dek itself
    any sealing key       seal-nonce          the key that makes nonces (see `sealing`)
    any sealing key       seal-cipher         the key that encrypts

One derivation is keyed BLAKE2b (RFC 7693) with the purpose as its `person` parameter, over the
context, each part preceded by its length. Whoever knows a derived key learns nothing about the
secret or about its other keys. So a patient's keys towards two custodians look unrelated.
"""

from hashlib import blake2b

from protocol.codec import Bytes32
from protocol.identity import MemberId, NetworkId, SigningKey

KEY_SIZE = 32
"""Bytes of every secret and derived key."""

PURPOSE_LENGTH_MAX = blake2b.PERSON_SIZE


def derive(secret: bytes, purpose: str, *context: bytes) -> Bytes32:
    """Return the 32-byte key of `secret` for `purpose` (at most 16 ASCII letters)."""
    assert len(secret) == KEY_SIZE
    person = purpose.encode("ascii")
    assert 0 < len(person) <= PURPOSE_LENGTH_MAX
    hasher = blake2b(key=secret, person=person, digest_size=KEY_SIZE)
    for part in context:
        hasher.update(len(part).to_bytes(4, "big"))
        hasher.update(part)
    return hasher.digest()


def subject_signing_key(
    patient_seed: bytes, *, network: NetworkId, custodian: MemberId
) -> SigningKey:
    """Return the key with which a patient signs towards `custodian`; the public half is its id."""
    return SigningKey(derive(patient_seed, "subject-signing", network, custodian))


def subject_kem_seed(patient_seed: bytes, *, network: NetworkId, custodian: MemberId) -> Bytes32:
    """Return the seed of the key to which `custodian` seals what only the patient may open."""
    return derive(patient_seed, "subject-kem", network, custodian)
