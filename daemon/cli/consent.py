"""`placet consent`: grant, withdraw and understand consent. The patient's key signs right here."""

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import HEX16, HEX32, MOMENT, common_options
from daemon.cli.output import BAD, FAINT, GOOD, mark, moment, paint, pairs, short_id, show, table
from daemon.cli.patient_key import Patient, find_member, open_patient, patient_options
from daemon.cli.setup import KINDS
from daemon.home import Home

if TYPE_CHECKING:
    from protocol.terms import Scope, Terms

DAY = 86_400_000
EVENT_LIFETIME = DAY
"""How long a signed consent may wait for a block, in milliseconds."""

PURPOSES = (
    "TREAT", "ETREAT", "BTG", "ERTREAT", "CAREMGT", "COC", "HPAYMT", "HOPERAT", "HRESCH",
    "CLINTRCH", "PUBHLTH", "PATRQT", "FAMRQT", "HLEGAL",
)  # fmt: skip
"""Codes of HL7 ActReason, as in `protocol.terms`; a test compares them."""


@click.group(epilog="Example: placet consent grant --key ida.key --custodian st-mary --to lakeside")
def consent() -> None:
    """Grant and withdraw consent, and see why something is allowed or not."""


@consent.command(
    epilog="Example: placet consent grant --key ida.key --custodian st-mary --to lakeside --days 30"
)
@click.option("--custodian", required=True, help="The member that keeps the records.")
@click.option("--to", "members", multiple=True, help="A member that may read them.")
@click.option(
    "--to-kind", "kinds", multiple=True, type=click.Choice(KINDS), help="All such members."
)
@click.option("--anyone", is_flag=True, help="Every member.")
@click.option("--purpose", "purposes", multiple=True, type=click.Choice(PURPOSES, False),
              help="For what [TREAT].")  # fmt: skip
@click.option("--record", "records", multiple=True, type=HEX16, help="Only this record.")
@click.option("--category", "categories", multiple=True, help="Only records of this category.")
@click.option("--sensitivity", "labels", multiple=True, help="Only records with this label.")
@click.option("--from", "start", type=MOMENT, help="From when on [today].")
@click.option("--days", type=click.IntRange(1, 3_650), default=365, show_default=True)
@click.option("--restrict", is_flag=True, help="Forbid instead of permit.")
@click.option("--even-emergencies", is_flag=True, help="With --restrict: in emergencies, too.")
@click.option("--supersedes", type=HEX16, help="An older consent that this one ends.")
@patient_options
@common_options
def grant(
    custodian: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Let others read the patient's records, or forbid it. Waits until it is final.

    The patient's key signs here and stays here. The terms go to the custodian and to those whom a
    permit names; the chain gets a commitment that tells nothing.
    """
    opened = open_patient(home, key_file, passphrase_file)
    keeper = find_member(home, custodian)
    terms = _terms(home, opened, keeper["id"], wishes)
    given = _give(home, opened, keeper["id"], terms)
    show(given, lambda found: _render_given(found, wishes, keeper["name"]), as_json=as_json)


@consent.command(epilog="Example: placet consent withdraw 5f0d3c9c... --key ida.key")
@click.argument("identifier", metavar="CONSENT", type=HEX16)
@patient_options
@common_options
def withdraw(
    identifier: str,
    key_file: Path | None,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """Take a consent back. The patient's signature alone suffices, and nothing can undo it."""
    from protocol.codec import encode
    from protocol.events import ConsentWithdrawn, Event, sign_event

    opened = open_patient(home, key_file, passphrase_file)
    on_chain = call(home, "consent.show", {"consent": identifier})["chain"]
    if on_chain is None:
        raise UsageWrong(
            f"the consent {short_id(identifier)} is not final yet", "Try again in a moment."
        )
    key = opened.key_towards(on_chain["custodian"])
    if key.public.hex() != on_chain["subject"]:
        raise UsageWrong(
            f"the consent {short_id(identifier)} is not this patient's", "Check --key and the id."
        )
    body = ConsentWithdrawn(subject=key.public, consent=bytes.fromhex(identifier))
    signed = sign_event(Event(_soon(), body), opened.network, key)
    receipt = call(home, "events.submit", {"event": encode(signed).hex()})
    text = f"{mark(True)} The consent {short_id(identifier)} is withdrawn, final in block"
    found = {"consent": identifier, **receipt}
    show(found, lambda _: f"{text} {receipt['height']}.", as_json=as_json)


@consent.command("list", epilog="Example: placet consent list --subject 3f9a...")
@click.option("--subject", type=HEX32, help="Only of this patient.")
@click.option("--all", "with_over", is_flag=True, help="Those that were withdrawn, too.")
@common_options
def list_consents(subject: str | None, with_over: bool, home: Home, as_json: bool) -> None:
    """List the consents whose terms this node knows, as custodian or as recipient."""
    found = call(home, "consent.list", {"subject": subject} if subject else {})
    chosen = [each for each in found if with_over or each["standing"] in ("active", "pending")]
    show(chosen, _render_list, as_json=as_json)


@consent.command("show", epilog="Example: placet consent show 5f0d3c9c...")
@click.argument("identifier", metavar="CONSENT", type=HEX16)
@common_options
def show_consent(identifier: str, home: Home, as_json: bool) -> None:
    """Show what the chain says about a consent, and its terms if this node knows them."""
    show(call(home, "consent.show", {"consent": identifier}), _render_consent, as_json=as_json)


@consent.command(epilog="Example: placet consent why 91ab... --requester lakeside --purpose TREAT")
@click.argument("record", type=HEX16)
@click.option("--requester", required=True, help="Who would ask.")
@click.option("--purpose", type=click.Choice(PURPOSES, False), default="TREAT", show_default=True)
@click.option("--justification", default="", help="For an emergency.")
@common_options
def why(
    record: str, requester: str, purpose: str, justification: str, home: Home, as_json: bool
) -> None:
    """Say whether a member would be given RECORD of ours now, and every step to the answer."""
    params = {
        "record": record,
        "requester": requester,
        "purpose": purpose,
        "justification": justification,
    }
    show(call(home, "consent.why", params), _render_why, as_json=as_json)


def _terms(home: Home, opened: Patient, custodian: str, wishes: dict[str, Any]) -> "Terms":
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


def _give(home: Home, opened: Patient, custodian: str, terms: "Terms") -> dict[str, Any]:
    """Sign here; hand event, terms and salt to the node, which seals and brings them."""
    from protocol.codec import encode
    from protocol.events import Event, sign_event
    from protocol.terms import consent_given

    salt = secrets.token_bytes(32)
    event = Event(valid_until=_soon(), body=consent_given(salt, terms))
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


def _soon() -> int:
    return int(time.time() * 1000) + EVENT_LIFETIME


def _render_given(found: dict[str, Any], wishes: dict[str, Any], custodian: str) -> str:
    what = "restriction" if wishes["restrict"] else "consent"
    lines = [
        f"{mark(True)} The {what} is final in block {found['height']}.",
        pairs(
            [
                ("consent", found["consent"]),
                ("custodian", custodian),
                ("subject", found["subject"]),
                ("until", moment(found["valid_until"])),
            ]
        ),
    ]
    if found["undelivered"]:
        names = ", ".join(found["undelivered"])
        lines.append(paint(f"The terms go to {names} as soon as they are reached.", FAINT))
    return "\n".join(lines)


def _render_list(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["consent"],
            each["effect"],
            _standing(each["standing"]),
            each["custodian_name"],
            _recipients(each),
            " ".join(each["scope"]["purposes"]),
            _records(each["scope"]["records"]),
            moment(each["valid_until"]),
        ]
        for each in found
    ]
    headers = ["consent", "effect", "standing", "custodian", "to", "for", "records", "until"]
    return table(headers, rows, whole=["consent"])


