"""Only what real daemons can be made to go through is played; the rest is refused by name."""

import pytest
from msgspec.structs import replace

from simulations.local.faults import NotLocal, check_local
from simulations.scenario.model import Adversary, Fault, Scenario, When

SCENARIO = Scenario(
    name="faults", question="?", faults=(Fault(kind="crash", at=10, nodes=("authority-0",)),)
)


def with_fault(fault: Fault) -> Scenario:
    return replace(SCENARIO, faults=(*SCENARIO.faults, fault))


def test_signals_need_no_namespaces() -> None:
    check_local(SCENARIO, has_links=False)


@pytest.mark.parametrize("kind", ["partition", "cut", "link", "move"])
def test_faults_of_links_need_namespaces(kind: str) -> None:
    scenario = with_fault(Fault(kind=kind, at=5, nodes=("authority-0", "authority-1")))

    check_local(scenario, has_links=True)
    with pytest.raises(NotLocal, match="needs network namespaces"):
        check_local(scenario, has_links=False)


def test_other_faults_are_refused() -> None:
    with pytest.raises(NotLocal, match="no `skew` for real daemons"):
        check_local(with_fault(Fault(kind="skew", at=5, amount=100)), has_links=True)
    with pytest.raises(NotLocal, match="needs a time"):
        check_local(with_fault(Fault(kind="pause", when=When(height=3))), has_links=True)


def test_adversaries_are_refused() -> None:
    scenario = replace(SCENARIO, adversaries=(Adversary(kind="forger", nodes=("member-0",)),))

    with pytest.raises(NotLocal, match="honest code"):
        check_local(scenario, has_links=True)
