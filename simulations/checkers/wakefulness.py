"""Nobody is awake for ever for events that no other authority wants (E2 with a zombie, R7)."""

from dataclasses import dataclass, field

from protocol.consensus import Reason, Waiting
from protocol.genesis import quorum
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost

ALONE_MAX = 360_000
"""How long events may keep a node awake while a quorum is there and nothing moves: as long as all
repetitions take with the longest waits, and two minutes."""

Moves = tuple[int, ...]


@dataclass(slots=True)
class Wakefulness:
    watch: Watch
    _since: dict[int, tuple[Moves, int]] = field(default_factory=dict)
    """By place: what would have changed if anything had moved, and since when it is the same."""

    def look(self) -> None:
        for host in self.watch.honest:
            self._look_at(host)

    def _look_at(self, host: CoreHost) -> None:
        consensus = host.core.consensus if host.is_up and host.halted is None else None
        waiting = None if consensus is None else consensus.waiting_for()
        if waiting is None or not _is_awake_for_events(waiting):
            self._since.pop(host.place, None)
            return
        now = self.watch.world.now
        moves = (waiting.epoch, waiting.view, waiting.height, len(host.core.mempool), host.life)
        before, since = self._since.get(host.place, (moves, now))
        self._since[host.place] = moves, since if moves == before else now
        if moves == before and now - since > ALONE_MAX:
            del self._since[host.place]
            self.watch.report(self, f"events alone keep it awake since {since}", host)


def _is_awake_for_events(waiting: Waiting) -> bool:
    """Say whether events keep the node awake although a quorum is there, itself included."""
    size = len(waiting.authorities)
    is_quorum_there = size - len(waiting.missing) >= quorum(size)
    return waiting.reason is Reason.EVENTS and is_quorum_there and waiting.halted is None
