"""A hospital, a clinic and two sealed records, for tests of the exchange between them."""

from hashlib import sha256
from typing import Any

import msgspec

from protocol.container import Sealer
from protocol.directives import BasePolicy, Directive
from protocol.envelope import Handover, Opening, Release, seal_envelope
from protocol.genesis import Member, MemberKind
from protocol.identity import SigningKey, Verifier
from protocol.kem import KemPrivateKey
from protocol.record import Description, Manifest
from protocol.release_custodian import CustodianExchange
from protocol.release_effects import Case, Remembered, SealRelease
from protocol.release_requester import RequesterExchange
from protocol.request import AccessRequest, SignedRequest, sign_request
from protocol.terms import Purpose
from tests.protocol.directive_examples import NETWORK, NOON, OPT_IN, SUBJECT

MINUTE = 60_000


class Party:
    """A member with its private keys."""

    def __init__(self, name: str, kind: MemberKind) -> None:
        self.key = SigningKey(sha256(name.encode()).digest())
        self.kem = KemPrivateKey(sha256(b"kem" + name.encode()).digest())
        self.member = Member(
            id=self.key.public, name=name, kind=kind, kem_key=self.kem.public, officer=bytes(32)
        )


HOSPITAL = Party("hospital", MemberKind.HOSPITAL)
CLINIC = Party("clinic", MemberKind.CLINIC)
PHARMACY = Party("pharmacy", MemberKind.PHARMACY)


def opening_of(number: int, plaintext: bytes, **about: Any) -> tuple[Opening, bytes]:
    """Return a record of one chunk: its key and manifest, and the sealed chunk."""
    dek = sha256(bytes([number])).digest()
    sealer = Sealer(dek, bytes([number]) * 16)
    chunk = sealer.seal(plaintext, last=True)
    description = Description(
        subject=SUBJECT,
        custodian=HOSPITAL.member.id,
        mime_type="text/plain",
        categories=(),
        sensitivity=(),
        author="hospital",
        authored_at=NOON - number * MINUTE,
        title=None,
    )
    manifest = Manifest(
        id=bytes([number]) * 16,
        description=msgspec.structs.replace(description, **about),
        content=sealer.content(),
        salt=sha256(b"salt").digest(),
    )
    return Opening(dek=dek, manifest=manifest), chunk


OPENINGS = {
    opening.manifest.id: opening
    for opening, _ in (
        opening_of(1, b"report", categories=("laboratory",)),
        opening_of(2, b"image", categories=("imaging",)),
    )
}
MANIFESTS = tuple(opening.manifest for opening in OPENINGS.values())
FIRST, SECOND = (manifest.id for manifest in MANIFESTS)


def request_of(**changes: Any) -> SignedRequest:
    request = AccessRequest(
        version=1,
        subject=SUBJECT,
        records=(),
        purpose=Purpose.TREAT,
        role="ward physician",
        consent=None,
        justification="",
        valid_until=NOON + 10 * MINUTE,
    )
    return sign_request(
        CLINIC.key,
        msgspec.structs.replace(request, **changes),
        salt=sha256(b"request").digest(),
        custodian=HOSPITAL.member.id,
        network=NETWORK,
    )


def custodian_exchange(requester: Party = CLINIC, policy: BasePolicy = OPT_IN) -> CustodianExchange:
    return CustodianExchange(
        custodian=HOSPITAL.member,
        requester=requester.member,
        network=NETWORK,
        policy=policy,
        verifier=Verifier(),
    )


def requester_exchange(signed: SignedRequest, party: Party = CLINIC) -> RequesterExchange:
    return RequesterExchange(
        signed,
        key=party.key,
        kem_keys={party.kem.id: party.kem},
        custodian=HOSPITAL.member.id,
        network=NETWORK,
    )


def case_of(
    *directives: Directive,
    records: tuple[Manifest, ...] = MANIFESTS,
    remembered: Remembered | None = None,
) -> Case:
    return Case(records, directives, remembered)


def sealed(effect: SealRelease) -> Release:
    """Carry out the effect."""
    return release_of(
        tuple(record.id for record in effect.records),
        kem_public=effect.requester.kem_key,
        handover=effect.handover,
        not_after=effect.not_after,
    )


def release_of(
    records: tuple[bytes, ...], *, kem_public: bytes, handover: Handover, not_after: int
) -> Release:
    return Release(
        tuple(
            seal_envelope(
                OPENINGS[record], kem_public=kem_public, handover=handover, not_after=not_after
            )
            for record in records
        )
    )
