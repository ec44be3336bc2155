"""Lost messages, dead hosts and power cuts: what authorities make of them together."""

from collections.abc import Callable

import pytest

from protocol.votes import VoteKind
from simulations.world.links import Cut
from tests.protocol.scene import HOUR, MINUTE, Scene, scene
from tests.protocol.toy_host import ToyHost

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE


def test_an_event_is_final_after_four_delays_one_batch_and_three_syncs() -> None:
    stage = scene()
    follower = next(host for host in stage.honest if host.name != stage.leads(1))
    leader = stage.hosts[stage.leads(2)]

    assert stage.submit(1, follower) == 4 * 50 + 10 + 3 * 5
    assert stage.submit(2, leader) == 3 * 50 + 10 + 3 * 5
    stage.end()


def test_an_idle_morning_brings_no_block_no_write_and_only_heartbeats() -> None:
    stage = scene()
    stage.submit(1)
    stage.run(MINUTE)
    written = [len(host.log) for host in stage.honest]
    sent = dict(stage.network.sent)

    stage.run(6 * HOUR)
    assert [len(host.log) for host in stage.honest] == written
    assert stage.network.sent.pop("Status") - sent.pop("Status") == 4 * 3 * 6 * 120
    assert stage.network.sent == sent
    assert stage.submit(2) <= 225
    stage.end()


def test_dead_leaders_cost_their_turns_and_then_nothing() -> None:
    stage = scene(size=7)
    for name in (stage.leads(1), stage.leads(2)):
        host = stage.hosts[name]
        host.kill()
        stage.honest.remove(host)

    first = stage.submit(1)
    assert 6_000 < first < 7_000
    later = [stage.submit(number) for number in range(2, 40)]
    assert max(later[10:]) < 400
    stage.end()


@pytest.mark.parametrize("count", [2, 4])
def test_the_chain_resumes_soon_after_hours_without_a_quorum(count: int) -> None:
    stage = scene()
    stage.submit(1)
    for host in stage.hosts[:count]:
        host.kill()
    stage.hosts[3].submit(2)
    stage.run(MINUTE)
    views = [host.machine.waiting_for().view for host in stage.hosts if host.is_up]
    stage.run(3 * HOUR)
    assert [h.machine.waiting_for().view for h in stage.hosts if h.is_up] == views

    for host in reversed(stage.hosts):
        host.start()
    assert stage.wait_for(2) < 10_000
    stage.end()


def test_without_a_quorum_waiting_costs_ever_less() -> None:
    stage = scene()
    for host in stage.hosts[:2]:
        host.kill()
    stage.hosts[3].submit(1)
    stage.run(HOUR)
    before = stage.network.bytes_sent

    stage.run(HOUR)
    assert stage.network.bytes_sent - before < 2 * 3 * 120 * 1_024


def test_one_who_hears_all_and_is_heard_by_none_stops_nobody() -> None:
    stage = scene()
    deaf_ear = stage.hosts[0].place
    others = frozenset(host.place for host in stage.hosts[1:])
    stage.network.links.cuts = [Cut(others, is_one_way=True)]
    assert stage.network.links.is_cut(deaf_ear, 1)

    for number in range(1, 9):
        stage.submit(number, stage.hosts[1])
    stage.hosts[0].submit(9)
    stage.run(MINUTE)
    stage.network.links.cuts = []
    stage.wait_for(9)
    stage.end()


def test_an_event_of_one_whom_the_leader_does_not_hear_becomes_final() -> None:
    stage = scene()
    leader = stage.leads(1)
    host = next(host for host in stage.honest if host.name != leader)
    stage.network.drops = lambda sender, receiver, _: (sender, receiver) == (host.place, leader)

    stage.submit(1, host)
    stage.end()


def test_a_clock_that_is_a_day_off_delays_nobody_else() -> None:
    stage = scene()
    stage.hosts[0].clock.skew = 24 * HOUR
    stage.hosts[1].clock.skew = 0

    for number in range(1, 9):
        assert stage.submit(number, stage.hosts[2]) < 15_000
    stage.end()


def test_a_lost_body_is_asked_for_until_it_comes() -> None:
    stage = scene()
    late = stage.hosts[3] if stage.leads(1) != 3 else stage.hosts[2]
    stage.network.drops = lambda _, receiver, message: (
        receiver == late.place and type(message).__name__ in ("Proposal", "BlockSent", "Status")
    )
    stage.hosts[stage.leads(1)].submit(1)
    stage.run(MINUTE)
    assert len(late.chain) == 1
    assert stage.network.sent["BlockWanted"] > 2

    stage.network.drops = None
    stage.wait_for(1)
    stage.end()


def crash_points() -> list[int]:
    """Return how many effects one host carries out while three blocks become final."""
    stage = scene()
    host = stage.hosts[stage.leads(1)]
    before = host.effects_done
    _three_blocks(stage)
    return list(range(before, host.effects_done + 1))


def _three_blocks(stage: Scene) -> None:
    for number in (1, 2, 3):
        stage.honest[number].submit(number)
        stage.run(600)
    stage.wait_for(3)


@pytest.mark.parametrize("everybody", [False, True])
def test_a_crash_before_any_effect_loses_nothing(everybody: bool) -> None:
    """The process of a leader is killed, or the power of all is cut, at each single effect."""
    points = crash_points()
    assert len(points) > 40
    for point in points:
        stage = scene()
        host = stage.hosts[stage.leads(1)]
        host.kill_at = point
        if everybody:
            host.restart_after = _power_cut(stage)
        _three_blocks(stage)
        stage.end()


def _power_cut(stage: Scene) -> Callable[[int], None]:
    def cut(delay: int) -> None:
        for host in stage.hosts:
            ToyHost.restart_after(host, delay)

    return cut


@pytest.mark.parametrize("length", range(0, 14, 2))
def test_a_log_that_was_cut_off_anywhere_contradicts_nothing(length: int) -> None:
    """What was never synced was never sent, so it may be missing: any prefix will do."""
    stage = scene()
    host = stage.hosts[stage.leads(1)]
    host.fsync_min = 10_000
    host.submit(1)
    stage.run(5_000)
    unsynced = host._syncing or ()
    host.kill()
    host.log = list(unsynced[:length])
    host.fsync_min = 5
    stage.network.after(100, host.start)

    stage.wait_for(1)
    stage.end()
