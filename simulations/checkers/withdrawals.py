"""A withdrawal counts on sight where it is seen, and for ever once it is final (I19)."""

from protocol.events import ConsentId, ConsentWithdrawn, EventId, SignedEvent, event_id
from protocol.state import consent_entry
from protocol.submissions import COLLECT_DELAY
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost

ADMITTED_WITHIN = COLLECT_DELAY + 2
"""A node that is busy collects events for a moment, in milliseconds."""
LOOKED_AT_MAX = 200
"""How many withdrawals, the newest ones, are looked for in every node now and then."""


class Withdrawals:
    """Follows withdrawals from their submission."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._submitted: dict[EventId, ConsentId] = {}
        for host in watch.honest:
            host.on_submit.append(self._saw_submission)

    def _saw_submission(self, host: CoreHost, signed: SignedEvent) -> None:
        body = signed.event.body
        if isinstance(body, ConsentWithdrawn):
            identifier = event_id(signed.event, self.watch.world.cast.id)
            self._submitted[identifier] = body.consent
            network = self.watch.world.network
            network.after(ADMITTED_WITHIN, self._must_count, host, identifier, host.life)

    def _must_count(self, host: CoreHost, identifier: EventId, life: int) -> None:
        """Unless the node was busy or down, it knows by now."""
        if not host.is_up or host.life != life or host.processor is not None or host.is_paused:
            return
        if not host.is_idle:  # It may have refused the event, and not got round to say so.
            network = self.watch.world.network
            network.after(ADMITTED_WITHIN, self._must_count, host, identifier, life)
            return
        if identifier not in host.refused and not _counts(host, self._submitted[identifier]):
            self.watch.report(self, "a withdrawal does not count where it was submitted", host)

    def look(self) -> None:
        for identifier, consent in list(self._submitted.items())[-LOOKED_AT_MAX:]:
            for host in self.watch.honest:
                if not host.is_up:
                    continue
                is_known = identifier in host.disk.final or identifier in host.core.mempool._pending
                if is_known and not _counts(host, consent):
                    self.watch.report(self, "a withdrawal that is known does not count", host)

    def at_end(self) -> None:
        self.look()


def _counts(host: CoreHost, consent: ConsentId) -> bool:
    entry = consent_entry(host.core.state, consent)
    if entry is not None and entry.withdrawn_height is not None:
        return True
    return host.core.is_withdrawn(consent)
