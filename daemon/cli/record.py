"""`placet record`: what this member keeps, and what it fetches from others."""

from pathlib import Path
from typing import Any

import click

from daemon.cli.erase import erase
from daemon.cli.errors import UsageWrong
from daemon.cli.meter import Meter
from daemon.cli.node import call
from daemon.cli.options import (
    HEX16,
    HEX16_BEGUN,
    HEX32,
    LABEL,
    MIME_TYPE,
    MOMENT,
    common_options,
    is_terminal,
    passphrase_option,
)
from daemon.cli.output import FAINT, mark, moment, paint, pairs, plain, short_id, show, size, table
from daemon.cli.patient_key import find_member, patient_options, subject_for, subject_option
from daemon.cli.whole_id import whole_record
from daemon.errors import Exit
from daemon.storage.home import Home

TRANSFER_SECONDS_MAX = 3_600.0
"""How long sealing a large file, or the next report on a transfer, may take."""

MIME_TYPES = {".dcm": "application/dicom", ".fhir": "application/fhir+json"}
MIME_TYPE_UNKNOWN = "application/octet-stream"

custodian_option = click.option("--custodian", required=True, help="The member that keeps them.")
out_option = click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=".",
                          help="Folder for the files [this one].")  # fmt: skip


@click.group(epilog="Example: placet record fetch --custodian st-mary --subject 3f9a... --out .")
def record() -> None:
    """Add, list and erase records, and fetch those of other members."""


record.add_command(erase)


