"""Fetches records: carries out what `protocol.release_requester` decides.

A stream that breaks, because the custodian's process died or it cannot be reached, is opened again
with the same signed request: the custodian then hands over the same release without a second
disclosure.
"""

from collections import deque
from dataclasses import dataclass, field
from functools import partial

from protocol.container import Layout, Opener
from protocol.delivery import TermsDeclined, TermsKept
from protocol.envelope import Opening
from protocol.errors import InvalidRecord, ProtocolError
from protocol.events import ConsentId, Disclosure, EventId
from protocol.identity import MemberId
from protocol.release import (
    ChunksSent,
    ChunksWanted,
    Granted,
    NotConsidered,
    Unconsidered,
    UnexpectedMessage,
)
from protocol.release_requester import (
    AnswerReceived,
    AwaitDisclosure,
    Conclude,
    DisclosureFound,
    DisclosureMissing,
    Effect,
    Ending,
    FetchRecord,
    Input,
    Phase,
    RecordWhole,
    RequesterExchange,
    SendReceipt,
    SendRequest,
    Started,
)
from protocol.request import SignedRequest
from simulations.workload.frames import Answered, Asked, asked
from simulations.workload.news import BlamedClinic, FetchEnded, KeysOpened, Tell
from simulations.workload.node import ClinicNode
from simulations.workload.sealing import FastKemKey
from simulations.workload.waiting import Waiting

ATTEMPTS_MAX = 5
ATTEMPT_PAUSE = 500
"""Before a stream is opened again, in milliseconds; doubles from one attempt to the next."""
ANSWER_MAX = 90_000
"""How long a custodian may take to answer: it waits for finality."""
LOOK_EVERY = 1_000
"""How soon a broken stream is noticed."""
FINALITY_MAX = 30_000


@dataclass(slots=True, eq=False)
class Fetch:
    """One signed request to one custodian, and how far it is."""

    custodian: MemberId
    signed: SignedRequest
    started_at: int
    attempts: int = 0
    stream: int = 0
    life: int | None = None
    """Which life of the custodian's process the stream goes to."""
    asked_at: int = 0
    exchange: RequesterExchange | None = field(default=None, repr=False)
    granted: Granted | None = field(default=None, repr=False)
    opening: Opening | None = field(default=None, repr=False)


