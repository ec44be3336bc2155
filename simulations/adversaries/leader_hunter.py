"""An authority that clogs the links of whoever leads the current view (B17).

It stands for somebody who watches the network and strikes where it hurts, again and again: what the
leader says and hears is lost while it leads. Attackers do not hold that for ever: it strikes for
some seconds, then rests for as long. Met by R4: a silent leader's view is nullified; and by the
rising time limits, which outlast any strike that is not kept up.
"""

from simulations.adversaries.traitor import Traitor
from simulations.world.links import Cut
from simulations.world.world import World

STRIKE_EVERY = 150
STRIKE_FOR = 400
PERIOD = 6_000
STRIKING_SHARE = 0.5


class LeaderHunter(Traitor):
    """Follows the leader, and cuts it off."""

    kind = "leader-hunter"

    def enter(self, world: World) -> None:
        super().enter(world)
        self._struck: dict[int, None] = {}
        """Places of those who are cut off right now."""
        self.every(STRIKE_EVERY, self._strike)

    def _strike(self) -> None:
        state = self.consensus
        if state is None or self.network.now % PERIOD > PERIOD * STRIKING_SHARE:
            return
        leader = self.cast.names[state.electorate.member(state.leader)]
        if leader == self.name or leader in self._struck:
            return
        cut = Cut(frozenset({leader}))
        self._struck[leader] = None
        self.network.links.cuts.append(cut)
        self.did()
        self.network.after(STRIKE_FOR, self._release, leader, cut)

    def _release(self, leader: int, cut: Cut) -> None:
        del self._struck[leader]
        if cut in self.network.links.cuts:  # Whoever mends the network mends this too.
            self.network.links.cuts.remove(cut)
        self.world.swarm.reconsider()  # Links that were about to come up have waited.
