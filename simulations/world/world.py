"""A world, made of a scenario and a seed: the cast, its hosts, their links, and what happens."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.genesis import Profile
from simulations.outcome import TraceEvent
from simulations.scenario.model import LinkSpec, Region, Scenario
from simulations.world.cast import Cast, make_cast
from simulations.world.core_host import CoreHost
from simulations.world.links import Rule
from simulations.world.membership import follow_members
from simulations.world.names import EVERYBODY, Directory
from simulations.world.network import Network
from simulations.world.swarm import Swarm

Listener = Callable[[TraceEvent], None]

STARTS_WITHIN = 500
"""In which time all nodes start, in milliseconds."""
CLOCK_SKEW_MAX = 50
"""How far the clocks of well-kept machines are off, in milliseconds."""

MakeHost = Callable[..., CoreHost]

CHANGES_MEMBERS = ("member-change", "authority-change", "random")
"""Kinds of fault after which somebody may be a member who was none, or the other way round."""
NEWCOMER = "newcomer-"


@dataclass(slots=True)
class World:
    """Everything there is in a run. `coverage` counts what was exercised."""

    scenario: Scenario
    seed: int
    cast: Cast
    network: Network
    hosts: list[CoreHost]
    swarm: Swarm
    directory: Directory
    coverage: Counter[str] = field(default_factory=Counter)
    listener: Listener | None = None
    canaries: list[bytes] = field(default_factory=list)
    """What a patient would not want to be read by others; never in any message."""
    excused: set[int] = field(default_factory=set)
    """Places of hosts that a fault may keep from voting for good."""
    stale: set[int] = field(default_factory=set)
    """Places of those among them that run from an old vote log: as good as hostile, if the others
    have forgotten what they said."""

    misreading: set[int] = field(default_factory=set)
    """Names of those who gave others what they had misread, for which they may be blamed."""

    @property
    def now(self) -> int:
        return self.network.now

    @property
    def witness(self) -> CoreHost:
        """The host whose chain is the longest."""
        return max(self.hosts, key=lambda host: host.disk.height)

    def hosts_named(self, names: tuple[str, ...]) -> list[CoreHost]:
        """Return the hosts that names of the scenario mean."""
        return [self.hosts[place] for place in self.directory.places(names)]

    def tell(self, kind: str, host: CoreHost, *, peer: str | None = None, text: str = "") -> None:
        """Let the listener know, if there is one."""
        if self.listener is not None:
            self.listener(TraceEvent(self.now, kind, host.label, peer, text))


def make_world(
    scenario: Scenario,
    seed: int,
    *,
    listener: Listener | None = None,
    kinds: dict[int, MakeHost] | None = None,
) -> World:
    """Return a world in which nothing has happened yet. `kinds` says who is not honest."""
    spec = scenario.network
    cast = make_cast(
        spec.authorities,
        spec.members,
        _newcomer_count(scenario),
        delay_bound=spec.delay_bound,
        profile=Profile(spec.profile),
        is_fast=spec.crypto == "fast",
    )
    network = Network(seed=seed, links=LinkSpec())
    made = kinds or {}
    hosts = [
        made.get(name, CoreHost)(network, cast, name=name, place=name)
        for name in range(len(cast.parties))
    ]
    swarm = Swarm(network, hosts, neighbours_max=spec.neighbours)
    swarm.unwelcome = set(range(spec.authorities + spec.members, len(hosts)))
    labels = [party.label for party in cast.parties]
    directory = Directory(labels, scenario.groups, scenario.regions)
    world = World(scenario, seed, cast, network, hosts, swarm, directory, listener=listener)
    for rule in _rules(world):
        network.links.add(rule)
    network.on_corruption = swarm.reset
    if any(fault.kind in CHANGES_MEMBERS for fault in scenario.faults):
        follow_members(world)
    for host in hosts:
        host.clock.skew = network.random.randint(-CLOCK_SKEW_MAX, CLOCK_SKEW_MAX)
        network.after(network.random.randrange(STARTS_WITHIN), host.start)
    return world


def make_rule(directory: Directory, spec: LinkSpec) -> Rule:
    """Return the rule that a spec of the scenario means."""
    first, second = (frozenset(directory.places((name,))) for name in spec.between)
    return Rule(spec, first, second)


def _newcomer_count(scenario: Scenario) -> int:
    """Return how many newcomers the faults name: newcomer-0 and so on."""
    names = {name for fault in scenario.faults for name in fault.nodes if name.startswith(NEWCOMER)}
    return len(names)


def _rules(world: World) -> list[Rule]:
    """Return the rules of regions, then those of links, which count more."""
    scenario = world.scenario
    rules: list[Rule] = []
    for region in scenario.regions:
        rules += _rules_of(region, world)
    return rules + [make_rule(world.directory, spec) for spec in scenario.links]


def _rules_of(region: Region, world: World) -> list[Rule]:
    default = next(
        (spec for spec in world.scenario.links if spec.between == (EVERYBODY, EVERYBODY)),
        LinkSpec(),
    )
    return [
        make_rule(
            world.directory,
            LinkSpec(
                between=(region.name, other),
                latency=latency,
                jitter=default.jitter,
                loss=default.loss,
                tail=default.tail,
                bandwidth=default.bandwidth,
            ),
        )
        for other, latency in region.latencies.items()
    ]
