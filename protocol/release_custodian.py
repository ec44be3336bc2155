"""The custodian's side of one exchange. The order of its steps is a promise:

    decide -> seal -> remember -> log the disclosure -> wait until it is final
           -> decide again, at the time of the block -> hand over

So a key never leaves before all the network can see that it will, and a withdrawal that this node
has seen by then stops it, final or not. What was handed over once is handed over again when the
same request comes again (a stream broke, a node restarted), as long as it is still permitted; that
needs no second disclosure.

The time of a decision is that of the block that contains the disclosure. The local clock can only
refuse: it stands in for that time before the block exists, and ends a permit that is over by now.

The machine does nothing itself. It is told what is (`Case`), and answers with effects that the
driver carries out in their order.
"""

from enum import Enum, auto
from typing import assert_never

from protocol.codec import Timestamp
from protocol.container import Layout
from protocol.directives import BasePolicy, Question
from protocol.envelope import Handover, Release, release_digest
from protocol.events import EventId
from protocol.genesis import Member
from protocol.identity import NetworkId, Verifier
from protocol.record import RecordId
from protocol.release import (
    Acknowledged,
    ChunksWanted,
    Granted,
    NotConsidered,
    NotLogged,
    Unconsidered,
    UnexpectedMessage,
    build_disclosure,
    refusal_delay,
    validate_acknowledgement,
)
from protocol.release_effects import (
    AwaitDisclosure,
    Case,
    CaseLoaded,
    ChunksRequested,
    DisclosureFailed,
    DisclosureFinal,
    Effect,
    HandOver,
    Input,
    KeepReceipt,
    LoadCase,
    ReceiptReceived,
    Refuse,
    ReleaseSealed,
    Remembered,
    RequestReceived,
    SealRelease,
    SendChunks,
    SubmitDisclosure,
    TurnAway,
)
from protocol.request import SignedRequest, is_timely, request_statement, validate_request
from protocol.ruling import Ruling, rule, still_holds


class Phase(Enum):
    """What the exchange waits for."""

    REQUEST = auto()
    CASE = auto()
    SEALING = auto()
    FINALITY = auto()
    LAST_LOOK = auto()
    TRANSFER = auto()
    OVER = auto()


