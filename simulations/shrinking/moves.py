"""What can be taken away from a scenario, the largest parts first.

Each move yields smaller scenarios; the search takes the first that still fails and asks again.
Lists are taken apart by delta debugging (Zeller and Hildebrandt, Simplifying and Isolating
Failure-Inducing Input, 2002): halves, quarters, and so on down to single items.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, TypeVar

from msgspec.structs import replace

from simulations.scenario.model import Fault, Load, Scenario
from simulations.world.faults.draw import draw_faults

Item = TypeVar("Item")
Move = Callable[[Scenario], Iterator[Scenario]]

DURATION_MIN = 1_000
"""Milliseconds; below that there is nothing to see."""

RATES = ("consents", "withdrawals", "fetches", "records", "emergencies", "referrals", "junk")


def shorter(scenario: Scenario) -> Iterator[Scenario]:
    """Leave out the faultless time after the faults, then half of each."""
    if scenario.settle:
        yield replace(scenario, settle=0)
    if scenario.duration // 2 >= DURATION_MIN:
        yield replace(scenario, duration=scenario.duration // 2)
    if scenario.settle // 2 >= DURATION_MIN:
        yield replace(scenario, settle=scenario.settle // 2)


def without_lists(scenario: Scenario) -> Iterator[Scenario]:
    """Take adversaries, faults, links and regions away."""
    for field in ("adversaries", "faults", "links", "regions"):
        for fewer in subsets(getattr(scenario, field)):
            yield replace(scenario, **{field: fewer})


def fewer_nodes(scenario: Scenario) -> Iterator[Scenario]:
    network = scenario.network
    for count in smaller(network.members, 0):
        yield replace(scenario, network=replace(network, members=count))
    for count in smaller(network.authorities, 1):
        yield replace(scenario, network=replace(network, authorities=count))


def less_load(scenario: Scenario) -> Iterator[Scenario]:
    load = scenario.load
    for rate in RATES:
        if getattr(load, rate):
            yield replace(scenario, load=_with(load, rate, 0.0))
    if load.shifts:
        yield replace(scenario, load=replace(load, shifts=False))
    for count in smaller(load.patients, 1):
        yield replace(scenario, load=replace(load, patients=count))
    for rate in RATES:
        if getattr(load, rate) > 0.01:
            yield replace(scenario, load=_with(load, rate, round(getattr(load, rate) / 2, 4)))


def drawn(scenario: Scenario) -> Iterator[Scenario]:
    """Write down what the seed makes of `random` faults, so that they can be taken apart."""
    faults: list[Fault] = []
    for fault in scenario.faults:
        is_random = fault.kind == "random"
        faults += draw_faults(scenario, scenario.seed, fault) if is_random else [fault]
    if any(fault.kind == "random" for fault in scenario.faults):
        yield replace(scenario, faults=tuple(faults))


def milder_faults(scenario: Scenario) -> Iterator[Scenario]:
    """Let each fault take fewer nodes and less time, and come earlier."""
    for place, fault in enumerate(scenario.faults):
        for milder in _milder(fault):
            faults = (*scenario.faults[:place], milder, *scenario.faults[place + 1 :])
            yield replace(scenario, faults=faults)
    for place, adversary in enumerate(scenario.adversaries):
        for nodes in subsets(adversary.nodes):
            if nodes:
                others = scenario.adversaries
                changed = (*others[:place], replace(adversary, nodes=nodes), *others[place + 1 :])
                yield replace(scenario, adversaries=changed)


MOVES: tuple[Move, ...] = (without_lists, drawn, shorter, fewer_nodes, less_load, milder_faults)


def subsets(items: tuple[Item, ...]) -> Iterator[tuple[Item, ...]]:
    """Yield what is left without each half, quarter, ... and item; the smallest rests first."""
    if items:
        yield ()
    pieces = 2
    while pieces <= len(items):
        bounds = [len(items) * piece // pieces for piece in range(pieces + 1)]
        for first, last in pairwise(bounds):
            yield items[:first] + items[last:]
        pieces = len(items) if pieces < len(items) < 2 * pieces else 2 * pieces


def smaller(count: int, least: int) -> Iterator[int]:
    """Yield smaller counts: the least, halves, one less."""
    candidates = (least, count // 4, count // 2, count - 1)
    yield from dict.fromkeys(each for each in candidates if least <= each < count)


def _milder(fault: Fault) -> Iterator[Fault]:
    for nodes in subsets(fault.nodes):
        if nodes:
            yield replace(fault, nodes=nodes)
    if fault.duration // 2 >= 100:
        yield replace(fault, duration=fault.duration // 2)
    if fault.at is not None and fault.at // 2 >= 100:
        yield replace(fault, at=fault.at // 2)


def _with(load: Load, field: str, value: Any) -> Load:
    return replace(load, **{field: value})
