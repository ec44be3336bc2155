"""Nodes that surround one authority, so that all it hears goes through them (N9; scenario 27).

The victim is the first authority that is none of them; every link of it but theirs is cut. They
pass nothing on, and claim that nothing happens. Met by: the others need no vote of the victim; the
victim can be kept in the dark but not be deceived, since every final block needs a quorum's
certificate; and when it hears anybody else, it catches up.
"""

from dataclasses import dataclass
from typing import Any

from protocol.messages import Status
from simulations.adversaries.traitor import Traitor
from simulations.world.links import Cut
from simulations.world.world import World


@dataclass(frozen=True, slots=True)
class Siege(Cut):
    """Whoever is `inside` reaches nobody but the besiegers."""

    besiegers: frozenset[int] = frozenset()

    def cuts(self, sender: int, receiver: int) -> bool:
        if (sender in self.inside) == (receiver in self.inside):
            return False
        return sender not in self.besiegers and receiver not in self.besiegers


class Eclipser(Traitor):
    """Surrounds one authority with its like, and tells it nothing."""

    kind = "eclipse"

    def enter(self, world: World) -> None:
        super().enter(world)
        places = [partner.place for partner in self.partners]
        authorities = range(self.cast.authority_count)
        self.victim = next((name for name in authorities if name not in places), None)
        if self is self.partners[0] and self.victim is not None:
            self._siege = Siege(frozenset({self.victim}), besiegers=frozenset(places))
            self.network.after(self.acts_from, self._begin)

    def _begin(self) -> None:
        self.did()
        self.network.links.cuts.append(self._siege)
        self.world.swarm.reconsider()
        self.network.after(max(0, self.acts_until - self.network.now), self._end)

    def _end(self) -> None:
        if self._siege in self.network.links.cuts:
            self.network.links.cuts.remove(self._siege)
        self.world.swarm.reconsider()

    def say(self, name: int, message: Any) -> None:
        if self.is_acting and name == self.victim:
            self.did("kept-dark")
            message = Status(self.epoch, 0, 0, None, 0)
        super().say(name, message)
