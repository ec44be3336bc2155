"""One request for records: carries out what `protocol.release_requester` decides.

A stream that breaks is opened again, with the same signed request: the custodian hands over the
same release without a second disclosure, and each download goes on with its next chunk. A later
request for the same record goes on with the draft that this one left.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, assert_never

import structlog
import trio

from daemon.errors import DaemonError
from daemon.librarian.chunk_frames import read_chunks
from daemon.librarian.custodian import RECORD_PROTOCOL
from daemon.librarian.downloads import Download, Fetched
from daemon.librarian.drafts import Drafts
from daemon.librarian.fetch_errors import (
    BROKEN,
    AccessRefused,
    ClocksDiffer,
    CustodianAtFault,
    CustodianBusy,
    CustodianUnreachable,
    DisclosureNotFinal,
)
from daemon.librarian.finality import find_event, wait_final
from daemon.librarian.intake import Intake
from daemon.librarian.limits import RecordLimits
from daemon.librarian.node import LibrarianNode
from daemon.receipts import Receipts
from daemon.storage.tables import RecordEntry, put_record
from daemon.transport import Stream
from protocol.codec import decode, encode
from protocol.container import CHUNK_SIZE
from protocol.envelope import Opening
from protocol.errors import InvalidRecord, ProtocolError
from protocol.events import Disclosure, EventId
from protocol.identity import MemberId, short
from protocol.record import RecordId
from protocol.release import (
    CHUNKS_PER_REQUEST_MAX,
    ChunksWanted,
    CustodianMessage,
    NotConsidered,
    RequesterMessage,
    Unconsidered,
)
from protocol.release_requester import (
    AnswerReceived,
    AwaitDisclosure,
    Conclude,
    DisclosureFound,
    DisclosureMissing,
    Ending,
    FetchRecord,
    Input,
    RecordWhole,
    RequesterExchange,
    SendReceipt,
    SendRequest,
    Started,
)
from protocol.request import SignedRequest

ATTEMPTS_MAX = 5
"""How often in a row a stream may break without bringing anything."""

ATTEMPT_PAUSE_SECONDS = 0.5
"""Doubles from one attempt to the next."""

SEND_SECONDS_MAX = 30
ANSWER_SECONDS_MAX = 90
"""The custodian waits for finality before it answers."""

CHUNKS_SECONDS_MAX = 60
CHUNKS_AHEAD_MIN = CHUNKS_PER_REQUEST_MAX // 2
"""With fewer chunks on their way, the next ones are asked for."""

FINALITY_SECONDS_MAX = 30

REPORT_SECONDS = 0.1
"""The time between two reports on a record: each wakes a caller who has better things to do."""

log = structlog.get_logger("requester")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the fetching of one record is, in bytes."""

    record: RecordId
    done: int
    length: int


Report = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Target:
    """From whom records come and where they go; `keep` keeps sealed copies in the vault too."""

    custodian: MemberId
    folder: Path
    keep: bool
    report: Report | None
    limits: RecordLimits
    drafts: Drafts


