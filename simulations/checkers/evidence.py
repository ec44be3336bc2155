"""Only those are accused, blamed or halted who deserve it (I17); nobody's own step fails."""

from protocol.consensus import Halt
from protocol.effects import Blame, StoreBlocks
from protocol.events import Equivocation
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost


class Evidence:
    """Watches blames, halts, and proofs of equivocation on the chain."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.accused: dict[int, int] = {}
        """Names of those who are proven to have cheated, and since which height."""
        self._looked_at = 0
        watch.on_effect(Blame, self._blamed)
        watch.on_effect(Halt, self._halted)
        watch.on_effect(StoreBlocks, self._stored)

    def _blamed(self, host: CoreHost, effect: Blame) -> None:
        name = self.watch.world.cast.names[effect.peer]
        if not self.watch.is_liar(name) and name not in self.watch.world.misreading:
            label = self.watch.world.cast.parties[name].label
            self.watch.report(self, f"blames {label}: {effect.error!r}", host)

    def _halted(self, host: CoreHost, effect: Halt) -> None:
        if host.place not in self.watch.world.excused:
            self.watch.report(self, f"halted: {effect.reason}", host)

    def _stored(self, host: CoreHost, effect: StoreBlocks) -> None:
        for block in effect.finalization.blocks:
            if block.header.height <= self._looked_at:
                continue
            self._looked_at = block.header.height
            for signed in block.events:
                if isinstance(signed.event.body, Equivocation):
                    self._accused(host, signed.event.body, block.header.height)

    def _accused(self, host: CoreHost, proof: Equivocation, height: int) -> None:
        name = self.watch.name_of(proof.first.epoch, proof.first.signer)
        self.accused.setdefault(name, height)
        if not self.watch.is_liar(name):
            label = self.watch.world.cast.parties[name].label
            self.watch.report(self, f"accuses {label}, who is honest", host)

    def look(self) -> None:
        for host in self.watch.honest:
            if host.blamed:
                self.watch.report(self, f"a step raised {host.blamed[0][1]!r}", host)
                host.blamed.clear()
