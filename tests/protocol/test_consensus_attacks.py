"""What one authority that cheats can do to the others: nothing, and it leaves proof."""

import pytest

from protocol.blocks import block_hash
from protocol.consensus import HaltReason
from protocol.messages import BlockWanted, Proposal, Status
from protocol.votes import Vote, VoteKind, assemble_certificate
from simulations.world.links import Cut
from tests.protocol.scene import HOUR, MINUTE, puppet_of, scene
from tests.protocol.toy import FORBIDDEN, numbers_of

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def test_a_leader_that_shows_two_blocks_is_proven_to_cheat() -> None:
    stage = scene(puppet_leads=1)
    puppet = puppet_of(stage)
    one, other = (puppet.propose(stage.world.base, 1, number) for number in (1, 2))
    first, second, third = (host.name for host in stage.honest)
    for name, proposal in ((first, one), (second, other), (third, other)):
        puppet.say(proposal, name)
    for proposal in (one, other):
        puppet.say(puppet.vote(N, 1, proposal.block))
        puppet.say(puppet.vote(F, 1, proposal.block))

    stage.submit(3)
    stage.end()
    assert all(host.evidence[0][0].signer == puppet.name for host in stage.honest)
    assert all(numbers_of(host.chain[1]) == (2,) for host in stage.honest)


def test_a_proposal_shown_to_one_reaches_all() -> None:
    stage = scene(puppet_leads=1)
    puppet = puppet_of(stage)

    puppet.say(puppet.propose(stage.world.base, 1, 1), stage.honest[0].name)
    stage.wait_for(1)
    stage.end()


def test_contradicting_votes_shown_to_different_halves_change_nothing() -> None:
    stage = scene(size=7, puppet_leads=1)
    puppet = puppet_of(stage)
    names = [host.name for host in stage.honest]
    proposal = puppet.propose(stage.world.base, 1, 1)
    puppet.say(proposal)
    puppet.say(puppet.vote(F, 1, proposal.block), *names[:3])
    puppet.say(puppet.vote(X, 1), *names[3:])

    stage.wait_for(1)
    stage.submit(2)
    stage.end()


@pytest.mark.parametrize("loses_power", [True, False])
def test_a_notarization_that_only_one_host_saw_survives_a_power_cut(loses_power: bool) -> None:
    """The cheater's vote completes the certificate at one host, and is never sent again."""
    stage = scene(puppet_leads=2)
    puppet = puppet_of(stage)
    leader = stage.hosts[stage.leads(1)]
    witness = next(host for host in stage.honest if host is not leader)
    left_out = next(host for host in stage.honest if host not in (leader, witness))
    stage.network.links.cuts = [Cut(frozenset({left_out.place}))]
    leader.submit(1)
    stage.network.drops = lambda _, receiver, message: (
        isinstance(message, Vote) and receiver == leader.place
    )
    stage.run(200)
    (proposal,) = (message for message in puppet.heard if isinstance(message, Proposal))
    puppet.say(puppet.vote(N, 1, proposal.block), witness.name)
    stage.run(200)
    assert witness.machine.waiting_for().view == 2
    assert leader.machine.waiting_for().view == 1

    stage.network.drops, stage.network.links.cuts = None, []
    if loses_power:
        for host in stage.honest:
            host.restart_after(1_000)
    stage.wait_for(1)
    stage.end()


def test_a_block_beside_the_finalized_one_is_given_up_at_once() -> None:
    stage = scene(puppet_leads=2)
    puppet = puppet_of(stage)
    stage.submit(1)
    stage.run(MINUTE)

    puppet.say(puppet.propose(stage.world.base, 2, 2))
    stage.run(1_000)
    assert {host.machine.waiting_for().view for host in stage.honest} == {3}
    stage.submit(3)
    stage.end()


@pytest.mark.parametrize("is_forged", [False, True])
def test_a_finalized_view_cannot_be_skipped(is_forged: bool) -> None:
    """All but one are to believe that the first view was nullified; two of four is no quorum."""
    stage = scene(puppet_leads=2)
    puppet = puppet_of(stage)
    stage.network.drops = lambda _, receiver, message: (
        receiver == stage.honest[2].place and getattr(message, "kind", None) is F
    )
    stage.honest[0].submit(1)
    stage.run(500)
    skipping = puppet.propose(stage.world.base, 2, 2)
    if is_forged:
        vote = puppet.vote(X, 1)
        votes = [Vote(X, 0, 1, vote.block, signer, vote.signature) for signer in range(3)]
        skipping = Proposal(skipping.block, skipping.vote, (assemble_certificate(votes, 4),))
    puppet.say(skipping)
    stage.run(10_000)
    assert stage.honest[2].blamed or not is_forged
    stage.network.drops = None
    stage.end()
    assert all(2 not in host.final for host in stage.honest)


def test_nullify_votes_of_f_authorities_wake_nobody() -> None:
    stage = scene(puppet_leads=2)
    puppet = puppet_of(stage)
    for minute in range(60):
        stage.network.after(minute * MINUTE, lambda: puppet.say(puppet.vote(X, 1)))
    stage.run(HOUR)

    assert all(host.log == [] for host in stage.honest)
    sent = stage.network.sent
    assert sent == {
        "Status": sent["Status"],
        "VotesWanted": sent["VotesWanted"],
        "VotesSeen": sent["VotesSeen"],
        "Vote": 60 * 3,
    }
    stage.submit(1)
    stage.end()


def test_empty_blocks_of_a_cheater_end_with_its_turn() -> None:
    stage = scene(puppet_leads=1)
    puppet = puppet_of(stage)

    for view in range(1, 9):
        tip = stage.honest[0].chain[-1]
        if stage.leads(view) == puppet.name:
            puppet.say(puppet.propose(tip, view))
        stage.run(MINUTE)
    assert len(stage.honest[0].chain) == 2
    stage.submit(1)
    stage.end()


def test_a_block_with_an_invalid_event_costs_one_view() -> None:
    stage = scene(puppet_leads=1)
    puppet = puppet_of(stage)

    stage.honest[0].submit(1)
    puppet.say(puppet.propose(stage.world.base, 1, FORBIDDEN))
    assert stage.wait_for(1) < 1_000
    stage.end()


def test_a_log_from_an_hour_ago_stops_its_owner() -> None:
    stage = scene()
    host = stage.hosts[0]
    stage.submit(1)
    old = (list(host.log), list(host.chain), dict(host.certificates), set(host.final))
    stage.network.drops = lambda _, __, message: getattr(message, "kind", None) is F
    host.submit(2)
    stage.run(1_000)
    host.kill()
    host.log, host.chain, host.certificates, host.final = old
    stage.checks.distrust(host)
    stage.network.drops = None
    host.start()
    stage.run(MINUTE)

    assert host.halted == HaltReason.VOTE_LOG_STALE
    assert all(2 in other.final for other in stage.hosts[1:])


def test_what_was_asked_is_answered_with_bodies_only_while_they_are_here() -> None:
    stage = scene(puppet_leads=3)
    puppet = puppet_of(stage)
    stage.submit(1)
    stage.submit(2)
    puppet.heard.clear()
    tip, older = stage.honest[0].chain[2], stage.honest[0].chain[1]
    puppet.say(BlockWanted(block_hash(tip.header)), stage.honest[0].name)
    puppet.say(BlockWanted(block_hash(older.header)), stage.honest[0].name)
    stage.run(200)

    assert [type(m).__name__ for m in puppet.heard if not isinstance(m, Status)] == ["BlockSent"]
