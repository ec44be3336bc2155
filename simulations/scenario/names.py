"""Which nodes a scenario has, and which of them a name, a group or a pattern means."""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from simulations.errors import ScenarioInvalid
from simulations.scenario.hint import did_you_mean
from simulations.scenario.model import NetworkSpec, Nodes, Scenario

GROUP_DEPTH_MAX = 4
"""How deep groups may be made of groups."""

_RANGE = re.compile(r"([a-z]+-)(\d+)\.\.(\d+)")


class NoSuchNode(ScenarioInvalid):
    """A name or pattern means no node."""


def all_nodes(network: NetworkSpec) -> Nodes:
    """Return the names of all nodes: authorities first."""
    authorities = (f"authority-{number}" for number in range(network.authorities))
    members = (f"member-{number}" for number in range(network.members))
    return (*authorities, *members)


def nodes_of(scenario: Scenario, names: Iterable[str]) -> Nodes:
    """Return the nodes that `names` mean, in the order of `all_nodes`, or raise `NoSuchNode`.

    A name is that of a node, of a group or of a region, a pattern with `*` or `?`, or a range such
    as `member-0..49`.
    """
    return nodes_meant(names, all_nodes(scenario.network), groups_of(scenario))


def nodes_meant(names: Iterable[str], known: Nodes, groups: Mapping[str, Nodes]) -> Nodes:
    """Return which of the `known` nodes the names mean, in their order, or raise `NoSuchNode`."""
    meant: dict[str, None] = {}
    for name in names:
        meant |= dict.fromkeys(_meaning(name, known, groups, 0))
    return tuple(node for node in known if node in meant)


def groups_of(scenario: Scenario) -> dict[str, Nodes]:
    """Return what groups and regions are made of."""
    return scenario.groups | {region.name: region.nodes for region in scenario.regions}


def _meaning(name: str, known: Nodes, groups: Mapping[str, Nodes], depth: int) -> list[str]:
    if depth > GROUP_DEPTH_MAX:
        raise NoSuchNode(f"the group `{name}` is nested more than {GROUP_DEPTH_MAX} deep")
    if name in groups:
        inner = (_meaning(each, known, groups, depth + 1) for each in groups[name])
        return [node for nodes in inner for node in nodes]
    if name in known:
        return [name]
    if found := _RANGE.fullmatch(name):
        first, last = int(found[2]), int(found[3])
        wanted = {
            f"{found[1]}{number}" for number in range(first, min(last, first + len(known)) + 1)
        }
        nodes = [node for node in known if node in wanted]
        if len(nodes) != len(wanted):
            raise NoSuchNode(f"not all of `{name}` exist: there are {_count(known)}")
    else:
        nodes = [node for node in known if fnmatchcase(node, name)]
    if not nodes:
        hint = did_you_mean(name, [*known[:200], *groups])
        raise NoSuchNode(
            f"there is no node or group called `{name}`{hint or ': '}"
            + ("" if hint else f"there are {_count(known)}")
        )
    return nodes


def _count(known: Nodes) -> str:
    authorities = sum(node.startswith("authority-") for node in known)
    return f"{authorities} authorities and {len(known) - authorities} members, numbered from 0"
