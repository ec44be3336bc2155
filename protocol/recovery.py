"""Making and checking a recovery: the file that is carried between those who sign it.

It holds the manifest, the reports of the survivors from which that follows, and the signatures
of recovery keys. Everybody can check that the base follows from the reports. What nodes need
afterwards is the manifest with its signatures alone (`protocol.recovery_proof`).
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from protocol.blocks import block_hash
from protocol.codec import Digest, Message, digest, encode
from protocol.genesis import AUTHORITIES_MAX, Authority
from protocol.identity import NetworkId, SigningKey, Verifier
from protocol.recovery_proof import (
    InvalidRecovery,
    RecoveryManifest,
    RecoveryProof,
    RecoverySignature,
    recovery_statement,
    validate_manifest_authorities,
    validate_proof,
)
from protocol.salvage import Salvage, salvage
from protocol.state import EpochEntry
from protocol.survivors import SurvivorReport, validate_report, validate_together

RECOVERY_SIZE_MAX = 256 * 1024 * 1024
"""The largest encoded recovery in bytes; it holds all reports."""


class Recovery(Message, frozen=True, tag="recovery"):
    """A plan on its way from one owner of a recovery key to the next."""

    manifest: RecoveryManifest
    reports: Annotated[
        tuple[SurvivorReport, ...], msgspec.Meta(min_length=1, max_length=AUTHORITIES_MAX)
    ]
    signatures: Annotated[tuple[RecoverySignature, ...], msgspec.Meta(max_length=AUTHORITIES_MAX)]

    @property
    def proof(self) -> RecoveryProof:
        """What nodes keep, and show each other."""
        return RecoveryProof(self.manifest, self.signatures)


def plan_recovery(
    reports: Sequence[SurvivorReport],
    *,
    ended: EpochEntry,
    network: NetworkId,
    authorities: tuple[Authority, ...],
    reason: str,
    verifier: Verifier,
) -> Recovery:
    """Return the plan that follows from the reports, for the old authorities to sign.

    Raises a `ProtocolError` that says which report is bad, or what is missing.
    """
    found = _salvaged(reports, ended, network, verifier)
    ordered = tuple(sorted(reports, key=lambda report: report.member))
    manifest = RecoveryManifest(
        network=network,
        epoch=ended.epoch,
        base=block_hash(found.base),
        base_height=found.base.height,
        abandoned=found.abandoned,
        authorities=tuple(sorted(authorities, key=lambda authority: authority.member)),
        reason=reason,
        reports=reports_hash(ordered),
    )
    validate_manifest_authorities(manifest)
    return Recovery(manifest, ordered, ())


def reports_hash(reports: tuple[SurvivorReport, ...]) -> Digest:
    """Return what a manifest names its reports by."""
    return digest("survivor-reports", encode(reports))


def sign_recovery(recovery: Recovery, ended: EpochEntry, key: SigningKey) -> Recovery:
    """Return the recovery with the signature of one recovery key more.

    Raises `InvalidRecovery` if it is not the recovery key of an authority of the ended epoch.
    """
    for index, authority in enumerate(ended.authorities):
        if authority.recovery_key == key.public:
            signature = RecoverySignature(index, key.sign(recovery_statement(recovery.manifest)))
            others = [each for each in recovery.signatures if each.signer != index]
            ordered = sorted((*others, signature), key=lambda each: each.signer)
            return Recovery(recovery.manifest, recovery.reports, tuple(ordered))
    raise InvalidRecovery("this is not the recovery key of an authority of that epoch")


def validate_recovery(
    recovery: Recovery, *, ended: EpochEntry, network: NetworkId, verifier: Verifier
) -> Salvage:
    """Return what the manifest keeps, or raise a `ProtocolError` unless it may be followed."""
    manifest = recovery.manifest
    if (manifest.network, manifest.epoch) != (network, ended.epoch):
        raise InvalidRecovery("the manifest is about another network or epoch")
    if manifest.reports != reports_hash(recovery.reports):
        raise InvalidRecovery("these are not the reports of the manifest")
    found = _salvaged(recovery.reports, ended, network, verifier)
    decided = (block_hash(found.base), found.base.height, found.abandoned)
    if decided != (manifest.base, manifest.base_height, manifest.abandoned):
        raise InvalidRecovery("the base does not follow from the reports")
    validate_proof(
        recovery.proof,
        epoch=ended.epoch,
        authorities=ended.authorities,
        network=network,
        verifier=verifier,
    )
    return found


def _salvaged(
    reports: Sequence[SurvivorReport], ended: EpochEntry, network: NetworkId, verifier: Verifier
) -> Salvage:
    for report in reports:
        validate_report(report, network, ended, verifier)
    validate_together(reports, ended.authorities)
    return salvage(reports, ended.authorities)
