"""What the configuration allows is enforced, one beyond."""

from pathlib import Path

import pytest
import trio

from daemon.librarian.librarian import Librarian
from daemon.librarian.limits import RecordLimits, TooManyTransfers
from daemon.librarian.shelf import NewRecord
from daemon.vault.errors import RecordTooLong
from tests.daemon.librarian_steps import REPORT, add, fetch, order
from tests.daemon.town import SUBJECT, Town, TownNode

SIZE_MAX = len(REPORT)


def limited(node: TownNode, limits: RecordLimits) -> Librarian:
    return Librarian(node, node.receipts, limits)


async def test_a_file_that_is_larger_than_allowed_is_not_added(town: Town, tmp_path: Path) -> None:
    librarian = limited(town.hospital, RecordLimits(size_max=SIZE_MAX))
    path = tmp_path / "source"
    new = NewRecord(subject=SUBJECT, mime_type="text/plain")
    await trio.Path(path).write_bytes(REPORT + b".")
    with pytest.raises(RecordTooLong) as caught:
        await librarian.add(path, new)
    assert "record_size_max" in caught.value.next_step
    assert town.hospital.vault.record_ids() == ()


async def test_a_record_that_is_larger_than_allowed_is_not_fetched(
    town: Town, tmp_path: Path
) -> None:
    await add(town, tmp_path)
    await town.give()
    folder = tmp_path / "fetched"
    folder.mkdir()
    clinic = town.clinic
    clinic.librarian = limited(clinic, RecordLimits(size_max=SIZE_MAX - 1))
    with pytest.raises(RecordTooLong):
        await fetch(clinic, order(town), folder)
    assert list(folder.iterdir()) == []

    clinic.librarian = limited(clinic, RecordLimits(size_max=SIZE_MAX))
    assert list((await fetch(clinic, order(town), folder)).values()) == [REPORT]


async def test_no_more_than_so_many_orders_are_fetched_at_once(town: Town, tmp_path: Path) -> None:
    limits = RecordLimits(transfers_max=1)
    town.clinic.librarian = limited(town.clinic, limits)
    with limits.fetching(), pytest.raises(TooManyTransfers):
        await fetch(town.clinic, order(town), tmp_path)
    with limits.fetching():
        pass
