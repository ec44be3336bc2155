"""Random faults of real daemons: the same for the same seed, and such as they can go through."""

import pytest
from msgspec.structs import replace

from simulations.local.draw import BY_SIGNALS, COUNT, drawn_faults
from simulations.local.faults import check_local
from simulations.scenario.model import Fault, Mode, Scenario
from simulations.scenario.validation import find_problems

CRASH = Fault(kind="crash", at=10, duration=500, nodes=("authority-0",))
SCENARIO = Scenario(
    name="draw",
    question="?",
    mode=Mode.LOCAL,
    duration=20_000,
    faults=(CRASH, Fault(kind="random")),
)


def test_the_seed_decides() -> None:
    assert drawn_faults(SCENARIO, 7) == drawn_faults(SCENARIO, 7)
    assert drawn_faults(SCENARIO, 7) != drawn_faults(SCENARIO, 8)


def test_what_the_scenario_says_stays() -> None:
    faults = drawn_faults(SCENARIO, 7)

    assert faults[0] == CRASH
    assert len(faults) == 1 + COUNT
    few = replace(SCENARIO, faults=(Fault(kind="random", amount=2),))
    assert len(drawn_faults(few, 7)) == 2
    assert drawn_faults(replace(SCENARIO, faults=()), 7) == ()


@pytest.mark.parametrize("seed", range(30))
def test_what_is_drawn_can_be_played(seed: int) -> None:
    faults = drawn_faults(SCENARIO, seed)
    drawn = replace(SCENARIO, faults=faults)

    check_local(drawn, has_links=True)
    assert find_problems(drawn) == []
    hit = [node for fault in faults if fault.kind in BY_SIGNALS for node in fault.nodes]
    assert len(hit) == len(set(hit)), "a process goes through one thing in a run"
    for fault in faults:
        assert fault.at is not None
        assert fault.at + fault.duration <= SCENARIO.duration


def test_all_kinds_come() -> None:
    kinds = {fault.kind for seed in range(30) for fault in drawn_faults(SCENARIO, seed)}

    assert kinds == {"crash", "restart", "pause", "partition", "cut", "link", "move"}
    one_way = [f.is_one_way for seed in range(30) for f in drawn_faults(SCENARIO, seed)]
    assert True in one_way
