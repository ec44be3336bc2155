"""Brings terms to those who must know them, and takes in those that concern us.

`/placet/consent/1` carries terms (see `protocol.delivery`) and patients' questions about their
audit (see `protocol.audit`), one question and its answers on each stream.

A consent is given in this order: the terms are kept here, with a note of who must get them; the
custodian gets them; the event becomes final; the recipients of a permit get them. Who cannot be
reached gets them later: the notes outlive a restart.
"""

from dataclasses import dataclass

import structlog
import trio

from daemon.errors import DaemonError
from daemon.librarian.audits import ENTRIES_READ_MAX, Audits
from daemon.librarian.consents import Consents, KeptTerms, KnownConsent, save_terms
from daemon.librarian.node import LibrarianNode
from daemon.receipts import Receipt
from daemon.storage.tables import NOTES, Note
from daemon.transport import Stream, StreamClosed, Unreachable
from protocol.audit import AuditSent, AuditWanted, validate_audit_question
from protocol.codec import decode, encode
from protocol.delivery import (
    SEALED_TERMS_SIZE_MAX,
    DeliveryAnswer,
    TermsDeclined,
    TermsKept,
    TermsOpening,
    TermsSent,
    concerns,
    open_terms,
    seal_terms,
    validate_opening,
)
from protocol.directives import Standing
from protocol.errors import InvalidEvent, ProtocolError
from protocol.events import EVENT_SIZE_MAX, ConsentId, SignedEvent
from protocol.genesis import Member
from protocol.identity import MemberId, Verifier, short
from protocol.state import members, subject_entry
from protocol.terms import DirectiveKind, InvalidTerms, Terms

CONSENT_PROTOCOL = "/placet/consent/1"

MESSAGE_SIZE_MAX = SEALED_TERMS_SIZE_MAX + EVENT_SIZE_MAX
ANSWER_SECONDS_MAX = 10
RETRY_SECONDS = 30
RECIPIENTS_SECONDS_MAX = 3
"""How long giving a consent waits for recipients that are slow; they get it later."""

RECEIVERS_MAX = 64
"""How many recipients of one permit are told; the others may still ask without citing it."""

PENDING_PER_MEMBER_MAX = 256
"""How many consents that are not final yet one member may bring us."""

AUDIT_ENTRIES_PER_ANSWER = min(64, ENTRIES_READ_MAX)

AUDIT_ANSWERS_MAX = 1_024
"""How many answers to one question are read: at 64 entries each, more than a life brings."""

_DELIVERY = b"delivery"

log = structlog.get_logger("consents")


@dataclass(frozen=True, slots=True)
class GivenConsent:
    """A directive that is final, and who does not have its terms yet."""

    consent: ConsentId
    receipt: Receipt
    undelivered: tuple[MemberId, ...]


