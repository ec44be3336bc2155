"""Each checker notices what it is there for: a good run is spoilt in one way at a time."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from protocol.blocks import Block
from protocol.chain import Finalization
from protocol.consensus import Halt, HaltReason, OwnVote
from protocol.consensus.rounds import Round
from protocol.effects import Blame, SendMessage, StoreBlocks
from protocol.electorates import enter_epoch, newest_epoch
from protocol.errors import InvalidBlock
from protocol.messages import Bundle
from protocol.state import EpochEntry
from protocol.votes import Certificate, VoteKind, sign_vote
from simulations.run import Run
from simulations.world.core_host import CoreHost
from simulations.world.deeds import records_committed, token
from tests.simulations.scenes import BUSY, scene

Spoil = Callable[[Run], None]


def after_a_good_run() -> Run:
    run = scene(load=BUSY, settle=60_000)
    outcome = run.finish()
    assert outcome.violations == ()
    assert outcome.metrics["blocks"] > 3
    return run


def tell(host: CoreHost, effect: object) -> None:
    """Let the checkers believe that the host is about to do something."""
    host.show(effect)


def store(host: CoreHost, *blocks: Block, certificate: Certificate | None = None) -> None:
    last = host.disk.certificates[host.disk.height] if certificate is None else certificate
    tell(host, StoreBlocks(Finalization(blocks, {}, {}, host.disk.digest), last))


def fork(run: Run) -> None:
    host = run.world.hosts[0]
    head = host.disk.blocks[-1]
    store(host, Block(replace(head.header, timestamp=head.header.timestamp + 1), head.events))


def orphan(run: Run) -> None:
    host = run.world.hosts[0]
    head = host.disk.blocks[-1].header
    header = replace(head, height=head.height + 1, parent=bytes(32))
    store(host, Block(header, host.disk.blocks[-1].events))


def vote(run: Run, kind: VoteKind, view: int, block: bytes, epoch: int = 0) -> None:
    host = run.world.hosts[0]
    key = run.world.cast.parties[0].voting_key
    signed = sign_vote(
        key, run.world.cast.id, kind=kind, epoch=epoch, view=view, block=block, signer=0
    )
    tell(host, SendMessage((), signed))


def vote_from_memory(run: Run) -> None:
    vote(run, VoteKind.NULLIFY, 1_000, bytes(32))


def contradict(run: Run) -> None:
    view = run.world.hosts[0].disk.blocks[-1].header.view
    vote(run, VoteKind.NULLIFY, view, bytes(32))


def certify_with_two(run: Run) -> None:
    host = run.world.hosts[0]
    good = host.disk.certificates[host.disk.height]
    bad = replace(good, signers=good.signers[:2], signatures=good.signatures[:2])
    tell(host, SendMessage((), bad))


def skip_a_view(run: Run) -> None:
    """Make a block final that leaves a view out which nobody gave up."""
    host = run.world.hosts[0]
    head = host.disk.blocks[-1].header
    header = replace(
        head, height=head.height + 1, parent_view=head.view, view=head.view + 2, parent=bytes(32)
    )
    store(host, Block(header, host.disk.blocks[-1].events))


def count_too_early(run: Run) -> None:
    """Let an authority hold a vote of its own that is only being written."""
    host = run.world.hosts[0]
    consensus = host.core.consensus
    assert consensus is not None
    state = consensus._state
    own = sign_vote(
        state.key,
        state.network,
        kind=VoteKind.NULLIFY,
        epoch=state.epoch,
        view=state.view,
        block=bytes(32),
        signer=state.electorate.me,
    )
    state.round(state.view).count(own)
    host._syncing = (OwnVote(own),)
    for look in host.while_syncing:
        look(host)


def vote_in_the_next_epoch(run: Run) -> None:
    host = run.world.hosts[0]
    entry = newest_epoch(host.disk.state)
    later = EpochEntry(epoch=1, base_height=10_000, authorities=entry.authorities)
    host.disk.state |= {k: v for k, v in enter_epoch(later).items() if v is not None}
    vote(run, VoteKind.NULLIFY, 1, bytes(32), epoch=1)


def blame_the_honest(run: Run) -> None:
    tell(run.world.hosts[0], Blame(run.world.hosts[1].id, InvalidBlock("?")))


def halt(run: Run) -> None:
    tell(run.world.hosts[0], Halt(HaltReason.STATE_DIVERGED))


def remember_too_much(run: Run) -> None:
    consensus = run.world.hosts[0].core.consensus
    assert consensus is not None
    consensus._state.rounds.update({10_000 + number: Round() for number in range(300)})


def lose_a_timer(run: Run) -> None:
    run.world.hosts[0].timers.clear()


def repeat_a_disclosure(run: Run) -> None:
    blocks = run.world.witness.disk.blocks
    blocks.append(next(block for block in blocks if "Disclosure" in str(block)))


def change_an_entry(run: Run) -> None:
    state = run.world.hosts[0].disk.state
    state[next(iter(state))] += b"!"


def forget_a_withdrawal(run: Run) -> None:
    state = run.world.hosts[0].core.state
    host = run.world.hosts[0]
    setattr(host.core, "is_withdrawn", lambda _: False)  # noqa: B010
    for key in [key for key in host.disk.state if state.get(key) and key[:1] == b"c"]:
        del host.disk.state[key]


def leave_an_event(run: Run) -> None:
    host = run.world.hosts[0]
    party = run.world.cast.parties[0]
    event = records_committed(run.world.cast, party, root=token("late"), valid_until=10**13)
    host.submitted[token("late")] = event


def stay_behind(run: Run) -> None:
    run.world.hosts[5].kill()


def keep_talking(run: Run) -> None:
    run.world.hosts[0].timers["something"] = 10**9
    run.checkers.liveness.complete_since = -1_000_000


def storm(run: Run) -> None:
    run.world.network.bytes_of[0] += 10**9


def leak(run: Run) -> None:
    run.world.canaries.append(b"Jane Roe")
    host = run.world.hosts[0]
    run.world.network.carry(host, 1, Bundle(host.id, 1, (), b"Jane Roe" + bytes(56)))


@pytest.mark.parametrize(
    ("spoil", "checker", "text"),
    [
        (fork, "Agreement", "two blocks are final"),
        (orphan, "Agreement", "does not stand on its parent"),
        (vote_from_memory, "Votes", "is not durable"),
        (contradict, "Votes", "finalized and nullified"),
        (certify_with_two, "Certificates", "not a quorum"),
        (skip_a_view, "Skips", "skips view"),
        (count_too_early, "Votes", "before it is durable"),
        (vote_in_the_next_epoch, "Epochs", "did not begin"),
        (vote_in_the_next_epoch, "Epochs", "never begins"),
        (blame_the_honest, "Evidence", "blames authority-1"),
        (halt, "Evidence", "halted"),
        (remember_too_much, "Bounds", "rounds"),
        (lose_a_timer, "Bounds", "not set"),
        (repeat_a_disclosure, "Ledger", "has a gap"),
        (change_an_entry, "Reexecution", "not that of the chain"),
        (forget_a_withdrawal, "Withdrawals", "does not count"),
        (leave_an_event, "Liveness", "neither final nor refused"),
        (stay_behind, "Liveness", "is down"),
        (keep_talking, "Liveness", "is not quiet"),
        (storm, "Budget", "sent"),
        (leak, "Canaries", "about a patient"),
    ],
)
def test_what_breaks_is_named(spoil: Spoil, checker: str, text: str) -> None:
    run = after_a_good_run()
    spoil(run)
    run.checkers.at_end()

    found = run.checkers.watch.violations
    assert any(each.checker == checker and text in each.text for each in found), found
    assert all(each.at == run.world.now for each in found)


def test_what_a_node_raises_ends_the_run_and_is_named() -> None:
    run = scene()

    def fail(*_: object) -> None:
        raise AssertionError("we are to blame")

    run.world.network.after(5_000, fail)
    outcome = run.finish()

    assert [each.checker for each in outcome.violations] == ["Crash"]
    assert "we are to blame in fail" in outcome.violations[0].text