@record.command(epilog="Example: placet record add bundle.json --subject 3f9a... --category lab")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--type", "mime_type", type=MIME_TYPE, help="Its MIME type [from the file's name].")
@click.option(
    "--category", "categories", multiple=True, type=LABEL, help="Such as laboratory or 34133-9."
)
@click.option("--sensitivity", "labels", multiple=True, type=LABEL, help="Such as PSY or HIV.")
@click.option("--title", default="", help="What people call it. It is sealed like the rest.")
@click.option("--author", default="", help="Who wrote it [this member].")
@click.option("--date", "authored_at", type=MOMENT, help="When it was written [now].")
@subject_option
@patient_options
@common_options
def add(
    file: Path,
    mime_type: str | None,
    categories: tuple[str, ...],
    labels: tuple[str, ...],
    title: str,
    author: str,
    authored_at: int | None,
    subject: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """Seal FILE as a record of a patient. This member becomes its custodian."""
    me = call(home, "status")["node"]["id"]
    chosen = subject_for(
        home, me, subject=subject, key_file=key_file, passphrase_file=passphrase_file
    )
    params = {
        "path": str(file.absolute()),
        "subject": chosen,
        "mime_type": mime_type or _guess_type(file),
        "categories": list(categories),
        "sensitivity": list(labels),
        "title": title,
        "author": author,
        "authored_at": authored_at or 0,
    }
    added = call_watched(home, "records.add", params, as_json=as_json)
    show(added, _render_added, as_json=as_json)


@record.command("list", epilog="Example: placet record list --subject 3f9a...")
@click.option("--subject", type=HEX32, help="Only of this patient.")
@common_options
def list_records(subject: str | None, home: Home, as_json: bool) -> None:
    """List the records that this node keeps, its own and those it has fetched."""
    found = call(home, "records.list", {"subject": subject} if subject else {})
    show(found, _render_list, as_json=as_json)


@record.command("show", epilog="Example: placet record show 91ab... --out /tmp")
@click.argument("identifier", metavar="RECORD", type=HEX16_BEGUN)
@click.option("--out", type=click.Path(file_okay=False, exists=True, path_type=Path),
              help="Write it there, in clear.")  # fmt: skip
@common_options
def show_record(identifier: str, out: Path | None, home: Home, as_json: bool) -> None:
    """Show what is known about a record that this node keeps."""
    params = {"record": whole_record(home, identifier)}
    if out is not None:
        params["folder"] = str(out.absolute())
    found = call(home, "records.show", params, timeout_seconds=TRANSFER_SECONDS_MAX)
    show(found, _render_record, as_json=as_json)


@record.command(epilog="Example: placet record verify --home ~/.placet")
@passphrase_option
@common_options
def verify(passphrase_file: Path | None, home: Home, as_json: bool) -> None:
    """Check every byte of the sealed records that this node keeps.

    Works on a running node, and on the files of a stopped one or of a copy. Exit code 7 if
    anything is wrong.
    """
    if home.running_pid() is None:
        found = _verify_files(home, passphrase_file)
    else:
        found = call(home, "records.verify", timeout_seconds=TRANSFER_SECONDS_MAX)
    show(found, _render_verified, as_json=as_json)
    if not found["good"]:
        click.get_current_context().exit(Exit.VERIFICATION_FAILED)


def _verify_files(home: Home, passphrase_file: Path | None) -> dict[str, Any]:
    """Check the records of a node that does not run."""
    from daemon.api.reports import view_records_report
    from daemon.cli.lifecycle import node_passphrase
    from daemon.joining.setup import load_node_keys
    from daemon.vault.check import check_records
    from daemon.vault.vault import Vault

    keys = load_node_keys(home, node_passphrase(home, passphrase_file))
    return view_records_report(check_records(Vault(home.vault, keys.vault_master)))


def _render_verified(found: dict[str, Any]) -> str:
    lines = [f"{mark(found['good'])} {found['records']} records checked"]
    lines += [f"  {short_id(each['record'])}  {each['what']}" for each in found["findings"]]
    return "\n".join(lines)


@record.command(epilog="Example: placet record fetch --custodian st-mary --subject 3f9a... --out .")
@custodian_option
@click.option("--record", "records", multiple=True, type=HEX16, help="[all that is permitted]")
@click.option("--purpose", default="TREAT", show_default=True, help="For what: an HL7 code.")
@click.option("--role", default="staff", show_default=True, help="Who asks, in our organisation.")
@click.option("--consent", type=HEX16, help="The consent that permits it, if we know.")
@click.option("--on-chain", is_flag=True, help="Log the request first, so that silence shows.")
@click.option("--keep", is_flag=True, help="Keep sealed copies in this node's vault, too.")
@out_option
@subject_option
@patient_options
@common_options
def fetch(
    custodian: str,
    records: tuple[str, ...],
    purpose: str,
    role: str,
    consent: str | None,
    on_chain: bool,
    keep: bool,
    out: Path,
    subject: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """Fetch a patient's records from their custodian. The access is logged before they open.

    If a custodian does not answer, --on-chain puts the request on the chain before it asks again:
    all members see that it was made, and whether a disclosure followed. What opens it is written to
    a file request-....json in the folder; only who is shown that file learns what was asked for.
    """
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
        "on_chain": on_chain,
        "keep": keep,
        **({"consent": consent} if consent else {}),
    }
    fetch_into(home, out, params, as_json=as_json)


def fetch_into(home: Home, out: Path, params: dict[str, Any], *, as_json: bool) -> None:
    """Have the node fetch into `out`, show how far it is, and print what came."""
    if not out.is_dir():
        raise UsageWrong(f"there is no folder {out}", "Make it first, or choose another --out.")
    params = {**params, "folder": str(out.absolute())}
    delivered = call_watched(home, "records.fetch", params, as_json=as_json)
    show(delivered, _render_fetched, as_json=as_json)


def call_watched(home: Home, method: str, params: dict[str, Any], *, as_json: bool) -> Any:
    """Call what takes long, and show at a terminal how far it is."""
    with Meter() as meter:
        return call(
            home,
            method,
            params,
            progress=None if as_json or not is_terminal() else meter,
            timeout_seconds=TRANSFER_SECONDS_MAX,
        )


def _guess_type(file: Path) -> str:
    import mimetypes  # Most commands need no table of them.

    known = MIME_TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0]
    return known or MIME_TYPE_UNKNOWN


def _render_added(found: dict[str, Any]) -> str:
    height = found["height"]
    committed = (
        f"committed in block {height}" if height else "not committed to yet: too few authorities"
    )
    return f"{mark(True)} Record {found['record']} is sealed, and {committed}."


def _render_list(found: list[dict[str, Any]]) -> str:
    rows = [
        [
            each["record"],
            short_id(each["subject"]),
            each["custodian_name"],
            each["mime_type"],
            " ".join([*each["categories"], *each["sensitivity"]]),
            size(each["length"]),
            moment(each["authored_at"]),
            plain(each["title"] or ""),
        ]
        for each in found
    ]
    headers = ["record", "subject", "custodian", "type", "labels", "size", "written", "title"]
    return table(headers, rows, ids=["record"])


def _render_record(found: dict[str, Any]) -> str:
    return pairs(
        [
            ("record", found["record"]),
            ("subject", found["subject"]),
            ("custodian", found["custodian_name"]),
            ("title", plain(found["title"] or "")),
            ("type", found["mime_type"]),
            ("categories", " ".join(found["categories"])),
            ("sensitivity", " ".join(found["sensitivity"])),
            ("size", size(found["length"])),
            ("author", plain(found["author"])),
            ("written", moment(found["authored_at"])),
            ("sha256", found["sha256"]),
            ("file", found.get("path", "")),
        ]
    )


def _render_fetched(delivered: list[dict[str, Any]]) -> str:
    lines = []
    for each in delivered:
        count = len(each["records"])
        noun = "record" if count == 1 else "records"
        lines.append(f"{mark(True)} {count} {noun}, logged as disclosure {each['disclosure']}")
        lines += [
            f"  {record['path']}  {paint(_length(record), FAINT)}" for record in each["records"]
        ]
    return "\n".join(lines)


def _length(record: dict[str, Any]) -> str:
    reused = record["reused_length"]
    here = f", {size(reused)} of it were here already" if reused else ""
    return f"{size(record['length'])}, checked{here}"
