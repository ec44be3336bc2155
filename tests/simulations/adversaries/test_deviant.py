"""Ledgers that compute otherwise (scenario 28): f survive, f + 1 halt, and a quorum wins."""

from protocol.consensus import HaltReason
from tests.simulations.adversaries.stage import play


def test_with_f_of_them_the_others_go_on() -> None:
    played = play("deviant")
    (deviant,) = played.traitors

    assert played.outcome.violations == ()
    assert deviant.halted == HaltReason.STATE_DIVERGED
    assert deviant.disk.height == 0
    assert played.metrics["events_final"] > 10


def test_with_f_plus_one_the_chain_halts_instead_of_forking() -> None:
    played = play("deviant", nodes=("authority-1", "authority-2"), settle=20_000)

    assert set(played.broken) == {"Liveness"}
    assert all(host.disk.height == 0 for host in played.run.world.hosts)


def test_where_a_quorum_deviates_it_is_the_honest_node_that_halts() -> None:
    nodes = ("authority-0", "authority-1", "authority-2")
    played = play("deviant", nodes=nodes, settle=20_000)
    honest = played.run.world.hosts[3]

    assert honest.halted == HaltReason.STATE_DIVERGED
    assert honest.disk.height == 0
    assert played.traitors[0].disk.height > 0
