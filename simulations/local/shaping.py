"""What the links between nodes do now: the scenario's, changed by faults while these last.

The rules are those of the virtual world, so a scenario means the same in both.
"""

import threading

from msgspec.structs import replace

from simulations.scenario.model import LinkSpec, Scenario
from simulations.scenario.names import all_nodes, nodes_of
from simulations.world.links import Cut, Gap, Links, Rule

EVERYBODY = "*"


class Shaping:
    """The links of a scenario; faults may change them from another thread."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._places = {node: place for place, node in enumerate(all_nodes(scenario.network))}
        self._links = Links(LinkSpec())
        self._cuts: list[Cut | Gap] = []
        self._lock = threading.Lock()  # The switch reads what faults write.
        for rule in self._rules():
            self._links.add(rule)

    def link(self, sender: int, receiver: int) -> LinkSpec | None:
        """Return what happens to packets from one node to another; None if nothing arrives."""
        with self._lock:
            if any(cut.cuts(sender, receiver) for cut in self._cuts):
                return None
            return self._links.spec(sender, receiver)

    def places(self, *names: str) -> frozenset[int]:
        return frozenset(self._places[node] for node in nodes_of(self._scenario, names))

    def add_cut(self, cut: Cut | Gap) -> None:
        with self._lock:
            self._cuts.append(cut)

    def remove_cut(self, cut: Cut | Gap) -> None:
        with self._lock:
            self._cuts.remove(cut)

    def add_rule(self, rule: Rule) -> None:
        with self._lock:
            self._links.add(rule)

    def remove_rule(self, rule: Rule) -> None:
        with self._lock:
            self._links.remove(rule)

    def rule_of(self, spec: LinkSpec) -> Rule:
        first, second = spec.between
        return Rule(spec, self.places(first), self.places(second))

    def _rules(self) -> list[Rule]:
        """Return the rules of regions, then those of links, which count more."""
        scenario = self._scenario
        everybody = [each for each in scenario.links if each.between == (EVERYBODY, EVERYBODY)]
        default = everybody[0] if everybody else LinkSpec()
        rules = [
            self.rule_of(replace(default, between=(region.name, other), latency=latency))
            for region in scenario.regions
            for other, latency in region.latencies.items()
        ]
        return rules + [self.rule_of(spec) for spec in scenario.links]
