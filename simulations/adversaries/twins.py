"""One authority's key in two processes, each with other neighbours (B16; B.15 scenario 15).

Both are honest machines, and neither knows of the other: the same key signs what each of them sees
fit. As in Bano et al., "Twins: BFT Systems Made Robust" (OPODIS 2021). Met like any equivocation;
the machines themselves halt when they hear their own key (R11), and are started again.
"""

from simulations.adversaries.traitor import Traitor
from simulations.world.core_host import CoreHost
from simulations.world.world import World


class Twin(Traitor):
    """Runs one key in two processes, each with half of the neighbours."""

    kind = "twins"

    def enter(self, world: World) -> None:
        super().enter(world)
        if self.place != self.name:
            return
        other = Twin(self.network, self.cast, name=self.name, place=len(world.hosts))
        world.hosts.append(other)
        other.acts_from = self.acts_from
        other.enter(world)
        self._share_neighbours(world, other)
        self.network.after(max(1, self.acts_from), other.start)
        self.did()

    def _share_neighbours(self, world: World, other: "Twin") -> None:
        """Leave every second neighbour to the twin: nobody hears both."""

        def is_the_others(first: CoreHost, second: CoreHost) -> bool:
            twin, neighbour = (first, second) if first in (self, other) else (second, first)
            return twin in (self, other) and (neighbour.place % 2 == 0) == (twin is other)

        world.swarm.add(other)
        world.swarm.bars.append(is_the_others)
