"""What tests of the librarian do again and again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
import trio.testing

from daemon.librarian.requester import Order
from daemon.librarian.shelf import NewRecord
from protocol.events import Disclosure
from protocol.record import RecordId
from protocol.terms import Purpose
from tests.daemon.town import SUBJECT, Town, TownNode

REPORT = b"Potassium 4.1 mmol/l"
JUSTIFICATION = "Unconscious, medication must be known"


async def add(town: Town, path: Path, content: bytes = REPORT, **about: Any) -> RecordId:
    """Let the hospital add a record."""
    source = path / "source"
    await trio.Path(source).write_bytes(content)
    about = {"subject": SUBJECT, "mime_type": "text/plain"} | about
    added = await town.hospital.librarian.add(source, NewRecord(**about))
    assert added.receipt is not None
    return added.manifest.id


def order(town: Town, **changes: Any) -> Order:
    """Ask the hospital for everything, for treatment."""
    common: dict[str, Any] = {
        "custodian": town.hospital.me,
        "subject": SUBJECT,
        "purpose": Purpose.TREAT,
        "role": "physician",
    }
    return Order(**(common | changes))


def emergency(town: Town, **changes: Any) -> Order:
    return order(town, purpose=Purpose.BTG, justification=JUSTIFICATION, **changes)


async def fetch(node: TownNode, wanted: Order, folder: Path, **how: Any) -> dict[RecordId, bytes]:
    """Fetch, and return what the files hold."""
    delivered = await node.librarian.requester.fetch(wanted, folder, **how)
    return {
        fetched.manifest.id: await trio.Path(fetched.path).read_bytes()
        for each in delivered
        for fetched in each.records
    }


async def until(condition: Callable[[], object]) -> None:
    """Return when the condition holds, which takes some other task's work and disk."""
    with trio.fail_after(60):
        while not condition():
            await trio.testing.wait_all_tasks_blocked(0.005)


def disclosures(town: Town) -> list[Disclosure]:
    """Return all disclosures on the chain."""
    bodies = [signed.event.body for signed in town.events]
    return [body for body in bodies if isinstance(body, Disclosure)]
