"""Members that cheat among whole nodes: the others find them out, and go on.

What else whole nodes live through is in `tests/simulations`.
"""

from typing import Any

from protocol.messages import Payload
from protocol.state import equivocation_entry
from simulations.run import Run
from simulations.workload.plain import plan_load
from tests.protocol.core_traitors import Equivocator, Junkmonger
from tests.simulations.scenes import BUSY, scenario


def play(place: int, kind: Any) -> Run:
    """Let one node run something else than the others, and return the run that is about to be."""
    return Run(scenario(BUSY, duration=8_000), 5, plan=plan_load, kinds={place: kind})


def test_a_member_that_lies_and_sends_junk_is_blamed_alone() -> None:
    run = play(4, Junkmonger)
    # One of its neighbours hears of new blocks from the liar first.
    run.world.network.drops = lambda sender, receiver, message: (
        sender != 4 and receiver == 5 and isinstance(message, Payload)
    )
    assert run.finish().violations == ()

    hosts = run.world.hosts
    codes = {error.code for host in hosts for _, error in host.blames}
    assert {name for host in hosts for name, _ in host.blames} == {4}
    assert codes >= {"invalid-signature", "invalid-block", "invalid-certificate", "not-decodable"}


def test_an_authority_that_proposes_twice_is_found_out_and_the_chain_goes_on() -> None:
    run = play(1, Equivocator)
    assert run.finish().violations == ()

    culprit = run.world.hosts[1]
    assert isinstance(culprit, Equivocator)
    assert culprit.forked_views
    assert equivocation_entry(run.world.hosts[0].disk.state, culprit.id) is not None
