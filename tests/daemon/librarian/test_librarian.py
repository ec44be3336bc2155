"""Records go from member to member as their patients want, and not otherwise."""

import os
from collections.abc import Callable
from hashlib import shake_128
from pathlib import Path

import pytest
import trio

from daemon.librarian.fetch import Progress
from daemon.librarian.fetch_errors import (
    AccessRefused,
    ClocksDiffer,
    CustodianAtFault,
    CustodianUnreachable,
    NoSuchFolder,
    OwnRecords,
)
from daemon.librarian.shelf import FileUnreadable, NewRecord, SubjectElsewhere
from daemon.vault import streams
from protocol.container import CHUNK_SIZE
from protocol.directives import Question, Reason
from protocol.events import (
    ConsentBasis,
    ConsentWithdrawn,
    Disclosure,
    EmergencyBasis,
    SignedEvent,
)
from protocol.release import CHUNKS_PER_ANSWER_MAX, CHUNKS_PER_REQUEST_MAX
from protocol.request import REQUEST_LIFETIME_MAX
from protocol.state import emergencies
from protocol.terms import DirectiveKind, Purpose, WithCategory
from tests.daemon.librarian_steps import (
    REPORT,
    add,
    disclosures,
    emergency,
    fetch,
    order,
)
from tests.daemon.town import SUBJECT, Town, TownNode, scope

WithdrawWhen = Callable[[SignedEvent], None]


def large(count: int) -> bytes:
    return shake_128(b"image").digest(count)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_file())


async def test_a_permitted_record_arrives_whole_and_is_logged_before(
    town: Town, tmp_path: Path
) -> None:
    record = await add(town, tmp_path)
    terms = await town.give()

    assert await fetch(town.clinic, order(town), tmp_path) == {record: REPORT}

    [disclosure] = disclosures(town)
    assert disclosure.basis == ConsentBasis(terms.consent)
    assert disclosure.counter == 1
    assert files_in(tmp_path) == [f"{record.hex()}.txt", "source"]


async def test_only_what_the_permit_names_arrives(town: Town, tmp_path: Path) -> None:
    image = await add(town, tmp_path, categories=["imaging"], mime_type="application/dicom")
    await add(town, tmp_path, categories=["psychiatry"])
    await town.give(scope=scope(town.clinic, records=(WithCategory(("imaging",)),)))

    assert set(await fetch(town.clinic, order(town), tmp_path)) == {image}
    with pytest.raises(AccessRefused):
        await fetch(town.pharmacy, order(town), tmp_path)


async def test_restricted_and_missing_look_the_same(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path)
    texts = []
    for wanted in (
        order(town, records=(record,)),
        order(town, records=(b"x" * 16,)),
        order(town, subject=b"\1" * 32),
        order(town, consent=b"c" * 16),
    ):
        with pytest.raises(AccessRefused) as refused:
            await fetch(town.clinic, wanted, tmp_path)
        texts.append(str(refused.value))
    assert len(set(texts)) == 1
    assert disclosures(town) == []


async def test_withdrawn_is_withdrawn(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await town.give()
    await fetch(town.clinic, order(town), tmp_path)
    await town.submit(town.withdrawal())
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town), tmp_path)
    assert len(disclosures(town)) == 1


async def test_a_withdrawal_that_was_only_seen_counts(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    terms = await town.give()
    town.hospital.seen_withdrawals.add(terms.consent)
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town), tmp_path)
    assert disclosures(town) == []


async def test_a_withdrawal_seen_while_the_disclosure_is_under_way_stops_the_keys(
    town: Town, tmp_path: Path
) -> None:
    record = await add(town, tmp_path)
    terms = await town.give()

    def see(signed: SignedEvent) -> None:
        if isinstance(signed.event.body, Disclosure):
            town.hospital.seen_withdrawals.add(terms.consent)

    town.on_submit = see
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town), tmp_path)
    assert len(disclosures(town)) == 1
    assert f"{record.hex()}.txt" not in files_in(tmp_path)


async def test_a_withdrawal_that_is_final_first_makes_the_network_refuse(
    town: Town, tmp_path: Path
) -> None:
    await add(town, tmp_path)
    await town.give()

    def overtake(signed: SignedEvent) -> None:
        if isinstance(signed.event.body, Disclosure):
            town.on_submit = lambda _: None
            town.add_block(town.withdrawal())

    town.on_submit = overtake
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town), tmp_path)
    assert isinstance(town.events[-1].event.body, ConsentWithdrawn)
    assert disclosures(town) == []


