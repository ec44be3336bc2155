"""Events for real daemons, at the scenario's rates: planned from the seed, submitted by clients.

Consents, withdrawals and records are driven. What needs people on both sides (fetches, emergencies,
referrals) is not; `NOT_DRIVEN` names it, and the outcome's coverage says how much was left out.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

from daemon.errors import DaemonError
from daemon.rpc import CallFailed, NodeNotRunning, NodeSilent
from protocol.codec import encode
from protocol.events import ConsentGiven, ConsentWithdrawn, Event, SignedEvent, event_id, sign_event
from protocol.genesis import network_id
from protocol.identity import SigningKey
from simulations.local.daemons import Daemon, Daemons
from simulations.scenario.model import Scenario
from simulations.scenario.names import nodes_of

IN_FLIGHT_MAX = 64
"""Submissions that wait at once; while so many wait, the next ones are late."""
EVENT_LIFETIME = 3_600_000
DAY = 86_400_000
CONSENT_DAYS = 30
NOT_DRIVEN = ("fetches", "emergencies", "referrals", "junk")
UNREACHED = "unreached"
"""The node did not run, so nothing was submitted."""
FINAL = "final"

Clock = Callable[[], int]
"""Milliseconds since the run began."""


@dataclass(frozen=True, slots=True)
class Planned:
    at: int
    kind: str
    number: int
    node: str


@dataclass(slots=True)
class Submission:
    """One event that a client brought to a node, and what the node said."""

    kind: str
    node: str
    submitted_at: int
    event: str | None = None
    """Its id as hex; None for records, whose event the node makes itself."""
    answer: str = ""
    """`final`, `unreached`, or the code of the error."""
    latency: int = 0
    signed: SignedEvent | None = field(default=None, repr=False)
    answer_again: str = ""
    """What the same node says in the end about the same event, if it was not final at once."""

    @property
    def is_called_final(self) -> bool:
        return FINAL in (self.answer, self.answer_again)


@dataclass(slots=True)
class Workload:
    """Submits what is planned. `submissions` grows as answers come."""

    scenario: Scenario
    seed: int
    daemons: Daemons
    folder: Path
    clock: Clock
    submissions: list[Submission] = field(default_factory=list)
    _given: list[tuple[SigningKey, bytes]] = field(default_factory=list)
    """Patients and their final consents, for withdrawals."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(IN_FLIGHT_MAX, thread_name_prefix="load")
    )

    def advance(self, planned: Sequence[Planned]) -> None:
        """Submit these now; answers come later."""
        for each in planned:
            self._pool.submit(self._submit, each)

    def finish(self) -> None:
        """Wait for all answers; a call has an end of its own."""
        self._pool.shutdown(wait=True)

    def insist(self) -> None:
        """Bring again what is not known to be final, as its client would; wait for all answers."""
        with ThreadPoolExecutor(IN_FLIGHT_MAX, thread_name_prefix="again") as pool:
            for done in self.submissions:
                if done.signed is not None and done.answer != FINAL:
                    pool.submit(self._bring_again, done, encode(done.signed).hex())

    def _bring_again(self, done: Submission, event: str) -> None:
        try:
            self.daemons[done.node].call("events.submit", {"event": event})
            done.answer_again = FINAL
        except NodeNotRunning:
            done.answer_again = UNREACHED
        except (CallFailed, NodeSilent) as error:
            done.answer_again = error.code

    def _submit(self, planned: Planned) -> None:
        node = self.daemons[planned.node]
        done = Submission(planned.kind, planned.node, self.clock())
        with self._lock:
            self.submissions.append(done)
        began = time.monotonic()
        try:
            match planned.kind:
                case "records":
                    self._add_record(node, planned)
                case "withdrawals" if self._given:
                    self._withdraw(node, done)
                case _:
                    self._give(node, planned, done)
            done.latency = int(1_000 * (time.monotonic() - began))
            done.answer = FINAL
        except NodeNotRunning:
            done.answer = UNREACHED
        except (CallFailed, NodeSilent, DaemonError) as error:
            done.answer = error.code

    def _give(self, node: Daemon, planned: Planned, done: Submission) -> None:
        patient = self._patient(planned.number)
        consent = _token(f"consent {self.seed} {planned.number}")[:16]
        members = self.daemons.genesis.members
        body = ConsentGiven(
            subject=patient.public,
            consent=consent,
            custodian=members[planned.number % len(members)].id,
            terms=_token(f"terms {planned.number}"),
            expiry_day=_wall() // DAY + CONSENT_DAYS,
        )
        self._bring(node, self._signed(body, patient), done)
        with self._lock:
            self._given.append((patient, consent))

    def _withdraw(self, node: Daemon, done: Submission) -> None:
        with self._lock:
            patient, consent = self._given.pop(0)
        body = ConsentWithdrawn(subject=patient.public, consent=consent)
        self._bring(node, self._signed(body, patient), done)

    def _bring(self, node: Daemon, signed: SignedEvent, done: Submission) -> None:
        done.signed = signed
        done.event = event_id(signed.event, network_id(self.daemons.genesis)).hex()
        node.call("events.submit", {"event": encode(signed).hex()})

    def _add_record(self, node: Daemon, planned: Planned) -> None:
        path = self.folder / f"record-{planned.number}.txt"
        path.write_text(f"A made-up record, number {planned.number}.\n")
        subject = self._patient(planned.number).public
        node.call("records.add", {"path": str(path), "subject": subject.hex(),
                                  "mime_type": "text/plain"})  # fmt: skip

    def _signed(self, body: ConsentGiven | ConsentWithdrawn, patient: SigningKey) -> SignedEvent:
        event = Event(_wall() + EVENT_LIFETIME, body)
        return sign_event(event, network_id(self.daemons.genesis), patient)

    def _patient(self, number: int) -> SigningKey:
        return SigningKey(_token(f"patient {self.seed} {number}"))


def plan_load(scenario: Scenario, seed: int) -> list[Planned]:
    """Return what will be submitted when and where: Poisson arrivals at the scenario's rates."""
    load = scenario.load
    chance = Random(f"load {seed}")
    nodes = nodes_of(scenario, load.submit_at)
    arrivals = [
        (at, kind)
        for kind in ("consents", "withdrawals", "records")
        for at in _arrivals(getattr(load, kind), load.start, scenario.duration, chance)
    ]
    return [
        Planned(at, kind, number, chance.choice(nodes))
        for number, (at, kind) in enumerate(sorted(arrivals))
    ]


def _arrivals(rate: float, start: int, end: int, chance: Random) -> Iterator[int]:
    at = float(start)
    while rate and (at := at + 1_000 * chance.expovariate(rate)) < end:
        yield int(at)


def _token(label: str) -> bytes:
    return sha256(label.encode()).digest()


def _wall() -> int:
    return time.time_ns() // 1_000_000