class RequesterDesk:
    """Gets records from other clinics."""

    def __init__(self, node: ClinicNode, waiting: Waiting, tell: Tell) -> None:
        self.node = node
        self.tell = tell
        self._waiting = waiting
        self._kem = FastKemKey(node.member.kem_key)
        self._fetches: dict[int, Fetch] = {}
        """By stream."""
        self._unfinished: list[Fetch] = []
        """What people here still want; they ask again when the process is back."""
        self._streams = 0

    def cited(self) -> list[ConsentId]:
        """Return the consents that fetches under way rely on."""
        consents = (fetch.signed.request.consent for fetch in self._unfinished)
        return [consent for consent in consents if consent is not None]

    def died(self) -> None:
        self._fetches.clear()

    def restarted(self) -> None:
        for fetch in list(self._unfinished):
            self._attempt(fetch)

    def fetch(self, custodian: MemberId, signed: SignedRequest) -> None:
        """Begin to fetch; the result comes as news."""
        fetch = Fetch(custodian, signed, self.node.virtual_now())
        self._unfinished.append(fetch)
        if self.node.is_up:
            self._attempt(fetch)

    def heard(self, sender: MemberId, stream: int, message: Answered) -> None:
        """A custodian answers."""
        fetch = self._fetches.get(stream)
        if fetch is None or fetch.custodian != sender:
            return  # We have given that stream up.
        try:
            self._hear(fetch, message)
        except ProtocolError as error:
            self.tell(BlamedClinic(self.node.member.id, sender, error.code))
            self._end(fetch, "custodian-at-fault")

    def _hear(self, fetch: Fetch, message: Answered) -> None:
        match message:
            case ChunksSent() if fetch.opening is not None:
                self._receive_chunks(fetch, fetch.opening, message)
            case TermsKept() | TermsDeclined():
                raise UnexpectedMessage("nobody sent terms on this stream")
            case _:
                if isinstance(message, Granted):
                    fetch.granted = message
                self._feed(fetch, AnswerReceived(message))

    def _attempt(self, fetch: Fetch) -> None:
        """Open a stream, if the custodian can be reached."""
        if fetch not in self._unfinished:
            return
        self._fetches.pop(fetch.stream, None)
        fetch.attempts += 1
        self._streams += 1
        fetch.stream = self._streams
        fetch.life = self.node.life_of(fetch.custodian)
        if fetch.life is None:
            self._break(fetch)
            return
        fetch.opening = fetch.granted = None
        fetch.asked_at = self.node.virtual_now()
        fetch.exchange = RequesterExchange(
            fetch.signed,
            key=self.node.key,
            kem_keys={self._kem.id: self._kem},
            custodian=fetch.custodian,
            network=self.node.network,
        )
        self._fetches[fetch.stream] = fetch
        self._feed(fetch, Started())
        self.node.later(LOOK_EVERY, partial(self._look, fetch, fetch.stream))

    def _look(self, fetch: Fetch, stream: int) -> None:
        """See whether the stream is still good."""
        if self._fetches.get(stream) is not fetch:
            return
        is_late = self.node.virtual_now() - fetch.asked_at > ANSWER_MAX
        if is_late or self.node.life_of(fetch.custodian) != fetch.life:
            self._break(fetch)
        else:
            self.node.later(LOOK_EVERY, partial(self._look, fetch, stream))

    def _break(self, fetch: Fetch) -> None:
        self._fetches.pop(fetch.stream, None)
        if fetch.attempts >= ATTEMPTS_MAX:
            self._end(fetch, "unreachable")
        else:
            pause = ATTEMPT_PAUSE * 2**fetch.attempts
            self.node.later(pause, partial(self._attempt, fetch))

    def _feed(self, fetch: Fetch, input: Input) -> None:
        """Step the machine until it wants nothing more from us."""
        assert fetch.exchange is not None
        inputs: deque[Input] = deque([input])
        while inputs:
            for effect in fetch.exchange.step(self.node.now(), inputs.popleft()):
                self._carry_out(fetch, effect)

    def _carry_out(self, fetch: Fetch, effect: Effect) -> None:
        match effect:
            case SendRequest(signed):
                self._say(fetch, signed)
            case AwaitDisclosure(disclosure):
                then = partial(self._looked_up, fetch, fetch.stream, disclosure)
                self._waiting.wait(disclosure, FINALITY_MAX, lambda _: then())
            case FetchRecord(opening):
                self._fetch_record(fetch, opening)
            case SendReceipt(acknowledged):
                self._say(fetch, acknowledged)
            case Conclude():
                self._conclude(fetch, effect)

    def _looked_up(self, fetch: Fetch, stream: int, disclosure: EventId) -> None:
        """Our own chain has the disclosure, or did not get it in time."""
        if self._fetches.get(stream) is not fetch:
            return
        found = self.node.find(disclosure)
        body = None if found is None else found[0].event.body
        try:
            if found is not None and not isinstance(body, Disclosure):
                raise InvalidRecord("the custodian names an event that discloses nothing")
            known = DisclosureFound(body) if isinstance(body, Disclosure) else DisclosureMissing()
            self._feed(fetch, known)
        except ProtocolError as error:
            self.tell(BlamedClinic(self.node.member.id, fetch.custodian, error.code))
            self._end(fetch, "custodian-at-fault")

    def _fetch_record(self, fetch: Fetch, opening: Opening) -> None:
        assert fetch.granted is not None
        fetch.opening = opening
        self.tell(
            KeysOpened(self.node.member.id, fetch.custodian, fetch.granted.disclosure, opening)
        )
        count = Layout(opening.manifest.content.length).chunk_count
        self._say(fetch, ChunksWanted(opening.manifest.id, 0, count))

    def _receive_chunks(self, fetch: Fetch, opening: Opening, sent: ChunksSent) -> None:
        opener = Opener(opening.dek, opening.manifest.content)
        for chunk in sent.chunks:
            opener.open(chunk)
        opener.finish()
        self._feed(fetch, RecordWhole(opening.manifest.id))

    def _conclude(self, fetch: Fetch, conclude: Conclude) -> None:
        answer = conclude.answer
        if isinstance(answer, NotConsidered) and answer.reason == Unconsidered.BUSY:
            self._break(fetch)
            return
        if conclude.ending == Ending.NOT_FINAL and fetch.attempts < ATTEMPTS_MAX:
            self._break(fetch)
            return
        self._end(fetch, conclude.ending.name.lower().replace("_", "-"), conclude.disclosure)

    def _end(self, fetch: Fetch, ending: str, disclosure: EventId | None = None) -> None:
        self._fetches.pop(fetch.stream, None)
        if fetch not in self._unfinished:
            return
        self._unfinished.remove(fetch)
        if fetch.exchange is not None:
            fetch.exchange.phase = Phase.OVER
        self.tell(
            FetchEnded(
                requester=self.node.member.id,
                custodian=fetch.custodian,
                signed=fetch.signed,
                started_at=fetch.started_at,
                ending=ending,
                disclosure=disclosure,
            )
        )

    def _say(self, fetch: Fetch, message: Asked) -> None:
        self.node.say(fetch.custodian, asked(fetch.stream, message))
