"""`placet emergency`: access without consent where somebody is in danger, and its review."""

from pathlib import Path
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import HEX16, HEX32_BEGUN, common_options, confirm, yes_option
from daemon.cli.output import BAD, CAREFUL, GOOD, mark, moment, paint, short_id, show, table
from daemon.cli.patient_key import find_member, patient_options, subject_for, subject_option
from daemon.cli.record import custodian_option, fetch_into, out_option
from daemon.cli.whole_id import whole_emergency
from daemon.storage.home import Home

EMERGENCY_PURPOSES = ("BTG", "ETREAT", "ERTREAT")
JUSTIFICATION_LENGTH_MIN = 20
"""As in `protocol.directives`; a test compares both."""


@click.group(
    epilog="Example: placet emergency open --custodian st-mary --subject 3f9a..."
    " --justification 'Unconscious after an accident, allergies unknown'"
)
def emergency() -> None:
    """Open records in an emergency, and review such accesses."""


@emergency.command(
    "open",
    epilog="Example: placet emergency open --custodian st-mary --subject 3f9a..."
    " --justification 'Unconscious after an accident, allergies unknown' --yes",
)
@custodian_option
@click.option("--justification", required=True, help="Why, in a sentence of 20 letters or more.")
@click.option("--record", "records", multiple=True, type=HEX16, help="[all]")
@click.option("--purpose", type=click.Choice(EMERGENCY_PURPOSES, False), default="BTG",
              show_default=True, help="BTG is `break the glass`.")  # fmt: skip
@click.option("--role", default="emergency staff", show_default=True, help="Who asks.")
@out_option
@subject_option
@patient_options
@yes_option
@common_options
def open_records(
    custodian: str,
    justification: str,
    records: tuple[str, ...],
    purpose: str,
    role: str,
    out: Path,
    subject: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
    yes: bool,
    home: Home,
    as_json: bool,
) -> None:
    """Fetch records without consent. It is flagged on the chain for ever, and will be reviewed."""
    if len(justification.strip()) < JUSTIFICATION_LENGTH_MIN:
        raise UsageWrong("the justification is too short", "Say in a sentence what happened.")
    confirm("The patient will be told, and a privacy officer reviews it. Go on?", yes=yes)
    chosen = subject_for(
        home,
        find_member(home, custodian)["id"],
        subject=subject,
        key_file=key_file,
        passphrase_file=passphrase_file,
    )
    params = {
        "custodian": custodian,
        "subject": chosen,
        "records": list(records),
        "purpose": purpose,
        "role": role,
        "justification": justification,
    }
    fetch_into(home, out, params, as_json=as_json)


@emergency.command("list", epilog="Example: placet emergency list --open")
@click.option("--open", "only_open", is_flag=True, help="Only those that wait for a review.")
@common_options
def list_emergencies(only_open: bool, home: Home, as_json: bool) -> None:
    """List emergency accesses in the whole network, and how their reviews ended."""
    show(call(home, "emergency.list", {"open": only_open}), _render, as_json=as_json)


@emergency.command(epilog="Example: placet emergency review 7c1d... --verdict justified --yes")
@click.argument("disclosure", type=HEX32_BEGUN)
@click.option("--verdict", required=True, type=click.Choice(["justified", "not-justified"]))
@yes_option
@common_options
def review(disclosure: str, verdict: str, yes: bool, home: Home, as_json: bool) -> None:
    """Put on the chain, signed by our privacy officer's key, whether an access was justified."""
    disclosure = whole_emergency(home, disclosure)
    confirm(f"Record for ever that {short_id(disclosure)} was {verdict}?", yes=yes)
    found = call(home, "emergency.review", {"disclosure": disclosure, "verdict": verdict})
    text = f"{mark(True)} The review is final in block {found['height']}: {verdict}."
    show(found, lambda _: text, as_json=as_json)


def _render(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["disclosure"],
            each["requester_name"],
            each["custodian_name"],
            short_id(each["subject"]),
            str(each["disclosed_height"]),
            _state(each),
        ]
        for each in found
    ]
    return table(
        ["disclosure", "who", "custodian", "subject", "block", "review"], rows, ids=["disclosure"]
    )


def _state(each: dict[str, Any]) -> str:
    if each["verdict"]:
        good = each["verdict"] == "justified"
        return paint(f"{each['verdict']}, by {each['reviewer_name']}", GOOD if good else BAD)
    due = f"due {moment(each['due'])}"
    return paint(f"OVERDUE, {due}" if each["overdue"] else due, BAD if each["overdue"] else CAREFUL)
