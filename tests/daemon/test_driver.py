"""The driver with a real store and a real vote log: a network of one authority, on one disk."""

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
import trio
from msgspec.structs import replace

from daemon.driver import Driver, now
from daemon.pruner import Pruner
from daemon.receipts import Receipt
from daemon.silence import OVER_KEY, after_halt
from daemon.storage import pruning
from daemon.storage.errors import CorruptStore
from daemon.storage.proofs import keep_proofs
from daemon.storage.staging import stage_entries
from daemon.storage.store import ChainStore
from daemon.storage.vote_log import BALLAST_NAME, BALLAST_SIZE, VoteLog
from protocol.blocks import (
    Block,
    FinalizedBlocks,
    block_hash,
    compute_events_root,
    genesis_block,
)
from protocol.codec import decode, encode
from protocol.consensus import Halt, HaltReason, Instant, LogRecord, OwnVote
from protocol.core import Core
from protocol.digest import BUCKET_COUNT, StateDigest
from protocol.effects import (
    Effect,
    EpochStarted,
    EventsSubmitted,
    Input,
    MessageReceived,
    PeerConnected,
)
from protocol.errors import DecodeError, InvalidEvent, ProtocolError
from protocol.events import SignedEvent
from protocol.identity import MemberId
from protocol.ledger import genesis_changes
from protocol.messages import ManifestSent, PeerMessage, RangeWanted
from protocol.origin import Origin
from protocol.snapshot import AdoptSnapshot
from protocol.state import EpochEntry
from tests.eventually import eventually
from tests.protocol.examples import (
    CREATED_AT,
    consent_given,
    consent_withdrawn,
    id_of,
    make_certificate,
    make_key,
    make_network,
    token,
)

NETWORK = make_network(authority_count=1, member_count=1)
AUTHORITY = NETWORK.authorities[0]
PEER = NETWORK.members[0].id
PATIENT = make_key("patient")


@dataclass
class Rig:
    """A driver and what it did to the outside."""

    driver: Driver
    vote_log: VoteLog[LogRecord]
    store: ChainStore
    sent: list[tuple[MemberId, PeerMessage]] = field(default_factory=list)
    blamed: list[ProtocolError] = field(default_factory=list)

    def take(self, member: MemberId, frame: bytes) -> bool:
        self.sent.append((member, decode(frame, PeerMessage)))
        return True

    async def submit(self, signed: SignedEvent) -> Receipt:
        with trio.fail_after(30), self.driver.receipts.waiting(id_of(NETWORK, signed)) as waiter:
            await self.driver.put(EventsSubmitted((signed,)))
            return await waiter.wait()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Rig]:
    with ExitStack() as stack:
        store = stack.enter_context(ChainStore.open(folder / "chain", NETWORK.id))
        votes = stack.enter_context(
            VoteLog[LogRecord].open(folder / "votes", NETWORK.id, LogRecord, ballast_size=4096)
        )
        if store.is_new:
            changes = genesis_changes(NETWORK.genesis)
            digest = StateDigest().updated({}, changes)
            store.begin(genesis_block(NETWORK.genesis, digest.root), changes, digest.encode())

        def origin() -> Origin:
            return Origin(
                genesis=NETWORK.genesis,
                key=AUTHORITY.key,
                voting_keys=(AUTHORITY.voting_key,),
                head=store.head,
                certificate=store.certificate(store.height),
                state=store,
                digest=StateDigest.decode(store.digest),
                log=votes.read(),
                lowest_height=store.lowest_height,
                sequence=time.time_ns() // 1_000_000,
            )

        rig = Rig(
            driver=Driver(
                core=Core(origin()),
                origin=origin,
                store=store,
                vote_log=votes,
                send_frame=lambda member, frame, _: rig.take(member, frame),
                blame=lambda _, error: rig.blamed.append(error),
            ),
            vote_log=votes,
            store=store,
        )
        async with trio.open_nursery() as nursery:
            await nursery.start(rig.driver.run)
            yield rig
            nursery.cancel_scope.cancel()


def in_an_hour() -> int:
    """Return when events should expire; example networks begin in 2027, which may be later."""
    return max(now().wall, CREATED_AT) + 3_600_000


def grant(label: str) -> SignedEvent:
    later = in_an_hour()
    return consent_given(
        NETWORK,
        PATIENT,
        AUTHORITY,
        consent=token(label, 16),
        expiry_day=later // 86_400_000 + 30,
        valid_until=later,
    )


