"""One clinic: its records, the terms it knows, and both sides of the exchange of records.

A clinic works at one node. The node tells it what is heard, what became of events, and when the
process died or came back; what is kept on disk (records, terms, audit, sealed releases) stays.
"""

from collections.abc import Mapping
from functools import partial

from protocol.codec import digest
from protocol.delivery import (
    TermsDeclined,
    TermsKept,
    TermsOpening,
    TermsSent,
    concerns,
    open_terms,
    seal_terms,
    validate_opening,
)
from protocol.disclosure import REVIEW_DURATION
from protocol.errors import ProtocolError
from protocol.events import (
    EmergencyReviewed,
    Event,
    EventId,
    RecordsCommitted,
    SignedEvent,
    Verdict,
    sign_event,
)
from protocol.identity import MemberId, SubjectId
from protocol.release import Acknowledged, ChunksWanted
from protocol.request import REQUEST_VERSION, AccessRequest, SignedRequest, sign_request
from protocol.terms import Purpose
from simulations.workload.binder import Binder
from simulations.workload.custodian import CustodianDesk
from simulations.workload.disclosures import Disclosures
from simulations.workload.frames import answered, asked, read_answered, read_asked
from simulations.workload.news import BlamedClinic, Tell
from simulations.workload.node import ClinicNode
from simulations.workload.requester import RequesterDesk
from simulations.workload.sealing import FastKemKey, seal_fast
from simulations.workload.shelf import Shelf, commitments_root
from simulations.workload.waiting import Waiting
from simulations.world.frame import Frame

EVENT_LIFETIME = 3_600_000
"""How long our events may wait for a block, in milliseconds."""
REQUEST_LIFETIME = 3_600_000
DELIVERY_ATTEMPTS_MAX = 20
DELIVERY_PAUSE = 2_000
"""Before terms are sent again, in milliseconds."""
BATCH_PADDED = 8
"""Records that a batch seems to have, however few there are."""


