"""`placet record erase`: what this node keeps of a patient is destroyed, and the chain says so."""

from pathlib import Path
from typing import Any

import click

from daemon.cli.node import call
from daemon.cli.options import common_options, confirm, yes_option
from daemon.cli.output import FAINT, mark, paint, pairs, show
from daemon.cli.patient_key import patient_options, subject_for, subject_option
from daemon.storage.home import Home

ERASE_SECONDS_MAX = 600.0

WARNING = (
    "All records, consents and audits of this patient are destroyed on this node for good. Go on?"
)


@click.command(epilog="Example: placet record erase --subject 3f9a... --yes")
@yes_option
@subject_option
@patient_options
@common_options
def erase(
    yes: bool,
    subject: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """Destroy all that this node keeps of a patient: records, consents and audit.

    Their keys are overwritten. The chain then says that this member has erased something; only who
    has the salt that is printed can show what. It is not kept here: give it to the patient. Copies
    that others have fetched stay with them, and so do older backups.
    """
    me = call(home, "status")["node"]["id"]
    chosen = subject_for(
        home, me, subject=subject, key_file=key_file, passphrase_file=passphrase_file
    )
    confirm(WARNING, yes=yes)
    found = call(home, "records.erase", {"subject": chosen}, timeout_seconds=ERASE_SECONDS_MAX)
    show(found, _render, as_json=as_json)


def _render(found: dict[str, Any]) -> str:
    count = len(found["records"])
    height = found["height"]
    logged = f"logged in block {height}" if height else "not logged yet: too few authorities"
    facts = pairs(
        [
            ("event", found["event"]),
            ("salt", found["salt"]),
            ("subject", found["subject"]),
            *[("record", record) for record in found["records"]],
        ]
    )
    note = paint("The patient can show with this what was erased; it is kept nowhere.", FAINT)
    noun = "record" if count == 1 else "records"
    return f"{mark(True)} {count} {noun} erased, and {logged}.\n{facts}\n{note}"
