"""What leads over a recovery: the manifest that a quorum of recovery keys has signed.

No quorum of voting keys is left to decide on anything. So those who own the authorities decide
with their *recovery* keys, which are kept offline and sign nothing else: who votes from now on, on
which block, and why. The manifest names the reports of the survivors by their hash, and is small:
nodes pass it on in place of the certificate that nobody can make any more. Each operator accepts it
explicitly, by its hash; a node never follows it before.
"""

from typing import Annotated

import msgspec

from protocol.blocks import BlockHash
from protocol.codec import Counter, Digest, Message, digest, encode
from protocol.errors import ProtocolError
from protocol.genesis import AUTHORITIES_MAX, Authority, quorum
from protocol.identity import NetworkId, Signature, Verifier, signing_bytes
from protocol.state import EpochEntry
from protocol.votes import Signer

REASON_LENGTH_MAX = 500


class RecoveryManifest(Message, frozen=True, tag="recovery-manifest"):
    """Epoch `epoch` has ended on the block `base`; `authorities` vote from there on."""

    network: NetworkId
    epoch: Counter
    base: BlockHash
    base_height: Counter
    abandoned: Annotated[tuple[BlockHash, ...], msgspec.Meta(max_length=AUTHORITIES_MAX)]
    authorities: Annotated[
        tuple[Authority, ...], msgspec.Meta(min_length=1, max_length=AUTHORITIES_MAX)
    ]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
    reports: Digest
    """The hash of the reports, from which the base follows."""


class RecoverySignature(Message, frozen=True):
    """Of the recovery key of one authority of the epoch that ends."""

    signer: Signer
    signature: Signature


class RecoveryProof(Message, frozen=True, tag="recovery-proof"):
    """A manifest with the signatures that a quorum of the old authorities must give."""

    manifest: RecoveryManifest
    signatures: Annotated[tuple[RecoverySignature, ...], msgspec.Meta(max_length=AUTHORITIES_MAX)]


class InvalidRecovery(ProtocolError):
    """The manifest does not follow from its reports, or too few have signed it."""

    code = "invalid-recovery"


def recovery_hash(manifest: RecoveryManifest) -> Digest:
    """Return what operators compare, and accept."""
    return digest("recovery", encode(manifest))


def next_epoch(manifest: RecoveryManifest) -> EpochEntry:
    """Return the epoch that the manifest begins."""
    return EpochEntry(manifest.epoch + 1, manifest.base_height, manifest.authorities)


def recovery_statement(manifest: RecoveryManifest) -> bytes:
    """Return what recovery keys sign."""
    return signing_bytes("recovery", manifest.network, recovery_hash(manifest))


def validate_manifest_authorities(manifest: RecoveryManifest) -> None:
    """Raise `InvalidRecovery` unless the new authorities are in order, and all keys differ."""
    authorities = manifest.authorities
    members = [authority.member for authority in authorities]
    if members != sorted(set(members)):
        raise InvalidRecovery("authorities must be sorted by member, each once")
    keys = [key for each in authorities for key in (each.voting_key, each.recovery_key)]
    if len(set(keys)) != len(keys) or set(keys) & set(members):
        raise InvalidRecovery("a key appears twice")


def validate_proof(
    proof: RecoveryProof,
    *,
    epoch: int,
    authorities: tuple[Authority, ...],
    network: NetworkId,
    verifier: Verifier,
) -> None:
    """Raise `InvalidRecovery` unless a quorum of these authorities ended this epoch so.

    Whether the base follows from the reports is for those to check who have them: the signers.
    """
    manifest = proof.manifest
    if (manifest.network, manifest.epoch) != (network, epoch):
        raise InvalidRecovery("the manifest is about another network or epoch")
    validate_manifest_authorities(manifest)
    signers = [each.signer for each in proof.signatures]
    if signers != sorted(set(signers)) or (signers and signers[-1] >= len(authorities)):
        raise InvalidRecovery("signers are not distinct authorities in order")
    needed = quorum(len(authorities))
    if len(signers) < needed:
        raise InvalidRecovery(f"{len(signers)} of {needed} recovery keys have signed")
    statement = recovery_statement(manifest)
    for each in proof.signatures:
        key = authorities[each.signer].recovery_key
        if not verifier.is_valid(key, statement, each.signature):
            raise InvalidRecovery(f"authority {each.signer} did not sign this manifest")
