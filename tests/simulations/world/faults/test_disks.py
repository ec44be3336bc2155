"""A store that stands still loses nothing; what a disk misreads is believed by nobody."""

import pytest

from protocol.blocks import FinalizedBlocks
from protocol.effects import SendRange
from simulations.run import Run
from simulations.scenario.model import Fault
from simulations.workload.plain import plan_load
from simulations.world.answers import answer_from
from simulations.world.core_host import CoreHost
from tests.simulations.scenes import BUSY, finish, scenario, scene

LATE = 3
AWAY = Fault(kind="crash", at=4_000, duration=4_000, nodes=("authority-3",))


def begun(fault: Fault, until: int) -> Run:
    run = scene(fault, duration=8_000)
    run.world.network.run(until=until)
    return run


def test_no_block_is_stored_while_the_store_stands_still_and_then_all_are() -> None:
    stall = Fault(kind="store-stall", at=4_500, nodes=("authority-0",), amount=3_000)
    run = begun(stall, 4_500)
    host, others = run.world.hosts[0], run.world.hosts[1:4]
    before = host.disk.height
    run.world.network.run(until=7_400)

    assert host.disk.height == before
    assert min(other.disk.height for other in others) > before
    assert host.fate["store-stalled"] == 1
    run.world.network.run(until=7_700)
    assert host.disk.height > before
    finish(run)


def test_what_waited_for_the_store_is_lost_with_the_process_and_fetched_again() -> None:
    stall = Fault(kind="store-stall", at=4_500, nodes=("authority-0",), amount=2_000)
    run = begun(stall, 6_400)
    host = run.world.hosts[0]
    height = host.disk.height
    host.restart_after(200)
    run.world.network.run(until=6_550)

    assert host.disk.height == height
    finish(run)
    assert host.disk.height == run.world.witness.disk.height


def test_a_process_cannot_start_before_the_lock_of_its_store_is_released() -> None:
    lock = Fault(kind="store-stall", at=4_500, nodes=("authority-0",), amount=2_000, action="lock")
    run = begun(lock, 4_600)
    host = run.world.hosts[0]
    host.start()

    assert not host.is_up
    run.world.network.run(until=6_501)
    assert host.is_up
    finish(run)


def misread(*names: str, action: str = "", seed: int = 5) -> Run:
    """Let an authority be away, and then ask nodes of which some misread all that it asks for."""
    fault = Fault(kind="misread", at=4_000, duration=14_000, nodes=names, amount=1.0, action=action)
    return Run(scenario(BUSY, AWAY, fault, duration=18_000, members=0), seed, plan=plan_load)


def test_who_is_given_what_was_misread_notices_and_catches_up_with_others() -> None:
    """Sometimes what is given is only of no use, and nobody is to blame for that."""
    blamed: set[int] = set()
    for seed in range(7, 13):
        run = misread("authority-0", "authority-1", seed=seed)
        finish(run)
        hosts = run.world.hosts
        blamed = {name for host in hosts for name, _ in host.blames}
        assert hosts[LATE].disk.state == hosts[2].disk.state
        if blamed:
            break

    assert blamed
    assert blamed <= {0, 1}


def test_where_all_others_misread_nobody_takes_in_a_wrong_block_and_all_is_well_after_it() -> None:
    run = misread("authority-0", "authority-1", "authority-2")
    late = run.world.hosts[LATE]
    run.world.network.run(until=16_000)
    chain = run.world.witness.disk.blocks

    assert late.disk.blocks == chain[: len(late.disk.blocks)]
    finish(run)
    assert late.disk.height == run.world.witness.disk.height


def test_a_wrong_sum_ends_the_process_and_nothing_wrong_is_sent() -> None:
    run = misread("authority-0", "authority-1", action="sum")
    finish(run)
    hosts = run.world.hosts

    assert sum(host.fate["wrong-sum"] for host in hosts) > 0
    assert [each for host in hosts for each in host.blames] == []


def read(host: CoreHost) -> set[FinalizedBlocks]:
    assert host.misreads is not None
    question = SendRange(host.id, 1, host.disk.height)
    disks = [host.misreads.read(host.disk) for _ in range(50)]
    answers = [answer_from(disk, question) for disk in disks if disk is not None]
    return {each for each in answers if isinstance(each, FinalizedBlocks)}


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_what_is_misread_is_that_of_another_height_or_older_or_right(share: float) -> None:
    fault = Fault(kind="misread", at=4_700, nodes=("authority-0",), amount=share)
    run = begun(fault, 7_500)
    host = run.world.hosts[0]
    right = answer_from(host.disk, SendRange(host.id, 1, host.disk.height))
    answers = read(host)

    assert right in answers
    assert any(answer.blocks[0].header.height > 1 for answer in answers)
    assert any(len(each.blocks) < host.disk.height for each in answers)
    known = set(host.disk.blocks)
    assert all(known.issuperset(answer.blocks) for answer in answers)
