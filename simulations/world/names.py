"""The places of nodes in a world, by the names that scenarios use."""

from simulations.scenario.model import Nodes, Region
from simulations.scenario.names import nodes_meant

EVERYBODY = "*"


class Directory:
    """Knows which nodes a name means. Places are in the order of the hosts."""

    def __init__(
        self, labels: list[str], groups: dict[str, Nodes], regions: tuple[Region, ...] = ()
    ) -> None:
        self._places = {label: place for place, label in enumerate(labels)}
        self._groups = groups | {region.name: region.nodes for region in regions}

    def places(self, names: Nodes) -> list[int]:
        """Return the places of all whom the names mean, sorted. Raises `NoSuchNode`."""
        return [
            self._places[node] for node in nodes_meant(names, tuple(self._places), self._groups)
        ]
