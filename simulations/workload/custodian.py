"""Answers requests for records: carries out what `protocol.release_custodian` decides.

The daemon's `RecordCustodian` in the virtual world: the same machine, the same effects in the same
order. Adversaries replace the one or other effect (`simulations.adversaries`).
"""

from collections import deque
from functools import partial
from typing import assert_never

from protocol.audit import AuditEntry, HandedOver, ReceiptKept
from protocol.directives import BasePolicy
from protocol.envelope import Release, seal_envelope
from protocol.errors import ProtocolError
from protocol.identity import MemberId
from protocol.release import (
    Acknowledged,
    ChunksWanted,
    NotConsidered,
    Refused,
    Unconsidered,
    UnexpectedMessage,
)
from protocol.release_custodian import CustodianExchange, Phase
from protocol.release_effects import (
    AwaitDisclosure,
    Case,
    CaseLoaded,
    ChunksRequested,
    Effect,
    HandOver,
    Input,
    KeepReceipt,
    LoadCase,
    ReceiptReceived,
    Refuse,
    ReleaseSealed,
    RequestReceived,
    SealRelease,
    SendChunks,
    SubmitDisclosure,
    TurnAway,
)
from protocol.request import SignedRequest
from simulations.workload.binder import Binder
from simulations.workload.disclosures import Disclosures, Result
from simulations.workload.frames import Answered, Asked, answered
from simulations.workload.news import BlamedClinic, KeysSent, RequestDecided, Tell
from simulations.workload.node import ClinicNode
from simulations.workload.sealing import seal_fast
from simulations.workload.shelf import Shelf

EXCHANGES_MAX = 64
IDLE_MAX = 60_000
"""How long a requester may say nothing after it has got the keys, in milliseconds."""

StreamId = tuple[MemberId, int]


class CustodianDesk:
    """Gives out the records of one custodian."""

    def __init__(
        self,
        node: ClinicNode,
        *,
        shelf: Shelf,
        binder: Binder,
        disclosures: Disclosures,
        tell: Tell,
    ) -> None:
        self.node = node
        self.shelf = shelf
        self.binder = binder
        self.disclosures = disclosures
        self.tell = tell
        self.audit: list[AuditEntry] = []
        """What we would show our patients; it outlives the process."""
        self._exchanges: dict[StreamId, Conversation] = {}

    def died(self) -> None:
        self._exchanges.clear()

    def opened(self, stream: StreamId, signed: SignedRequest) -> None:
        """A member asks for records."""
        requester = self.node.directory(stream[0])
        if requester is None:
            return
        if len(self._exchanges) >= EXCHANGES_MAX or self._is_answering(signed):
            self.say(stream, NotConsidered(Unconsidered.BUSY, self.node.now()))
            return
        exchange = CustodianExchange(
            custodian=self.node.member,
            requester=requester,
            network=self.node.network,
            policy=BasePolicy.of(self.node.genesis),
            verifier=self.node.verifier,
        )
        conversation = self.converse(stream, exchange)
        self._exchanges[stream] = conversation
        conversation.signed = signed
        conversation.feed(RequestReceived(signed))

    def heard(self, stream: StreamId, message: Asked) -> None:
        """A requester goes on."""
        conversation = self._exchanges.get(stream)
        if conversation is None:
            return  # The exchange is over, or the process that had it is.
        match message:
            case ChunksWanted():
                conversation.feed(ChunksRequested(message))
            case Acknowledged():
                conversation.feed(ReceiptReceived(message))
            case _:
                conversation.blame(UnexpectedMessage("a stream is for one exchange"))

    def converse(self, stream: StreamId, exchange: CustodianExchange) -> "Conversation":
        """Return what carries out an exchange."""
        return Conversation(self, stream, exchange)

    def say(self, stream: StreamId, message: Answered) -> None:
        peer, number = stream
        self.node.say(peer, answered(number, message))

    def close(self, stream: StreamId) -> None:
        self._exchanges.pop(stream, None)

    def seal(self, effect: SealRelease) -> Release:
        return Release(
            tuple(
                seal_envelope(
                    self.shelf.opening(record.id),
                    kem_public=effect.requester.kem_key,
                    handover=effect.handover,
                    not_after=effect.not_after,
                    seal=seal_fast,
                )
                for record in effect.records
            )
        )

    def case(self, effect: LoadCase) -> Case:
        return Case(
            self.shelf.manifests(effect.subject, effect.records),
            self.binder.directives(effect.subject),
            self.disclosures.remembered.get(effect.request),
        )

    def _is_answering(self, signed: SignedRequest) -> bool:
        return any(
            each.signed == signed and each.is_before_transfer for each in self._exchanges.values()
        )