class CustodianExchange:
    """One request of one member, from its arrival to the receipt."""

    def __init__(
        self,
        *,
        custodian: Member,
        requester: Member,
        network: NetworkId,
        policy: BasePolicy,
        verifier: Verifier,
    ) -> None:
        self.phase = Phase.REQUEST
        self._custodian = custodian
        self._requester = requester
        self._network = network
        self._policy = policy
        self._verifier = verifier
        self._received_at = 0
        self.signed: SignedRequest
        self._ruling: Ruling
        self._release: Release
        self._disclosure: EventId
        self._block_time = 0

    def step(self, now: Timestamp, input: Input) -> list[Effect]:
        """Take one step. Raises `ProtocolError` if the requester broke the rules."""
        match input:
            case RequestReceived(signed):
                effects = self._receive(now, signed)
            case CaseLoaded(case):
                effects = self._look(now, case)
            case ReleaseSealed(release):
                effects = self._submit(release)
            case DisclosureFinal(disclosure, timestamp):
                effects = self._look_again(disclosure, timestamp)
            case DisclosureFailed(is_pending):
                effects = self._fail(now, is_pending=is_pending)
            case ChunksRequested(wanted):
                effects = self._send_chunks(wanted)
            case ReceiptReceived(acknowledged):
                effects = self._keep_receipt(acknowledged)
            case _:
                assert_never(input)
        return effects

    def _receive(self, now: Timestamp, signed: SignedRequest) -> list[Effect]:
        self._expect(Phase.REQUEST)
        self._received_at = now
        statement = request_statement(
            signed, requester=self._requester.id, custodian=self._custodian.id
        )
        validate_request(signed, statement, self._network, self._verifier)
        if not is_timely(signed.request, now):
            self.phase = Phase.OVER
            return [TurnAway(NotConsidered(Unconsidered.OUTDATED, now))]
        self.signed = signed
        self.phase = Phase.CASE
        return [self._load(signed.request.records)]

    def _look(self, now: Timestamp, case: Case) -> list[Effect]:
        assert self.phase in (Phase.CASE, Phase.LAST_LOOK)
        if self.phase == Phase.LAST_LOOK:
            return self._hand_over(now, case)
        if case.remembered is not None:
            return self._resume(now, case, case.remembered)
        ruling = rule(
            self.signed.request, self._question(now), case.records, case.directives, self._policy
        )
        if ruling is None:
            return self._refuse(now)
        self._ruling = ruling
        self.phase = Phase.SEALING
        not_after = self.signed.request.valid_until
        return [SealRelease(ruling.records, self._requester, self._handover(), not_after)]

    def _resume(self, now: Timestamp, case: Case, remembered: Remembered) -> list[Effect]:
        wanted = {envelope.record for envelope in remembered.release.envelopes}
        records = tuple(record for record in case.records if record.id in wanted)
        if len(records) != len(wanted):
            return self._refuse(now)
        self._ruling = Ruling(remembered.basis, records, remembered.others)
        self._release = remembered.release
        self.phase = Phase.FINALITY
        request = self.signed
        return [
            AwaitDisclosure(
                remembered.disclosure,
                request=request.commitment,
                until=request.request.valid_until,
            )
        ]

    def _submit(self, release: Release) -> list[Effect]:
        assert self.phase == Phase.SEALING
        self._release = release
        self.phase = Phase.FINALITY
        disclosure = build_disclosure(
            self.signed,
            custodian=self._custodian,
            requester=self._requester,
            basis=self._ruling.basis,
            records=self._ruling.records,
            release=release,
        )
        until = self.signed.request.valid_until
        return [SubmitDisclosure(disclosure, until, release, self._ruling.others)]

    def _look_again(self, disclosure: EventId, timestamp: Timestamp) -> list[Effect]:
        assert self.phase == Phase.FINALITY
        self._disclosure, self._block_time = disclosure, timestamp
        self.phase = Phase.LAST_LOOK
        return [self._load(tuple(record.id for record in self._ruling.records))]

    def _hand_over(self, now: Timestamp, case: Case) -> list[Effect]:
        moments = (self._block_time, max(now, self._block_time))
        holds = all(
            still_holds(
                self._ruling, self._question(at), case.records, case.directives, self._policy
            )
            for at in moments
        )
        if not holds:
            return self._refuse(now)
        self.phase = Phase.TRANSFER
        granted = Granted(self._disclosure, self._release, self._ruling.others)
        return [HandOver(granted, self.signed)]

    def _send_chunks(self, wanted: ChunksWanted) -> list[Effect]:
        self._expect(Phase.TRANSFER)
        found = [each for each in self._ruling.records if each.id == wanted.record]
        if not found:
            raise UnexpectedMessage("the chunks wanted are of no record of the release")
        if wanted.first + wanted.count > Layout(found[0].content.length).chunk_count:
            raise UnexpectedMessage("the chunks wanted lie beyond the end of the record")
        return [SendChunks(wanted)]

    def _keep_receipt(self, acknowledged: Acknowledged) -> list[Effect]:
        self._expect(Phase.TRANSFER)
        expected = (self._disclosure, release_digest(self._release))
        if (acknowledged.disclosure, acknowledged.release) != expected:
            raise UnexpectedMessage("the receipt is for another release")
        validate_acknowledgement(acknowledged, self._network, self._requester.id, self._verifier)
        self.phase = Phase.OVER
        return [KeepReceipt(acknowledged)]

    def _fail(self, now: Timestamp, *, is_pending: bool) -> list[Effect]:
        if not is_pending:
            return self._refuse(now)
        self.phase = Phase.OVER
        return [TurnAway(NotLogged())]

    def _refuse(self, now: Timestamp) -> list[Effect]:
        self.phase = Phase.OVER
        return [Refuse(refusal_delay(self._received_at, now))]

    def _load(self, records: tuple[RecordId, ...]) -> LoadCase:
        request = self.signed.request
        return LoadCase(request.subject, records, self.signed.commitment, request.valid_until)

    def _question(self, at: Timestamp) -> Question:
        request = self.signed.request
        return Question(
            self._requester, self._custodian, request.purpose, at, request.justification
        )

    def _handover(self) -> Handover:
        return Handover(
            network=self._network, custodian=self._custodian.id, request=self.signed.commitment
        )

    def _expect(self, phase: Phase) -> None:
        if self.phase != phase:
            raise UnexpectedMessage(f"in phase {self.phase.name} this message has no place")
