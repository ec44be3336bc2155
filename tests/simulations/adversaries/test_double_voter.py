"""Whoever votes twice is reported by those who saw both votes, and suspended."""

import pytest

from protocol.state import equivocation_entry
from tests.simulations.adversaries.stage import play


@pytest.mark.parametrize(
    "kind", ["equivocator", "double-notarizer", "finalizer-nullifier", "double-finalizer"]
)
def test_the_proof_enters_the_chain_of_everybody(kind: str) -> None:
    played = play(kind, duration=15_000)
    (traitor,) = played.traitors

    assert played.metrics["culprits_on_chain"] == played.metrics["named_culprits"] == 1
    for host in played.honest:
        assert equivocation_entry(host.disk.state, traitor.id) is not None
