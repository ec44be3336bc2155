"""How does a network fare whose machines are slower than its timers expect?

Four authorities on fast links; each step takes its time, and inputs wait meanwhile. The costs are
those of real nodes, in microseconds, times `slowness`. A step decides with the time of its
beginning and its effects leave at its end, as when one task does all the work.

    python -m tests.protocol.core_load SLOWNESS DELAY_BOUND EVENTS_PER_SECOND SECONDS
"""

import sys
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from typing import Any

from protocol.blocks import Block
from protocol.codec import decode
from protocol.consensus import Persisted
from protocol.effects import BlocksStored, MessageReceived, SendMessage, StoreBlocks, TimerFired
from protocol.events import EventId, event_id
from protocol.messages import Bundle, ConsensusMessage, Gossiped, Payload, Proposal
from simulations.scenario.model import LinkSpec
from simulations.world.cast import Cast, make_cast
from simulations.world.core_host import CoreHost
from simulations.world.deeds import records_committed, token
from simulations.world.network import EPOCH_START, Network
from simulations.world.swarm import Swarm

STEP, ADMIT, EXECUTE, BUILD, LOOK = 150, 250, 150, 300, 15
"""Of any step; then of each event admitted, executed, put into a block, or only looked at."""
STORE = 1_500
SETTLING = 5_000
"""When the load begins, in milliseconds."""


class SlowHost(CoreHost):
    """A node on a machine that is `slowness` times slower than it should be."""

    def __init__(self, network: Network, cast: Cast, *, name: int, place: int) -> None:
        super().__init__(network, cast, name=name, place=place)
        self.slowness = 1
        self.is_urgent_first = True
        """Whether what authorities say to each other overtakes events, as in the driver."""
        self._timers_due: deque[Any] = deque()
        self._urgent: deque[Any] = deque()
        self._ordinary: deque[Any] = deque()
        self._is_busy = False
        self._worked = 0
        """Microseconds."""
        self._seen: set[bytes] = set()

    def step(self, input: Any) -> None:
        if isinstance(input, Persisted | BlocksStored):
            super().step(input)
            return
        self._queue_of(input).append(input)
        if not self._is_busy:
            self._serve()

    def _queue_of(self, input: Any) -> deque[Any]:
        match input:
            case TimerFired():
                return self._timers_due
            case MessageReceived(message=message) if isinstance(message, ConsensusMessage):
                return self._urgent if self.is_urgent_first else self._ordinary
            case _:
                return self._ordinary

    def _serve(self) -> None:
        queue = self._timers_due or self._urgent or self._ordinary
        self._is_busy = bool(queue) and self.is_up
        if not self._is_busy:
            return
        input = queue.popleft()
        before = len(self.core.mempool)
        effects = self.core.step(self.now(), input)
        cost = self.slowness * self._cost(input, effects, len(self.core.mempool) - before)
        started, self._worked = self._worked, self._worked + cost
        self.network.steps += 1
        self.network.after(self._worked // 1_000 - started // 1_000, lambda: self._finish(effects))

    def _finish(self, effects: list[Any]) -> None:
        self._queue.extend(self.prepare(effects))
        self._work()
        self._serve()

    def _cost(self, input: Any, effects: list[Any], admitted: int) -> int:
        cost = STEP + ADMIT * max(0, admitted)
        match input:
            case MessageReceived(message=Payload(content=content)):
                cost += LOOK * _event_count(decode(content, Gossiped))
            case MessageReceived(message=Proposal(block=block)):
                cost += self._once(block, EXECUTE)
            case MessageReceived(message=Bundle() as bundle):
                cost += LOOK * _event_count(bundle)
        for effect in effects:
            match effect:
                case SendMessage(message=Proposal(block=block)):
                    cost += self._once(block, BUILD)
                case StoreBlocks(finalization):
                    cost += STORE + LOOK * len(finalization.event_heights)
        return cost

    def _once(self, block: Block, each: int) -> int:
        """A block is executed once, and after that only looked at."""
        is_known = block.header.state_digest in self._seen
        self._seen.add(block.header.state_digest)
        return (LOOK if is_known else each) * len(block.events)


def _event_count(gossiped: Any) -> int:
    return len(gossiped.events) if isinstance(gossiped, Bundle) else 0


@dataclass(slots=True)
class Load:
    """Events at a steady rate, to the authorities in turn; and what became of them."""

    slowness: int
    delay_bound: int
    rate: int
    seconds: int
    is_urgent_first: bool = True
    lasted: int = 0
    blocks: int = 0
    views: int = 0
    latencies: list[int] = field(default_factory=list)
    _submitted: dict[EventId, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.rate * self.seconds

    def percentile(self, part: int) -> int:
        """Return how long that part (of a hundred) of all final events took, in milliseconds."""
        return sorted(self.latencies)[len(self.latencies) * part // 101]

    def run(self, *, longest: int = 120_000) -> "Load":
        """Offer the load, and wait until all of it is final, or for `longest` milliseconds."""
        network = Network(seed=1, links=LinkSpec(latency=1, jitter=2))
        cast = make_cast(4, 0, delay_bound=self.delay_bound)
        hosts = [SlowHost(network, cast, name=name, place=name) for name in range(4)]
        swarm = Swarm(network, combinations(hosts, 2))
        for host in hosts:
            host.slowness, host.is_urgent_first = self.slowness, self.is_urgent_first
            host.watchers.append(self._note)
            network.after(0, host.start)
        swarm.reconsider()
        for number in range(self.total):
            at = SETTLING + number * 1_000 // self.rate
            host = hosts[number % 4]
            network.after(at, partial(self._offer, host, number))
        network.run(until=SETTLING)
        network.run_while(lambda: len(self.latencies) < self.total, until=SETTLING + longest)
        head = hosts[0].disk.blocks[-1].header
        self.lasted = network.now - SETTLING
        self.blocks, self.views = head.height, head.view
        return self

    def _offer(self, host: SlowHost, number: int) -> None:
        cast = host.cast
        signed = records_committed(
            cast,
            host.cast.parties[host.name],
            root=token(f"root {number}"),
            valid_until=EPOCH_START + host.network.now + 3_600_000,
        )
        self._submitted[event_id(signed.event, cast.id)] = host.network.now
        host.submit(signed)

    def _note(self, host: CoreHost, effect: Any) -> None:
        if isinstance(effect, StoreBlocks):
            own = host.submitted.keys() & effect.finalization.event_heights.keys()
            self.latencies += [host.network.now - self._submitted[each] for each in own]


if __name__ == "__main__":
    slowness, delay_bound, rate, seconds = (int(each) for each in sys.argv[1:])
    load = Load(slowness, delay_bound, rate, seconds).run()
    print(  # noqa: T201
        f"{len(load.latencies)} of {load.total} final after {load.lasted} ms, {load.blocks} blocks"
        f" in {load.views} views, p50 {load.percentile(50)}, p99 {load.percentile(99)} ms"
    )
