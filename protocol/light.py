"""A light client: from the genesis to the authorities of any epoch, by headers and certificates.

Who holds the set of one epoch can judge each certificate of it. A final header of that epoch which
names the next set hands trust on: a quorum of the old authorities vouches for the new ones. So one
header for each epoch leads from the genesis to any head, without a block, an event or a state, and
without trust in whoever sent them.

What is final may be certified by a descendant: then the headers in between are needed, too.

Over a recovery no certificate leads: its manifest does, signed by a quorum of recovery keys, if the
operator has accepted it. Then it also voids the handoff that may have been decided before.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec

from protocol.blocks import TAIL_MAX, Header, block_hash
from protocol.codec import Digest, Message
from protocol.errors import InvalidBlock, ProtocolError
from protocol.genesis import AUTHORITIES_MAX, Authority, Genesis, authorities_hash, network_id
from protocol.identity import Verifier
from protocol.recovery_proof import RecoveryProof, recovery_hash, validate_proof
from protocol.votes import Certificate, VoteKind, validate_certificate


class FinalHeader(Message, frozen=True):
    """A header, and why it is final: a certificate for it, or for the end of its tail."""

    header: Header
    descendants: Annotated[tuple[Header, ...], msgspec.Meta(max_length=TAIL_MAX)]
    certificate: Certificate


class EpochProof(Message, frozen=True, tag="epoch-proof"):
    """A final header of an epoch, and the authorities of the next one, which it names."""

    final: FinalHeader
    authorities: Annotated[
        tuple[Authority, ...], msgspec.Meta(min_length=1, max_length=AUTHORITIES_MAX)
    ]


EpochEnd = EpochProof | RecoveryProof
"""Why the authorities of the next epoch are those that they are."""


class RecoveryNotAccepted(ProtocolError):
    """A quorum of recovery keys signed this; only the operator can say whether to follow it."""

    code = "recovery-not-accepted"

    def __init__(self, proof: RecoveryProof) -> None:
        super().__init__(f"epoch {proof.manifest.epoch} ended with a recovery, not accepted here")
        self.proof = proof


class LightClient:
    """Knows who the authorities of one epoch are, the first one to begin with."""

    def __init__(
        self, genesis: Genesis, verifier: Verifier, accepted: Mapping[int, Digest] | None = None
    ) -> None:
        """`accepted` are the hashes of recoveries, by the epochs that they end."""
        self.epoch = 0
        self.authorities = genesis.authorities
        self._network = network_id(genesis)
        self._verifier = verifier
        self._accepted = accepted or {}

    def advance(self, proof: EpochEnd) -> None:
        """Go on to the next epoch.

        Raises `InvalidBlock`, `InvalidCertificate`, `InvalidRecovery`; and `RecoveryNotAccepted`,
        for which nobody is to blame.
        """
        if isinstance(proof, RecoveryProof):
            self._validate_recovery(proof)
            self.authorities = proof.manifest.authorities
        else:
            self._validate_handoff(proof)
            self.authorities = proof.authorities
        self.epoch += 1

    def _validate_handoff(self, proof: EpochProof) -> None:
        if self.epoch in self._accepted:
            raise InvalidBlock(f"epoch {self.epoch} ended with a recovery")
        self.validate(proof.final)
        if proof.final.header.next_authorities != authorities_hash(
            self.epoch + 1, proof.authorities
        ):
            raise InvalidBlock("the header does not name these as the next authorities")

    def _validate_recovery(self, proof: RecoveryProof) -> None:
        validate_proof(
            proof,
            epoch=self.epoch,
            authorities=self.authorities,
            network=self._network,
            verifier=self._verifier,
        )
        if self._accepted.get(self.epoch) != recovery_hash(proof.manifest):
            raise RecoveryNotAccepted(proof)

    def validate(self, final: FinalHeader) -> None:
        """Raise `InvalidBlock` or `InvalidCertificate` unless the epoch's quorum finalized it."""
        if final.header.is_tail:
            raise InvalidBlock("a tail block is never part of the chain")
        self._validate_header(final.header)
        last = final.header
        for header in final.descendants:
            self._validate_header(header)
            if not header.is_tail or header.parent != block_hash(last):
                raise InvalidBlock("a header is none of the tail, or does not stand on the other")
            last = header
        certificate = final.certificate
        if certificate.kind != VoteKind.FINALIZE or certificate.block != block_hash(last):
            raise InvalidBlock("the certificate does not finalize the header")
        if (certificate.epoch, certificate.view) != (last.epoch, last.view):
            raise InvalidBlock("the certificate is about another view than its block")
        validate_certificate(certificate, self._network, self.authorities, self._verifier)

    def _validate_header(self, header: Header) -> None:
        if header.network != self._network:
            raise InvalidBlock("the header belongs to another network")
        if header.epoch != self.epoch:
            raise InvalidBlock(f"the header is of epoch {header.epoch} and not of {self.epoch}")
        if header.authorities != authorities_hash(self.epoch, self.authorities):
            raise InvalidBlock("the header names other authorities")