class ConsentDelivery:
    """The consent protocol's both sides, for one node."""

    def __init__(
        self, node: LibrarianNode, consents: Consents, audits: Audits, verifier: Verifier
    ) -> None:
        self._node = node
        self._consents = consents
        self._audits = audits
        self._verifier = verifier
        self._brought_by: dict[ConsentId, MemberId] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Deliver what is undelivered, again and again, until cancelled."""
        task_status.started()
        while True:
            for consent, member in self._undelivered():
                await self._deliver(consent, member)
            await self._drop_lost()
            await trio.sleep(RETRY_SECONDS)

    async def give(self, given: SignedEvent, opening: TermsOpening) -> GivenConsent:
        """Put a patient's directive on the chain and its terms where they belong.

        Raises `InvalidTerms`, `InvalidSignature`, `InvalidEvent` or a `DaemonError`.
        """
        terms = opening.terms
        validate_opening(opening, given, self._node.network, self._verifier)
        await self._keep(KeptTerms(given, opening), self._receivers(terms))
        if terms.custodian != self._node.me:
            await self._deliver(terms.consent, terms.custodian)
        try:
            receipt = await self._node.submit(given)
        except InvalidEvent:
            await self._erase([terms.consent])
            raise
        await self._tell_recipients(terms.consent)
        return GivenConsent(terms.consent, receipt, self._waiting_for(terms.consent))

    async def serve(self, stream: Stream) -> None:
        """Answer one question of a member."""
        stream.limit_frames(MESSAGE_SIZE_MAX)
        with trio.fail_after(ANSWER_SECONDS_MAX):
            frame = await stream.receive()
        question: TermsSent | AuditWanted = decode(frame, TermsSent | AuditWanted, MESSAGE_SIZE_MAX)
        match question:
            case TermsSent():
                answer = await self._take_in(stream.member, question)
                with trio.fail_after(ANSWER_SECONDS_MAX):
                    await stream.send(encode(answer))
            case AuditWanted():
                try:
                    await self._show_audit(stream, question)
                except DaemonError as error:
                    log.error("audit-not-shown", code=error.code, next_step=error.next_step)
                    await stream.reset()
                    return
        await stream.close()

    async def ask_audit(self, custodian: MemberId, wanted: AuditWanted) -> list[AuditSent]:
        """Ask a custodian for what it can show a patient; the patient signed the question."""
        answers: list[AuditSent] = []
        stream = await self._node.open_stream(custodian, CONSENT_PROTOCOL)
        async with stream:
            with trio.fail_after(ANSWER_SECONDS_MAX):
                await stream.send(encode(wanted))
            while (not answers or answers[-1].more) and len(answers) < AUDIT_ANSWERS_MAX:
                with trio.fail_after(ANSWER_SECONDS_MAX):
                    answers.append(decode(await stream.receive(), AuditSent))
        return answers

    async def _tell_recipients(self, consent: ConsentId) -> None:
        """Deliver to all at once; whoever takes too long gets the terms later."""
        with trio.move_on_after(RECIPIENTS_SECONDS_MAX):
            async with trio.open_nursery() as nursery:
                for member in self._waiting_for(consent):
                    nursery.start_soon(self._deliver, consent, member)

    def _waiting_for(self, consent: ConsentId) -> tuple[MemberId, ...]:
        return tuple(member for each, member in self._undelivered() if each == consent)

    async def _take_in(self, sender: MemberId, sent: TermsSent) -> DeliveryAnswer:
        """Keep what a member brings, if it concerns us and the patient signed it."""
        opening = open_terms(
            sent, self._node.keys.kem, receiver=self._node.me, network=self._node.network
        )
        validate_opening(opening, sent.given, self._node.network, self._verifier)
        reason = self._why_not(sender, opening.terms, sent.given)
        if reason is not None:
            return TermsDeclined(reason)
        try:
            await self._keep(KeptTerms(sent.given, opening), ())
        except DaemonError as error:
            log.error("terms-not-kept", reason=str(error), next_step=error.next_step)
            return TermsDeclined("not-kept")
        self._brought_by[opening.terms.consent] = sender
        return TermsKept(opening.terms.consent)

    def _why_not(self, sender: MemberId, terms: Terms, given: SignedEvent) -> str | None:
        """Return why we do not keep these terms, if so."""
        me = self._node.member(self._node.me)
        if me is None or not concerns(terms, me):
            raise InvalidTerms("the terms are none of our business")
        entry = subject_entry(self._node.state, terms.subject)
        if entry is not None and entry.custodian != terms.custodian:
            return "other-custodian"
        if self._node.now() > given.event.valid_until and self._consents.get(terms.consent) is None:
            return "event-expired"
        brought = [consent for consent, by in self._brought_by.items() if by == sender]
        return "too-many-pending" if len(brought) >= PENDING_PER_MEMBER_MAX else None

    async def _keep(self, kept: KeptTerms, receivers: tuple[MemberId, ...]) -> None:
        consent = kept.opening.terms.consent
        notes = {_delivery_key(consent, member): Note(b"") for member in receivers}

        def keep() -> None:
            save_terms(self._node.vault, kept)
            if notes:
                NOTES.put_all(self._node.store, notes)

        await trio.to_thread.run_sync(keep)
        self._consents.add([kept])

    async def _deliver(self, consent: ConsentId, receiver: MemberId) -> None:
        """Bring terms to one member. What fails is tried again later."""
        known, member = self._consents.get(consent), self._node.member(receiver)
        if known is None or member is None or known.standing is None:
            NOTES.delete(self._node.store, _delivery_key(consent, receiver))
            return
        if known.standing == Standing.PENDING and receiver != known.kept.opening.terms.custodian:
            return  # A recipient hears of a permit when it counts.
        try:
            answer = await self._send(known.kept, member)
        except (StreamClosed, Unreachable, trio.TooSlowError) as error:
            log.info("terms-not-delivered", peer=short(receiver), reason=str(error))
            return
        except ProtocolError as error:
            log.warning("terms-answer-bad", peer=short(receiver), code=error.code)
            return
        if isinstance(answer, TermsDeclined):
            log.warning("terms-declined", peer=short(receiver), code=answer.code)
        await trio.to_thread.run_sync(
            NOTES.delete, self._node.store, _delivery_key(consent, receiver)
        )

    async def _send(self, kept: KeptTerms, receiver: Member) -> DeliveryAnswer:
        sent = seal_terms(kept.opening, kept.given, receiver=receiver, network=self._node.network)
        stream = await self._node.open_stream(receiver.id, CONSENT_PROTOCOL)
        async with stream:
            with trio.fail_after(ANSWER_SECONDS_MAX):
                await stream.send(encode(sent))
                answer: DeliveryAnswer = decode(await stream.receive(), DeliveryAnswer)
        return answer

    async def _show_audit(self, stream: Stream, wanted: AuditWanted) -> None:
        validate_audit_question(
            wanted,
            network=self._node.network,
            through=stream.member,
            now=self._node.now(),
            verifier=self._verifier,
        )
        first, more = wanted.first, True
        while more:
            entries, more = await trio.to_thread.run_sync(
                self._audits.read, wanted.subject, first, AUDIT_ENTRIES_PER_ANSWER
            )
            first += len(entries)
            with trio.fail_after(ANSWER_SECONDS_MAX):
                await stream.send(encode(AuditSent(tuple(entries), more)))

    def _receivers(self, terms: Terms) -> tuple[MemberId, ...]:
        """Return who must get the terms, ourselves left out; the custodian always."""
        others = [
            entry.member.id
            for entry in members(self._node.state)
            if entry.removed_height is None
            and entry.member.id not in (self._node.me, terms.custodian)
            and terms.kind == DirectiveKind.PERMIT
            and not terms.scope.recipients.anyone
            and concerns(terms, entry.member)
        ]
        custodian = [] if terms.custodian == self._node.me else [terms.custodian]
        return (*custodian, *others[:RECEIVERS_MAX])

    def _undelivered(self) -> list[tuple[ConsentId, MemberId]]:
        start = len(_DELIVERY)
        return [
            (key[start : start + 16], key[start + 16 :])
            for key, _ in NOTES.items(self._node.store, _DELIVERY)
        ]

    async def _drop_lost(self) -> None:
        """Erase terms that others brought and that can never become final any more."""
        known = {consent: self._consents.get(consent) for consent in self._brought_by}
        for consent, each in known.items():
            if each is None or each.standing != Standing.PENDING:
                del self._brought_by[consent]
        await self._erase([consent for consent, each in known.items() if each and _is_lost(each)])

    async def _erase(self, consents: list[ConsentId]) -> None:
        self._consents.remove(consents)
        if consents:
            await trio.to_thread.run_sync(self._node.vault.erase_terms, consents)


def _is_lost(known: KnownConsent) -> bool:
    return known.standing is None


def _delivery_key(consent: ConsentId, receiver: MemberId) -> bytes:
    return _DELIVERY + consent + receiver