async def test_an_emergency_opens_is_listed_and_is_due_for_review(
    town: Town, tmp_path: Path
) -> None:
    record = await add(town, tmp_path)
    with pytest.raises(AccessRefused):
        await fetch(
            town.pharmacy, order(town, purpose=Purpose.BTG, justification="hurry"), tmp_path
        )
    assert await fetch(town.pharmacy, emergency(town), tmp_path) == {record: REPORT}

    [disclosure] = disclosures(town)
    assert disclosure.basis == EmergencyBasis()
    [(_, review)] = emergencies(town.clinic.state)
    assert (review.requester, review.reviewer) == (town.pharmacy.me, None)


async def test_a_large_record_goes_on_where_its_streams_broke(town: Town, tmp_path: Path) -> None:
    content = large(40 * CHUNK_SIZE + 3)
    record = await add(town, tmp_path, content)
    await town.give()
    town.lives = [1_200_000, 1_500_000]
    seen: list[Progress] = []

    found = await fetch(town.clinic, order(town), tmp_path, report=seen.append)

    assert found == {record: content}
    assert len(disclosures(town)) == 1
    assert [each.done for each in seen] == sorted({each.done for each in seen})
    assert seen[-1].done == seen[-1].length == len(content)
    assert town.lives == []


def drafts_of(node: TownNode) -> list[Path]:
    return list((node.home.path / "drafts").iterdir())


async def interrupt_fetch(town: Town, folder: Path) -> None:
    """Give a fetch up when something has come, as a node does that is stopped."""
    with trio.CancelScope() as scope:
        await fetch(town.clinic, order(town), folder, report=lambda _: scope.cancel())
    assert scope.cancelled_caught
    assert len(drafts_of(town.clinic)) == 1


async def test_another_fetch_goes_on_where_one_was_given_up(town: Town, tmp_path: Path) -> None:
    content, out = large(100 * CHUNK_SIZE + 3), tmp_path / "out"
    record = await add(town, tmp_path, content)
    await town.give()
    out.mkdir()
    await interrupt_fetch(town, out)
    seen: list[Progress] = []
    [delivered] = await town.clinic.librarian.requester.fetch(order(town), out, report=seen.append)
    [fetched] = delivered.records
    assert (fetched.manifest.id, fetched.path.read_bytes()) == (record, content)
    assert CHUNKS_PER_ANSWER_MAX * CHUNK_SIZE <= fetched.reused_length < len(content)
    assert fetched.reused_length < seen[0].done
    assert len(disclosures(town)) == 2, "the keys were handed over twice, and that is logged"
    assert (list(out.iterdir()), drafts_of(town.clinic)) == ([fetched.path], [])


async def test_what_was_given_up_is_gone_with_the_consent(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path, large(40 * CHUNK_SIZE))
    await town.give(1)
    out = tmp_path / "out"
    out.mkdir()
    await interrupt_fetch(town, out)
    await town.give(2, kind=DirectiveKind.RESTRICT)
    with pytest.raises(AccessRefused):
        await fetch(town.clinic, order(town), out)
    assert list(out.iterdir()) == drafts_of(town.clinic) == []


async def test_what_was_given_up_is_gone_with_its_subject(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path, large(40 * CHUNK_SIZE))
    await town.give()
    out = tmp_path / "out"
    out.mkdir()
    await interrupt_fetch(town, out)
    await town.clinic.librarian.erase(SUBJECT)
    assert list(out.iterdir()) == drafts_of(town.clinic) == []


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE, CHUNK_SIZE + 1])
async def test_a_record_of_any_size_arrives(town: Town, tmp_path: Path, size: int) -> None:
    record = await add(town, tmp_path, large(size))
    await town.give()
    assert await fetch(town.clinic, order(town), tmp_path) == {record: large(size)}


