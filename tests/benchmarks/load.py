"""Offers signed events to running nodes at a steady rate, and times each until it is final.

Every event is a consent of a new patient, signed by that patient. Events are made beforehand, go
round the nodes in turn, and are timed from the moment they are due: a generator that falls behind
counts against the nodes, not for them.

At high rates a client that has many events says them together, as ours does: what is due within
`TOGETHER_SECONDS` at one node is one call. Each event is signed, checked and answered for itself.
"""

import json
import secrets
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from protocol.codec import encode
from protocol.events import ConsentGiven, Event, sign_event
from protocol.identity import MemberId, NetworkId, SigningKey

CONNECTIONS_PER_NODE = 16
"""A node answers up to 16 calls on each of them at once."""

TOGETHER_SECONDS = 0.02
TOGETHER_RATE = 400
"""From how many events a second on events are handed over together."""

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


_Due = tuple[float, str]
"""When an event is due, and the event."""


@dataclass(slots=True)
class _Lane:
    """One connection: what waits to be sent on it, and what is under way."""

    target: Target
    queue: deque[list[_Due]] = field(default_factory=deque)
    ready: trio.Event = field(default_factory=trio.Event)
    sent: dict[int, list[_Due]] = field(default_factory=dict)
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
        for turn, batch in enumerate(_batches(events, len(targets), rate)):
            leaves_at = started + batch[-1][0]
            if leaves_at > trio.current_time():
                await trio.sleep_until(leaves_at)
            lane = lanes[turn % len(lanes)]
            lane.queue.append([(started + due, event) for due, event in batch])
            lane.ready.set()
        with trio.move_on_after(DRAIN_SECONDS_MAX):
            while len(outcome.latencies) + len(outcome.failures) < count:  # noqa: ASYNC110
                await trio.sleep(0.01)
        outcome.seconds = trio.current_time() - started
        nursery.cancel_scope.cancel()
    return outcome


def _batches(events: list[str], target_count: int, rate: float) -> Iterator[list[_Due]]:
    """Yield what is handed over together, for each node in turn."""
    together = max(1, round(rate * TOGETHER_SECONDS / target_count)) if rate > TOGETHER_RATE else 1
    round_size = together * target_count
    for first in range(0, len(events), round_size):
        indexes = range(first, min(first + round_size, len(events)))
        for target in range(target_count):
            batch = [(index / rate, events[index]) for index in indexes[target::target_count]]
            if batch:
                yield batch


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
            batch = lane.queue.popleft()
            identifier += 1
            lane.sent[identifier] = batch
            request = {
                "jsonrpc": "2.0",
                "id": identifier,
                "method": "events.submit",
                "params": {"events": [event for _, event in batch]},
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
            batch = lane.sent.pop(reply["id"])
            lane.free.release()
            _note(outcome, batch, reply)


def _note(outcome: Outcome, batch: list[_Due], reply: dict[str, Any]) -> None:
    """Take in what became of events that were handed over together."""
    if "error" in reply:
        outcome.failures += [reply["error"]["message"]] * len(batch)
        return
    for (due, _), result in zip(batch, reply["result"], strict=True):
        if "error" in result:
            outcome.failures.append(result["message"])
        else:
            outcome.latencies.append(trio.current_time() - due)
