"""Answers requests for records: carries out what `protocol.release_custodian` decides.

One stream of `/placet/record/1` is one exchange. What goes wrong on our own side (a damaged record,
a full disk) is logged for the operator and refused like anything else; what the requester does
wrong ends its stream and is put down to it.
"""

from collections import deque
from typing import assert_never

import structlog
import trio

from daemon.errors import DaemonError
from daemon.librarian.audits import Audits
from daemon.librarian.cases import RecordCases
from daemon.librarian.consents import Consents
from daemon.librarian.disclosures import Disclosures
from daemon.librarian.node import LibrarianNode
from daemon.librarian.places import NoPlace, Places
from daemon.librarian.releases import Releases
from daemon.transport import Stream, StreamClosed
from protocol.audit import HandedOver, ReceiptKept
from protocol.codec import decode, encode
from protocol.directives import BasePolicy
from protocol.errors import ProtocolError
from protocol.events import Commitment
from protocol.genesis import Member
from protocol.identity import Verifier, short
from protocol.record import RecordId
from protocol.release import (
    CHUNKS_PER_ANSWER_MAX,
    REFUSAL,
    Acknowledged,
    ChunksSent,
    ChunksWanted,
    CustodianMessage,
    NotConsidered,
    Unconsidered,
)
from protocol.release_custodian import CustodianExchange, Phase
from protocol.release_effects import (
    AwaitDisclosure,
    Case,
    CaseLoaded,
    ChunksRequested,
    DisclosureFailed,
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

RECORD_PROTOCOL = "/placet/record/1"

EXCHANGES_MAX = 64
EXCHANGES_PER_MEMBER_MAX = 8

MESSAGE_SIZE_MAX = 16 * 1024
"""The longest message that a requester sends, in bytes."""

REQUEST_SECONDS_MAX = 10

IDLE_SECONDS_MAX = 60
"""How long a requester may say nothing between two messages."""

SEND_SECONDS_MAX = 60

log = structlog.get_logger("custodian")


class RecordCustodian:
    """Gives out the records of this custodian."""

    def __init__(
        self,
        node: LibrarianNode,
        *,
        consents: Consents,
        disclosures: Disclosures,
        releases: Releases,
        audits: Audits,
        verifier: Verifier,
    ) -> None:
        self.node = node
        self.consents = consents
        self.disclosures = disclosures
        self.releases = releases
        self.audits = audits
        self.cases = RecordCases(node, releases)
        self._verifier = verifier
        self._places = Places(in_all=EXCHANGES_MAX, per_member=EXCHANGES_PER_MEMBER_MAX)
        self._in_progress: set[Commitment] = set()

    async def serve(self, stream: Stream) -> None:
        """Have one exchange with a member. Raises `ProtocolError` if the member breaks a rule."""
        stream.limit_frames(MESSAGE_SIZE_MAX)
        with trio.fail_after(REQUEST_SECONDS_MAX):
            signed = decode(await stream.receive(), SignedRequest, MESSAGE_SIZE_MAX)
        try:
            with self._places.taken(stream.member):
                await self._converse(stream, signed)
        except NoPlace:
            answer = NotConsidered(Unconsidered.BUSY, self.node.now())
            with trio.fail_after(SEND_SECONDS_MAX):
                await stream.send(encode(answer))
        except DaemonError as error:
            log.error("exchange-failed", code=error.code, next_step=error.next_step)
            await stream.reset()
            return
        await stream.close()

    async def _converse(self, stream: Stream, signed: SignedRequest) -> None:
        requester, custodian = self.node.member(stream.member), self.node.member(self.node.me)
        if requester is None or custodian is None:
            raise ProtocolError("records are for members, from members")
        if signed.commitment in self._in_progress:
            raise NoPlace("The same request is being answered.")
        exchange = CustodianExchange(
            custodian=custodian,
            requester=requester,
            network=self.node.network,
            policy=BasePolicy.of(self.node.genesis),
            verifier=self._verifier,
        )
        conversation = Conversation(self, stream, requester, exchange)
        self._in_progress.add(signed.commitment)
        try:
            await conversation.feed(RequestReceived(signed))
        finally:
            self._in_progress.discard(signed.commitment)
        await conversation.go_on()


class Conversation:
    """One exchange on one stream."""

    def __init__(
        self,
        custodian: RecordCustodian,
        stream: Stream,
        requester: Member,
        exchange: CustodianExchange,
    ) -> None:
        self._desk = custodian
        self._stream = stream
        self._requester = requester
        self._exchange = exchange

    async def go_on(self) -> None:
        """After the keys: send chunks, until the receipt comes or the requester leaves."""
        while self._exchange.phase == Phase.TRANSFER:
            try:
                with trio.fail_after(IDLE_SECONDS_MAX):
                    frame = await self._stream.receive()
            except StreamClosed:
                return
            message: ChunksWanted | Acknowledged = decode(
                frame, ChunksWanted | Acknowledged, MESSAGE_SIZE_MAX
            )
            match message:
                case ChunksWanted():
                    await self.feed(ChunksRequested(message))
                case Acknowledged():
                    await self.feed(ReceiptReceived(message))

    async def feed(self, input: Input) -> None:
        """Step the machine until it wants nothing more from us."""
        inputs = deque([input])
        while inputs:
            for effect in self._exchange.step(self._desk.node.now(), inputs.popleft()):
                inputs.extend(await self._carry_out(effect))

    async def _carry_out(self, effect: Effect) -> list[Input]:
        """Do what the machine asks, and return what it should hear about it."""
        match effect:
            case LoadCase():
                return [CaseLoaded(await self._load(effect))]
            case SealRelease():
                return [await self._seal(effect)]
            case SubmitDisclosure():
                return [await self._desk.disclosures.submit(effect)]
            case AwaitDisclosure():
                return [await self._desk.disclosures.wait(effect)]
            case _:
                await self._answer(effect)
        return []

    async def _answer(
        self, effect: HandOver | Refuse | TurnAway | SendChunks | KeepReceipt
    ) -> None:
        match effect:
            case HandOver():
                await self._hand_over(effect)
            case Refuse(delay):
                await trio.sleep(delay / 1_000)
                with trio.fail_after(SEND_SECONDS_MAX):
                    await self._stream.send(REFUSAL)
            case TurnAway(answer):
                await self._say(answer)
            case SendChunks(wanted):
                await self._send_chunks(wanted)
            case KeepReceipt(acknowledged):
                await self._keep_receipt(acknowledged)
            case _:
                assert_never(effect)

    async def _load(self, effect: LoadCase) -> Case:
        records = await trio.to_thread.run_sync(self._desk.cases.records, effect)
        remembered = await trio.to_thread.run_sync(self._desk.cases.remembered, effect)
        # Directives are read last and at once, so nothing that was seen before is left out.
        return Case(records, self._desk.consents.directives(effect.subject), remembered)

    async def _seal(self, effect: SealRelease) -> ReleaseSealed | DisclosureFailed:
        try:
            release = await trio.to_thread.run_sync(self._desk.cases.seal, effect)
        except DaemonError as error:
            log.error("record-not-sealed", code=error.code, next_step=error.next_step)
            return DisclosureFailed()
        return ReleaseSealed(release)

    async def _hand_over(self, effect: HandOver) -> None:
        granted, request = effect.granted, effect.signed.request
        entry = HandedOver(
            at=self._desk.node.now(),
            disclosure=granted.disclosure,
            requester=self._requester.id,
            signed=effect.signed,
            records=tuple(envelope.record for envelope in granted.release.envelopes),
        )
        await trio.to_thread.run_sync(self._desk.audits.append, request.subject, entry)
        log.info(
            "keys-handed-over",
            peer=short(self._requester.id),
            event_id=short(granted.disclosure),
            records=len(granted.release.envelopes),
        )
        await self._say(granted)

    async def _send_chunks(self, wanted: ChunksWanted) -> None:
        for start in range(0, wanted.count, CHUNKS_PER_ANSWER_MAX):
            first = wanted.first + start
            count = min(CHUNKS_PER_ANSWER_MAX, wanted.count - start)
            answer = await trio.to_thread.run_sync(self._read_chunks, wanted.record, first, count)
            with trio.fail_after(SEND_SECONDS_MAX):
                await self._stream.send(answer)

    def _read_chunks(self, record: RecordId, first: int, count: int) -> bytes:
        """Return an encoded answer. Blocks; copying a MiB is no work for the task of the loop."""
        chunks = self._desk.node.vault.sealed_chunks(record, first, count)
        return encode(ChunksSent(first, chunks))

    async def _keep_receipt(self, acknowledged: Acknowledged) -> None:
        signed = self._exchange.signed
        entry = ReceiptKept(self._desk.node.now(), acknowledged)
        await trio.to_thread.run_sync(self._desk.audits.append, signed.request.subject, entry)
        await trio.to_thread.run_sync(
            self._desk.releases.drop, signed.commitment, signed.request.valid_until
        )

    async def _say(self, message: CustodianMessage) -> None:
        with trio.fail_after(SEND_SECONDS_MAX):
            await self._stream.send(encode(message))
