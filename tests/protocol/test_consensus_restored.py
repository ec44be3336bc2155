"""Networks in which authorities come back, with their vote logs, with old ones, or among liars."""

from msgspec.structs import replace

from protocol.consensus import OwnVote, view_of
from protocol.messages import VotesSeen, VotesWanted
from protocol.votes import VoteKind
from tests.protocol.scene import MINUTE, puppet_of, scene
from tests.protocol.toy_host import ToyHost

N = VoteKind.NOTARIZE


def is_listening(host: ToyHost) -> bool:
    return bool(host.machine.waiting_for().listens_to)


def test_all_come_back_together_after_a_power_cut() -> None:
    stage = scene()
    stage.submit(1)
    for host in stage.hosts:
        host.kill()
    for host in stage.hosts:
        host.start()

    assert all(is_listening(host) for host in stage.hosts)
    assert stage.submit(2) < 1_000
    assert not any(is_listening(host) for host in stage.hosts)
    stage.end()


def test_too_few_to_answer_are_too_few_to_agree() -> None:
    stage = scene()
    stage.submit(1)
    for host in stage.hosts:
        host.kill()
    for host in stage.hosts[:2]:
        host.start()
    stage.run(MINUTE)
    assert all(is_listening(host) for host in stage.hosts[:2])

    stage.hosts[2].start()
    stage.hosts[0].submit(2)
    stage.run(MINUTE)
    stage.hosts[3].start()
    stage.end()


def test_one_liar_cannot_stop_an_honest_authority() -> None:
    stage = scene(puppet_leads=3)
    puppet = puppet_of(stage)
    stage.submit(1)
    victim = next(host for host in stage.honest if host.name != stage.leads(2))
    old = [record.vote for record in victim.log if isinstance(record, OwnVote)]
    victim.kill()
    victim.start()
    stage.run(60)
    question = next(each for each in reversed(puppet.heard) if isinstance(each, VotesWanted))
    forged = replace(puppet.vote(N, 7, stage.honest[0].chain[-1]), signer=victim.name)
    for votes in ((forged,), (puppet.vote(N, 7),), tuple(old), ()):
        puppet.say(VotesSeen(0, question.question, votes), victim.name)

    stage.submit(2)
    assert victim.halted is None
    assert not is_listening(victim)
    stage.end()


def test_an_authority_that_has_lost_its_chain_signs_nothing_until_it_is_back() -> None:
    """The log was pruned when the chain was there; now it cannot tell what was signed before."""
    stage = scene()
    for number in range(4):
        stage.submit(number)
    stage.run(MINUTE)
    host = stage.hosts[0]
    host.kill()
    host.log = [record for record in host.log if view_of(record) >= host.chain[-1].header.view]
    host.chain, host.certificates, host.final = [stage.world.base], {}, set()
    host.start()
    stage.run(MINUTE)

    assert host.halted is None
    assert stage.submit(9, host) < MINUTE
    assert not is_listening(host)
