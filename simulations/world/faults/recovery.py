"""More authorities are lost for ever than may fail: the operators of the others recover.

As docs/operations.md says, each survivor freezes and reports, a plan follows and is signed with
recovery keys that lie in safes, and the survivors accept it. The operators of members do so a bit
later; where the ended epoch is not known yet, as soon as the node has come so far.
"""

from collections.abc import Callable
from dataclasses import dataclass

from protocol.electorates import epoch_at, epoch_entry, newest_epoch
from protocol.genesis import quorum
from protocol.recovery import Recovery
from protocol.salvage import reports_needed
from protocol.state import EpochEntry
from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from simulations.world.recovery import accept, freeze, plan
from simulations.world.world import World

End = Callable[[], None]

OPERATORS_NEED = 5_000
"""After how long the operators begin, in milliseconds, if the fault does not say."""
ACCEPTED_WITHIN = 2_000
LOOK_EVERY = 1_000
LOOKS_MAX = 200


@dataclass(slots=True)
class Operators:
    """Those of the nodes that are left."""

    world: World
    looks: int = 0

    def begin(self) -> None:
        """Recover as soon as all survivors are at the end of the same epoch."""
        self.looks += 1
        ended = {self._ended(host).epoch: self._ended(host) for host in self._left}
        if len(ended) == 1 and self._recover(*ended.values()):
            return
        if self.looks < LOOKS_MAX:
            self.world.network.after(LOOK_EVERY, self.begin)

    @property
    def _left(self) -> list[CoreHost]:
        """Those whose logs tell what they signed."""
        authorities = newest_epoch(self.world.witness.disk.state).authorities
        members = [authority.member for authority in authorities]
        hosts = [host for host in self.world.hosts if host.id in members and not host.is_lost]
        return [host for host in hosts if host.may_vote and not host.is_traitor]

    def _ended(self, host: CoreHost) -> EpochEntry:
        return epoch_at(host.disk.state, host.disk.height + 1)

    def _recover(self, ended: EpochEntry) -> bool:
        """Say whether there were survivors enough."""
        world, count = self.world, len(ended.authorities)
        members = [authority.member for authority in ended.authorities]
        survivors = [host for host in self._left if host.id in members]
        if len(survivors) < reports_needed(count):
            return False
        were_up = [host for host in survivors if host.is_up]
        for host in survivors:
            host.kill()
        reports = [freeze(host) for host in survivors]
        signers = [world.cast.parties[world.cast.names[each]] for each in members[: quorum(count)]]
        recovery = plan(survivors[0], reports, signers)
        world.coverage["recovery:planned"] += 1
        for host in survivors:
            self._accept(host, recovery)
        for host in were_up:
            host.start()
        for host in world.hosts:
            if not host.is_lost and host not in survivors:
                delay = world.network.random.randrange(ACCEPTED_WITHIN)
                world.network.after(delay, self._accept, host, recovery)
        return True

    def _accept(self, host: CoreHost, recovery: Recovery, looks: int = 0) -> None:
        epoch = recovery.manifest.epoch
        if newest_epoch(host.disk.state).epoch > epoch:
            return
        if epoch_entry(host.disk.state, epoch) is None:
            if looks < LOOKS_MAX:
                self.world.network.after(LOOK_EVERY, self._accept, host, recovery, looks + 1)
            return
        was_up = host.is_up
        host.kill()
        accept(host, recovery)
        self.world.coverage["recovery:accepted"] += 1
        if was_up:
            host.start()


def recovery(world: World, fault: Fault) -> End:
    """Authorities (`nodes`) are lost for ever, so many that the operators of the others recover."""
    for host in world.hosts_named(fault.nodes):
        host.kill()
        host.is_lost = True
    world.network.after(int(fault.amount) or OPERATORS_NEED, Operators(world).begin)
    return _nothing


def _nothing() -> None:
    """What is lost stays lost."""
