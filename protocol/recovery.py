"""The manifest that begins an epoch when more than f authorities are lost for ever.

No quorum of voting keys is left to decide on anything. So those who own the authorities decide
with their *recovery* keys, which are kept offline and sign nothing else: a quorum of them signs who
votes from now on, on which block, and why. Everybody can check that the block follows from the
reports of the survivors; and everybody who runs a node accepts the manifest explicitly, by its
hash.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from protocol.blocks import BlockHash, block_hash
from protocol.codec import Counter, Digest, Message, digest, encode
from protocol.errors import ProtocolError
from protocol.genesis import AUTHORITIES_MAX, Authority, quorum
from protocol.identity import NetworkId, Signature, SigningKey, Verifier, signing_bytes
from protocol.salvage import Salvage, salvage
from protocol.state import EpochEntry
from protocol.survivors import SurvivorReport, validate_report, validate_together
from protocol.votes import Signer

REASON_LENGTH_MAX = 500
MANIFEST_SIZE_MAX = 256 * 1024 * 1024
"""The largest encoded manifest in bytes; it holds all reports."""


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
    reports: Annotated[
        tuple[SurvivorReport, ...], msgspec.Meta(min_length=1, max_length=AUTHORITIES_MAX)
    ]


class RecoverySignature(Message, frozen=True):
    """Of the recovery key of one authority of the epoch that ends."""

    signer: Signer
    signature: Signature


class Recovery(Message, frozen=True, tag="recovery"):
    """A manifest with the signatures that a quorum of the old authorities must give."""

    manifest: RecoveryManifest
    signatures: Annotated[tuple[RecoverySignature, ...], msgspec.Meta(max_length=AUTHORITIES_MAX)]


class InvalidRecovery(ProtocolError):
    """The manifest does not follow from its reports, or too few have signed it."""

    code = "invalid-recovery"


def plan_recovery(
    reports: Sequence[SurvivorReport],
    *,
    ended: EpochEntry,
    network: NetworkId,
    authorities: tuple[Authority, ...],
    reason: str,
    verifier: Verifier,
) -> RecoveryManifest:
    """Return the manifest that follows from the reports, for the old authorities to sign.

    Raises a `ProtocolError` that says which report is bad, or what is missing.
    """
    found = _salvaged(reports, ended, network, verifier)
    manifest = RecoveryManifest(
        network=network,
        epoch=ended.epoch,
        base=block_hash(found.base),
        base_height=found.base.height,
        abandoned=found.abandoned,
        authorities=tuple(sorted(authorities, key=lambda authority: authority.member)),
        reason=reason,
        reports=tuple(sorted(reports, key=lambda report: report.member)),
    )
    _validate_authorities(manifest)
    return manifest


def recovery_hash(manifest: RecoveryManifest) -> Digest:
    """Return what operators compare, and accept."""
    return digest("recovery", encode(manifest))


def sign_recovery(recovery: Recovery, ended: EpochEntry, key: SigningKey) -> Recovery:
    """Return the recovery with the signature of one recovery key more.

    Raises `InvalidRecovery` if it is not the recovery key of an authority of the ended epoch.
    """
    for index, authority in enumerate(ended.authorities):
        if authority.recovery_key == key.public:
            signature = RecoverySignature(index, key.sign(_statement(recovery.manifest)))
            others = [each for each in recovery.signatures if each.signer != index]
            ordered = sorted((*others, signature), key=lambda each: each.signer)
            return Recovery(recovery.manifest, tuple(ordered))
    raise InvalidRecovery("this is not the recovery key of an authority of that epoch")


def validate_recovery(
    recovery: Recovery, *, ended: EpochEntry, network: NetworkId, verifier: Verifier
) -> Salvage:
    """Return what the manifest keeps, or raise a `ProtocolError` unless it may be followed."""
    manifest = recovery.manifest
    if (manifest.network, manifest.epoch) != (network, ended.epoch):
        raise InvalidRecovery("the manifest is about another network or epoch")
    found = _salvaged(manifest.reports, ended, network, verifier)
    decided = (block_hash(found.base), found.base.height, found.abandoned)
    if decided != (manifest.base, manifest.base_height, manifest.abandoned):
        raise InvalidRecovery("the base does not follow from the reports")
    _validate_authorities(manifest)
    _validate_signatures(recovery, ended, verifier)
    return found


def next_epoch(manifest: RecoveryManifest) -> EpochEntry:
    """Return the epoch that the manifest begins."""
    return EpochEntry(manifest.epoch + 1, manifest.base_height, manifest.authorities)


def _salvaged(
    reports: Sequence[SurvivorReport], ended: EpochEntry, network: NetworkId, verifier: Verifier
) -> Salvage:
    for report in reports:
        validate_report(report, network, ended, verifier)
    validate_together(reports, ended.authorities)
    return salvage(reports, ended.authorities)


def _validate_authorities(manifest: RecoveryManifest) -> None:
    authorities = manifest.authorities
    members = [authority.member for authority in authorities]
    if members != sorted(set(members)):
        raise InvalidRecovery("authorities must be sorted by member, each once")
    keys = [key for each in authorities for key in (each.voting_key, each.recovery_key)]
    if len(set(keys)) != len(keys) or set(keys) & set(members):
        raise InvalidRecovery("a key appears twice")


def _validate_signatures(recovery: Recovery, ended: EpochEntry, verifier: Verifier) -> None:
    signers = [each.signer for each in recovery.signatures]
    if signers != sorted(set(signers)) or (signers and signers[-1] >= len(ended.authorities)):
        raise InvalidRecovery("signers are not distinct authorities in order")
    needed = quorum(len(ended.authorities))
    if len(signers) < needed:
        raise InvalidRecovery(f"{len(signers)} of {needed} recovery keys have signed")
    statement = _statement(recovery.manifest)
    for each in recovery.signatures:
        key = ended.authorities[each.signer].recovery_key
        if not verifier.is_valid(key, statement, each.signature):
            raise InvalidRecovery(f"authority {each.signer} did not sign this manifest")


def _statement(manifest: RecoveryManifest) -> bytes:
    return signing_bytes("recovery", manifest.network, recovery_hash(manifest))
