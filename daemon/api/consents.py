"""`consent.*`: a patient's directives. The patient signs elsewhere; nothing here holds that key."""

import trio

from daemon.api.running import Running
from daemon.api.views import find_member, view
from daemon.call import Call, invalid_params
from daemon.librarian.consents import KnownConsent
from daemon.rpc import Json
from protocol.codec import decode
from protocol.delivery import TermsOpening
from protocol.directives import Question
from protocol.events import EVENT_SIZE_MAX, SignedEvent
from protocol.explanation import explain
from protocol.state import ConsentEntry, consent_entry
from protocol.terms import TERMS_SIZE_MAX, Purpose, Terms


async def give(running: Running, call: Call) -> Json:
    """Put a signed consent on the chain, and bring its terms to those who must know them."""
    signed = decode(call.data("event"), SignedEvent, EVENT_SIZE_MAX)
    terms = decode(call.data("terms"), Terms, TERMS_SIZE_MAX)
    opening = TermsOpening(salt=call.data("salt", size=32), terms=terms)
    given = await running.librarian.delivery.give(signed, opening)
    return {
        "consent": given.consent.hex(),
        "event": given.receipt.event.hex(),
        "height": given.receipt.height,
        "emergency_veto": running.node.genesis.emergency_veto,
        "undelivered": [running.node.members.name(member) for member in given.undelivered],
    }


async def list_known(running: Running, call: Call) -> Json:
    """Return the directives that this node knows, of one subject or of all."""
    consents = running.librarian.consents
    chosen = consents.of(call.data("subject", size=32)) if "subject" in call.params else None
    return [_view(running, known) for known in (consents.all() if chosen is None else chosen)]


async def show(running: Running, call: Call) -> Json:
    """Return what the chain says about a consent, and its terms if this node knows them."""
    consent = call.data("consent", size=16)
    entry = consent_entry(running.node.state, consent)
    known = running.librarian.consents.get(consent)
    if entry is None and known is None:
        raise invalid_params(
            f"no consent {consent.hex()[:8]} is known here", "See: placet consent list --all"
        )
    return {
        "consent": consent.hex(),
        "chain": None if entry is None else _view_entry(running, entry),
        "withdrawal_seen": running.node.is_withdrawn(consent),
        "known": None if known is None else _view(running, known),
    }


async def why(running: Running, call: Call) -> Json:
    """Return what would be decided about one of our records, and every step to it."""
    question = Question(
        requester=find_member(running.node.members, call.text("requester")),
        custodian=find_member(running.node.members, running.node.me.hex()),
        purpose=purpose_of(call),
        at=max(running.node.now(), running.node.store.head.header.timestamp),
        justification=call.text("justification", ""),
    )
    record = call.data("record", size=16)
    decision = await trio.to_thread.run_sync(running.librarian.why, record, question)
    return {
        "permitted": decision.permitted,
        "reason": decision.reason.value,
        "basis": view(decision.basis),
        "explanation": list(explain(decision)),
    }


def purpose_of(call: Call) -> Purpose:
    """Return the purpose of a call, a code of HL7 ActReason."""
    text = call.text("purpose", Purpose.TREAT.value).upper()
    try:
        return Purpose(text)
    except ValueError as error:
        codes = ", ".join(purpose.value for purpose in Purpose)
        raise invalid_params(f"`{text}` is not one of {codes}") from error


def _view(running: Running, known: KnownConsent) -> dict[str, Json]:
    terms = known.kept.opening.terms
    entry = consent_entry(running.node.state, terms.consent)
    members = running.node.members
    shown: dict[str, Json] = view(terms)
    shown["effect"] = terms.kind.value
    shown["standing"] = known.standing.value if known.standing else "lost"
    shown["custodian_name"] = members.name(terms.custodian)
    shown["recipient_names"] = [members.name(each) for each in terms.scope.recipients.members]
    shown["height"] = None if entry is None else entry.given_height
    return shown


def _view_entry(running: Running, entry: ConsentEntry) -> dict[str, Json]:
    found: dict[str, Json] = view(entry)
    return {**found, "custodian_name": running.node.members.name(entry.custodian)}
