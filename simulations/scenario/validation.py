"""What the types of a scenario cannot say: whether what it names exists, and whether it adds up.

All combinations of a sweep are looked at: a fault of `authority-5` is a mistake if a sweep tries
four authorities.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from protocol.salvage import reports_needed
from simulations.errors import ScenarioInvalid
from simulations.scenario.hint import did_you_mean
from simulations.scenario.kinds import LOCAL_KINDS, NEED_NODES, adversary_kinds, fault_kinds
from simulations.scenario.lines import Path, lines_of_values
from simulations.scenario.load import place_and_cause, with_values
from simulations.scenario.model import (
    Adversary,
    Bound,
    Fault,
    LinkSpec,
    Mode,
    Nodes,
    Region,
    Scenario,
)
from simulations.scenario.names import NoSuchNode, all_nodes, nodes_of
from simulations.scenario.sweep import combinations, count_runs

ONLY_AT_THE_END = ("settled_ms",)
"""Metrics that a probe does not give, because it is over before everything has settled."""

COMBINATIONS_MAX = 2_000
"""How many combinations of a sweep are looked at; the first ones."""


class Problem(NamedTuple):
    """Something that cannot be, at the value at `place`."""

    place: Path
    cause: str


def validate_scenario(scenario: Scenario, text: str = "", name: str = "") -> None:
    """Raise `ScenarioInvalid` for the first problem; `text` is the file, for its line."""
    for problem in find_problems(scenario):
        raise ScenarioInvalid(in_words(problem, text, name or scenario.name))


def in_words(problem: Problem, text: str, name: str) -> str:
    return place_and_cause(problem.place, problem.cause, name, lines_of_values(text))


def find_problems(scenario: Scenario) -> list[Problem]:
    """Return everything that is wrong; each thing once, however many combinations have it."""
    count_runs(scenario)
    found: dict[Problem, None] = {}
    for number, parameters in enumerate(combinations(scenario)):
        if number == COMBINATIONS_MAX:
            break
        found |= dict.fromkeys(_problems(with_values(scenario, parameters)))
    return list(found)


def find_unknown_metrics(scenario: Scenario, metrics: Iterable[str]) -> list[Problem]:
    """Return where metrics are named that a run does not give."""
    known = list(metrics)
    named = [(("answer",), name) for name in scenario.answer]
    named += [
        (("check", "bound", number, "metric"), bound.metric)  # type: ignore[misc]
        for number, bound in enumerate(scenario.check.bounds)
    ]
    return [
        Problem(place, f"there is no metric called `{name}`{did_you_mean(name, known)}")
        for place, name in named
        if name not in known and name not in ONLY_AT_THE_END
    ]


def _problems(scenario: Scenario) -> Iterator[Problem]:
    yield from _of_names(scenario)
    for number, fault in enumerate(scenario.faults):
        yield from _of_fault(scenario, fault, ("fault", number))
    for number, adversary in enumerate(scenario.adversaries):
        yield from _of_adversary(scenario, adversary, ("adversary", number))
    yield from _of_honesty(scenario)
    for number, region in enumerate(scenario.regions):
        yield from _of_region(scenario, region, ("region", number))
    for number, link in enumerate(scenario.links):
        yield from _of_link(scenario, link, ("link", number))
    for number, bound in enumerate(scenario.check.bounds):
        yield from _of_bound(bound, ("check", "bound", number))
    yield from _of_nodes(scenario, scenario.load.submit_at, ("load", "submit_at"))
    if scenario.load.start > scenario.duration:
        yield Problem(("load", "start"), "the load starts after the end of `duration`")


def _of_names(scenario: Scenario) -> Iterator[Problem]:
    nodes = all_nodes(scenario.network)
    for group, names in scenario.groups.items():
        if group in nodes:
            yield Problem(("groups", group), f"`{group}` is a node already")
        yield from _of_nodes(scenario, names, ("groups", group))


def _of_fault(scenario: Scenario, fault: Fault, place: Path) -> Iterator[Problem]:
    known = fault_kinds()
    if fault.kind not in known:
        hint = did_you_mean(fault.kind, known) or f": there are {', '.join(known)}"
        yield Problem((*place, "kind"), f"there is no fault called `{fault.kind}`{hint}")
        return
    if fault.kind in NEED_NODES and not fault.nodes:
        yield Problem(place, f"a {fault.kind} needs `nodes`")
    if fault.kind == "link" and fault.link is None:
        yield Problem(place, "a fault of links needs a table `link`")
    if fault.at is not None and fault.when is not None:
        yield Problem(place, "a fault has `at` or `when`, not both")
    if fault.at is not None and fault.at > scenario.duration:
        yield Problem((*place, "at"), "the fault begins after the end of `duration`")
    yield from _of_nodes(scenario, fault.nodes, (*place, "nodes"))
    if fault.kind == "recovery":
        yield from _of_survivors(scenario, fault, place)
    if fault.kind in LOCAL_KINDS and scenario.mode is not Mode.LOCAL:
        yield Problem((*place, "kind"), f"only real daemons {fault.kind}")
    if fault.link is not None:
        yield from _of_link(scenario, fault.link, (*place, "link"))


def _of_survivors(scenario: Scenario, fault: Fault, place: Path) -> Iterator[Problem]:
    """Those who are left must be able to tell what was final."""
    count, lost = scenario.network.authorities, tuple[str, ...]()
    with suppress(NoSuchNode):  # That is said elsewhere.
        lost = nodes_of(scenario, fault.nodes)
    left = count - len([name for name in lost if name.startswith("authority-")])
    needed = reports_needed(count)
    if left < needed:
        cause = f"a recovery needs {needed} of {count} authorities, and {left} are left"
        yield Problem((*place, "nodes"), cause)


def _of_link(scenario: Scenario, link: LinkSpec, place: Path) -> Iterator[Problem]:
    yield from _of_nodes(scenario, link.between, (*place, "between"))
    if link.reordering and scenario.mode is not Mode.LOCAL:
        cause = "there are no packets in the virtual world: `jitter` changes the order of messages"
        yield Problem((*place, "reordering"), cause)


def _of_adversary(scenario: Scenario, adversary: Adversary, place: Path) -> Iterator[Problem]:
    known = adversary_kinds()
    if adversary.kind not in known:
        hint = did_you_mean(adversary.kind, known) or f": there are {', '.join(known)}"
        cause = f"there is no adversary called `{adversary.kind}`{hint}"
        yield Problem((*place, "kind"), cause)
    if not adversary.nodes:
        yield Problem(place, "an adversary needs `nodes`")
    yield from _of_nodes(scenario, adversary.nodes, (*place, "nodes"))


def _of_honesty(scenario: Scenario) -> Iterator[Problem]:
    """There is nothing to check, and nobody to ask, where nobody follows the protocol."""
    hostile: set[str] = set()
    for adversary in scenario.adversaries:
        with suppress(NoSuchNode):  # That is said elsewhere.
            hostile |= set(nodes_of(scenario, adversary.nodes))
    if hostile and len(hostile) == len(all_nodes(scenario.network)):
        place = ("adversary", len(scenario.adversaries) - 1, "nodes")
        yield Problem(place, "no node is left that follows the protocol")


def _of_region(scenario: Scenario, region: Region, place: Path) -> Iterator[Problem]:
    yield from _of_nodes(scenario, region.nodes, (*place, "nodes"))
    known = [each.name for each in scenario.regions]
    for other in region.latencies:
        if other not in known:
            hint = did_you_mean(other, known)
            cause = f"there is no region called `{other}`{hint}"
            yield Problem((*place, "latencies", other), cause)


def _of_bound(bound: Bound, place: Path) -> Iterator[Problem]:
    if bound.at_most is None and bound.at_least is None:
        yield Problem(place, "a bound needs `at_most` or `at_least`")


def _of_nodes(scenario: Scenario, names: Nodes, place: Path) -> Iterator[Problem]:
    for name in names:
        try:
            if name != "*":
                nodes_of(scenario, [name])
        except NoSuchNode as error:
            yield Problem(place, str(error))
