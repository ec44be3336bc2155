"""No storms: how many bytes a node may send, given what there was to do (E5)."""

from simulations.checkers.watch import Watch

BASE = 2_000_000
"""Bytes that any node may send in a run."""
PER_SECOND_AND_PEER = 4_000
PER_EVENT_AND_PEER = 40_000


class Budget:
    """Compares at the end. The factors are generous: a storm exceeds them by orders."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def at_end(self) -> None:
        world = self.watch.world
        peers = len(world.hosts)
        events = sum(len(host.submitted) for host in world.hosts)
        seconds = world.now // 1_000
        most = BASE + peers * (seconds * PER_SECOND_AND_PEER + events * PER_EVENT_AND_PEER)
        for host in self.watch.honest:
            if world.network.bytes_of[host.place] > most:
                sent = world.network.bytes_of[host.place]
                self.watch.report(self, f"sent {sent} bytes, not {most} at most", host)
