"""The requester's side of one exchange: believe nothing that the chain does not say.

    ask -> (granted) -> find the disclosure final in our own chain -> check the release against it
        -> open every envelope -> fetch each record, checking every chunk -> acknowledge

What a custodian says is checked against what this node's own chain holds: the disclosure is ours,
about our request, with the basis that we asked for, and the release is the one whose digest it
carries. Only then are envelopes opened. The receipt is signed when all records are whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import assert_never

from protocol.codec import Digest, Timestamp
from protocol.envelope import Handover, Opening, check_release, open_envelope, release_digest
from protocol.errors import InvalidRecord
from protocol.events import ConsentBasis, Disclosure, EmergencyBasis, EventId
from protocol.identity import MemberId, NetworkId, SigningKey
from protocol.kem import KemPrivateKey
from protocol.record import RecordId, manifests_commitment
from protocol.release import (
    Acknowledged,
    ChunksSent,
    CustodianMessage,
    Granted,
    NotConsidered,
    NotLogged,
    Refused,
    UnexpectedMessage,
    sign_acknowledgement,
)
from protocol.request import SignedRequest
from protocol.terms import EMERGENCY_PURPOSES


@dataclass(frozen=True, slots=True)
class Started:
    """The stream is open. After a break, the same request starts a new exchange."""


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    answer: CustodianMessage


@dataclass(frozen=True, slots=True)
class DisclosureFound:
    """Our own chain holds this disclosure in a final block."""

    disclosure: Disclosure


@dataclass(frozen=True, slots=True)
class DisclosureMissing:
    """Our own chain did not get to hold the disclosure in time."""


@dataclass(frozen=True, slots=True)
class RecordWhole:
    """All chunks of the record were opened, and its root and hash are those of the manifest."""

    record: RecordId


Input = Started | AnswerReceived | DisclosureFound | DisclosureMissing | RecordWhole


@dataclass(frozen=True, slots=True)
class SendRequest:
    signed: SignedRequest


@dataclass(frozen=True, slots=True)
class AwaitDisclosure:
    """Wait until our own chain holds the disclosure."""

    disclosure: EventId


@dataclass(frozen=True, slots=True)
class FetchRecord:
    """Fetch the chunks, check and open them all; they are worth nothing before `RecordWhole`."""

    opening: Opening


@dataclass(frozen=True, slots=True)
class SendReceipt:
    acknowledged: Acknowledged


class Ending(Enum):
    """How an exchange ended."""

    DONE = auto()
    REFUSED = auto()
    NOT_CONSIDERED = auto()
    NOT_FINAL = auto()


@dataclass(frozen=True, slots=True)
class Conclude:
    """The exchange is over; if it was granted, this is how it was logged."""

    ending: Ending
    disclosure: EventId | None = None
    others: tuple[RecordId, ...] = ()
    answer: NotConsidered | None = None


Effect = SendRequest | AwaitDisclosure | FetchRecord | SendReceipt | Conclude


class Phase(Enum):
    """What the exchange waits for."""

    START = auto()
    ANSWER = auto()
    DISCLOSURE = auto()
    RECORDS = auto()
    OVER = auto()


class RequesterExchange:
    """One request to one custodian, from the signature to the receipt."""

    def __init__(
        self,
        signed: SignedRequest,
        *,
        key: SigningKey,
        kem_keys: Mapping[Digest, KemPrivateKey],
        custodian: MemberId,
        network: NetworkId,
    ) -> None:
        """`kem_keys` are our keys by their id, those that were replaced lately included."""
        self.phase = Phase.START
        self._signed = signed
        self._key = key
        self._kem_keys = kem_keys
        self._custodian = custodian
        self._network = network
        self._granted: Granted
        self._openings: tuple[Opening, ...] = ()
        self._whole_count = 0

    def step(self, now: Timestamp, input: Input) -> list[Effect]:
        """Take one step. Raises `ProtocolError` if the custodian broke the rules."""
        match input:
            case Started():
                assert self.phase == Phase.START
                self.phase = Phase.ANSWER
                effects: list[Effect] = [SendRequest(self._signed)]
            case AnswerReceived(answer):
                effects = self._receive(answer)
            case DisclosureFound(disclosure):
                effects = self._open(now, disclosure)
            case DisclosureMissing():
                effects = self._conclude(Conclude(Ending.NOT_FINAL))
            case RecordWhole(record):
                effects = self._go_on(record)
            case _:
                assert_never(input)
        return effects

    def _receive(self, answer: CustodianMessage) -> list[Effect]:
        if self.phase != Phase.ANSWER:
            raise UnexpectedMessage("the custodian answered twice")
        match answer:
            case Refused():
                return self._conclude(Conclude(Ending.REFUSED))
            case NotConsidered():
                return self._conclude(Conclude(Ending.NOT_CONSIDERED, answer=answer))
            case NotLogged():
                return self._conclude(Conclude(Ending.NOT_FINAL))
            case ChunksSent():
                raise UnexpectedMessage("the custodian sent chunks before their key")
            case Granted():
                self._check_records(answer)
                self._granted = answer
                self.phase = Phase.DISCLOSURE
                return [AwaitDisclosure(answer.disclosure)]
        assert_never(answer)

    def _check_records(self, granted: Granted) -> None:
        wanted = self._signed.request.records
        given = {envelope.record for envelope in granted.release.envelopes}
        if wanted and not given <= set(wanted):
            raise InvalidRecord("the release holds a record that was not asked for")

    def _open(self, now: Timestamp, disclosure: Disclosure) -> list[Effect]:
        assert self.phase == Phase.DISCLOSURE
        self._check_disclosure(disclosure)
        check_release(self._granted.release, disclosure.release)
        handover = Handover(
            network=self._network, custodian=self._custodian, request=self._signed.commitment
        )
        openings = []
        for envelope in self._granted.release.envelopes:
            key = self._kem_keys.get(envelope.kem_key)
            if key is None:
                raise InvalidRecord("the envelope is sealed to a key that is not ours")
            openings.append(open_envelope(envelope, key, handover=handover, now=now))
        if any(
            opening.manifest.description.subject != self._signed.request.subject
            for opening in openings
        ):
            raise InvalidRecord("the release holds a record of another subject")
        self._openings = tuple(openings)
        self.phase = Phase.RECORDS
        return [FetchRecord(self._openings[0])]

    def _check_disclosure(self, disclosure: Disclosure) -> None:
        """Raise `InvalidRecord` unless the disclosure logs the answer to our request."""
        request = self._signed.request
        envelopes = self._granted.release.envelopes
        said = (
            disclosure.subject,
            disclosure.custodian,
            disclosure.requester,
            disclosure.request,
            disclosure.request_until,
            disclosure.manifests,
        )
        expected = (
            request.subject,
            self._custodian,
            self._key.public,
            self._signed.commitment,
            request.valid_until,
            manifests_commitment([each.manifest_commitment for each in envelopes]),
        )
        if said != expected:
            raise InvalidRecord("the disclosure does not log the answer to our request")
        basis = disclosure.basis
        if request.consent is not None and basis != ConsentBasis(request.consent):
            raise InvalidRecord("the disclosure cites another basis than the request")
        if isinstance(basis, EmergencyBasis) and request.purpose not in EMERGENCY_PURPOSES:
            raise InvalidRecord("the disclosure claims an emergency that we did not")

    def _go_on(self, record: RecordId) -> list[Effect]:
        assert self.phase == Phase.RECORDS
        assert self._openings[self._whole_count].manifest.id == record
        self._whole_count += 1
        if self._whole_count < len(self._openings):
            return [FetchRecord(self._openings[self._whole_count])]
        receipt = sign_acknowledgement(
            self._key,
            self._network,
            disclosure=self._granted.disclosure,
            release=release_digest(self._granted.release),
        )
        return [
            SendReceipt(receipt),
            *self._conclude(
                Conclude(Ending.DONE, self._granted.disclosure, others=self._granted.others)
            ),
        ]

    def _conclude(self, conclude: Conclude) -> list[Effect]:
        self.phase = Phase.OVER
        return [conclude]
