"""A request that is on the chain: the custodian's answer and its silence are there to be seen."""

import json
from pathlib import Path

import pytest

from daemon.librarian.fetch_errors import AccessRefused, CustodianSilent
from protocol.codec import commit, decode
from protocol.events import AccessRequested
from protocol.request import AccessRequest
from protocol.state import AskedEntry, asked_entry, custodian_entry
from tests.daemon.librarian_steps import REPORT, add, disclosures, fetch, order
from tests.daemon.town import SUBJECT, Town


def asked(town: Town) -> tuple[AccessRequested, AskedEntry]:
    """Return the only request on the chain, and what the state says about it."""
    [body] = [
        each.event.body for each in town.events if isinstance(each.event.body, AccessRequested)
    ]
    entry = asked_entry(town.clinic.state, town.clinic.me, body.request)
    assert entry is not None
    return body, entry


def openings(folder: Path) -> list[Path]:
    """Return the files that show what was asked for."""
    return list(folder.glob("request-*.json"))


async def test_a_request_is_on_the_chain_before_its_answer(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path)
    await town.give()
    fetched = await fetch(town.clinic, order(town, on_chain=True), tmp_path)

    assert fetched == {record: REPORT}
    body, entry = asked(town)
    [disclosure] = disclosures(town)
    assert disclosure.request == body.request
    assert entry.answered_height == entry.asked_height + 1
    counts = custodian_entry(town.clinic.state, town.hospital.me)
    assert (counts.asked_count, counts.answered_count) == (1, 1)


async def test_silence_is_on_the_chain_and_what_was_asked_for_can_be_shown(
    town: Town, tmp_path: Path
) -> None:
    record = await add(town, tmp_path)
    town.hospital.is_reachable = False
    wanted = order(town, records=(record,), on_chain=True)
    with pytest.raises(CustodianSilent, match=f"in block {town.hospital.store.height + 1}"):
        await fetch(town.clinic, wanted, tmp_path)

    body, entry = asked(town)
    assert (body.requester, body.custodian) == (town.clinic.me, town.hospital.me)
    assert entry.answered_height is None
    [path] = openings(tmp_path)
    shown = json.loads(path.read_text())
    opening = bytes.fromhex(shown["opening"])
    assert commit("request", bytes.fromhex(shown["salt"]), opening) == body.request
    request = decode(opening, AccessRequest)
    assert (request.subject, request.records) == (SUBJECT, (record,))
    assert path.stat().st_mode & 0o077 == 0


async def test_a_refusal_is_no_disclosure(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town, on_chain=True), tmp_path)
    assert asked(town)[1].answered_height is None


async def test_without_being_told_to_nobody_asks_on_the_chain(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await town.give()
    await fetch(town.clinic, order(town), tmp_path)
    assert not any(isinstance(each.event.body, AccessRequested) for each in town.events)
    assert not openings(tmp_path)
