"""The librarian: keeps this member's records, gives them out, and gets those of others.

It puts the parts together and is what the local API calls: `shelf` has the records, `consents` say
who may have them, `custodian` answers others, `requester` asks others, `delivery` carries terms.
What all of them need of the node is in `librarian_node`.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
import trio

from daemon.errors import DaemonError
from daemon.librarian.audits import ENTRIES_READ_MAX, Audits
from daemon.librarian.batches import RecordBatches
from daemon.librarian.consents import Consents, load_terms
from daemon.librarian.custodian import RECORD_PROTOCOL, RecordCustodian
from daemon.librarian.delivery import CONSENT_PROTOCOL, ConsentDelivery
from daemon.librarian.disclosures import Disclosures
from daemon.librarian.drafts import Drafts
from daemon.librarian.fetch_errors import BROKEN, CustodianUnreachable
from daemon.librarian.limits import RecordLimits
from daemon.librarian.node import LibrarianNode
from daemon.librarian.patient_audit import PatientAudit, patient_audit
from daemon.librarian.releases import Releases
from daemon.librarian.requester import RecordRequester
from daemon.librarian.shelf import Added, NewRecord, RecordShelf, ReportSealed
from daemon.receipts import Receipt, Receipts
from daemon.storage.tables import RECORDS, records_of
from daemon.transport import StreamHandler
from protocol.audit import AuditEntry, AuditWanted
from protocol.codec import commit, encode
from protocol.directives import BasePolicy, Decision, Directive, Question, Standing, decide
from protocol.events import Erased, Event, EventId, event_id, sign_event
from protocol.genesis import Member
from protocol.identity import MemberId, SubjectId, Verifier, short
from protocol.record import RecordId
from protocol.state import members, subject_entry
from protocol.terms import Terms
from protocol.what_if import Reading, who_could_read

COMMIT_SECONDS_MAX = 15
"""How long adding a record waits for its commitment to become final."""

SWEEP_SECONDS = 600
"""How often releases and drafts that have expired are dropped."""

AUDIT_ENTRIES_MAX = 65_536
"""How many entries of one subject are looked at."""

LOG_SECONDS_MAX = 15
"""How long an erasure waits until it is logged: what was destroyed cannot wait to be said."""

ERASED_LIFETIME = 86_400_000
"""How long the event that logs an erasure may wait for a block, in milliseconds."""

log = structlog.get_logger("librarian")


class NothingToErase(DaemonError):
    """Of a subject that we do not know, nothing can be destroyed."""

    code = "nothing-to-erase"
    next_step = "See whose records are here: placet record list"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What opens the commitment in an `Erased` event: the records that were destroyed."""

    event: EventId
    receipt: Receipt | None
    """None if the event is not final yet: it is under way."""
    salt: bytes
    records: tuple[RecordId, ...]


