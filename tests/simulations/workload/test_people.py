"""Clinics at work in one virtual network, with the release machines of the protocol."""

from msgspec.structs import replace

from protocol.events import ConsentBasis, EmergencyBasis
from protocol.terms import Purpose
from simulations.run import simulate
from simulations.scenario.model import NetworkSpec
from simulations.workload.news import FetchEnded, KeysOpened, KeysSent, RequestDecided
from tests.simulations.workload.towns import BUSY, scenario, town


def test_people_fetch_what_they_are_permitted_and_each_release_is_on_the_chain() -> None:
    here = town(BUSY, duration=30_000)
    here.run(60_000)

    done = [each for each in here.heard(FetchEnded) if each.ending == "done"]
    disclosures = here.disclosures()
    assert len(done) >= 30
    assert {each.disclosure for each in done} <= disclosures.keys()
    bases = {type(disclosures[each.disclosure].basis) for each in done}
    assert bases == {ConsentBasis, EmergencyBasis}
    assert {each.disclosure for each in here.heard(KeysOpened)} <= disclosures.keys()


def test_who_has_no_permit_is_refused() -> None:
    here = town(BUSY, duration=30_000)
    here.run(60_000)

    refused = [each for each in here.heard(FetchEnded) if each.ending == "refused"]
    known = {each.request for each in here.disclosures().values()}
    assert refused
    keys_sent = {each.signed.commitment for each in here.heard(KeysSent)}
    assert not {each.signed.commitment for each in refused} & keys_sent
    assert known >= keys_sent


def test_an_emergency_is_reviewed_by_the_custodian() -> None:
    here = town(BUSY, duration=30_000)
    here.run(60_000)

    assert here.people.workload.deeds["reviews"] > 0
    assert here.people.figures.emergency_ms
    refused = [error.code for host in here.world.hosts for error in host.refused.values()]
    assert set(refused) <= {"no-active-consent"}, "only races with withdrawals are lost"


def test_equal_seeds_give_equal_runs_and_others_do_not() -> None:
    short = scenario(BUSY, duration=5_000, settle=3_000)
    first, again, other = simulate(short, 1), simulate(short, 1), simulate(short, 2)

    assert (first.trace_hash, first.metrics) == (again.trace_hash, again.metrics)
    assert first.trace_hash != other.trace_hash
    assert first.metrics["fetches_done"] > 0


def test_a_custodian_that_dies_hands_over_the_same_release_without_a_second_disclosure() -> None:
    here = town(duration=1_000)
    here.run(2_000)
    custodian, requester = here.clinic(4), here.clinic(5)
    patient = here.world.cast.new_key("patient")
    custodian.write_record(patient.public)
    here.run(6_000)
    signed = requester.request(
        custodian.node.member.id,
        patient.public,
        purpose=Purpose.BTG,
        justification="Made-up emergency, for a test.",
    )
    requester.requester.fetch(custodian.node.member.id, signed)
    while not here.heard(RequestDecided):
        here.run(here.world.now + 1)
    here.run(here.world.now + 20)
    here.host(4).restart_after(3_000)
    here.run(60_000)

    (ended,) = here.heard(FetchEnded)
    assert ended.ending == "done"
    answers = [each for each in here.disclosures().values() if each.request == signed.commitment]
    assert len(answers) == 1
    assert len(here.heard(RequestDecided)) == 1


def test_a_withdrawal_reaches_everybody() -> None:
    load = replace(BUSY, withdrawals=1.0, consents=2.0)
    outcome = simulate(scenario(load, duration=20_000, settle=20_000), 3)

    assert outcome.metrics["withdrawals"] > 5
    assert outcome.metrics["withdrawals_unreached"] == 0
    assert 0 < outcome.metrics["withdrawal_p50_ms"] <= outcome.metrics["withdrawal_p95_ms"] < 2_000


def test_real_signatures_do_as_well() -> None:
    network = NetworkSpec(authorities=4, members=1, crypto="real")
    outcome = simulate(scenario(BUSY, duration=3_000, settle=5_000, network=network), 1)

    assert outcome.metrics["fetches_done"] > 0
