"""Custodians that stall or release without logging, and requesters that replay."""

from typing import Any

from msgspec.structs import replace

from simulations.workload.news import BlamedClinic, FetchEnded, KeysOpened, KeysSent
from tests.simulations.adversaries.stage import BUSY, Play

EAGER = replace(BUSY, patients=12, consents=1.0, fetches=3.0, withdrawals=0.5)


class Clinics:
    """A played run, and the news of clinics that had to do with the dishonest one."""

    def __init__(self, kind: str, *, seed: int, until: int = 60_000) -> None:
        self.played = Play(kind, nodes=("member-0",), load=EAGER, duration=20_000, seed=seed)
        self.news: list[Any] = []
        self.played.run.people.listeners.append(self.news.append)  # type: ignore[attr-defined]
        self.played.run.world.network.run(until=until)
        self.played.finish()
        (traitor,) = self.played.traitors
        self.dishonest = traitor.id

    def with_custodian(self, kind: type[Any]) -> list[Any]:
        return [n for n in self.news if isinstance(n, kind) and n.custodian == self.dishonest]

    def heard(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.news if isinstance(each, kind)]


def test_a_custodian_that_stalls_gives_nothing_and_keeps_nobody_waiting_for_ever() -> None:
    here = Clinics("stalling-custodian", seed=4, until=700_000)
    ended = here.with_custodian(FetchEnded)

    assert here.played.outcome.violations == ()
    assert {each.ending for each in ended} <= {"unreachable", "refused", "not-final"}
    assert [each for each in ended if each.ending == "unreachable"]
    assert not here.with_custodian(KeysSent)


def test_what_was_not_logged_is_not_opened() -> None:
    here = Clinics("unlogged-custodian", seed=4, until=300_000)

    assert here.played.outcome.violations == ()
    assert len(here.with_custodian(KeysSent)) > 2, "it does hand out keys"
    assert not here.with_custodian(KeysOpened)
    assert "done" not in {each.ending for each in here.with_custodian(FetchEnded)}


def test_a_replayed_request_gives_nothing_new_and_is_worth_nothing_elsewhere() -> None:
    here = Clinics("replaying-requester", seed=3)
    answers = [each for each in here.heard(KeysSent) if each.requester == here.dishonest]
    by_request = {(each.signed.commitment, each.granted.disclosure) for each in answers}

    assert here.played.outcome.violations == ()
    assert len(by_request) == len({commitment for commitment, _ in by_request})
    blamed = [each for each in here.heard(BlamedClinic) if each.clinic == here.dishonest]
    assert {each.code for each in blamed} == {"invalid-signature"}
    assert here.heard(FetchEnded)