def _render_consent(found: dict[str, Any]) -> str:
    chain, known = found["chain"], found["known"]
    facts = [("consent", found["consent"])]
    if chain is not None:
        withdrawn = chain["withdrawn_height"]
        facts += [
            ("custodian", chain["custodian_name"]),
            ("subject", chain["subject"]),
            ("given", f"in block {chain['given_height']}"),
            ("withdrawn", f"in block {withdrawn}" if withdrawn is not None else ""),
        ]
    if found["withdrawal_seen"]:
        facts.append(("note", paint("a withdrawal was seen and counts already", BAD)))
    if known is not None:
        facts += [
            ("standing", _standing(known["standing"])),
            ("effect", known["effect"]),
            ("to", _recipients(known)),
            ("for", " ".join(known["scope"]["purposes"])),
            ("records", _records(known["scope"]["records"])),
            ("from", moment(known["valid_from"])),
            ("until", moment(known["valid_until"])),
        ]
    else:
        facts.append(("terms", paint("not known to this node", FAINT)))
    return pairs(facts)


def _render_why(found: dict[str, Any]) -> str:
    steps = [f"  {number}. {text}" for number, text in enumerate(found["explanation"], 1)]
    answer = "It would be given." if found["permitted"] else "It would be refused."
    return "\n".join([f"{mark(found['permitted'])} {answer}", *steps])


def _standing(standing: str) -> str:
    return paint(standing, GOOD if standing == "active" else FAINT)


def _recipients(known: dict[str, Any]) -> str:
    recipients = known["scope"]["recipients"]
    names = [*known["recipient_names"], *(f"any {kind}" for kind in recipients["kinds"])]
    return "anyone" if recipients["anyone"] else ", ".join(names)


def _records(selectors: list[dict[str, Any]]) -> str:
    return ", ".join(_selector(each) for each in selectors)


def _selector(selector: dict[str, Any]) -> str:
    match selector["kind"]:
        case "all":
            return "all"
        case "records":
            return f"{len(selector['ids'])} records"
        case "authored":
            return f"{moment(selector['start'])} to {moment(selector['stop'])}"
    return " ".join(selector["any_of"])
