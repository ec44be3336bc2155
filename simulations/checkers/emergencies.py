"""No emergency without a trace: each is listed for ever, and its review is due in time."""

from protocol.disclosure import REVIEW_DURATION
from protocol.effects import StoreBlocks
from protocol.events import Disclosure, EmergencyBasis, EmergencyReviewed, EventId, event_id
from protocol.state import emergencies, review_entry
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost


class Emergencies:
    """Keeps its own list of emergencies, and compares it with what nodes hold."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._due: dict[EventId, int] = {}
        """When the review of each is due, as the block says."""
        self._reviewed: dict[EventId, None] = {}
        self._height = 0
        watch.on_effect(StoreBlocks, self._stored)

    def _stored(self, host: CoreHost, effect: StoreBlocks) -> None:
        kept = self.watch.kept_before(host, effect, self._height + 1)
        for block in (*kept, *effect.finalization.blocks):
            if block.header.height != self._height + 1:
                continue
            self._height += 1
            for signed in block.events:
                match signed.event.body:
                    case Disclosure(basis=EmergencyBasis()):
                        identifier = event_id(signed.event, self.watch.world.cast.id)
                        self._due[identifier] = block.header.timestamp + REVIEW_DURATION
                    case EmergencyReviewed(disclosure=disclosure):
                        self._reviewed[disclosure] = None
                    case _:
                        pass

    def at_end(self) -> None:
        for host in self.watch.honest:
            if host.is_up and host.disk.height == self._height:
                self._check(host)

    def _check(self, host: CoreHost) -> None:
        listed = [identifier for identifier, _ in emergencies(host.disk.state)]
        if list(reversed(listed)) != list(self._due):
            self.watch.report(self, "emergencies are missing from the list", host)
        for identifier, due in self._due.items():
            entry = review_entry(host.disk.state, identifier)
            if entry is None or entry.due != due:
                self.watch.report(self, "an emergency has no review due, or a wrong one", host)
            elif (entry.reviewer is not None) != (identifier in self._reviewed):
                self.watch.report(self, "a review is held that was not, or the reverse", host)
