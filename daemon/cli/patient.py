"""`placet patient`: a patient's keys, and everything that was done with the patient's records."""

import time
from pathlib import Path
from typing import Any

import click

from daemon.cli.errors import UsageWrong
from daemon.cli.node import call
from daemon.cli.options import (
    common_options,
    is_terminal,
    json_option,
    passphrase_option,
    read_passphrase,
    read_start,
)
from daemon.cli.output import (
    BAD,
    CAREFUL,
    FAINT,
    GOOD,
    STRONG,
    mark,
    moment,
    paint,
    plain,
    short_id,
    show,
    table,
)
from daemon.cli.patient_key import (
    Patient,
    find_member,
    open_patient,
    patient_options,
    subject_option,
)
from daemon.storage.home import Home

PHRASE_SIZE_MAX = 1_024
WORDS_PER_LINE = 6

file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group(epilog="Example: placet patient new ida.key")
def patient() -> None:
    """Make and recover a patient's key, and see who read what."""


@patient.command(epilog="Example: placet patient new ida.key")
@file_argument
@passphrase_option
@json_option
def new(file: Path, passphrase_file: Path | None, as_json: bool) -> None:
    """Make a patient's key in FILE, and print the words with which it can be recovered.

    Write the words on paper and keep them: without the file and without the words, nobody can
    withdraw a consent any more.
    """
    from daemon.keys.keystore import new_patient_keys, save_keys
    from daemon.keys.recovery_phrase import phrase_of

    passphrase = _new_passphrase(passphrase_file)
    keys = new_patient_keys()
    save_keys(file, keys, passphrase)
    made = {"file": str(file), "phrase": phrase_of(keys)}
    show(made, _render_new, as_json=as_json)


@patient.command(epilog="Example: placet patient recover ida.key --phrase-file words.txt")
@file_argument
@click.option(
    "--phrase-file",
    type=click.Path(allow_dash=True, dir_okay=False, path_type=Path),
    help="Read the 24 words from a file (- for standard input).",
)
@passphrase_option
@json_option
def recover(
    file: Path, phrase_file: Path | None, passphrase_file: Path | None, as_json: bool
) -> None:
    """Make a patient's key file again from the words on paper."""
    from daemon.keys.keystore import save_keys
    from daemon.keys.recovery_phrase import keys_of

    keys = keys_of(_read_phrase(phrase_file))
    save_keys(file, keys, _new_passphrase(passphrase_file))
    text = f"{mark(True)} The patient's key is in {file} again."
    show({"file": str(file)}, lambda _: text, as_json=as_json)


