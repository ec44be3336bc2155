"""All checkers of a run, and when they look."""

from typing import Any

from simulations.checkers.agreement import Agreement
from simulations.checkers.bounds import Bounds
from simulations.checkers.budget import Budget
from simulations.checkers.canaries import Canaries
from simulations.checkers.certificates import Certificates
from simulations.checkers.evidence import Evidence
from simulations.checkers.ledger import Ledger
from simulations.checkers.liveness import Liveness
from simulations.checkers.replay import Replay
from simulations.checkers.votes import Votes
from simulations.checkers.watch import Watch
from simulations.checkers.withdrawals import Withdrawals
from simulations.world.world import World

LOOK_EVERY = 5_000
"""How much virtual time passes between two looks into the nodes, in milliseconds."""


class Checkers:
    """Made before anything happens in the world."""

    def __init__(self, world: World) -> None:
        self.watch = Watch(world)
        self.liveness = Liveness(self.watch)
        self.evidence = Evidence(self.watch)
        self.each: list[Any] = [
            Agreement(self.watch),
            Votes(self.watch),
            Certificates(self.watch),
            self.evidence,
            Bounds(self.watch),
            Ledger(self.watch),
            Replay(self.watch),
            Withdrawals(self.watch),
            Budget(self.watch),
            Canaries(self.watch),
            self.liveness,
        ]
        self._looked_at = 0

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
