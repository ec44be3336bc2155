"""What a patient signs in a command: terms from the wishes on the command line, and the event."""

import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.patient_key import Patient, find_member
from daemon.storage.home import Home

if TYPE_CHECKING:
    from protocol.terms import Scope, Terms

DAY = 86_400_000
EVENT_LIFETIME = DAY
"""How long a signed consent may wait for a block, in milliseconds."""


def make_terms(home: Home, opened: Patient, custodian: str, wishes: dict[str, Any]) -> "Terms":
    from protocol.terms import TERMS_VERSION, DirectiveKind, EvidenceClass, Terms

    start = wishes["start"] or _today()
    try:
        return Terms(
            version=TERMS_VERSION,
            consent=secrets.token_bytes(16),
            network=opened.network,
            subject=bytes.fromhex(opened.subject_of(custodian)),
            custodian=bytes.fromhex(custodian),
            kind=DirectiveKind.RESTRICT if wishes["restrict"] else DirectiveKind.PERMIT,
            scope=_scope(home, wishes),
            valid_from=start,
            valid_until=start + wishes["days"] * DAY,
            exceptions=(),
            emergency_override=not wishes["even_emergencies"],
            policy=None,
            evidence=EvidenceClass.PATIENT_SIGNED,
            redisclosure="",
            supersedes=bytes.fromhex(wishes["supersedes"]) if wishes["supersedes"] else None,
        )
    except ValueError as error:
        raise UsageWrong(str(error)) from error


def _scope(home: Home, wishes: dict[str, Any]) -> "Scope":
    from protocol.genesis import MemberKind
    from protocol.terms import Purpose, Recipients, Scope

    if not (wishes["members"] or wishes["kinds"] or wishes["anyone"]):
        raise UsageWrong("to whom?", "Give --to NAME, --to-kind KIND or --anyone.")
    ids = [bytes.fromhex(find_member(home, name)["id"]) for name in wishes["members"]]
    return Scope(
        recipients=Recipients(
            anyone=wishes["anyone"],
            members=tuple(sorted(ids)),
            kinds=tuple(MemberKind(kind) for kind in wishes["kinds"]),
        ),
        purposes=tuple(Purpose(each.upper()) for each in wishes["purposes"] or ("TREAT",)),
        records=tuple(_selectors(wishes)),
    )


def _selectors(wishes: dict[str, Any]) -> Sequence[Any]:
    from protocol.terms import AllRecords, TheseRecords, WithCategory, WithSensitivity

    selectors: list[Any] = []
    if wishes["records"]:
        selectors.append(TheseRecords(tuple(bytes.fromhex(each) for each in wishes["records"])))
    if wishes["categories"]:
        selectors.append(WithCategory(tuple(wishes["categories"])))
    if wishes["labels"]:
        selectors.append(WithSensitivity(tuple(wishes["labels"])))
    return selectors or [AllRecords()]


def give(home: Home, opened: Patient, custodian: str, terms: "Terms") -> dict[str, Any]:
    """Sign here; hand event, terms and salt to the node, which seals and brings them."""
    from protocol.codec import encode
    from protocol.events import Event, sign_event
    from protocol.terms import consent_given

    salt = secrets.token_bytes(32)
    event = Event(valid_until=soon(), body=consent_given(salt, terms))
    signed = sign_event(event, opened.network, opened.key_towards(custodian))
    params = {
        "event": encode(signed).hex(),
        "terms": encode(terms).hex(),
        "salt": salt.hex(),
    }
    given: dict[str, Any] = call(home, "consent.give", params)
    return {**given, "subject": terms.subject.hex(), "valid_until": terms.valid_until}


def _today() -> int:
    """Return the beginning of today: a consent holds at once, whichever clock is ahead."""
    return int(time.time() * 1000) // DAY * DAY


def soon() -> int:
    return int(time.time() * 1000) + EVENT_LIFETIME
