"""A virtual vote log grows, and is pruned, when and as that of the daemon is."""

from pathlib import Path

from daemon.storage.vote_log import VoteLog
from daemon.voice import VOTE_LOG_SIZE_MAX
from protocol.consensus import LogRecord, is_settled
from simulations.run import Run
from simulations.scenario.model import Fault
from simulations.world.core_host import CoreHost
from simulations.world.vote_log import DAEMON_LIMIT, PREFIX_SIZE, PruneLog, batch_size, log_size
from tests.simulations.scenes import QUIET, finish, scene, workload_of

SMALL = 1_000


def run_with_logs(limit: int) -> Run:
    """Return a run that has not begun, in which all vote logs have this limit."""
    run = scene()
    for host in run.world.hosts:
        host.log_growth.limit_least = limit
    return run


def settled(host: CoreHost, log: list[LogRecord]) -> list[LogRecord]:
    """Return the records that the blocks of the host settle."""
    certificate = host.disk.certificates[host.disk.height]
    return [each for each in log if is_settled(each, certificate.epoch, certificate.view)]


def pruning_run() -> tuple[Run, CoreHost]:
    """Return a run that stands still while its first authority prunes its log."""
    run = run_with_logs(SMALL)
    host = run.world.hosts[0]
    host.fsync_min = 40
    schedule = run.world.network.schedule
    assert schedule.run_while(lambda: host.log_growth.pruning is None, until=6_000)
    return run, host


def test_the_limit_is_that_of_the_daemon() -> None:
    assert DAEMON_LIMIT == VOTE_LOG_SIZE_MAX


def test_size_and_pruning_are_those_of_a_real_log(tmp_path: Path) -> None:
    run = run_with_logs(DAEMON_LIMIT)
    finish(run)
    host = run.world.hosts[0]
    batches = [host.log[at : at + 3] for at in range(0, len(host.log), 3)]
    middle = host.disk.certificates[sorted(host.disk.certificates)[2]]
    with VoteLog[LogRecord].open(tmp_path / "votes", run.world.cast.id, LogRecord, 0) as real:
        assert real.size == PREFIX_SIZE
        for batch in batches:
            real.append(batch)
        assert real.size == PREFIX_SIZE + sum(map(batch_size, batches))

        real.prune(lambda record: not is_settled(record, middle.epoch, middle.view))
        needed = PruneLog(middle.epoch, middle.view).needed(host.log)
        assert list(real.read()) == needed
        assert 0 < len(needed) < len(host.log)


def test_a_small_log_is_never_pruned_and_a_restarted_host_reads_all_of_it() -> None:
    run = run_with_logs(DAEMON_LIMIT)
    finish(run)
    host = run.world.hosts[0]

    assert settled(host, host.log)
    assert list(host.origin().log) == host.log
    assert host.fate["pruned"] == 0


def test_a_log_that_has_grown_forgets_what_is_settled() -> None:
    run = run_with_logs(SMALL)
    finish(run)
    host = run.world.hosts[0]

    assert host.fate["pruned"] > 3
    assert log_size(host.log) < 3 * SMALL  # What the last two blocks add is more than SMALL.
    assert all(each.fate["pruned"] == 0 for each in run.world.hosts[4:]), "members write no votes"


def test_nothing_else_is_done_while_the_log_is_pruned() -> None:
    run, host = pruning_run()
    done, height = host.effects_done, host.disk.height
    old = list(host.log)

    assert settled(host, old), "the block is stored before that"
    run.world.network.run(until=run.world.now + 79)
    assert (host.effects_done, host.disk.height, host.log) == (done, height, old)
    run.world.network.run(until=run.world.now + 1)
    assert host.fate["pruned"] == 1
    assert host.effects_done > done


def test_who_dies_while_it_prunes_finds_the_old_log_or_the_new_one() -> None:
    found = set()
    for seed in range(6):
        run, host = pruning_run()
        old, pruning = list(host.log), host.log_growth.pruning
        assert pruning is not None
        run.world.network.random.seed(seed)
        host.restart_after(300)
        assert host.log in (old, pruning.needed(old))
        found.add(len(host.log))
        finish(run)

    assert len(found) == 2


def test_of_what_is_written_when_a_process_dies_all_is_there_or_nothing() -> None:
    kept = set()
    for seed in range(6):
        run = run_with_logs(DAEMON_LIMIT)
        host = run.world.hosts[0]
        schedule = run.world.network.schedule
        assert schedule.run_while(lambda: len(host.syncing) < 2, until=6_000)  # noqa: B023
        before, batch = list(host.log), list(host.syncing)
        run.world.network.random.seed(seed)
        host.kill()
        assert host.log in (before, before + batch)
        kept.add(len(host.log) - len(before))

    assert len(kept) == 2


def put_the_chain_back(back: int) -> CoreHost:
    """Put the chain of a pruning authority back by some blocks at this time; its log stays."""
    fault = Fault(kind="restore-backup", at=4_500, duration=back - 4_500, nodes=("authority-0",))
    run = scene(fault, load=QUIET, duration=9_000)
    host = run.world.hosts[0]
    host.log_growth.limit_least = SMALL
    people = workload_of(run)
    for at in (5_000, 5_600, 6_200):
        run.world.network.after(at, people.commit_records)
    finish(run)
    assert host.fate["pruned"] > 0
    assert host.disk.height == 3
    return host


def test_a_chain_that_is_put_back_below_an_empty_log_silences_its_authority() -> None:
    assert put_the_chain_back(8_000).fate["halt-vote-log-stale"] == 1


def test_a_log_that_still_says_something_lets_its_authority_vote_again() -> None:
    """It waits for the chain that allowed the log to be pruned (R13)."""
    for back in (6_250, 6_270, 6_290):
        assert put_the_chain_back(back).fate["halt-vote-log-stale"] == 0
