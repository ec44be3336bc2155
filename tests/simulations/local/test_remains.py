"""What is wrong on the disks of daemons is found; here they are those of virtual hosts."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from msgspec.structs import replace as with_fields

from protocol.consensus import CertificateLogged, OwnVote
from protocol.digest import StateDigest
from protocol.genesis import Genesis
from protocol.votes import VoteKind
from simulations.local.remains import Remains, find_in_remains
from simulations.world.core_host import CoreHost
from tests.simulations.scenes import BUSY, finish, scene

AT = 1_234


def remains_of(host: CoreHost) -> Remains:
    disk = host.disk
    return Remains(
        name=host.label,
        blocks=tuple(disk.blocks),
        certificates=dict(disk.certificates),
        state=dict(disk.state),
        digest=disk.digest,
        log=tuple(host.log),
    )


@pytest.fixture(scope="module")
def disks() -> tuple[Genesis, list[Remains]]:
    load = with_fields(BUSY, start=1_000, consents=3, withdrawals=2, fetches=0, emergencies=0)
    run = scene(load=load, crypto="real", duration=8_000, members=1)
    finish(run)
    found = [remains_of(host) for host in run.world.hosts]
    assert all(len(each.blocks) > 3 and len(each.log) > 3 for each in found[:4])
    return run.world.cast.genesis, found


def test_good_disks_have_nothing_wrong(disks: tuple[Genesis, list[Remains]]) -> None:
    genesis, remains = disks

    violations, looked_at = find_in_remains(genesis, remains, AT)

    assert violations == ()
    assert looked_at["checked blocks"] == sum(len(each.blocks) for each in remains)
    assert looked_at["checked votes"] > 10
    assert looked_at["checked withdrawals"] > 0


def with_another_state(remains: Remains) -> Remains:
    key = min(remains.state)
    return replace(remains, state={**remains.state, key: remains.state[key] + b"!"})


def with_another_digest(remains: Remains) -> Remains:
    return replace(remains, digest=StateDigest())


def with_another_block(remains: Remains) -> Remains:
    changed = with_fields(
        remains.blocks[2],
        header=with_fields(
            remains.blocks[2].header, timestamp=remains.blocks[2].header.timestamp + 1
        ),
    )
    return replace(remains, blocks=(*remains.blocks[:2], changed, *remains.blocks[3:]))


def with_an_event_left_out(remains: Remains) -> Remains:
    place = next(number for number, block in enumerate(remains.blocks) if block.events)
    changed = with_fields(remains.blocks[place], events=())
    return replace(remains, blocks=(*remains.blocks[:place], changed, *remains.blocks[place + 1 :]))


def with_a_second_vote(remains: Remains) -> Remains:
    record = next(
        each
        for each in remains.log
        if isinstance(each, OwnVote) and each.vote.kind is VoteKind.FINALIZE
    )
    other = with_fields(record.vote, block=bytes(32))
    return replace(remains, log=(*remains.log, OwnVote(other)))


def with_a_vote_given_up(remains: Remains) -> Remains:
    record = next(
        each
        for each in remains.log
        if isinstance(each, OwnVote) and each.vote.kind is VoteKind.FINALIZE
    )
    other = with_fields(record.vote, kind=VoteKind.NULLIFY, block=bytes(32))
    return replace(remains, log=(*remains.log, OwnVote(other)))


def with_a_forged_certificate(remains: Remains) -> Remains:
    record = next(each for each in remains.log if isinstance(each, CertificateLogged))
    other = with_fields(record.certificate, signatures=(bytes(64),) * 3)
    return replace(remains, log=(*remains.log, CertificateLogged(other)))


def with_a_withdrawal_forgotten(remains: Remains) -> Remains:
    """The chain has it; the state is that of before."""
    return replace(remains, state={}, digest=remains.digest)


@pytest.mark.parametrize(
    ("spoil", "checker"),
    [
        (with_another_state, "Reexecution"),
        (with_another_digest, "Agreement"),
        (with_another_block, "Agreement"),
        (with_an_event_left_out, "Agreement"),
        (with_a_second_vote, "Votes"),
        (with_a_vote_given_up, "Votes"),
        (with_a_forged_certificate, "Certificates"),
        (with_a_withdrawal_forgotten, "Withdrawals"),
    ],
)
def test_what_is_wrong_on_one_disk_is_found(
    disks: tuple[Genesis, list[Remains]], spoil: Callable[[Remains], Remains], checker: str
) -> None:
    genesis, (first, *others) = disks

    violations, _ = find_in_remains(genesis, [*others, spoil(first)], AT)

    assert checker in {each.checker for each in violations}
    assert {each.at for each in violations} == {AT}
    assert {each.node for each in violations if each.checker == checker} == {first.name}


def test_a_disk_without_the_whole_chain_is_left_out(disks: tuple[Genesis, list[Remains]]) -> None:
    genesis, (first, *others) = disks

    violations, looked_at = find_in_remains(genesis, [replace(first, blocks=()), *others], AT)

    assert violations == ()
    assert looked_at["checked blocks"] == sum(len(each.blocks) for each in others)
    assert find_in_remains(genesis, [replace(first, blocks=())], AT)[0] == ()
