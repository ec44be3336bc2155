"""What a seed makes of the fault `random` for real daemons: plain faults, each with time and nodes.

A process goes through one thing in a run: so none is told to end while it is stopped, and each is
back when the load is over. Links may have several faults at once. All nodes may be hit; what must
hold while too many are is safety alone, and afterwards everything.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from simulations.scenario.model import Fault, LinkSpec, Scenario
from simulations.scenario.names import all_nodes, nodes_of

RANDOM = "random"
BY_SIGNALS = frozenset({"crash", "restart", "rolling-restart", "pause"})
COUNT = 8
"""How many faults are drawn if the scenario does not say it."""
DURATION_MIN, DURATION_MAX = 1_000, 12_000
BEGIN = 1_000
"""Nothing happens before, in milliseconds."""


def drawn_faults(scenario: Scenario, seed: int) -> tuple[Fault, ...]:
    """Return the faults of the scenario, those that `random` stands for included."""
    plain = [fault for fault in scenario.faults if fault.kind != RANDOM]
    draw = _Draw(scenario, Random(f"local faults {seed}"))
    for fault in scenario.faults:
        if fault.kind == RANDOM:
            plain += [draw.fault() for _ in range(int(fault.amount) or COUNT)]
    return tuple(plain)


@dataclass(slots=True)
class _Draw:
    scenario: Scenario
    chance: Random
    spared: list[str] = field(init=False)
    """Whose process nothing was drawn for."""

    def __post_init__(self) -> None:
        hit = [
            node
            for fault in self.scenario.faults
            if fault.kind in BY_SIGNALS
            for node in nodes_of(self.scenario, fault.nodes)
        ]
        self.spared = [node for node in self._nodes() if node not in hit]

    def fault(self) -> Fault:
        make: Callable[[int, int], Fault] = self.chance.choice(
            (self._process, self._process, self._partition, self._cut, self._link, self._move)
        )
        last = self.scenario.duration - DURATION_MIN
        at = self.chance.randrange(BEGIN, max(BEGIN + 1, last))
        longest = min(DURATION_MAX, self.scenario.duration - at)
        return make(at, self.chance.randint(DURATION_MIN, max(DURATION_MIN, longest)))

    def _process(self, at: int, duration: int) -> Fault:
        if not self.spared:
            return self._link(at, duration)
        node = self.spared.pop(self.chance.randrange(len(self.spared)))
        kind = self.chance.choice(("crash", "restart", "pause"))
        amount = float(duration) if kind == "restart" else 0.0
        return Fault(kind=kind, at=at, duration=duration, nodes=(node,), amount=amount)

    def _partition(self, at: int, duration: int) -> Fault:
        nodes = self._nodes()
        inside = self.chance.sample(nodes, self.chance.randint(1, max(1, len(nodes) // 2)))
        return Fault(
            kind="partition",
            at=at,
            duration=duration,
            nodes=tuple(inside),
            is_one_way=self.chance.random() < 0.5,
        )

    def _cut(self, at: int, duration: int) -> Fault:
        pair = tuple(self.chance.sample(self._nodes(), 2))
        is_one_way = self.chance.random() < 0.5
        return Fault(kind="cut", at=at, duration=duration, nodes=pair, is_one_way=is_one_way)

    def _link(self, at: int, duration: int) -> Fault:
        chance = self.chance
        spec = LinkSpec(
            between=(chance.choice(self._nodes()), "*"),
            is_one_way=chance.random() < 0.5,
            latency=chance.choice((5, 50, 300)),
            jitter=chance.choice((0, 20, 200)),
            loss=chance.choice((0.0, 0.02, 0.15)),
            duplication=chance.choice((0.0, 0.1)),
            reordering=chance.choice((0.0, 0.1, 0.5)),
            corruption=chance.choice((0.0, 0.01)),
        )
        return Fault(kind="link", at=at, duration=duration, link=spec)

    def _move(self, at: int, _: int) -> Fault:
        nodes = self._nodes()
        return Fault(kind="move", at=at, nodes=tuple(self.chance.sample(nodes, min(2, len(nodes)))))

    def _nodes(self) -> list[str]:
        return list(all_nodes(self.scenario.network))
