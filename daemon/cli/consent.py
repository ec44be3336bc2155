"""`placet consent`: grant, withdraw and understand consent. The patient's key signs right here."""

from pathlib import Path
from typing import Any

import click

from daemon.cli.consent_terms import give, make_terms, soon
from daemon.cli.consent_view import render_consent, render_given, render_list, render_why
from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import HEX16, HEX16_BEGUN, HEX32, LABEL, MOMENT, common_options
from daemon.cli.output import mark, short_id, show
from daemon.cli.patient_key import find_member, open_patient, patient_options
from daemon.cli.setup import KINDS
from daemon.cli.whole_id import whole_consent, whole_record
from daemon.storage.home import Home

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
@click.option(
    "--category", "categories", multiple=True, type=LABEL, help="Only records of this category."
)
@click.option(
    "--sensitivity", "labels", multiple=True, type=LABEL, help="Only records with this label."
)
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
    if wishes["even_emergencies"] and not wishes["restrict"]:
        raise UsageWrong(
            "--even-emergencies forbids, and a permit does not", "Give --restrict, too."
        )
    opened = open_patient(home, key_file, passphrase_file)
    keeper = find_member(home, custodian)
    terms = make_terms(home, opened, keeper["id"], wishes)
    given = give(home, opened, keeper["id"], terms)
    show(given, lambda found: render_given(found, wishes, keeper["name"]), as_json=as_json)


@consent.command(epilog="Example: placet consent withdraw 5f0d3c9c... --key ida.key")
@click.argument("identifier", metavar="CONSENT", type=HEX16_BEGUN)
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
    identifier = whole_consent(home, identifier)
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
    signed = sign_event(Event(soon(), body), opened.network, key)
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
    show(chosen, render_list, as_json=as_json)


@consent.command("show", epilog="Example: placet consent show 5f0d3c9c...")
@click.argument("identifier", metavar="CONSENT", type=HEX16_BEGUN)
@common_options
def show_consent(identifier: str, home: Home, as_json: bool) -> None:
    """Show what the chain says about a consent, and its terms if this node knows them."""
    identifier = whole_consent(home, identifier)
    show(call(home, "consent.show", {"consent": identifier}), render_consent, as_json=as_json)


@consent.command(epilog="Example: placet consent why 91ab... --requester lakeside --purpose TREAT")
@click.argument("record", type=HEX16_BEGUN)
@click.option("--requester", required=True, help="Who would ask.")
@click.option("--purpose", type=click.Choice(PURPOSES, False), default="TREAT", show_default=True)
@click.option("--justification", default="", help="For an emergency.")
@common_options
def why(
    record: str, requester: str, purpose: str, justification: str, home: Home, as_json: bool
) -> None:
    """Say whether a member would be given RECORD of ours now, and every step to the answer."""
    params = {
        "record": whole_record(home, record),
        "requester": requester,
        "purpose": purpose,
        "justification": justification,
    }
    show(call(home, "consent.why", params), render_why, as_json=as_json)