class RecordFetch:
    """Everything about one signed request.

    As a context, it leaves nothing unfinished behind, except drafts if it was interrupted.
    """

    def __init__(
        self, node: LibrarianNode, receipts: Receipts, signed: SignedRequest, target: Target
    ) -> None:
        self._node = node
        self._receipts = receipts
        self._signed = signed
        self._target = target
        self._downloads: dict[RecordId, Download] = {}
        self._report_at, self._reported = 0.0, 0
        self._fetched: dict[RecordId, Fetched] = {}

    @property
    def fetched(self) -> tuple[Fetched, ...]:
        """The records that arrived whole."""
        return tuple(self._fetched.values())

    async def run(self) -> Conclude:
        """Fetch; return how it ended if it ended well. Raises a `DaemonError`."""
        failures = 0
        while True:
            before = self._progress()
            try:
                return await self._judge(await self._attempt())
            except BROKEN as error:
                failures = 1 if self._progress() > before else failures + 1
                log.info("fetch-interrupted", peer=short(self._target.custodian), reason=str(error))
                if failures == ATTEMPTS_MAX:
                    raise CustodianUnreachable(f"The custodian is not reached: {error}.") from error
            except ProtocolError as error:
                log.warning("custodian-to-blame", peer=short(self._target.custodian))
                raise CustodianAtFault(f"The custodian broke a rule: {error}.") from error
            await trio.sleep(ATTEMPT_PAUSE_SECONDS * 2**failures)

    async def _attempt(self) -> Conclude:
        """Have one exchange on one stream."""
        stream = await self._node.open_stream(self._target.custodian, RECORD_PROTOCOL)
        async with stream:
            exchange = RequesterExchange(
                self._signed,
                key=self._node.keys.signing,
                kem_keys={key.id: key for key in self._node.keys.kem},
                custodian=self._target.custodian,
                network=self._node.network,
            )
            inputs: deque[Input] = deque([Started()])
            while inputs:
                for effect in exchange.step(self._node.now(), inputs.popleft()):
                    if isinstance(effect, Conclude):
                        await stream.close()
                        return effect
                    inputs.extend(await self._carry_out(stream, effect))
        raise AssertionError("an exchange ends with a conclusion")

    async def _carry_out(
        self, stream: Stream, effect: SendRequest | AwaitDisclosure | FetchRecord | SendReceipt
    ) -> list[Input]:
        """Do what the machine asks, and return what it should hear about it."""
        match effect:
            case SendRequest(signed):
                await _say(stream, signed)
                return [AnswerReceived(await _hear(stream, ANSWER_SECONDS_MAX))]
            case AwaitDisclosure(disclosure):
                return [await self._find(disclosure)]
            case FetchRecord(opening):
                await self._fetch(stream, opening)
                return [RecordWhole(opening.manifest.id)]
            case SendReceipt(acknowledged):
                with suppress(*BROKEN):  # We have it all; the receipt is the custodian's comfort.
                    await _say(stream, acknowledged)
        return []

    async def _find(self, disclosure: EventId) -> DisclosureFound | DisclosureMissing:
        await wait_final(self._node.store, self._receipts, disclosure, seconds=FINALITY_SECONDS_MAX)
        found = find_event(self._node.store, disclosure)
        if found is None:
            return DisclosureMissing()
        body = found[0].event.body
        if not isinstance(body, Disclosure):
            raise InvalidRecord("the custodian names an event that discloses nothing")
        return DisclosureFound(body)

    async def _fetch(self, stream: Stream, opening: Opening) -> None:
        """Bring one record to its end, from wherever it is."""
        record = opening.manifest.id
        if record in self._fetched:
            return
        download = self._downloads.get(record)
        if download is None:
            self._target.limits.check_size(opening.manifest.content.length)
            vault = self._node.vault if self._target.keep else None
            download = await trio.to_thread.run_sync(
                Download, opening, self._target.folder, self._target.drafts, vault
            )
            self._downloads[record] = download
            if download.reused_length:
                log.info(
                    "fetch-goes-on", record=short(record), mebibytes=download.reused_length >> 20
                )
        await self._receive_chunks(stream, download)
        self._fetched[record] = await trio.to_thread.run_sync(self._finish, download)

    async def _receive_chunks(self, stream: Stream, download: Download) -> None:
        """Ask ahead of what comes, so that the custodian never waits for a question."""
        asked = received = self._reported = download.next_chunk
        async with Intake() as intake:
            while received < download.chunk_count:
                while asked < download.chunk_count and asked - received < CHUNKS_AHEAD_MIN:
                    count = min(CHUNKS_PER_REQUEST_MAX, download.chunk_count - asked)
                    await _say(stream, ChunksWanted(download.record, asked, count))
                    asked += count
                frame = await intake.frame()
                with trio.fail_after(CHUNKS_SECONDS_MAX):
                    size = await stream.receive_into(frame)
                first, chunks = read_chunks(frame[:size])
                received += len(chunks)
                intake.put(partial(download.write, first, chunks))
                self._report(download)
            await intake.finish()
        self._report(download)

    def _finish(self, download: Download) -> Fetched:
        fetched = download.finish()
        description = fetched.manifest.description
        if self._target.keep:
            entry = RecordEntry(
                subject=description.subject,
                record=fetched.manifest.id,
                custodian=description.custodian,
                added_at=self._node.now(),
            )
            put_record(self._node.store, entry)
        return fetched

    async def _judge(self, conclude: Conclude) -> Conclude:
        """Return `conclude` if it is a good one; else raise what is to be done about it."""
        match conclude.ending:
            case Ending.DONE:
                return conclude
            case Ending.REFUSED:
                await self._drop_drafts()
                raise AccessRefused("The custodian refused, or there is nothing to fetch.")
            case Ending.NOT_FINAL:
                raise DisclosureNotFinal("The disclosure did not become final in time.")
            case Ending.NOT_CONSIDERED:
                assert conclude.answer is not None
                raise self._not_considered(conclude.answer)
        assert_never(conclude.ending)

    async def _drop_drafts(self) -> None:
        """What is refused now may not be gone on with later."""
        request = self._signed.request
        await trio.to_thread.run_sync(
            self._target.drafts.drop, request.subject, self._target.custodian, request.records
        )

    def _not_considered(self, answer: NotConsidered) -> DaemonError:
        if answer.reason == Unconsidered.BUSY:
            return CustodianBusy("The custodian has too much to do.")
        seconds = abs(answer.custodian_time - self._node.now()) // 1_000
        return ClocksDiffer(f"The custodian's clock and ours are {seconds} seconds apart.")

    def _progress(self) -> int:
        return len(self._fetched) + sum(each.next_chunk for each in self._downloads.values())

    def _report(self, download: Download) -> None:
        """Tell how far we are, now and then, and when all has come."""
        chunks = download.next_chunk  # Another thread counts on.
        is_whole = chunks == download.chunk_count
        if chunks == self._reported or not (is_whole or trio.current_time() >= self._report_at):
            return
        self._report_at, self._reported = trio.current_time() + REPORT_SECONDS, chunks
        if self._target.report is not None:
            done = min(chunks * CHUNK_SIZE, download.length)
            self._target.report(Progress(download.record, done, download.length))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        is_interrupted = isinstance(error, trio.Cancelled | CustodianUnreachable)
        for download in self._downloads.values():
            download.close(keep=is_interrupted)


async def _say(stream: Stream, message: RequesterMessage) -> None:
    with trio.fail_after(SEND_SECONDS_MAX):
        await stream.send(encode(message))


async def _hear(stream: Stream, seconds: float) -> CustodianMessage:
    with trio.fail_after(seconds):
        frame = await stream.receive()
    message: CustodianMessage = decode(frame, CustodianMessage)
    return message
