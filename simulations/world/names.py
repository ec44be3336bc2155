"""The names of nodes in scenarios: labels, groups, `authority-*` and `*`."""

from fnmatch import fnmatchcase

from simulations.scenario.model import Nodes, Region

EVERYBODY = "*"


class UnknownNode(Exception):
    """A scenario names a node that it does not have."""


class Directory:
    """Knows which nodes a name means. Places are in the order of the hosts."""

    def __init__(
        self, labels: list[str], groups: dict[str, Nodes], regions: tuple[Region, ...] = ()
    ) -> None:
        self._places = {label: place for place, label in enumerate(labels)}
        self._groups = groups | {region.name: region.nodes for region in regions}

    def places(self, names: Nodes) -> list[int]:
        """Return the places of all whom the names mean, sorted. Raises `UnknownNode`."""
        found: dict[int, None] = {}
        for name in names:
            found |= dict.fromkeys(self._meant(name))
        return sorted(found)

    def _meant(self, name: str) -> list[int]:
        if name in self._groups:
            return self.places(self._groups[name])
        if name in self._places:
            return [self._places[name]]
        matching = [place for label, place in self._places.items() if fnmatchcase(label, name)]
        if not matching:
            raise UnknownNode(f"{name} is neither a node nor a group")
        return matching
