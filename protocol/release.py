"""What requester and custodian say to each other about records, on a stream of their own.

    requester                     custodian
    SignedRequest             ->
                                  (decides; logs the disclosure; waits until it is final)
                              <-  Granted, or Refused (or NotConsidered, at once; or NotLogged)
    ChunksWanted              ->
                              <-  ChunksSent, as many as it takes
    Acknowledged              ->

There is one refusal, always the same bytes, always a multiple of `REFUSAL_QUANTUM` after the
request: that a record is restricted, that it does not exist and that the subject is unknown cannot
be told apart. `NotConsidered` says nothing about any of that: it is sent before the custodian looks
anything up. `Granted` is the one message that holds keys, and it is never sent before the
disclosure is final; chunks without keys are noise.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from protocol.codec import Counter, Digest, Message, Timestamp, encode
from protocol.container import CHUNK_COUNT_MAX, SEALED_CHUNK_SIZE
from protocol.envelope import Release, release_digest
from protocol.errors import InvalidSignature, ProtocolError
from protocol.events import Basis, Disclosure, EventId
from protocol.genesis import Member
from protocol.identity import (
    MemberId,
    NetworkId,
    Signature,
    SigningKey,
    Verifier,
    signing_bytes,
)
from protocol.record import Manifest, RecordId, manifest_commitment, manifests_commitment
from protocol.request import SignedRequest
from protocol.ruling import OTHERS_MAX

REFUSAL_QUANTUM = 200
"""Refusals leave this many milliseconds, or a multiple, after the request came."""

CHUNKS_PER_ANSWER_MAX = 15
"""Sealed chunks in one `ChunksSent`: just under 1 MiB."""

CHUNKS_PER_REQUEST_MAX = 1_024
"""Chunks that one `ChunksWanted` asks for: 64 MiB."""


class Refused(Message, frozen=True, tag="refused"):
    """No. There is nothing else to say."""


class Unconsidered(StrEnum):
    """Why a request was not even looked at."""

    OUTDATED = "request-outdated"
    BUSY = "busy"


class NotConsidered(Message, frozen=True, tag="not-considered"):
    """The request was not looked at; another one may be. The time tells whose clock is wrong."""

    reason: Unconsidered
    custodian_time: Timestamp


class NotLogged(Message, frozen=True, tag="not-logged"):
    """Granted, but the disclosure did not become final in time. The same request may come again."""


class Granted(Message, frozen=True, tag="granted"):
    """The keys, and the disclosure that logged that they were handed over."""

    disclosure: EventId
    release: Release
    others: Annotated[tuple[RecordId, ...], msgspec.Meta(max_length=OTHERS_MAX)]
    """Further records that the request would be given, for which there was no room."""


class ChunksWanted(Message, frozen=True, tag="chunks-wanted"):
    """Asks for consecutive chunks of a record of the release."""

    record: RecordId
    first: Annotated[int, msgspec.Meta(ge=0, lt=CHUNK_COUNT_MAX)]
    count: Annotated[int, msgspec.Meta(ge=1, le=CHUNKS_PER_REQUEST_MAX)]


class ChunksSent(Message, frozen=True, tag="chunks-sent"):
    """Consecutive sealed chunks, from `first` on."""

    first: Counter
    chunks: Annotated[
        tuple[Annotated[bytes, msgspec.Meta(max_length=SEALED_CHUNK_SIZE)], ...],
        msgspec.Meta(min_length=1, max_length=CHUNKS_PER_ANSWER_MAX),
    ]


class Acknowledged(Message, frozen=True, tag="acknowledged"):
    """The requester has opened and checked all records of the release."""

    disclosure: EventId
    release: Digest
    signature: Signature


RequesterMessage = SignedRequest | ChunksWanted | Acknowledged
CustodianMessage = Refused | NotConsidered | NotLogged | Granted | ChunksSent


class UnexpectedMessage(ProtocolError):
    """The peer sent something that has no place at this point of the exchange."""

    code = "unexpected-message"


REFUSAL = encode(Refused())
"""The one refusal."""


def sign_acknowledgement(
    key: SigningKey, network: NetworkId, *, disclosure: EventId, release: Digest
) -> Acknowledged:
    """Return the receipt for a release."""
    message = _acknowledgement(network, disclosure, release)
    return Acknowledged(disclosure, release, key.sign(message))


def validate_acknowledgement(
    acknowledged: Acknowledged, network: NetworkId, requester: MemberId, verifier: Verifier
) -> None:
    """Raise `InvalidSignature` unless `requester` signed the receipt."""
    message = _acknowledgement(network, acknowledged.disclosure, acknowledged.release)
    if not verifier.is_valid(requester, message, acknowledged.signature):
        raise InvalidSignature("the requester did not sign this receipt")


def refusal_delay(received_at: int, now: int) -> int:
    """Return how long to wait with a refusal, so that its time says nothing. In milliseconds."""
    elapsed = max(0, now - received_at)
    return REFUSAL_QUANTUM - elapsed % REFUSAL_QUANTUM


def build_disclosure(
    signed: SignedRequest,
    *,
    custodian: Member,
    requester: Member,
    basis: Basis,
    records: tuple[Manifest, ...],
    release: Release,
) -> Disclosure:
    """Return the disclosure that logs `release`, with the counter still to be set."""
    return Disclosure(
        subject=signed.request.subject,
        counter=0,
        custodian=custodian.id,
        requester=requester.id,
        basis=basis,
        request=signed.commitment,
        request_until=signed.request.valid_until,
        request_signature=signed.signature,
        manifests=manifests_commitment([manifest_commitment(record) for record in records]),
        release=release_digest(release),
    )


def _acknowledgement(network: NetworkId, disclosure: EventId, release: Digest) -> bytes:
    return signing_bytes("acknowledgement", network, encode((disclosure, release)))
