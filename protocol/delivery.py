"""How terms get to those who must know them: the custodian, and whom a permit names.

    patient's node                 custodian, or a recipient of the permit
    TermsSent                  ->
                               <-  TermsKept, or TermsDeclined

The terms travel sealed (HPKE) to the one member, together with the subject's signed event, so the
receiver knows that the patient meant them before the chain says so. It keeps only what concerns it.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec

from protocol.codec import Digest, Message, decode, digest, encode
from protocol.errors import InvalidSignature
from protocol.events import ConsentGiven, ConsentId, SignedEvent, event_signing_bytes
from protocol.genesis import Member
from protocol.identity import MemberId, NetworkId, Verifier
from protocol.kem import KemPrivateKey, Seal, kem_key_id, seal_to
from protocol.terms import TERMS_SIZE_MAX, DirectiveKind, InvalidTerms, Salt, Terms, validate_terms

OPENING_SIZE_MAX = TERMS_SIZE_MAX + 64

SEALED_TERMS_SIZE_MAX = OPENING_SIZE_MAX + 2_048

DECLINED_LENGTH_MAX = 64


class TermsOpening(Message, frozen=True, tag="terms-opening"):
    """What opens the commitment on the chain."""

    salt: Salt
    terms: Terms


class TermsSent(Message, frozen=True, tag="terms-sent"):
    """A `ConsentGiven` with its terms, sealed to the receiver's key `kem_key`."""

    given: SignedEvent
    kem_key: Digest
    sealed: Annotated[bytes, msgspec.Meta(max_length=SEALED_TERMS_SIZE_MAX)]


class TermsKept(Message, frozen=True, tag="terms-kept"):
    """The terms are on the receiver's disk."""

    consent: ConsentId


class TermsDeclined(Message, frozen=True, tag="terms-declined"):
    """The receiver did not keep them."""

    code: Annotated[str, msgspec.Meta(max_length=DECLINED_LENGTH_MAX)]


DeliveryAnswer = TermsKept | TermsDeclined


def seal_terms(
    opening: TermsOpening,
    given: SignedEvent,
    *,
    receiver: Member,
    network: NetworkId,
    seal: Seal = seal_to,
) -> TermsSent:
    """Seal the terms to `receiver`. Randomized by the library, as `seal_to` is.

    Only simulations seal with something else, so that equal seeds give equal runs.
    """
    info = _info(opening.terms.consent, receiver.id, network)
    sealed = seal(receiver.kem_key, encode(opening), info)
    return TermsSent(given=given, kem_key=kem_key_id(receiver.kem_key), sealed=sealed)


def open_terms(
    sent: TermsSent, keys: Iterable[KemPrivateKey], *, receiver: MemberId, network: NetworkId
) -> TermsOpening:
    """Return the terms that were sealed to `receiver`.

    Raises `InvalidTerms`, `InvalidRecord` or `DecodeError`. That the terms are the patient's is for
    `validate_opening` to say.
    """
    body = sent.given.event.body
    if not isinstance(body, ConsentGiven):
        raise InvalidTerms("the event gives no consent")
    key = next((key for key in keys if key.id == sent.kem_key), None)
    if key is None:
        raise InvalidTerms("the terms are sealed to a key that is not ours")
    opened = key.open(sent.sealed, _info(body.consent, receiver, network))
    return decode(opened, TermsOpening, OPENING_SIZE_MAX)


def validate_opening(
    opening: TermsOpening, given: SignedEvent, network: NetworkId, verifier: Verifier
) -> None:
    """Raise `InvalidTerms` or `InvalidSignature` unless the patient signed for these terms."""
    body = given.event.body
    if not isinstance(body, ConsentGiven):
        raise InvalidTerms("the event gives no consent")
    validate_terms(opening.terms, opening.salt, given=body, network=network)
    message = event_signing_bytes(given.event, network)
    if len(given.signatures) != 1 or not verifier.is_valid(
        body.subject, message, given.signatures[0]
    ):
        raise InvalidSignature("the subject did not sign this consent")


def concerns(terms: Terms, member: Member) -> bool:
    """Say whether `member` is to know the terms: as the custodian, or because they permit to it."""
    recipients = terms.scope.recipients
    return member.id == terms.custodian or (
        terms.kind == DirectiveKind.PERMIT
        and (
            recipients.anyone or member.id in recipients.members or member.kind in recipients.kinds
        )
    )


def _info(consent: ConsentId, receiver: MemberId, network: NetworkId) -> Digest:
    return digest("terms-delivery", network, consent, receiver)
