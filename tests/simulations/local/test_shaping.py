"""Links of real daemons follow the rules of the virtual world."""

from simulations.local.shaping import Shaping
from simulations.scenario.model import LinkSpec, NetworkSpec, Region, Scenario
from simulations.world.links import Gap

SCENARIO = Scenario(
    name="shaping",
    question="?",
    network=NetworkSpec(authorities=3, members=1),
    regions=(
        Region(name="north", nodes=("authority-0", "authority-1"), latencies={"south": 80}),
        Region(name="south", nodes=("authority-2", "member-0"), latencies={"south": 3}),
    ),
    links=(LinkSpec(between=("member-0", "*"), latency=300, is_one_way=True),),
)


def latency(shaping: Shaping, sender: int, receiver: int) -> int | None:
    link = shaping.link(sender, receiver)
    return None if link is None else link.latency


def test_regions_count_less_than_links() -> None:
    shaping = Shaping(SCENARIO)

    assert latency(shaping, 0, 2) == latency(shaping, 2, 0) == 80
    assert latency(shaping, 2, 3) == 3
    assert latency(shaping, 3, 2) == 300
    assert latency(shaping, 0, 1) == LinkSpec().latency


def test_a_fault_changes_links_while_it_lasts() -> None:
    shaping = Shaping(SCENARIO)
    rule = shaping.rule_of(LinkSpec(between=("*", "*"), latency=9))

    shaping.add_rule(rule)
    assert latency(shaping, 3, 0) == 9
    shaping.remove_rule(rule)
    assert latency(shaping, 3, 0) == 300


def test_a_gap_parts_only_those_that_it_names() -> None:
    shaping = Shaping(SCENARIO)
    shaping.add_cut(Gap(frozenset({0}), frozenset({1}), is_one_way=True))

    assert shaping.link(0, 1) is None
    assert shaping.link(1, 0) is not None
    assert shaping.link(0, 2) is not None