class Conversation:
    """One exchange on one stream."""

    signed: SignedRequest

    def __init__(self, desk: CustodianDesk, stream: StreamId, exchange: CustodianExchange) -> None:
        self.desk = desk
        self.stream = stream
        self.exchange = exchange

    @property
    def is_before_transfer(self) -> bool:
        return self.exchange.phase not in (Phase.TRANSFER, Phase.OVER)

    def feed(self, input: Input) -> None:
        """Step the machine until it wants nothing more from us."""
        inputs: deque[Input] = deque([input])
        while inputs:
            try:
                effects = self.exchange.step(self.desk.node.now(), inputs.popleft())
            except ProtocolError as error:
                self.blame(error)
                return
            for effect in effects:
                inputs.extend(self.carry_out(effect))

    def blame(self, error: ProtocolError) -> None:
        """End the exchange: the requester broke a rule."""
        desk = self.desk
        desk.close(self.stream)
        desk.tell(BlamedClinic(desk.node.member.id, self.stream[0], error.code))

    def carry_out(self, effect: Effect) -> list[Input]:
        """Do what the machine asks, and return what it should hear about it at once."""
        desk = self.desk
        match effect:
            case LoadCase():
                return [CaseLoaded(desk.case(effect))]
            case SealRelease():
                desk.tell(RequestDecided(desk.node.member.id, self.signed, is_permitted=True))
                return [ReleaseSealed(desk.seal(effect))]
            case SubmitDisclosure():
                desk.disclosures.submit(effect, self._disclosed)
            case AwaitDisclosure():
                desk.disclosures.wait(effect, self._disclosed)
            case HandOver() | Refuse() | TurnAway() | SendChunks() | KeepReceipt():
                self._answer(effect)
            case _:
                assert_never(effect)
        return []

    def _disclosed(self, result: Result) -> None:
        if self.exchange.phase == Phase.FINALITY:
            self.feed(result)

    def _answer(self, effect: HandOver | Refuse | TurnAway | SendChunks | KeepReceipt) -> None:
        desk, node = self.desk, self.desk.node
        match effect:
            case HandOver():
                self._hand_over(effect)
            case Refuse(delay):
                desk.tell(RequestDecided(node.member.id, self.signed, is_permitted=False))
                node.later(delay, partial(desk.say, self.stream, Refused()))
                desk.close(self.stream)
            case TurnAway(answer):
                desk.say(self.stream, answer)
                desk.close(self.stream)
            case SendChunks(wanted):
                desk.say(self.stream, desk.shelf.chunks(wanted))
            case KeepReceipt(acknowledged):
                desk.audit.append(ReceiptKept(node.now(), acknowledged))
                desk.disclosures.remembered.pop(self.signed.commitment, None)
                desk.close(self.stream)

    def _hand_over(self, effect: HandOver) -> None:
        desk, granted = self.desk, effect.granted
        me, requester = desk.node.member.id, self.stream[0]
        desk.audit.append(
            HandedOver(
                at=desk.node.now(),
                disclosure=granted.disclosure,
                requester=requester,
                signed=effect.signed,
                records=tuple(each.record for each in granted.release.envelopes),
            )
        )
        desk.tell(KeysSent(me, requester, granted, effect.signed))
        desk.say(self.stream, granted)
        desk.node.later(IDLE_MAX, partial(desk.close, self.stream))