async def test_a_receipt_means_that_the_event_is_in_the_store(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        signed = grant("consent")
        receipt = await rig.submit(signed)
        assert receipt == Receipt(id_of(NETWORK, signed), 1)
        assert rig.driver.core.chain.height == 1

    with ChainStore.open(tmp_path / "chain", NETWORK.id) as store:
        block = store.block(1)
        assert block is not None
        assert block.events == (signed,)


async def test_a_refusal_goes_back_to_the_submitter(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.submit(grant("consent"))
        with pytest.raises(InvalidEvent):
            await rig.submit(
                consent_withdrawn(
                    NETWORK,
                    make_key("another patient"),
                    consent=token("consent", 16),
                    valid_until=in_an_hour(),
                )
            )


async def test_after_a_restart_the_chain_goes_on_and_no_view_is_voted_on_twice(
    tmp_path: Path,
) -> None:
    async with running(tmp_path) as rig:
        await rig.submit(grant("first"))
    async with running(tmp_path) as rig:
        assert (await rig.submit(grant("second"))).height == 2
    async with running(tmp_path) as rig:
        votes = [
            (record.vote.view, record.vote.kind)
            for record in rig.vote_log.replayed
            if isinstance(record, OwnVote)
        ]
    assert len(votes) == len(set(votes)) >= 4


async def test_a_vote_log_that_fails_silences_the_node_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path) as rig:
        await rig.submit(grant("first"))

        def fail(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fdatasync", fail)
        rig.sent.clear()
        await rig.driver.put(EventsSubmitted((grant("second"),)))
        await eventually(lambda: rig.driver.halted is not None)
        monkeypatch.undo()
        assert "No space left" in str(rig.driver.halted)
        assert rig.driver.core.chain.height == 1
        assert not rig.sent


async def test_a_member_that_does_not_vote_halts_too_and_remembers_why(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.submit(grant("first"))
        rig.driver.core.stop_voting()
        await rig.driver.put(MessageReceived(PEER, next_block_of_another_state(rig)))
        await eventually(lambda: rig.driver.stuck is not None)
        assert rig.driver.stuck == after_halt(HaltReason.STATE_DIVERGED)
        assert rig.driver.core.chain.height == 1
        assert not rig.blamed


async def test_who_begins_to_vote_holds_room_on_the_disk_at_once(tmp_path: Path) -> None:
    ballast = tmp_path / "votes" / BALLAST_NAME
    entry = EpochEntry(epoch=1, base_height=2, authorities=NETWORK.genesis.authorities)
    async with running(tmp_path) as rig:
        await rig.driver._carry_out(EpochStarted(entry, None))
        assert ballast.stat().st_size == 4096
        await rig.driver._carry_out(EpochStarted(entry, AUTHORITY.voting_key.public))
        assert ballast.stat().st_size == BALLAST_SIZE


async def test_who_finds_no_room_when_it_is_to_begin_does_not_vote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = EpochEntry(epoch=1, base_height=2, authorities=NETWORK.genesis.authorities)

    def fail(*_: int) -> None:
        raise OSError(28, "No space left on device")

    async with running(tmp_path) as rig:
        monkeypatch.setattr("os.posix_fallocate", fail)
        await rig.driver._carry_out(EpochStarted(entry, AUTHORITY.voting_key.public))
        assert "No space left" in str(rig.driver.halted)
        assert rig.driver.core.consensus is None


@pytest.mark.parametrize("reason", OVER_KEY)
async def test_who_stopped_over_its_key_votes_again_with_another(
    tmp_path: Path, reason: HaltReason
) -> None:
    entry = EpochEntry(epoch=1, base_height=2, authorities=NETWORK.genesis.authorities)
    async with running(tmp_path) as rig:
        await rig.driver._carry_out(Halt(reason))
        assert rig.driver.halted == after_halt(reason)

        await rig.driver._carry_out(EpochStarted(entry, None))
        assert rig.driver.halted == after_halt(reason)
        await rig.driver._carry_out(EpochStarted(entry, AUTHORITY.voting_key.public))
        assert rig.driver.halted is None


async def test_a_new_key_does_not_help_who_stopped_for_another_reason(tmp_path: Path) -> None:
    entry = EpochEntry(epoch=1, base_height=2, authorities=NETWORK.genesis.authorities)
    async with running(tmp_path) as rig:
        await rig.driver._carry_out(Halt(HaltReason.STATE_DIVERGED))
        await rig.driver._carry_out(EpochStarted(entry, AUTHORITY.voting_key.public))

        assert rig.driver.halted == after_halt(HaltReason.STATE_DIVERGED)
        assert rig.driver.core.consensus is None


def next_block_of_another_state(rig: Rig) -> FinalizedBlocks:
    """Return an empty block on the head that a quorum made final, with a state that is wrong."""
    head = rig.driver.core.chain.head
    header = replace(
        head.header,
        view=head.header.view + 1,
        parent_view=head.header.view,
        height=2,
        parent=block_hash(head.header),
        timestamp=head.header.timestamp + 1,
        state_digest=token("elsewhere"),
        event_count=0,
        events_root=compute_events_root(()),
    )
    certificate = make_certificate(NETWORK, view=header.view, block=block_hash(header))
    return FinalizedBlocks((Block(header, ()),), certificate)


async def test_bytes_that_are_no_message_are_blamed_on_their_sender(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        rig.driver.receive_frame(PEER, b"\xc1 not a message")
        assert isinstance(rig.blamed[0], DecodeError)


async def test_a_question_for_blocks_is_answered_from_the_store(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.submit(grant("first"))
        rig.sent.clear()
        await rig.driver.put(MessageReceived(PEER, RangeWanted(1, 10)))
        await eventually(lambda: bool(rig.sent))
        [(peer, answer)] = rig.sent
        assert peer == PEER
        assert isinstance(answer, FinalizedBlocks)
        assert [block.header.height for block in answer.blocks] == [1]
        assert decode(encode(answer), PeerMessage) == answer


class Adopting:
    """A core that has one thing to say at last: that a copied state be adopted."""

    def __init__(self, core: Core, manifest: ManifestSent) -> None:
        self._core = core
        self._manifest = manifest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._core, name)

    def step(self, at: Instant, input: Input) -> list[Effect]:
        if isinstance(input, PeerConnected):
            return [AdoptSnapshot(self._manifest)]
        return self._core.step(at, input)


async def test_an_adoption_that_meets_a_pruning_says_what_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path / "elsewhere") as far:
        for number in range(4):
            await far.submit(grant(f"far {number}"))
        certificate = far.store.certificate(4)
        assert certificate is not None
        manifest = ManifestSent(
            far.store.head, (), certificate, far.store.digest, (0,) * BUCKET_COUNT
        )
        entries = list(far.store.state_items())
    async with running(tmp_path / "here") as rig:
        for number in range(2):
            await rig.submit(grant(f"near {number}"))
        stage_entries(rig.store, entries)
        rig.driver.core = cast(Core, Adopting(rig.driver.core, manifest))
        begun = trio.Event()

        async def adopt_now() -> None:
            begun.set()
            await rig.driver.put(PeerConnected(PEER))
            await trio.testing.wait_all_tasks_blocked()
            if not len(rig.driver.inbox):  # The driver does not wait for the pruning.
                await eventually(lambda: rig.store.height == 4)

        def keep_slowly(store: ChainStore, below: int) -> None:
            trio.from_thread.run(adopt_now)
            keep_proofs(store, below)

        monkeypatch.setattr(pruning, "keep_proofs", keep_slowly)
        pruner = Pruner(rig.store, keep_blocks=0, forget_below=rig.driver.forget_below)
        await pruner.prune(keep_blocks=1)
        await eventually(lambda: rig.store.height == 4)

        assert begun.is_set()
        assert rig.store.lowest_height == rig.driver.core.catching_up.lowest_height == 4
    with ChainStore.open(tmp_path / "here" / "chain", NETWORK.id) as store:
        assert (store.lowest_height, store.block(4)) == (4, manifest.head)


async def test_who_cannot_prune_is_told_and_the_node_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise CorruptStore("the last block of epoch 0 has no certificate")

    async with running(tmp_path) as rig:
        await rig.submit(grant("first"))
        monkeypatch.setattr(pruning, "keep_proofs", fail)
        with pytest.raises(CorruptStore, match="no certificate"):
            await rig.driver.forget_below(1)
        assert rig.store.lowest_height == 0
        assert (await rig.submit(grant("second"))).height == 2
