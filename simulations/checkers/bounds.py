"""Memory stays bounded (I14), and whatever a node waits for has a timer (I12)."""

from protocol.consensus import TimerKind
from protocol.mempool import EVENTS_MAX, URGENT_RESERVE
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost

EXECUTED_MAX = 600
"""Executed blocks in memory: those above the head, and what a walk back may need."""
ROUNDS_MAX = 64 + 40
BODIES_MAX = 513
MISSING_MAX = 4_096


class Bounds:
    """Looks into all honest nodes now and then."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def look(self) -> None:
        for host in self.watch.honest:
            if host.is_up:
                self._look_at(host)

    def _look_at(self, host: CoreHost) -> None:
        core = host.core
        sizes = {
            "executed blocks": (len(core.chain._executed), EXECUTED_MAX),
            "bodies": (len(core.chain._bodies), BODIES_MAX),
            "waiting events": (len(core.mempool), EVENTS_MAX + URGENT_RESERVE),
            "finalizations": (len(core.chain._finalizations), 1),
        }
        if core.consensus is not None:
            state = core.consensus._state
            sizes["rounds"] = (len(state.rounds), ROUNDS_MAX)
            sizes["timers"] = (len(state.timers), len(TimerKind) + 1)
            self._look_at_timers(host)
        for what, (size, most) in sizes.items():
            if size > most:
                self.watch.report(self, f"holds {size} {what}", host)

    def _look_at_timers(self, host: CoreHost) -> None:
        """What consensus believes to be set is set, or it may wait for ever."""
        if not host.is_idle or host.processor is not None or host.halted or host.is_paused:
            return
        assert host.core.consensus is not None
        if host.core.consensus._state.halted is not None:
            return
        for timer, at in host.core.consensus._state.timers.items():
            if host.timers.get(timer) != at:
                self.watch.report(self, f"waits for {timer.kind}, which is not set", host)
