"""All checkers of a run, and when they look."""

from typing import Any

from simulations.checkers.agreement import Agreement
from simulations.checkers.bounds import Bounds
from simulations.checkers.budget import Budget
from simulations.checkers.canaries import Canaries
from simulations.checkers.certificates import Certificates
from simulations.checkers.culprits import Culprits
from simulations.checkers.emergencies import Emergencies
from simulations.checkers.epochs import Epochs
from simulations.checkers.evidence import Evidence
from simulations.checkers.ledger import Ledger
from simulations.checkers.liveness import Liveness
from simulations.checkers.reexecution import Reexecution
from simulations.checkers.releases import Releases
from simulations.checkers.replays import Replays
from simulations.checkers.skips import Skips
from simulations.checkers.votes import Votes
from simulations.checkers.wakefulness import Wakefulness
from simulations.checkers.watch import Watch
from simulations.checkers.withdrawals import Withdrawals
from simulations.workload.people import People
from simulations.world.world import World

LOOK_EVERY = 5_000
"""How much virtual time passes between two looks into the nodes, in milliseconds."""


class Checkers:
    """Made before anything happens in the world."""

    def __init__(self, world: World) -> None:
        self.watch = Watch(world)
        self.liveness = Liveness(self.watch)
        self.evidence = Evidence(self.watch)
        self.culprits = Culprits(self.watch)
        self.each: list[Any] = [
            Agreement(self.watch),
            Votes(self.watch),
            Certificates(self.watch),
            Skips(self.watch),
            self.evidence,
            Emergencies(self.watch),
            Epochs(self.watch),
            Bounds(self.watch),
            Ledger(self.watch),
            Reexecution(self.watch),
            Withdrawals(self.watch),
            Budget(self.watch),
            Canaries(self.watch),
            Wakefulness(self.watch),
            self.liveness,
        ]
        self._looked_at = 0

    def watch_people(self, people: Any) -> None:
        """Watch what clinics release, too, if they are at work."""
        if isinstance(people, People):
            self.each += [Releases(self.watch, people), Replays(self.watch, people)]

    def summary(self) -> dict[str, float]:
        """Return numbers about those who are not honest."""
        hostile = [host.place for host in self.watch.world.hosts if host.is_traitor]
        sent = self.watch.world.network.bytes_of
        return {
            "named_culprits": len(self.culprits.named),
            "culprits_on_chain": len(self.evidence.accused),
            "attacker_bytes": sum(sent[place] for place in hostile),
        }

    def look(self) -> None:
        """Look into the nodes, if it is time to."""
        if self.watch.world.now - self._looked_at >= LOOK_EVERY:
            self._look()

    def _look(self) -> None:
        self._looked_at = self.watch.world.now
        for checker in self.each:
            if hasattr(checker, "look"):
                checker.look()

    def at_end(self) -> None:
        self._look()
        for checker in self.each:
            if hasattr(checker, "at_end"):
                checker.at_end()
