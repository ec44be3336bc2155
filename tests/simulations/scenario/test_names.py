"""Names, groups, patterns and ranges of nodes."""

import pytest

from simulations.scenario.model import NetworkSpec, Region, Scenario
from simulations.scenario.names import NoSuchNode, all_nodes, nodes_of

SCENARIO = Scenario(
    name="names",
    question="Who is meant?",
    network=NetworkSpec(authorities=2, members=3),
    groups={"hills": ("member-0", "valley"), "valley": ("member-2",), "ring": ("ring",)},
    regions=(Region(name="north", nodes=("authority-1", "member-0..1")),),
)


def test_a_network_has_authorities_and_members() -> None:
    everybody = ("authority-0", "authority-1", "member-0", "member-1", "member-2")
    assert all_nodes(SCENARIO.network) == everybody
    assert nodes_of(SCENARIO, ["*"]) == everybody


@pytest.mark.parametrize(
    ("names", "nodes"),
    [
        (["member-1"], ("member-1",)),
        (["authority-*"], ("authority-0", "authority-1")),
        (["member-0..1"], ("member-0", "member-1")),
        (["hills"], ("member-0", "member-2")),
        (["north"], ("authority-1", "member-0", "member-1")),
        (["valley", "authority-0", "valley"], ("authority-0", "member-2")),
        ([], ()),
    ],
)
def test_a_name_means_nodes_in_their_order(names: list[str], nodes: tuple[str, ...]) -> None:
    assert nodes_of(SCENARIO, names) == nodes


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("member-3", "did you mean `member-"),
        ("hils", "did you mean `hills`"),
        ("clinic*", "there are 2 authorities and 3 members"),
        ("member-1..3", "not all of `member-1..3` exist"),
        ("ring", "nested more than 4 deep"),
    ],
)
def test_a_name_without_a_node_is_refused(name: str, cause: str) -> None:
    with pytest.raises(NoSuchNode) as caught:
        nodes_of(SCENARIO, [name])
    assert cause in str(caught.value)
