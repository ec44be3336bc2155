"""From one epoch to the next: exactly at its height, with whoever is there, and never back."""

from typing import Any

from protocol.messages import Status
from protocol.votes import Vote, VoteKind
from simulations.world.links import Cut
from tests.protocol.scene import MINUTE, puppet_of, scene
from tests.protocol.toy_epochs import HANDOFF_LAG, Change
from tests.protocol.toy_host import Bystander

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE

ADD_4 = Change(added=(4,))
DROP_3 = Change(dropped=(3,))
ROTATE_0 = Change(rotated=(0,))


def test_an_idle_chain_reaches_the_handoff_with_empty_blocks_and_sleeps_again() -> None:
    stage = scene(joiners=1, changes=(ADD_4,))
    stage.change()

    (first, *_) = stage.hosts
    assert first.entry.base_height == 1 + HANDOFF_LAG == len(first.chain) - 1
    assert [len(block.events) for block in first.chain[1:]] == [1, 0, 0]
    assert first.authorities == (0, 1, 2, 3, 4)
    stage.run(MINUTE)
    assert stage.submit(1) <= 250
    assert stage.hosts[4].machine.epoch == 1
    stage.end()


def test_who_is_taken_out_follows_and_who_gets_a_new_key_goes_on() -> None:
    stage = scene(5, changes=(DROP_3, ROTATE_0))
    stage.change(0)
    stage.change(1)
    stage.submit(1)

    leaver = stage.hosts[3]
    assert isinstance(leaver.machine, Bystander)
    assert leaver.final == stage.hosts[0].final
    keys = [authority.voting_key for authority in stage.hosts[0].entry.authorities]
    assert keys[0] != stage.world.keys[0].public
    stage.end()


def test_who_was_cut_off_for_two_epochs_comes_back_range_by_range() -> None:
    stage = scene(5, joiners=1, changes=(Change(added=(5,)), Change(dropped=(4,)), ROTATE_0))
    absent = stage.hosts[0]
    stage.network.links.cuts = [Cut(frozenset({absent.place}))]
    witness = stage.hosts[1]
    for number in (0, 1, 2):
        witness.submit(1_000_000 + number)
        stage.run(2 * MINUTE)
    assert (absent.entry.epoch, witness.entry.epoch) == (0, 3)

    stage.network.links.cuts = []
    stage.submit(1, witness)
    assert absent.entry.epoch == 3
    stage.end()


def test_the_next_epoch_does_not_wait_for_newcomers() -> None:
    """The newcomer says nothing at all; four of five are a quorum."""
    stage = scene(joiners=1, changes=(ADD_4,), puppet_name=4)
    stage.change()
    for number in range(10):
        stage.submit(number)
    stage.end()


def test_what_former_authorities_sign_counts_for_nothing_and_is_answered() -> None:
    stage = scene(5, changes=(DROP_3,), puppet_name=3)
    stage.change()
    puppet = puppet_of(stage)
    tip = stage.hosts[0].chain[-1]
    puppet.heard.clear()
    puppet.say(puppet.propose(tip, 9, 77))
    for kind in VoteKind:
        puppet.say(puppet.vote(kind, 9, None if kind is X else tip))
    stage.run(1_000)

    answers = [message for message in puppet.heard if isinstance(message, Status)]
    assert {answer.epoch for answer in answers} == {1}
    assert all(len(host.chain) - 1 == tip.header.height for host in stage.honest)
    assert all(not host.blamed for host in stage.honest)
    stage.submit(1)
    stage.end()


def test_votes_for_an_epoch_to_come_are_let_go() -> None:
    stage = scene(joiners=1, changes=(ADD_4,), puppet_name=4)
    early = Vote(kind=N, epoch=1, view=1, block=bytes([1]) * 32, signer=4, signature=bytes(64))
    puppet_of(stage).say(early)
    stage.change()
    stage.submit(1)

    assert all(not host.blamed for host in stage.honest)
    stage.end()


def test_all_that_was_ever_said_said_again_changes_nothing() -> None:
    said: list[tuple[Any, int, Any]] = []
    stage = scene(5, changes=(DROP_3, ROTATE_0))
    stage.network.watchers.append(lambda *each: said.append(each))
    for number in range(4):
        stage.submit(number)
    stage.change(0)
    stage.change(1)
    stage.run(MINUTE)

    again = [each for each in said if not isinstance(each[2], Status)]
    stage.network.random.shuffle(again)
    before = [len(host.chain) for host in stage.hosts]
    for sender, receiver, message in again:
        later = stage.network.random.randint(0, 20_000)
        stage.network.after(later, stage.hosts[receiver].hear, sender.name, message)
    stage.run(30_000)
    assert [len(host.chain) for host in stage.hosts] == before
    assert all(host.halted is None and not host.blamed for host in stage.hosts)
    stage.submit(9)
    stage.end()


def test_a_tail_finishes_an_epoch_whose_last_block_nobody_finalizes() -> None:
    stage = scene(joiners=1, changes=(ADD_4,))
    end = 1 + HANDOFF_LAG
    stage.network.drops = lambda _, __, message: (
        isinstance(message, Vote)
        and message.kind is F
        and message.epoch == 0
        and message.view == end
    )
    stage.change()

    for host in stage.hosts:
        tail = host.tails[end]
        assert [block.header.is_tail for block in tail] == [True]
        assert tail[0].header.state_digest == host.chain[end].header.state_digest
        assert len(host.chain) - 1 == end, "a tail is no part of the chain"
    stage.submit(1)
    assert stage.hosts[0].chain[end + 1].header.parent == tail[0].header.parent
    assert stage.hosts[0].chain[end + 1].header.parent_view == 0
    stage.end()