@patient.command(epilog="Example: placet patient card --key ida.key")
@click.option("--custodian", help="Only towards this member.")
@click.option("--phrase", is_flag=True, help="Print the recovery words, too.")
@patient_options
@common_options
def card(
    custodian: str | None,
    phrase: bool,
    key_file: Path | None,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """Print who the patient is towards each member: the subject that records are added under."""
    opened = open_patient(home, key_file, passphrase_file)
    made: dict[str, Any] = {"subjects": _subjects(home, opened, custodian)}
    if phrase:
        from daemon.keys.recovery_phrase import phrase_of

        made["phrase"] = phrase_of(opened.keys)
    show(made, _render_card, as_json=as_json)


@patient.command(epilog="Example: placet patient audit --key ida.key")
@click.option("--custodian", help="Only what this member keeps [all members].")
@subject_option
@patient_options
@common_options
def audit(
    custodian: str | None,
    subject: str | None,
    key_file: Path | None,
    passphrase_file: Path | None,
    home: Home,
    as_json: bool,
) -> None:
    """List every access to the patient's records, and say whether the list is complete.

    With the patient's key, the custodians add for what and which records. The key stays here.
    """
    if subject is not None:
        audits = [call(home, "patient.audit", {"subject": subject})]
    else:
        opened = open_patient(home, key_file, passphrase_file)
        audits = [
            _audit(home, opened, each["custodian"]) for each in _subjects(home, opened, custodian)
        ]
        audits = [each for each in audits if each["accesses"] or custodian]
    show(audits, _render_audits, as_json=as_json)


def _audit(home: Home, opened: Patient, custodian: str) -> dict[str, Any]:
    """Ask for one custodian's accesses, with a question that the patient signs here."""
    from protocol.audit_question import sign_audit_question

    key = opened.key_towards(custodian)
    asked_at = time.time_ns() // 1_000_000
    question = sign_audit_question(
        key,
        opened.network,
        through=bytes.fromhex(call(home, "status")["node"]["id"]),
        first=0,
        asked_at=asked_at,
    )
    params = {
        "subject": key.public.hex(),
        "asked_at": asked_at,
        "signature": question.signature.hex(),
    }
    found: dict[str, Any] = call(home, "patient.audit", params)
    return found


def _subjects(home: Home, opened: Patient, custodian: str | None) -> list[dict[str, str]]:
    """Return who the patient is towards one member, or towards each."""
    members = call(home, "members.list") if custodian is None else [find_member(home, custodian)]
    return [
        {
            "custodian": member["id"],
            "custodian_name": member["name"],
            "subject": opened.subject_of(member["id"]),
        }
        for member in members
    ]


def _new_passphrase(file: Path | None) -> str:
    passphrase = read_passphrase(file, prompt="New passphrase for the patient's key", new=True)
    if not passphrase:
        raise UsageWrong(
            "a patient's key needs a passphrase",
            "Give --passphrase-file, or set PLACET_PASSPHRASE.",
        )
    return passphrase


def _read_phrase(file: Path | None) -> str:
    if file is not None:
        return read_start(file, PHRASE_SIZE_MAX + 1)
    if not is_terminal():
        raise UsageWrong(
            "the recovery words are needed", "Give --phrase-file FILE, or - for stdin."
        )
    return str(click.prompt("The 24 words", err=True))


def _render_new(made: dict[str, Any]) -> str:
    return "\n".join(
        [
            f"{mark(True)} The patient's key is in {made['file']}.",
            paint("Write these words on paper, and keep it safe. They bring the key back:", STRONG),
            _render_phrase(made["phrase"]),
        ]
    )


def _render_phrase(phrase: str) -> str:
    words = [f"{number:>3} {word:<9}" for number, word in enumerate(phrase.split(), 1)]
    starts = range(0, len(words), WORDS_PER_LINE)
    return "\n".join("".join(words[start : start + WORDS_PER_LINE]).rstrip() for start in starts)


def _render_card(made: dict[str, Any]) -> str:
    rows = [[each["custodian_name"], each["subject"]] for each in made["subjects"]]
    shown = table(["towards", "subject"], rows, whole=["subject"])
    return f"{shown}\n{_render_phrase(made['phrase'])}" if "phrase" in made else shown


def _render_audits(audits: list[dict[str, Any]]) -> str:
    if not audits:
        return paint("Nobody was given anything.", FAINT)
    return "\n\n".join(_render_audit(each) for each in audits)


def _render_audit(found: dict[str, Any]) -> str:
    keeper = found["custodian_name"] or "no custodian yet"
    count = len(found["accesses"])
    lowest = found.get("lowest_height", 0)
    if not found["complete"] and lowest:
        complete = paint(
            f"NOT COMPLETE: this node has no blocks before {lowest}; ask one that keeps all", BAD
        )
    elif not found["complete"]:
        complete = paint("NOT COMPLETE: a number is missing", BAD)
    elif count:
        complete = paint(f"complete: numbers 1 to {count} without a gap", GOOD)
    else:
        complete = "nobody was given anything"
    title = f"{paint(keeper, STRONG)}, subject {short_id(found['subject'])}: {complete}"
    rows = [
        [
            str(access["counter"]),
            moment(access["at"]),
            access["requester_name"],
            _basis(access),
            plain(" ".join(filter(None, [access["purpose"], access["role"]]))),
            str(len(access["records"])) if access["records"] is not None else "?",
            _review(access),
        ]
        for access in found["accesses"]
    ]
    headers = ["no", "when", "who", "basis", "for what", "records", "review"]
    return f"{title}\n{table(headers, rows)}" if rows else title


def _basis(access: dict[str, Any]) -> str:
    kind = str(access["basis"]["kind"])
    if kind == "emergency":
        return paint("EMERGENCY", CAREFUL)
    return f"consent {short_id(access['basis']['consent'])}" if kind == "consent" else kind


def _review(access: dict[str, Any]) -> str:
    if access["verdict"]:
        return f"{access['verdict']}, by {access['reviewer_name']}"
    return f"due {moment(access['review_due'])}" if access["review_due"] else ""
