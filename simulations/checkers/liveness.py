"""After the faults everything is settled everywhere (E1, E3), and then nobody speaks (E2, I13)."""

from typing import Any

from protocol.consensus import TimerKind
from protocol.council import HEARTBEAT_MAX, HEARTBEAT_MIN
from protocol.effects import HeartbeatTimer, SendMessage
from protocol.electorates import is_handoff_pending
from protocol.events import EventId
from protocol.messages import Status
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost

MISSING_NAMED_MAX = 3
SLACK = 1_000
QUIET_WITHIN = 120_000
"""How long after everything is settled nodes may go on talking: some back-offs of 30 s."""


class Liveness:
    """Says whether the world is at rest, and at the end, what is not."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.last_said = 0
        """When an honest node last said anything but where it stands."""
        self.complete_since: int | None = None
        """Since when all is settled, as far as anybody looked."""
        self._lagging = 0
        watch.on_effect(SendMessage, self._sent)

    def _sent(self, host: CoreHost, effect: SendMessage) -> None:
        if type(effect.message) is not Status and host.linked:
            self.last_said = self.watch.world.now

    @property
    def is_complete(self) -> bool:
        """Say whether all is final or refused, everywhere."""
        hosts, witness = self.watch.settled, self.watch.world.witness
        height = witness.disk.height
        if is_handoff_pending(witness.disk.state, height + 1):
            self.complete_since = None
            return False
        # Whoever lagged the last time probably still does.
        self._lagging %= len(hosts)
        for step in range(len(hosts)):
            index = (self._lagging + step) % len(hosts)
            if not self._has_all(hosts[index], height):
                self._lagging, self.complete_since = index, None
                return False
        if self.complete_since is None:
            self.complete_since = self.watch.world.now
        return True

    @property
    def is_quiet(self) -> bool:
        """Say whether nothing is planned anywhere but heartbeats."""
        return all(not _plans(host) for host in self.watch.settled)

    @property
    def is_at_rest(self) -> bool:
        """Say whether all is complete, nothing is planned, and nobody has spoken for a while."""
        if not self.is_complete:
            return False
        if not self._may_be_quiet or not self.watch.world.scenario.check.quiet:
            return True
        return self.is_quiet and not self._has_spoken

    @property
    def _has_spoken(self) -> bool:
        """Say whether an honest node spoke within the time of two heartbeats."""
        heartbeat = min(max(30 * self._delay_bound, HEARTBEAT_MIN), HEARTBEAT_MAX)
        return self.last_said > self.watch.world.now - 2 * heartbeat - SLACK

    @property
    def _delay_bound(self) -> int:
        return self.watch.world.cast.genesis.delay_bound

    def _has_all(self, host: CoreHost, height: int) -> bool:
        return host.is_up and host.disk.height == height and not _unsettled(host)

    def at_end(self) -> None:
        check = self.watch.world.scenario.check
        if check.liveness:
            height = self.watch.world.witness.disk.height
            for host in self.watch.settled:
                self._check(host, height)
        if check.quiet and check.liveness and self._must_be_quiet:
            if self._has_spoken:
                self.watch.report(self, f"somebody still spoke at {self.last_said}")
            for host in self.watch.settled:
                if plans := _plans(host):
                    self.watch.report(self, f"is not quiet: {', '.join(plans)}", host)

    @property
    def _must_be_quiet(self) -> bool:
        if not self._may_be_quiet or not self.is_complete or self.complete_since is None:
            return False
        return self.watch.world.now - self.complete_since >= QUIET_WITHIN

    @property
    def _may_be_quiet(self) -> bool:
        """With a liar around, some may have to go on explaining."""
        return len(self.watch.honest) == len(self.watch.world.hosts)

    def _check(self, host: CoreHost, height: int) -> None:
        if not host.is_up:
            self.watch.report(self, "is down", host)
        elif host.disk.height != height:
            text = f"is at height {host.disk.height} of {height}{_where(host)}"
            self.watch.report(self, text, host)
        elif waiting := _unsettled(host):
            text = f"{len(waiting)} events are neither final nor refused{_where(host)}"
            self.watch.report(self, text, host)


def _unsettled(host: CoreHost) -> list[EventId]:
    """Return events that clients gave to the node and heard nothing of; some, if many."""
    if len(host.disk.final) + len(host.refused) >= len(host.submitted) == 0:
        return []
    found: list[EventId] = []
    for identifier in host.submitted:
        if identifier not in host.disk.final and identifier not in host.refused:
            found.append(identifier)
            if len(found) >= MISSING_NAMED_MAX:
                break
    return found


def _plans(host: CoreHost) -> list[str]:
    """Return what the node still wants to do, besides telling where it stands."""
    if not host.is_up:
        return ["being down"]
    timers = [timer for timer in host.timers if not _is_heartbeat(timer)]
    plans = [type(timer).__name__ + str(getattr(timer, "kind", "")) for timer in timers]
    return plans if host.is_idle else [*plans, "effects"]


def _is_heartbeat(timer: Any) -> bool:
    return isinstance(timer, HeartbeatTimer) or getattr(timer, "kind", "") == TimerKind.HEARTBEAT


def _where(host: CoreHost) -> str:
    consensus = host.core.consensus
    if consensus is None:
        return ""
    state = consensus._state
    waiting = consensus.waiting_for()
    return f" (view {state.view}, final {state.finalized_view}, {waiting.reason})"