class Clinic:
    """A member at work."""

    def __init__(self, node: ClinicNode, tell: Tell) -> None:
        self.node = node
        self.tell = tell
        self.shelf = Shelf(node.member.id)
        self.binder = Binder(node)
        self.waiting = Waiting(node)
        self.disclosures = Disclosures(node, self.waiting)
        self.custodian = self.make_custodian()
        self.requester = self.make_requester()
        self._deliveries: dict[int, tuple[MemberId, TermsSent]] = {}
        """Terms under way, by stream."""
        self._numbers = 0

    def make_custodian(self) -> CustodianDesk:
        return CustodianDesk(
            self.node,
            shelf=self.shelf,
            binder=self.binder,
            disclosures=self.disclosures,
            tell=self.tell,
        )

    def make_requester(self) -> RequesterDesk:
        return RequesterDesk(self.node, self.waiting, self.tell)

    @property
    def is_waiting(self) -> bool:
        """Say whether it matters here what becomes of an event."""
        return self.waiting.is_waiting or bool(self.disclosures.remembered)

    # What the node tells.

    def died(self) -> None:
        for part in (self.waiting, self.disclosures, self.custodian, self.requester):
            part.died()

    def restarted(self) -> None:
        self.requester.restarted()
        for stream in list(self._deliveries):
            self._send_terms(stream, DELIVERY_ATTEMPTS_MAX)

    def settled(self, settled: Mapping[EventId, ProtocolError | None]) -> None:
        """Events became final (`None`), or were refused at this node."""
        self.disclosures.settle(settled)
        self.waiting.settled(settled)

    def heard(self, sender: MemberId, frame: Frame) -> None:
        """Another clinic said something on a stream."""
        try:
            if frame.is_opener:
                self._asked(sender, frame)
            else:
                self._answered(sender, frame)
        except ProtocolError as error:
            self.tell(BlamedClinic(self.node.member.id, sender, error.code))

    # What people do here.

    def write_record(self, subject: SubjectId) -> None:
        """Write a record, and commit to it on the chain."""
        node = self.node
        manifest = self.shelf.write(subject, at=node.now())
        body = RecordsCommitted(node.member.id, commitments_root([manifest]), BATCH_PADDED)
        node.submit(self._sign(body))

    def deliver(self, given: SignedEvent, opening: TermsOpening, receiver: MemberId) -> None:
        """Send terms to a member that must know them; or keep them, if that is us."""
        if receiver == self.node.member.id:
            self.binder.keep(given, opening)
            return
        member = self.node.directory(receiver)
        if member is None:
            return  # It was a member when the patient chose it.
        sent = seal_terms(
            opening, given, receiver=member, network=self.node.network, seal=seal_fast
        )
        self._numbers += 1
        stream = -self._numbers & 0xFFFF_FFFF  # Apart from those of fetches.
        self._deliveries[stream] = receiver, sent
        self._send_terms(stream, DELIVERY_ATTEMPTS_MAX)

    def request(
        self,
        custodian: MemberId,
        subject: SubjectId,
        *,
        purpose: Purpose = Purpose.TREAT,
        consent: bytes | None = None,
        justification: str = "",
        role: str = "ward physician",
    ) -> SignedRequest:
        """Return a request for all that is permitted of a subject, signed now."""
        self._numbers += 1
        me = self.node.member.id
        request = AccessRequest(
            version=REQUEST_VERSION,
            subject=subject,
            records=(),
            purpose=purpose,
            role=role,
            consent=consent,
            justification=justification,
            valid_until=self.node.now() + REQUEST_LIFETIME,
        )
        return sign_request(
            self.node.key,
            request,
            salt=digest("simulated-salt", me, self._numbers.to_bytes(8, "big")),
            custodian=custodian,
            network=self.node.network,
        )

    def review(self, disclosure: EventId, verdict: Verdict) -> None:
        """Our privacy officer has looked at an emergency access."""
        body = EmergencyReviewed(disclosure, self.node.member.id, verdict)
        valid_until = self.node.now() + min(EVENT_LIFETIME, REVIEW_DURATION)
        event = Event(valid_until=valid_until, body=body)
        self.node.submit(sign_event(event, self.node.network, self.node.officer_key))

    def _sign(self, body: RecordsCommitted) -> SignedEvent:
        event = Event(valid_until=self.node.now() + EVENT_LIFETIME, body=body)
        return sign_event(event, self.node.network, self.node.key)

    # Streams.

    def _asked(self, sender: MemberId, frame: Frame) -> None:
        message = read_asked(frame)
        stream = (sender, frame.stream)
        match message:
            case SignedRequest():
                self.custodian.opened(stream, message)
            case ChunksWanted() | Acknowledged():
                self.custodian.heard(stream, message)
            case TermsSent():
                self._keep_terms(sender, frame.stream, message)

    def _answered(self, sender: MemberId, frame: Frame) -> None:
        message = read_answered(frame)
        match message:
            case TermsKept() | TermsDeclined():
                self._deliveries.pop(frame.stream, None)
            case _:
                self.requester.heard(sender, frame.stream, message)

    def _keep_terms(self, sender: MemberId, stream: int, sent: TermsSent) -> None:
        node = self.node
        keys = [FastKemKey(node.member.kem_key)]
        opening = open_terms(sent, keys, receiver=node.member.id, network=node.network)
        validate_opening(opening, sent.given, node.network, node.verifier)
        if concerns(opening.terms, node.member):
            self.binder.keep(sent.given, opening)
            node.say(sender, answered(stream, TermsKept(opening.terms.consent)))
        else:
            node.say(sender, answered(stream, TermsDeclined("not-concerned")))

    def _send_terms(self, stream: int, attempts: int) -> None:
        if stream not in self._deliveries or not attempts:
            self._deliveries.pop(stream, None)
            return
        receiver, sent = self._deliveries[stream]
        self.node.say(receiver, asked(stream, sent))
        again = partial(self._send_terms, stream, attempts - 1)
        self.node.later(DELIVERY_PAUSE, again)
