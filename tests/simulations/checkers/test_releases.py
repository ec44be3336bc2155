"""The checkers of releases notice what dishonest clinics do, when nobody has told them who lies."""

from collections import Counter
from functools import partial
from typing import Any

import pytest

from protocol.directives import Directive, Standing
from protocol.release_effects import CaseLoaded, DisclosureFinal, Effect, HandOver, Input, LoadCase
from simulations.adversaries.dishonest_clinics import DishonestClinic, UnloggedClinic
from simulations.run import Run
from simulations.workload.custodian import Conversation, CustodianDesk
from simulations.workload.people import People, plan_people
from simulations.world.world import World
from tests.simulations.workload.towns import BUSY, scenario


class StubbornConversation(Conversation):
    """Takes every directive that it ever saw for one that stands."""

    def carry_out(self, effect: Effect) -> list[Input]:
        if not isinstance(effect, LoadCase):
            return super().carry_out(effect)
        (loaded,) = super().carry_out(effect)
        assert isinstance(loaded, CaseLoaded)
        standing = tuple(Directive(d.terms, Standing.ACTIVE) for d in loaded.case.directives)
        case = type(loaded.case)(loaded.case.records, standing, loaded.case.remembered)
        return [CaseLoaded(case)]


class SecretiveConversation(Conversation):
    """Forgets to tell its patients."""

    def carry_out(self, effect: Effect) -> list[Input]:
        answer = super().carry_out(effect)
        if isinstance(effect, HandOver):
            self.desk.audit.pop()
        return answer


class HastyConversation(Conversation):
    """Hands over when the disclosure is submitted, instead of when it is final."""

    def carry_out(self, effect: Effect) -> list[Input]:
        answer = super().carry_out(effect)
        if type(effect).__name__ != "SubmitDisclosure":
            return answer
        remembered = self.desk.disclosures.remembered.get(self.signed.commitment)
        if remembered is None:
            return answer  # It waits for its turn; or it was final at once.
        return [DisclosureFinal(remembered.disclosure, self.desk.node.timestamp)]


class Desk(CustodianDesk):
    conversation: type[Conversation]

    def converse(self, stream: Any, exchange: Any) -> Conversation:
        return self.conversation(self, stream, exchange)


def clinic_of(kind: type[Conversation]) -> type[DishonestClinic]:
    desk = type("OneDesk", (Desk,), {"conversation": kind})
    return type("OneClinic", (DishonestClinic,), {"custodian_type": desk})


def everybody(clinic: type[DishonestClinic] | None, world: World) -> People:
    """Open clinics of one kind at all nodes; the checkers take all of them for honest."""
    for host in world.hosts:
        host.clinic = clinic  # type: ignore[misc]
    return plan_people(world)


def findings(clinic: type[DishonestClinic] | None, seed: int = 1) -> Counter[str]:
    busy = scenario(BUSY, duration=20_000, settle=60_000)
    outcome = Run(busy, seed, plan=partial(everybody, clinic)).finish()
    return Counter(f"{each.checker}: {each.text}" for each in outcome.violations)


def test_honest_clinics_give_no_reason_to_complain() -> None:
    assert findings(None) == {}


@pytest.mark.parametrize(
    ("clinic", "finding"),
    [
        (UnloggedClinic, "Releases: a key leaves before its disclosure is final"),
        (clinic_of(HastyConversation), "Releases: a key leaves before its disclosure is final"),
        (clinic_of(SecretiveConversation), "Releases: the audit does not show what was released"),
    ],
    ids=["unlogged", "hasty", "secretive"],
)
def test_a_dishonest_custodian_is_found(clinic: type[DishonestClinic], finding: str) -> None:
    assert findings(clinic)[finding] > 0


def test_a_custodian_that_ignores_withdrawals_is_found() -> None:
    clinic = clinic_of(StubbornConversation)
    words = "Releases: a key leaves after its consent was seen withdrawn"

    assert any(findings(clinic, seed)[words] for seed in range(4))
