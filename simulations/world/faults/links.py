"""Faults of links: partitions, cuts one way or both, breaks, and links that lose or delay."""

from collections.abc import Callable
from random import Random

from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from simulations.world.links import Cut, Gap
from simulations.world.world import World, make_rule

End = Callable[[], None]

FLAP_EVERY = 2_000
RESETS_PER_SECOND = 1.0
CLOG_STEP = 500
"""How long after one link of a clog the next one stops, in milliseconds."""
ECLIPSERS = 1


def partition(world: World, fault: Fault) -> End:
    """Part `nodes` from the others; `three-way` parts the others once more, `bridge` joins two."""
    inside = _chosen(world, fault)
    cuts: list[Cut | Gap] = [Cut(frozenset(inside), fault.is_one_way)]
    outside = [host.place for host in world.hosts if host.place not in inside]
    match fault.action:
        case "three-way":
            cuts.append(Cut(frozenset(outside[::2]), fault.is_one_way))
        case "bridge":
            bridge = world.network.random.choice(inside)
            others = frozenset(place for place in inside if place != bridge)
            cuts = [Gap(others, frozenset(outside), fault.is_one_way)]
    return _cut(world, *cuts)


def cut(world: World, fault: Fault) -> End:
    """The first of `nodes` is not heard by the others of them; nor they by it, unless one-way."""
    first, *others = _chosen(world, fault, count_min=2)
    return _cut(world, Gap(frozenset({first}), frozenset(others), fault.is_one_way))


def eclipse(world: World, fault: Fault) -> End:
    """The first of `nodes` hears and reaches nobody but the others of them."""
    victim, *others = _chosen(world, fault, count_min=1 + ECLIPSERS)
    rest = [h.place for h in world.hosts if h.place != victim and h.place not in others]
    return _cut(world, Gap(frozenset({victim}), frozenset(rest)))


def flap(world: World, fault: Fault) -> End:
    """Part `nodes` from the others and join them again, every `amount` milliseconds."""
    mine = Cut(frozenset(_chosen(world, fault)), fault.is_one_way)
    period = max(1, int(fault.amount) or FLAP_EVERY)
    is_over = False

    def turn() -> None:
        if is_over:
            return
        cuts = world.network.links.cuts
        cuts.remove(mine) if mine in cuts else cuts.append(mine)
        world.swarm.reconsider()
        world.network.after(period, turn)

    def end() -> None:
        nonlocal is_over
        is_over = True
        _mend(world, mine)

    turn()
    return end


def clog(world: World, fault: Fault) -> End:
    """Swizzle: the links of `nodes` stop one after the other, and come back in another order."""
    places = _chosen(world, fault)
    gaps: list[Cut | Gap] = [Cut(frozenset({place})) for place in places]
    chance = world.network.random
    is_over = False

    def stop(gap: Cut | Gap) -> None:
        if not is_over:
            world.network.links.cuts.append(gap)
            world.swarm.reconsider()

    for number, gap in enumerate(gaps):
        world.network.after(number * CLOG_STEP, stop, gap)

    def end() -> None:
        nonlocal is_over
        is_over = True
        for number, gap in enumerate(chance.sample(gaps, len(gaps))):
            world.network.after(number * CLOG_STEP, _mend, world, gap)

    return end


def link(world: World, fault: Fault) -> End:
    """Links are as `link` says for a while."""
    assert fault.link is not None
    rule = make_rule(world.directory, fault.link)
    world.network.links.add(rule)
    return lambda: world.network.links.remove(rule)


def lose_kind(world: World, fault: Fault) -> End:
    """A share of all messages of one kind (`action`, such as Vote) is lost."""
    losses = world.network.losses
    before = losses.get(fault.action, 0.0)
    losses[fault.action] = fault.amount or 1.0

    def end() -> None:
        losses[fault.action] = before

    return end


def reset(world: World, fault: Fault) -> End:
    """Connections break, `amount` of them in a second, with what is under way lost."""
    mean = 1_000 / (fault.amount or RESETS_PER_SECOND)
    chance = Random(f"resets {world.seed}")
    is_over = False

    def hit() -> None:
        if not is_over:
            broken = chance.choice(world.swarm.links)
            world.swarm.reset(broken.first, broken.second)
            world.network.after(1 + int(chance.expovariate(1 / mean)), hit)

    def end() -> None:
        nonlocal is_over
        is_over = True

    hit()
    return end


def unreachable(world: World, fault: Fault) -> End:
    """Two machines never find a way to each other, as behind bad routers."""
    first, second = world.hosts_named(fault.nodes)[:2]

    def are_they(*pair: CoreHost) -> bool:
        return first in pair and second in pair

    world.swarm.bars.append(are_they)
    world.swarm.reset(first, second)

    def end() -> None:
        world.swarm.bars.remove(are_they)
        world.swarm.reconsider()

    return end


def _chosen(world: World, fault: Fault, *, count_min: int = 1) -> list[int]:
    """Return the places that the fault names, in the order of the names, or draw some."""
    if fault.nodes:
        places: dict[int, None] = {}
        for name in fault.nodes:
            places |= dict.fromkeys(world.directory.places((name,)))
        return list(places)
    chance, everybody = world.network.random, _places(world.hosts)
    most = max(count_min, len(everybody) - 1)
    return chance.sample(everybody, min(len(everybody), chance.randint(count_min, most)))


def _places(hosts: list[CoreHost]) -> list[int]:
    return [host.place for host in hosts]


def _cut(world: World, *cuts: Cut | Gap) -> End:
    world.network.links.cuts.extend(cuts)
    world.swarm.reconsider()
    return lambda: _mend(world, *cuts)


def _mend(world: World, *cuts: Cut | Gap) -> None:
    now = world.network.links.cuts
    for each in cuts:
        if each in now:
            now.remove(each)
    world.swarm.reconsider()
