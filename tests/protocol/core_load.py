"""How does a network fare whose machines are slower than its timers expect?

Four authorities on fast links; each step takes its time, and inputs wait meanwhile. The costs are
those of real nodes, in microseconds, times `slowness`. A step decides with the time of its
beginning and its effects leave at its end, as when one task does all the work.

    python -m tests.protocol.core_load SLOWNESS DELAY_BOUND EVENTS_PER_SECOND SECONDS
"""

import sys
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from protocol.effects import StoreBlocks
from protocol.events import EventId, event_id
from simulations.scenario.model import LinkSpec
from simulations.world.cast import make_cast
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import records_committed, token
from simulations.world.network import Network
from simulations.world.processor import Processor
from simulations.world.swarm import Swarm

SETTLING = 5_000
"""When the load begins, in milliseconds."""


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
        hosts = [CoreHost(network, cast, name=name, place=name) for name in range(4)]
        Swarm(network, hosts)
        for host in hosts:
            host.processor = Processor(host, self.slowness)
            host.processor.is_urgent_first = self.is_urgent_first
            host.watchers.append(self._note)
            network.after(0, host.start)
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

    def _offer(self, host: CoreHost, number: int) -> None:
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