async def test_a_record_with_more_chunks_than_one_question_asks_for_arrives(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.librarian.fetch.CHUNKS_PER_REQUEST_MAX", 8)
    monkeypatch.setattr("daemon.librarian.fetch.CHUNKS_AHEAD_MIN", 4)
    assert CHUNKS_PER_REQUEST_MAX > 8
    record = await add(town, tmp_path, large(30 * CHUNK_SIZE))
    await town.give()
    assert await fetch(town.clinic, order(town), tmp_path) == {record: large(30 * CHUNK_SIZE)}


async def test_more_records_than_one_disclosure_holds_take_two(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.ruling.ENVELOPES_MAX", 3)
    records = {await add(town, tmp_path, bytes([number])) for number in range(5)}
    await town.give()
    assert set(await fetch(town.clinic, order(town), tmp_path)) == records
    assert [disclosure.counter for disclosure in disclosures(town)] == [1, 2]


async def test_two_members_at_once_get_two_counters(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path)
    await town.give(scope=scope(town.clinic, town.pharmacy))
    folders = {"clinic": tmp_path / "one", "pharmacy": tmp_path / "two"}
    async with trio.open_nursery() as nursery:
        for name, folder in folders.items():
            folder.mkdir()
            nursery.start_soon(fetch, town.nodes[name], order(town), folder)
    assert [disclosure.counter for disclosure in disclosures(town)] == [1, 2]
    assert [files_in(folder) for folder in folders.values()] == [[f"{record.hex()}.txt"]] * 2


async def test_sealed_copies_are_kept_only_if_asked_for(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path)
    await town.give()
    await fetch(town.clinic, order(town), tmp_path)
    assert not town.clinic.vault.has(record)
    await fetch(town.clinic, order(town), tmp_path, keep=True)
    town.clinic.vault.verify(record)
    assert [each.id for each in town.clinic.librarian.shelf.list(SUBJECT)] == [record]
    with pytest.raises(AccessRefused):  # To have a copy is not to be the custodian.
        await fetch(town.pharmacy, emergency(town, custodian=town.clinic.me), tmp_path)


async def test_a_damaged_chunk_is_noticed_and_leaves_nothing(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path, large(3 * CHUNK_SIZE))
    await town.give()
    chunks = tmp_path / "hospital" / "vault" / "records" / record.hex() / "chunks"
    damaged = bytearray(chunks.read_bytes())
    damaged[CHUNK_SIZE + 100] ^= 1
    chunks.write_bytes(damaged)
    with pytest.raises(CustodianAtFault):
        await fetch(town.clinic, order(town), tmp_path)
    assert files_in(tmp_path) == ["source"]


async def test_a_custodian_that_cannot_be_reached_is_named_as_such(
    town: Town, tmp_path: Path
) -> None:
    town.hospital.is_reachable = False
    with pytest.raises(CustodianUnreachable):
        await fetch(town.clinic, order(town), tmp_path)


async def test_a_wrong_clock_is_named_as_such(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    town.clinic.clock_error = 2 * REQUEST_LIFETIME_MAX
    with pytest.raises(ClocksDiffer, match="172800 seconds"):
        await fetch(town.clinic, order(town), tmp_path)


async def test_an_order_that_makes_no_sense_is_refused_at_home(town: Town, tmp_path: Path) -> None:
    with pytest.raises(NoSuchFolder):
        await fetch(town.clinic, order(town), tmp_path / "nowhere")
    with pytest.raises(OwnRecords):
        await fetch(town.hospital, order(town), tmp_path)
    assert town.streams_opened == 0
    await add(town, tmp_path)
    await town.give()
    with pytest.raises(SubjectElsewhere):
        await town.clinic.librarian.add(tmp_path / "source", town.new_record())


async def test_why_and_what_if_say_what_would_happen(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path)
    clinic, hospital = town.clinic.member_of_genesis, town.hospital.member_of_genesis
    librarian = town.hospital.librarian
    question = Question(clinic, hospital, Purpose.TREAT, town.hospital.now())

    before, after = librarian.what_if(town.terms(), custodian=hospital)
    assert before == ()
    assert {reading.member for reading in after} == {clinic.id}
    assert librarian.why(record, question).reason == Reason.BASE_DENIES
    await town.give()
    assert librarian.why(record, question).reason == Reason.PERMITTED
    await town.give(2, kind=DirectiveKind.RESTRICT)
    decision = librarian.why(record, question)
    assert decision.reason == Reason.RESTRICTED
    assert len(decision.trace) == 2


async def test_what_is_written_out_is_what_was_added(town: Town, tmp_path: Path) -> None:
    record = await add(town, tmp_path, large(CHUNK_SIZE + 1))
    path = town.hospital.librarian.shelf.write_out(record, tmp_path)
    assert path.read_bytes() == large(CHUNK_SIZE + 1)
    assert files_in(tmp_path) == [path.name, "source"]


async def test_sealing_tells_how_far_it_is(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "REPORT_SIZE", CHUNK_SIZE)
    path = tmp_path / "source"
    path.write_bytes(large(3 * CHUNK_SIZE + 1))
    seen: list[tuple[int, int]] = []
    new = NewRecord(subject=SUBJECT, mime_type="text/plain")

    await town.hospital.librarian.add(path, new, lambda *told: seen.append(told))

    assert seen == [(count * CHUNK_SIZE, 3 * CHUNK_SIZE + 1) for count in (1, 2, 3)]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
async def test_what_is_no_ordinary_file_is_refused_and_nothing_waits_for_it(
    town: Town, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "source")
    new = NewRecord(subject=SUBJECT, mime_type="text/plain")
    with pytest.raises(FileUnreadable, match="no ordinary file"):
        await town.hospital.librarian.add(tmp_path / "source", new)
