"""`records.*`: what this member keeps, and what it fetches from others.

Files are named by their paths, and read or written by the daemon: a record may be larger than what
goes through a socket. The daemon runs as the user who calls it.
"""

from collections.abc import Sequence
from pathlib import Path

import trio

from daemon.api.consents import purpose_of
from daemon.api.progress import Report, with_progress
from daemon.api.reports import view_records_report
from daemon.api.running import Running
from daemon.api.views import find_member, view
from daemon.call import Call, invalid_params
from daemon.librarian.fetch import Progress
from daemon.librarian.requester import Delivered, Order
from daemon.librarian.shelf import Added, NewRecord
from daemon.rpc import Json
from daemon.vault.check import check_records
from protocol.record import LABELS_MAX, Manifest

RECORDS_MAX = 1_024
"""How many records one call may name."""

ROLE_DEFAULT = "staff"


async def add(running: Running, call: Call) -> Json:
    """Seal a file as a record of ours, reporting on the way, and commit to it on the chain."""
    new = NewRecord(
        subject=call.data("subject", size=32),
        mime_type=call.text("mime_type"),
        categories=_texts(call, "categories", LABELS_MAX),
        sensitivity=_texts(call, "sensitivity", LABELS_MAX),
        title=call.text("title", "") or None,
        author=call.text("author", "") or None,
        authored_at=call.integer("authored_at", 0) or None,
    )
    path = _path(call, "path")

    async def work(report: Report) -> Added:
        try:
            return await running.librarian.add(
                path, new, lambda done, length: report({"done": done, "length": length})
            )
        except ValueError as error:
            raise invalid_params(str(error)) from error

    added = await with_progress(call, work)
    height = None if added.receipt is None else added.receipt.height
    return {**view_manifest(running, added.manifest), "height": height}


async def list_all(running: Running, call: Call) -> Json:
    """Return what is known about the records here, of one subject or of all."""
    subject = call.data("subject", size=32) if "subject" in call.params else None
    found = await trio.to_thread.run_sync(running.librarian.shelf.list, subject)
    return [view_manifest(running, manifest) for manifest in found]


async def show(running: Running, call: Call) -> Json:
    """Return what is known about one record; with `folder`, write it there in clear."""
    record = call.data("record", size=16)
    manifest = await trio.to_thread.run_sync(running.librarian.shelf.show, record)
    shown = view_manifest(running, manifest)
    if "folder" in call.params:
        folder = _path(call, "folder")
        path = await trio.to_thread.run_sync(running.librarian.shelf.write_out, record, folder)
        shown["path"] = str(path)
    return shown


async def verify(running: Running, _: Call) -> Json:
    """Check every byte of every record that is kept here."""
    return view_records_report(await trio.to_thread.run_sync(check_records, running.node.vault))


async def fetch(running: Running, call: Call) -> Json:
    """Fetch records of a subject from a custodian into a folder, reporting on the way."""
    order = Order(
        custodian=find_member(running.node.members, call.text("custodian")).id,
        subject=call.data("subject", size=32),
        records=tuple(_ids(call, "records")),
        purpose=purpose_of(call),
        role=call.text("role", ROLE_DEFAULT),
        consent=call.data("consent", size=16) if "consent" in call.params else None,
        justification=call.text("justification", ""),
        on_chain=call.flag("on_chain"),
    )
    folder, keep = _path(call, "folder"), call.flag("keep")

    async def work(report: Report) -> list[Delivered]:
        return await running.librarian.requester.fetch(
            order, folder, keep=keep, report=lambda progress: report(_view_progress(progress))
        )

    fetched = await with_progress(call, work)
    return [_view_delivered(running, delivered) for delivered in fetched]


async def erase(running: Running, call: Call) -> Json:
    """Destroy all that is here of a subject, log that it was done, and return what proves it."""
    subject = call.data("subject", size=32)
    erasure = await running.librarian.erase(subject)
    return {
        "subject": subject.hex(),
        "records": view(erasure.records),
        "event": erasure.event.hex(),
        "height": None if erasure.receipt is None else erasure.receipt.height,
        "salt": erasure.salt.hex(),
    }


def view_manifest(running: Running, manifest: Manifest) -> dict[str, Json]:
    """Return what people may know of a record: everything but its key and its salt."""
    description = manifest.description
    return {
        "record": manifest.id.hex(),
        "subject": description.subject.hex(),
        "custodian": description.custodian.hex(),
        "custodian_name": running.node.members.name(description.custodian),
        "mime_type": description.mime_type,
        "categories": list(description.categories),
        "sensitivity": list(description.sensitivity),
        "author": description.author,
        "authored_at": description.authored_at,
        "title": description.title,
        "length": manifest.content.length,
        "sha256": view(manifest.content.sha256),
    }


def _view_delivered(running: Running, delivered: Delivered) -> dict[str, Json]:
    return {
        "disclosure": delivered.disclosure.hex(),
        "records": [
            {
                **view_manifest(running, each.manifest),
                "path": str(each.path),
                "reused_length": each.reused_length,
            }
            for each in delivered.records
        ],
    }


def _view_progress(progress: Progress) -> dict[str, Json]:
    return {"record": progress.record.hex(), "done": progress.done, "length": progress.length}


def _path(call: Call, name: str) -> Path:
    path = Path(call.text(name))
    if not path.is_absolute():
        raise invalid_params(f"`{name}` must be an absolute path")
    return path


def _texts(call: Call, name: str, count_max: int) -> Sequence[str]:
    found = call.params.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise invalid_params(f"`{name}` must be a list of texts")
    if len(found) > count_max:
        raise invalid_params(f"`{name}` has more than {count_max} entries")
    return found


def _ids(call: Call, name: str) -> Sequence[bytes]:
    try:
        found = [bytes.fromhex(text) for text in _texts(call, name, RECORDS_MAX)]
    except ValueError as error:
        raise invalid_params(f"`{name}` is not hex") from error
    if any(len(each) != 16 for each in found):
        raise invalid_params(f"`{name}` must be ids of 16 bytes")
    return found
