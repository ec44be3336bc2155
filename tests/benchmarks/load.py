"""Offers signed events to running nodes at a steady rate, and times each until it is final.

Every event is a consent of a new patient, signed by that patient. Events are made beforehand, go
round the nodes in turn, and are timed from the moment they are due: a generator that falls behind
counts against the nodes, not for them.
"""

import json
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import trio

from protocol.codec import encode
from protocol.events import ConsentGiven, Event, sign_event
from protocol.identity import MemberId, NetworkId, SigningKey

CONNECTIONS_PER_NODE = 16
"""A node answers up to 16 calls on each of them at once."""

DRAIN_SECONDS_MAX = 20
CALLS_PER_CONNECTION = 16


@dataclass(frozen=True, slots=True)
class Target:
    """A node to submit to; its consents name it as the custodian."""

    socket: Path
    member: MemberId
    network: NetworkId


@dataclass(slots=True)
class Outcome:
    """What became of the events. Latencies are in seconds, in the order of completion."""

    offered: int
    latencies: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """From the first submission to the last answer."""

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass(slots=True)
class _Lane:
    """One connection: what waits to be sent on it, and what is under way."""

    target: Target
    queue: deque[tuple[float, str]] = field(default_factory=deque)
    ready: trio.Event = field(default_factory=trio.Event)
    sent: dict[int, float] = field(default_factory=dict)
    free: trio.Semaphore = field(default_factory=lambda: trio.Semaphore(CALLS_PER_CONNECTION))


async def offer(targets: list[Target], *, rate: float, seconds: float) -> Outcome:
    """Offer `rate` events a second for `seconds`, and wait for what is under way."""
    count = int(rate * seconds)
    events = [make_event(targets[index % len(targets)]) for index in range(count)]
    lanes = [_Lane(target) for _ in range(CONNECTIONS_PER_NODE) for target in targets]
    outcome = Outcome(count)
    async with trio.open_nursery() as nursery:
        for lane in lanes:
            nursery.start_soon(_run_lane, lane, outcome)
        started = trio.current_time()
        for index, event in enumerate(events):
            due = started + index / rate
            if due > trio.current_time():
                await trio.sleep_until(due)
            lane = lanes[index % len(lanes)]
            lane.queue.append((due, event))
            lane.ready.set()
        with trio.move_on_after(DRAIN_SECONDS_MAX):
            while len(outcome.latencies) + len(outcome.failures) < count:  # noqa: ASYNC110
                await trio.sleep(0.01)
        outcome.seconds = trio.current_time() - started
        nursery.cancel_scope.cancel()
    return outcome


def make_event(target: Target) -> str:
    """Return a new patient's signed consent, encoded, as hex."""
    key = SigningKey(secrets.token_bytes(32))
    now = time.time_ns() // 1_000_000
    body = ConsentGiven(
        subject=key.public,
        consent=secrets.token_bytes(16),
        custodian=target.member,
        terms=secrets.token_bytes(32),
        expiry_day=now // 86_400_000 + 30,
    )
    return encode(sign_event(Event(now + 3_600_000, body), target.network, key)).hex()


async def _run_lane(lane: _Lane, outcome: Outcome) -> None:
    stream = await trio.open_unix_socket(str(lane.target.socket))
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(_read_answers, stream, lane, outcome)
        identifier = 0
        while True:
            while not lane.queue:
                lane.ready = trio.Event()
                await lane.ready.wait()
            await lane.free.acquire()
            due, event = lane.queue.popleft()
            identifier += 1
            lane.sent[identifier] = due
            request = {
                "jsonrpc": "2.0",
                "id": identifier,
                "method": "events.submit",
                "params": {"event": event},
            }
            await stream.send_all(json.dumps(request).encode() + b"\n")


async def _read_answers(stream: trio.SocketStream, lane: _Lane, outcome: Outcome) -> None:
    buffer = bytearray()
    async for data in stream:
        buffer += data
        *lines, rest = buffer.split(b"\n")
        buffer = bytearray(rest)
        for line in lines:
            reply = json.loads(line)
            if "id" not in reply:
                continue
            due = lane.sent.pop(reply["id"])
            lane.free.release()
            if "error" in reply:
                outcome.failures.append(reply["error"]["message"])
            else:
                outcome.latencies.append(trio.current_time() - due)
