"""Whole nodes change who votes, while people work: nobody notices but the authorities."""

from protocol.consensus import OwnVote
from protocol.electorates import newest_epoch
from protocol.events import BallotChoice
from simulations.run import Run
from simulations.scenario.model import Fault
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import authority_ballot, authority_ready
from simulations.world.vote_log import DAEMON_LIMIT
from tests.simulations.scenes import finish, scene

LIFETIME = 3_600_000


def valid_until(run: Run) -> int:
    return EPOCH_START + run.world.now + LIFETIME


def offer(run: Run, host: CoreHost) -> None:
    """Let a member offer its voting key."""
    party, head = run.world.cast.parties[host.name], host.disk.blocks[-1].header
    host.add_voting_key(party.voting_key)
    host.submit(
        authority_ready(run.world.cast, party, party.voting_key, head, valid_until=valid_until(run))
    )


def vote(run: Run, choice: BallotChoice, candidate: CoreHost, voters: tuple[int, ...]) -> None:
    parties = run.world.cast.parties
    for name in voters:
        ballot = authority_ballot(
            run.world.cast,
            parties[name],
            parties[candidate.name],
            choice,
            valid_until=valid_until(run),
        )
        run.world.hosts[name].submit(ballot)


def plan_addition(run: Run, host: CoreHost) -> None:
    network = run.world.network
    network.after(5_000, offer, run, host)
    network.after(6_500, vote, run, BallotChoice.ADD, host, (0, 1, 2))


def epochs(run: Run) -> set[int]:
    return {newest_epoch(host.disk.state).epoch for host in run.world.hosts}


def voters(run: Run) -> list[int]:
    return [host.name for host in run.world.hosts if host.core.consensus is not None]


def test_a_member_becomes_an_authority_and_votes() -> None:
    run = scene(duration=15_000)
    newcomer = run.world.hosts[4]
    newcomer.log_growth.limit_least = DAEMON_LIMIT
    plan_addition(run, newcomer)
    finish(run)

    assert epochs(run) == {1}
    assert voters(run) == [0, 1, 2, 3, 4]
    assert newcomer.core.consensus is not None
    assert not newcomer.core.consensus.is_listening
    assert any(isinstance(record, OwnVote) and record.vote.epoch == 1 for record in newcomer.log)


def stop_voting(host: CoreHost) -> None:
    host.core.stop_voting()


def test_who_has_stopped_does_not_vote_with_a_new_key_either() -> None:
    run = scene(duration=15_000)
    newcomer = run.world.hosts[4]
    run.world.network.after(1_000, stop_voting, newcomer)
    plan_addition(run, newcomer)
    (silent,) = run.finish().violations

    assert silent.text == "does not vote, although it could"
    assert epochs(run) == {1}
    assert voters(run) == [0, 1, 2, 3]


def test_an_authority_is_taken_out_and_follows() -> None:
    run = scene(duration=20_000)
    leaver = run.world.hosts[3]
    plan_addition(run, run.world.hosts[4])
    run.world.network.after(11_000, vote, run, BallotChoice.REMOVE, leaver, (0, 1, 2, 4))
    finish(run)

    assert epochs(run) == {2}
    assert voters(run) == [0, 1, 2, 4]
    assert leaver.disk.height == run.world.hosts[0].disk.height


def test_who_slept_through_two_epochs_follows_range_by_range() -> None:
    asleep = Fault(kind="crash", at=4_000, duration=15_000, nodes=("authority-3",))
    run = scene(asleep, duration=20_000)
    plan_addition(run, run.world.hosts[4])
    run.world.network.after(
        11_000, vote, run, BallotChoice.REMOVE, run.world.hosts[3], (0, 1, 2, 4)
    )
    finish(run)

    assert epochs(run) == {2}
    assert voters(run) == [0, 1, 2, 4]
