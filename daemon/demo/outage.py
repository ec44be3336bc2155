"""An authority is killed while events flow. The chain goes on; the authority comes back."""

import os
import secrets
import signal
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from daemon.client import Client
from daemon.demo.stage import Stage
from daemon.rpc import CallFailed
from daemon.storage.store import ChainStore
from daemon.storage.vote_log import VoteLog
from protocol.codec import encode
from protocol.consensus import LogRecord, OwnVote
from protocol.events import ConsentGiven, Event, sign_event
from protocol.identity import SigningKey
from protocol.votes import is_equivocation

EVENTS_BEFORE, EVENTS_AFTER = 10, 30
PAUSE_SECONDS = 0.02
DAY = 86_400_000
LIFETIME = 600_000


@dataclass(slots=True)
class Flow:
    """Consents of new patients, one after another, through one node."""

    stage: Stage
    through: str
    final: list[tuple[str, int]] = field(default_factory=list)
    """Id and height of each event that was acknowledged."""
    failure: str | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="flow", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        status = self.stage.status(self.through)
        member = bytes.fromhex(status["node"]["id"])
        network = bytes.fromhex(status["network"]["id"])
        try:
            with Client(self.stage.home(self.through) / "control.sock") as node:
                while not self._stop.is_set():
                    event = _consent_of_a_new_patient(member, network)
                    receipt = node.call("events.submit", {"event": event})
                    self.final.append((receipt["id"], receipt["height"]))
                    time.sleep(PAUSE_SECONDS)
        except CallFailed as error:
            self.failure = str(error)


def survive_a_killed_authority(stage: Stage, *, victim: str, witness: str) -> None:
    """Kill `victim` with SIGKILL while events flow through `witness`, and bring it back."""
    flow = Flow(stage, witness)
    flow.start()
    try:
        stage.wait(lambda: len(flow.final) >= EVENTS_BEFORE, "events become final")
        _kill(stage, victim)
        killed_at = len(flow.final)
        seconds = stage.wait(
            lambda: len(flow.final) >= killed_at + EVENTS_AFTER, "the chain goes on without it"
        )
        stage.check(
            stage.status(victim) is None,
            f"Consents of {len(flow.final)} patients flow in. {victim} is killed in the middle "
            f"of it (SIGKILL); three of four authorities go on.",
            seconds,
        )
        view = stage.status(witness)["chain"]["view"]
        restarted = stage.placet("start", home=victim)
        caught_up = stage.wait(lambda: _has(stage, victim, flow.final[-1][1]), "it catches up")
        heard = stage.wait(lambda: _votes(stage, victim), "it has heard which of its votes count")
        missed = flow.final[killed_at][1]
        stage.check(
            _has(stage, victim, missed),
            f"{victim} starts again, fetches what it missed, and may vote again.",
            restarted.seconds + caught_up + heard,
        )
        voting_at = len(flow.final)
        stage.wait(lambda: len(flow.final) >= voting_at + EVENTS_BEFORE, "events become final")
    finally:
        flow.stop()
    height = flow.final[-1][1]
    stage.wait(lambda: _has(stage, victim, height), "it has the newest block")
    stage.check(flow.failure is None, f"All {len(flow.final)} events became final.")
    stage.placet("stop", home=victim)
    _check_what_is_left(stage, victim, flow, view)
    stage.placet("start", home=victim)
    stage.wait(lambda: stage.is_healthy(victim), "it is back")


def _check_what_is_left(stage: Stage, victim: str, flow: Flow, view: int) -> None:
    """Look into the files of the stopped node: nothing is lost, and no vote contradicts another.

    `view` is one that the others had reached while the node was down.
    """
    network = bytes.fromhex(stage.status(flow.through)["network"]["id"])
    with ChainStore.open(stage.home(victim) / "chain", network) as store:
        lost = [event for event, _ in flow.final if not store.event_location(bytes.fromhex(event))]
    stage.check(not lost, f"None of them is missing in the store of {victim}.")
    with VoteLog[Any].open(stage.home(victim) / "votes", network, LogRecord) as votes:
        own = [record.vote for record in votes.replayed if isinstance(record, OwnVote)]
    twice = [
        (first, second)
        for index, first in enumerate(own)
        for second in own[:index]
        if first.view == second.view and is_equivocation(first, second)
    ]
    before = [vote for vote in own if vote.view < view]
    after = [vote for vote in own if vote.view > view]
    stage.check(
        bool(before and after) and not twice,
        f"Its vote log holds {len(own)} votes from before and after; no two contradict each other.",
    )


def _kill(stage: Stage, name: str) -> None:
    process = stage.process(name)
    assert process is not None, "the node runs"
    os.kill(process, signal.SIGKILL)
    stage.wait(lambda: stage.process(name) is None, "the process is gone")


def _has(stage: Stage, name: str, height: int) -> bool:
    status = stage.status(name)
    return status is not None and "chain" in status and status["chain"]["height"] >= height


def _votes(stage: Stage, name: str) -> bool:
    status = stage.status(name)
    return status is not None and status["doing"] == "voting"


def _consent_of_a_new_patient(custodian: bytes, network: bytes) -> str:
    key = SigningKey(secrets.token_bytes(32))
    now = time.time_ns() // 1_000_000
    body = ConsentGiven(
        subject=key.public,
        consent=secrets.token_bytes(16),
        custodian=custodian,
        terms=secrets.token_bytes(32),
        expiry_day=now // DAY + 30,
    )
    return encode(sign_event(Event(now + LIFETIME, body), network, key)).hex()
