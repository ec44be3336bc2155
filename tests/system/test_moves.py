"""Two daemons get other IP addresses at the same moment, and find each other all the same."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulations.local.daemons import Daemons, is_well, made_daemons, wait_until
from simulations.local.namespaces import Namespace, change_address, namespaces, why_not
from simulations.local.shaping import Shaping
from simulations.local.switch import Switch
from simulations.scenario.model import LinkSpec, NetworkSpec, Scenario

pytestmark = pytest.mark.system

SCENARIO = Scenario(
    name="moves",
    question="?",
    network=NetworkSpec(authorities=3, members=0),
    links=(LinkSpec(latency=2, jitter=0),),
)
FOUND_SECONDS_MAX = 30
"""Most of it is waiting for an answer at the old addresses."""


@pytest.fixture
def networks() -> Iterator[list[Namespace]]:
    if reason := why_not():
        pytest.skip(f"no network namespaces here: {reason}")
    with namespaces(3) as made:
        yield made


def address_of(daemons: Daemons, member: str, seen_by: str) -> str:
    """Return where one node is connected to another; nothing if it is not."""
    for peer in daemons[seen_by].call("peers.list"):
        if peer["name"] == member:
            return peer["address"] or ""
    return ""


def test_two_nodes_that_move_at_once_find_each_other(
    networks: list[Namespace], tmp_path: Path
) -> None:
    devices = [each.device for each in networks]
    now = time.time_ns() // 1_000_000
    first, second, third = "authority-0", "authority-1", "authority-2"
    with (
        Switch(devices, Shaping(SCENARIO), seed=1) as switch,
        made_daemons(SCENARIO, tmp_path, networks, now) as daemons,
    ):
        daemons.start()
        assert wait_until(lambda: bool(address_of(daemons, first, second)), 20)

        moved = [switch.note_move(place) for place in (0, 1)]
        for network, address in zip(networks, moved, strict=False):
            change_address(network, address)

        def are_found() -> bool:
            return all(
                moved[place] in address_of(daemons, name, seen_by)
                for place, name in enumerate((first, second))
                for seen_by in (first, second, third)
                if seen_by != name
            )

        assert wait_until(are_found, FOUND_SECONDS_MAX)
        assert wait_until(lambda: all(is_well(node) for node in daemons.all()), FOUND_SECONDS_MAX)
