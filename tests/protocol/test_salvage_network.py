"""What had become final anywhere is still there after a recovery, whoever was lost, and when."""

from dataclasses import replace
from random import Random

import pytest

from protocol.consensus import Frozen, report_of
from protocol.genesis import Authority
from protocol.salvage import reports_needed, salvage
from protocol.state import EpochEntry
from protocol.survivors import SurvivorReport, validate_report, validate_together
from simulations.world.crypto import FastKey
from tests.protocol.campaign import Run, plan_of, prepare
from tests.protocol.toy_host import ToyHost

SEEDS = range(40)


def member_key(member: bytes) -> FastKey:
    """The toy's members have ids and no keys; anybody can sign with a fast key."""
    key = FastKey(b"")
    key.public = member
    return key


def freeze(host: ToyHost) -> SurvivorReport:
    """Stop an authority for good, and let its disk speak."""
    host.kill()
    host.log.append(Frozen(0))
    tip = host.chain[-1]
    return report_of(
        host.log,
        network=host.world.network,
        epoch=0,
        key=member_key(host.world.member(host.name)),
        head=tip,
        certificate=host.certificates.get(tip.header.height),
    )


def ended_epoch(host: ToyHost) -> EpochEntry:
    authorities: tuple[Authority, ...] = host.world.genesis.authorities
    return EpochEntry(0, 0, authorities)


def run_until_some_are_lost(seed: int) -> tuple[Run, list[ToyHost]]:
    """Let faults happen in one epoch; then choose so few survivors that they cannot go on."""
    run = prepare(replace(plan_of(seed), joiners=0, changes=()))
    chance = Random(seed)
    run.network.run(until=chance.randint(3_000, run.plan.faults_until))
    needed = max(1, reports_needed(run.plan.size))
    survivors = chance.sample(run.checks.honest, min(needed, len(run.checks.honest)))
    return run, sorted(survivors, key=lambda host: host.name)


@pytest.mark.parametrize("first", SEEDS[::10])
def test_nothing_final_is_lost_and_nobody_honest_is_accused(first: int) -> None:
    for seed in range(first, first + 10):
        run, survivors = run_until_some_are_lost(seed)
        ended = ended_epoch(survivors[0])
        reports = [freeze(host) for host in survivors]
        for report in reports:
            validate_report(report, ended_network(run), ended, survivors[0].world.verifier)
        validate_together(reports, ended.authorities)

        found = salvage(reports, ended.authorities)

        chain = max((host.chain for host in run.checks.honest), key=len)
        known = {block.header.height: block for host in survivors for block in host.chain}
        known |= {block.header.height: block for block in found.blocks}
        assert found.base.height >= len(chain) - 1
        assert [known[block.header.height] for block in chain] == chain


def ended_network(run: Run) -> bytes:
    return run.hosts[0].world.network


def test_a_frozen_authority_votes_no_more() -> None:
    run, survivors = run_until_some_are_lost(3)
    host = survivors[0]
    run.checks.distrust(host)
    freeze(host)
    before = list(host.log)
    host.start()
    run.network.run(until=run.network.now + 60_000)

    assert host.halted == "epoch-frozen"
    assert host.log == before
