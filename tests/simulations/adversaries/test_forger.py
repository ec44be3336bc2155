"""Certificates that are none (scenario 29), and other forgeries: nobody believes them."""

import pytest

from protocol.effects import MessageReceived
from simulations.adversaries.forger import Forger
from tests.simulations.adversaries.stage import Play, play

FORGED = [
    "cert-short",
    "cert-double",
    "cert-long",
    "cert-order",
    "cert-view",
    "cert-block",
    "cert-kind",
    "cert-none",
]


@pytest.fixture(scope="module")
def played() -> Play:
    """Return a run with some final blocks; nothing was forged in it."""
    played = Play("forger", from_=10**9, seed=3)
    played.run.world.network.run(until=6_000)
    return played


@pytest.mark.parametrize("name", [*FORGED, *(f"status-{each}" for each in FORGED)])
def test_a_forged_certificate_is_put_down_to_its_sender_and_changes_nothing(
    played: Play, name: str
) -> None:
    (forger,) = played.traitors
    assert isinstance(forger, Forger)
    victim = played.honest[0]
    assert victim.core.consensus is not None
    state = victim.core.consensus._state
    before = (state.view, state.finalized_view, dict(state.rounds))
    blames = len(victim.blames)
    victim.step(MessageReceived(forger.id, forger._false_certificates()[name]))

    assert (state.view, state.finalized_view, dict(state.rounds)) == before
    blamed, error = victim.blames[-1]
    assert len(victim.blames) == blames + 1
    assert blamed == forger.name
    assert error.code == "invalid-certificate"


def test_a_certificate_of_an_epoch_to_come_is_not_believed_but_may_be_true(played: Play) -> None:
    (forger,) = played.traitors
    assert isinstance(forger, Forger)
    victim = played.honest[0]
    before = (victim.disk.height, victim.core.epoch, len(victim.blames))
    victim.step(MessageReceived(forger.id, forger._false_certificates()["cert-epoch"]))

    assert (victim.disk.height, victim.core.epoch, len(victim.blames)) == before


def test_every_forgery_is_blamed() -> None:
    played = play("forger")

    assert played.outcome.violations == ()
    assert {"invalid-certificate", "invalid-signature"} <= played.blames.keys()
