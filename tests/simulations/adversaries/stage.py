"""Short runs with one sort of adversary, for tests: what came of it, and what it did."""

from collections import Counter
from typing import Any

from simulations.adversaries.kinds import KINDS
from simulations.adversaries.traitor import Traitor
from simulations.outcome import Outcome
from simulations.run import Run
from simulations.scenario.model import Adversary, Load, NetworkSpec, Scenario
from simulations.world.core_host import CoreHost

BUSY = Load(
    start=500, patients=6, consents=0.6, withdrawals=0.3, fetches=1, records=0.5, emergencies=0.2
)
TRAITOR = ("authority-1",)


class Play:
    """A run that may be looked at before and after it is played."""

    def __init__(
        self,
        kind: str,
        *,
        nodes: tuple[str, ...] = TRAITOR,
        seed: int = 1,
        from_: int = 0,
        authorities: int = 4,
        members: int = 2,
        **changes: Any,
    ) -> None:
        assert kind in KINDS
        defaults: dict[str, Any] = {"load": BUSY, "duration": 10_000, "settle": 120_000}
        self.scenario = Scenario(
            name="stage",
            question="Who meets it?",
            network=NetworkSpec(authorities=authorities, members=members),
            adversaries=(Adversary(kind=kind, nodes=nodes, from_=from_),),
            **(defaults | changes),
        )
        self.run = Run(self.scenario, seed)
        self.kind = kind
        self.outcome: Outcome

    def finish(self) -> "Play":
        self.outcome = self.run.finish()
        return self

    @property
    def honest(self) -> list[CoreHost]:
        return [host for host in self.run.world.hosts if not host.is_traitor]

    @property
    def traitors(self) -> list[Traitor]:
        return [host for host in self.run.world.hosts if isinstance(host, Traitor)]

    @property
    def acts(self) -> dict[str, int]:
        """Return what the traitors did, and how often."""
        start = f"adversary:{self.kind}"
        coverage = self.run.world.coverage
        return {
            name.removeprefix(start).removeprefix(":"): count
            for name, count in coverage.items()
            if name == start or name.startswith(start + ":")
        }

    @property
    def blames(self) -> Counter[str]:
        """Return what honest nodes blamed traitors for."""
        hosts = self.run.world.hosts
        return Counter(
            error.code
            for host in self.honest
            for name, error in host.blames
            if hosts[name].is_traitor
        )

    @property
    def metrics(self) -> dict[str, float]:
        return self.outcome.metrics

    @property
    def broken(self) -> Counter[str]:
        """Return which checkers found something broken, and how often."""
        return Counter(each.checker for each in self.outcome.violations)


def play(kind: str, **options: Any) -> Play:
    return Play(kind, **options).finish()
