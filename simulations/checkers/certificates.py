"""Each view has at most one outcome, shown by a true quorum of its epoch (I2, I10).

What a quorum is and what it signs is written here once more, and not asked of the code that is
watched: a checker that shared its rules would share its mistakes.
"""

from collections.abc import Iterator
from typing import Any

from protocol.blocks import FinalizedBlocks
from protocol.codec import encode
from protocol.effects import StoreBlocks
from protocol.messages import Proposal, Status
from protocol.votes import Certificate, VoteKind
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost


class Certificates:
    """Looks at each certificate that an honest node sends or stores."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._seen: dict[Certificate, None] = {}
        self._outcomes: dict[tuple[int, int], dict[VoteKind, bytes]] = {}
        for kind in (Certificate, Status, Proposal, FinalizedBlocks):
            watch.on_effect(kind, self._sent)
        watch.on_effect(StoreBlocks, self._stored)

    def _sent(self, host: CoreHost, message: Any) -> None:
        for certificate in _certificates(message):
            self._look_at(host, certificate)

    def _stored(self, host: CoreHost, effect: StoreBlocks) -> None:
        self._look_at(host, effect.certificate)

    def _look_at(self, host: CoreHost, certificate: Certificate) -> None:
        if certificate in self._seen:
            return
        self._seen[certificate] = None
        fault = self._fault_of(certificate)
        if fault:
            self.watch.report(self, f"a certificate of view {certificate.view} {fault}", host)
            return
        view = f"view {certificate.view}"
        outcomes = self._outcomes.setdefault((certificate.epoch, certificate.view), {})
        if outcomes.setdefault(certificate.kind, certificate.block) != certificate.block:
            self.watch.report(self, f"two {certificate.kind.name} certificates of {view}", host)
        if {VoteKind.FINALIZE, VoteKind.NULLIFY} <= outcomes.keys():
            self.watch.report(self, f"{view} is finalized and nullified", host)

    def _fault_of(self, certificate: Certificate) -> str:
        """Say what is wrong with the certificate, if anything is."""
        cast, signers = self.watch.world.cast, certificate.signers
        authorities = self.watch.authorities(certificate.epoch)
        if len(set(signers)) != len(authorities) - (len(authorities) - 1) // 3:
            return f"has the signers {signers}, not a quorum of {len(authorities)}"
        if list(signers) != sorted(set(signers)) or signers[-1] >= len(authorities):
            return f"has the signers {signers}, not in order"
        said = (int(certificate.kind), certificate.epoch, certificate.view, certificate.block)
        statement = b"placet/vote/1\0" + cast.id + encode(said)
        for signer, signature in zip(signers, certificate.signatures, strict=True):
            if not cast.verifier.is_valid(authorities[signer].voting_key, statement, signature):
                return f"was not signed by authority {signer}"
        return ""


def _certificates(message: Any) -> Iterator[Certificate]:
    match message:
        case Certificate():
            yield message
        case Status(certificate=Certificate() as certificate):
            yield certificate
        case Proposal(justification=justification):
            yield from justification
        case FinalizedBlocks(certificate=certificate):
            yield certificate
