"""A custodian is not impressed by requesters that break the rules, hurry, or dawdle."""

from pathlib import Path

import pytest
import trio

from daemon.librarian.custodian import RECORD_PROTOCOL
from daemon.librarian.places import NoPlace
from daemon.transport import Stream, StreamClosed
from protocol.codec import decode, encode
from protocol.events import SignedEvent
from protocol.release import (
    REFUSAL,
    Acknowledged,
    ChunksSent,
    ChunksWanted,
    CustodianMessage,
    Granted,
    NotConsidered,
    NotLogged,
    Refused,
    Unconsidered,
)
from protocol.request import SignedRequest
from tests.daemon.librarian_steps import add, disclosures, fetch, order
from tests.daemon.town import Town


def request(town: Town) -> SignedRequest:
    return town.clinic.librarian.requester.sign(order(town), ())


async def ask(town: Town, *messages: object) -> Stream:
    stream = await town.clinic.open_stream(town.hospital.me, RECORD_PROTOCOL)
    for message in messages:
        await stream.send(encode(message))
    return stream


async def hear(stream: Stream) -> CustodianMessage:
    with trio.fail_after(30):
        message: CustodianMessage = decode(await stream.receive(), CustodianMessage)
    return message


async def granted(town: Town, path: Path) -> tuple[Stream, bytes]:
    """Return a stream on which the keys were handed over, and the record."""
    record = await add(town, path)
    await town.give()
    stream = await ask(town, request(town))
    assert isinstance(await hear(stream), Granted)
    return stream, record


async def test_every_refusal_has_the_same_bytes_and_its_time(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.release.REFUSAL_QUANTUM", 250)
    await add(town, tmp_path)
    for subject in (order(town).subject, b"\1" * 32):
        signed = town.clinic.librarian.requester.sign(order(town, subject=subject), ())
        stream = await ask(town)
        started = trio.current_time()
        await stream.send(encode(signed))
        assert await stream.receive() == REFUSAL
        assert trio.current_time() - started >= 0.25


async def test_the_same_request_twice_at_once_is_answered_once(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await town.give()
    signed = request(town)
    streams = [await ask(town, signed) for _ in range(2)]
    answers = [await hear(stream) for stream in streams]
    assert [type(answer) for answer in answers].count(Granted) >= 1
    assert len(disclosures(town)) == 1
    busy = [answer for answer in answers if isinstance(answer, NotConsidered)]
    assert all(answer.reason == Unconsidered.BUSY for answer in busy)


async def test_a_request_that_comes_back_gets_the_same_release(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await town.give()
    signed = request(town)
    first = await hear(await ask(town, signed))
    second = await hear(await ask(town, signed))
    assert isinstance(first, Granted)
    assert second == first
    assert len(disclosures(town)) == 1
    await town.submit(town.withdrawal())
    assert await hear(await ask(town, signed)) == Refused()


async def test_too_many_exchanges_are_turned_away(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, _ = await granted(town, tmp_path)
    monkeypatch.setattr(town.hospital.librarian.custodian._places, "_per_member", 1)
    answer = await hear(await ask(town, request(town)))
    assert isinstance(answer, NotConsidered)
    assert answer.reason == Unconsidered.BUSY
    await stream.reset()


@pytest.mark.parametrize(
    "message",
    [
        ChunksWanted(b"x" * 16, 0, 1),
        Acknowledged(b"d" * 32, b"r" * 32, b"s" * 64),
        Refused(),
        ChunksSent(0, (b"x",)),
    ],
)
async def test_who_breaks_a_rule_loses_the_stream_and_is_blamed(
    town: Town, tmp_path: Path, message: object
) -> None:
    stream, _ = await granted(town, tmp_path)
    await stream.send(encode(message))
    with pytest.raises(StreamClosed), trio.fail_after(30):
        await stream.receive()
    assert len(town.blamed) == 1


async def test_chunks_come_as_often_as_they_are_asked_for(town: Town, tmp_path: Path) -> None:
    stream, record = await granted(town, tmp_path)
    answers = []
    for _ in range(3):
        await stream.send(encode(ChunksWanted(record, 0, 1)))
        answers.append(await hear(stream))
    assert isinstance(answers[0], ChunksSent)
    assert answers == answers[:1] * 3


async def test_a_message_that_is_no_request_is_its_senders_fault(town: Town) -> None:
    for message in (ChunksWanted(b"x" * 16, 0, 1), b"noise", [1, 2, 3]):
        stream = await ask(town, message)
        with pytest.raises(StreamClosed), trio.fail_after(30):
            await stream.receive()
    assert [error.code for error in town.blamed] == ["not-decodable"] * 3


async def test_who_says_nothing_loses_the_stream(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.librarian.custodian.REQUEST_SECONDS_MAX", 0.02)
    stream = await ask(town)
    await stream.send_many([])
    with pytest.raises(StreamClosed), trio.fail_after(30):
        await stream.receive()
    assert town.blamed == []


async def test_what_the_custodian_cannot_read_is_refused_like_anything_else(
    town: Town, tmp_path: Path
) -> None:
    record = await add(town, tmp_path)
    await town.give()
    town.hospital.vault._manifests.clear()
    manifest = tmp_path / "hospital" / "vault" / "records" / record.hex() / "manifest"
    await trio.Path(manifest).write_bytes(b"x" * 100)
    assert await hear(await ask(town, request(town))) == Refused()
    assert disclosures(town) == []


async def test_a_release_outlives_a_restart(town: Town, tmp_path: Path) -> None:
    await add(town, tmp_path)
    await town.give()
    signed = request(town)
    first = await hear(await ask(town, signed))
    await town.restart(town.hospital)
    assert await hear(await ask(town, signed)) == first
    assert len(disclosures(town)) == 1


async def test_a_disclosure_that_becomes_final_late_is_handed_over_later(
    town: Town, tmp_path: Path
) -> None:
    await add(town, tmp_path)
    await town.give()
    signed = request(town)

    def hold(event: SignedEvent) -> None:
        town.on_submit = lambda _: None
        held.append(event)
        raise NoPlace("Nobody votes.")

    held: list[SignedEvent] = []
    town.on_submit = hold
    assert await hear(await ask(town, signed)) == NotLogged()
    town.add_block(held[0])
    assert isinstance(await hear(await ask(town, signed)), Granted)
    assert len(disclosures(town)) == 1


async def test_a_stream_that_breaks_before_the_keys_costs_no_second_disclosure(
    town: Town, tmp_path: Path
) -> None:
    record = await add(town, tmp_path)
    await town.give()
    town.lives, opened = [500], town.streams_opened
    assert set(await fetch(town.clinic, order(town), tmp_path)) == {record}
    assert len(disclosures(town)) == 1
    assert town.streams_opened == opened + 2