class Librarian:
    """All that one member does with records and consents."""

    def __init__(
        self, node: LibrarianNode, receipts: Receipts, limits: RecordLimits | None = None
    ) -> None:
        """Open the folders next to the vault. Blocks; raises `DaemonError`."""
        self.limits = limits or RecordLimits()
        verifier = Verifier()
        self._node = node
        self._releases = Releases(node.home.path / "releases")
        self._audits = Audits(node.home.path / "audit", node.vault)
        self._drafts = Drafts(node.home.path / "drafts")
        self._batches = RecordBatches(node)
        self.consents = Consents(node)
        self.shelf = RecordShelf(node, self._batches, self.limits)
        self.requester = RecordRequester(node, receipts, self.limits, self._drafts)
        self.delivery = ConsentDelivery(node, self.consents, self._audits, verifier)
        self.custodian = RecordCustodian(
            node,
            consents=self.consents,
            disclosures=Disclosures(node, receipts, self._releases),
            releases=self._releases,
            audits=self._audits,
            verifier=verifier,
        )

    @property
    def services(self) -> Mapping[str, StreamHandler]:
        """What serves which protocol; for members only."""
        return {RECORD_PROTOCOL: self.custodian.serve, CONSENT_PROTOCOL: self.delivery.serve}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Mend what a crash left, then commit, deliver and sweep until cancelled."""
        await trio.to_thread.run_sync(self.shelf.mend)
        kept, damaged = await trio.to_thread.run_sync(load_terms, self._node.vault)
        for consent in damaged:
            log.error("terms-damaged", consent=short(consent))
        self.consents.add(kept)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._batches.run)
            await nursery.start(self.delivery.run)
            task_status.started()
            while True:
                await trio.to_thread.run_sync(self._releases.drop_outdated, self._node.now())
                await trio.to_thread.run_sync(self._drafts.drop_outdated, self._node.now())
                await trio.sleep(SWEEP_SECONDS)

    async def add(self, path: Path, new: NewRecord, report: ReportSealed | None = None) -> Added:
        """Make a file a record of ours. Raises `DaemonError`."""
        return await self.shelf.add(path, new, seconds=COMMIT_SECONDS_MAX, report=report)

    def why(self, record: RecordId, question: Question) -> Decision:
        """Return what would be decided about a record of ours, and why. Blocks."""
        manifest = self._node.vault.manifest(record)
        directives = self.consents.directives(manifest.description.subject)
        return decide(question, manifest, directives, BasePolicy.of(self._node.genesis))

    def what_if(self, terms: Terms, *, custodian: Member) -> tuple[Sequence[Reading], ...]:
        """Return who could read what of our records without and with these terms. Blocks."""
        records = [
            manifest
            for manifest in self.shelf.list(terms.subject)
            if manifest.description.custodian == custodian.id
        ]
        everybody = [
            entry.member for entry in members(self._node.state) if entry.removed_height is None
        ]
        directives = self.consents.directives(terms.subject)
        return tuple(
            who_could_read(
                everybody,
                records,
                chosen,
                custodian=custodian,
                policy=BasePolicy.of(self._node.genesis),
                at=max(self._node.now(), terms.valid_from),
            )
            for chosen in (directives, (*directives, Directive(terms, Standing.ACTIVE)))
        )

    async def audit(self, subject: SubjectId, question: AuditWanted | None = None) -> PatientAudit:
        """Return every access to the records of `subject`.

        With a `question` that the patient signed, a custodian elsewhere is asked for what only it
        knows; raises `CustodianUnreachable`. Without it, the chain alone speaks there.
        """
        entry = subject_entry(self._node.state, subject)
        entries: list[AuditEntry] = []
        if entry is not None and entry.custodian == self._node.me:
            entries = await trio.to_thread.run_sync(self._own_entries, subject)
        elif entry is not None and question is not None:
            entries = await self._entries_elsewhere(entry.custodian, question)
        return await trio.to_thread.run_sync(patient_audit, self._node.store, subject, entries)

    async def erase(self, subject: SubjectId) -> Erasure:
        """Destroy all that we have about a subject, and log that we did.

        What the chain says stays, and means nothing any more. Copies that were fetched by others
        stay with them. The result is the patient's: nothing of it is kept here.

        Raises `NothingToErase`, or another `DaemonError`.
        """
        salt = secrets.token_bytes(32)
        if not await trio.to_thread.run_sync(self._knows, subject):
            raise NothingToErase("This node keeps nothing of this patient.")
        erased = await trio.to_thread.run_sync(self._erase_all, subject)
        body = Erased(self._node.me, commit("erased", salt, encode((subject, erased))))
        event = Event(self._node.now() + ERASED_LIFETIME, body)
        signed = sign_event(event, self._node.network, self._node.keys.signing)
        receipt = None
        with trio.move_on_after(LOG_SECONDS_MAX):
            receipt = await self._node.submit(signed)
        return Erasure(event_id(event, self._node.network), receipt, salt, erased)

    def _knows(self, subject: SubjectId) -> bool:
        return bool(
            any(True for _ in records_of(self._node.store, subject))
            or self.consents.of(subject)
            or self._audits.read(subject, 0, 1)[0]
        )

    def _erase_all(self, subject: SubjectId) -> tuple[RecordId, ...]:
        """Destroy keys first: what is left after a crash is not readable."""
        records = tuple(entry.record for entry in records_of(self._node.store, subject))
        consents = [known.id for known in self.consents.of(subject)]
        self._node.vault.erase(records)
        self._node.vault.erase_terms(consents)
        self._audits.erase(subject)
        self._releases.drop_records(records)
        self._drafts.drop(subject)
        self.consents.remove(consents)
        RECORDS.put_all(self._node.store, {subject + record: None for record in records})
        return records

    async def _entries_elsewhere(
        self, custodian: MemberId, question: AuditWanted
    ) -> list[AuditEntry]:
        try:
            answers = await self.delivery.ask_audit(custodian, question)
        except BROKEN as error:
            raise CustodianUnreachable(f"The custodian is not reached: {error}.") from error
        return [entry for answer in answers for entry in answer.entries]

    def _own_entries(self, subject: SubjectId) -> list[AuditEntry]:
        entries: list[AuditEntry] = []
        more = True
        while more and len(entries) < AUDIT_ENTRIES_MAX:
            found, more = self._audits.read(subject, len(entries), ENTRIES_READ_MAX)
            entries += found
        return entries
