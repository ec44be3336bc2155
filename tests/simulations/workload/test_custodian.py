"""A withdrawal races a fetch: whatever comes first at the custodian counts, to the millisecond."""

from typing import Any

import pytest
from msgspec.structs import replace

from protocol.terms import DirectiveKind
from simulations.run import Run
from simulations.scenario.model import Fault, LinkSpec
from simulations.workload.clinic import EVENT_LIFETIME
from simulations.workload.news import FetchEnded, KeysSent, RequestDecided
from simulations.workload.patients import Patient, withdrawal
from tests.simulations.workload.towns import BUSY, Town, scenario, town

CUSTODIAN, REQUESTER, ELSEWHERE = 4, 5, 0


class Race:
    """One patient, one permit, one fetch; and a withdrawal some milliseconds after it began."""

    def __init__(self, *, after: int, at: int) -> None:
        self.town: Town = town(duration=1_000)
        self.town.run(2_000)
        workload, cast = self.town.people.workload, self.town.world.cast
        patient = Patient(0, CUSTODIAN, cast.new_key("patient"))
        self.town.clinic(CUSTODIAN).write_record(patient.key.public)
        permit = None
        while permit is None or permit.recipient != REQUESTER:
            permit = workload._give(patient, DirectiveKind.PERMIT)
        self.town.run(10_000)
        clinic, custodian = self.town.clinic(REQUESTER), cast.parties[CUSTODIAN].id
        clinic.requester.fetch(
            custodian, clinic.request(custodian, patient.key.public, consent=permit.consent)
        )
        self.town.run(self.town.world.now + after)
        self.withdrawn_at = self.town.world.now
        until = self.town.clinic(at).node.now() + EVENT_LIFETIME
        self.town.clinic(at).node.submit(withdrawal(patient, permit.consent, cast.id, until=until))
        self.sent_at: list[int] = []
        self.town.people.listeners.append(self._note)
        self.town.run(60_000)

    def _note(self, news: Any) -> None:
        if isinstance(news, KeysSent):
            self.sent_at.append(self.town.world.now)

    @property
    def ending(self) -> str:
        (ended,) = self.town.heard(FetchEnded)
        return str(ended.ending)


def test_a_custodian_that_has_seen_the_withdrawal_releases_nothing() -> None:
    endings = []
    for after in range(0, 300, 15):
        race = Race(after=after, at=CUSTODIAN)
        assert not [at for at in race.sent_at if at >= race.withdrawn_at]
        endings.append(race.ending)

    assert endings[0] == "refused"
    assert endings[-1] == "done"
    assert endings == sorted(endings, reverse=True), "once it is too late, it stays too late"


def test_between_the_decision_and_the_block_there_is_time_to_take_it_back() -> None:
    races = [Race(after=after, at=CUSTODIAN) for after in range(30, 150, 15)]
    last_moment = [
        race
        for race in races
        if race.ending == "refused"
        and [each for each in race.town.heard(RequestDecided) if each.is_permitted]
    ]

    assert last_moment, "permitted at first, and refused at the last look"
    for race in last_moment:
        assert not race.town.heard(KeysSent)


@pytest.mark.parametrize("after", [0, 60, 120])
def test_a_withdrawal_elsewhere_counts_when_it_arrives(after: int) -> None:
    race = Race(after=after, at=ELSEWHERE)
    late = [at for at in race.sent_at if at > race.withdrawn_at + 100]

    assert not late, "two links away is a matter of milliseconds"
    assert race.ending in {"done", "refused"}


@pytest.mark.parametrize("seed", range(3))
def test_many_races_on_bad_links_break_nothing(seed: int) -> None:
    load = replace(BUSY, patients=5, consents=2.0, withdrawals=2.0, fetches=4.0)
    bad = LinkSpec(latency=60, jitter=100, loss=0.05, duplication=0.05)
    faults = (Fault(kind="partition", at=4_000, duration=6_000, nodes=("member-0", "authority-1")),)
    rushed = scenario(load, duration=20_000, settle=200_000, links=(bad,), faults=faults)
    outcome = Run(rushed, seed).finish()

    assert outcome.violations == ()
    assert outcome.metrics["withdrawals"] > 10
    assert outcome.metrics["fetches_done"] > 5
