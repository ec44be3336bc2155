"""`patient.*`: what a patient may see: every access to the patient's records."""

import trio

from daemon.api.running import Running
from daemon.api.views import view
from daemon.call import Call
from daemon.librarian.fetch_errors import BROKEN, CustodianUnreachable
from daemon.librarian.patient_audit import Access, PatientAudit, patient_audit
from daemon.rpc import Json
from protocol.audit import AuditWanted
from protocol.state import subject_entry


async def audit(running: Running, call: Call) -> Json:
    """Return every access to the records of a subject.

    With the patient's signature under the question, a custodian elsewhere adds what only it knows.
    """
    subject = call.data("subject", size=32)
    entry = subject_entry(running.node.state, subject)
    is_elsewhere = entry is not None and entry.custodian != running.node.me
    if is_elsewhere and "signature" in call.params:
        found = await _ask_custodian(running, call, subject)
    else:
        found = await running.librarian.audit(subject)
    return {
        "subject": subject.hex(),
        "custodian": None if entry is None else entry.custodian.hex(),
        "custodian_name": None if entry is None else running.node.members.name(entry.custodian),
        "complete": found.is_complete,
        "lowest_height": found.lowest_height,
        "accesses": [_view(running, access) for access in found.accesses],
    }


async def _ask_custodian(running: Running, call: Call, subject: bytes) -> PatientAudit:
    node = running.node
    entry = subject_entry(node.state, subject)
    assert entry is not None
    question = AuditWanted(
        subject=subject,
        first=0,
        asked_at=call.integer("asked_at"),
        signature=call.data("signature", size=64),
    )
    try:
        answers = await running.librarian.delivery.ask_audit(entry.custodian, question)
    except BROKEN as error:
        raise CustodianUnreachable(f"the custodian is not reached: {error}") from error
    entries = [each for answer in answers for each in answer.entries]
    return await trio.to_thread.run_sync(patient_audit, node.store, subject, entries)


def _view(running: Running, access: Access) -> dict[str, Json]:
    body, request = access.disclosure, access.request
    members = running.node.members
    review = access.review
    return {
        "event": access.event.hex(),
        "height": access.height,
        "at": access.at,
        "counter": body.counter,
        "requester": body.requester.hex(),
        "requester_name": members.name(body.requester),
        "basis": view(body.basis),
        "purpose": None if request is None else request.purpose.value,
        "role": None if request is None else request.role,
        "justification": None if request is None else request.justification,
        "records": None if access.records is None else view(access.records),
        "acknowledged": access.is_acknowledged,
        "review_due": None if review is None else review.due,
        "reviewer_name": members.name(review.reviewer) if review and review.reviewer else None,
        "verdict": review.verdict.value if review and review.verdict else None,
    }
