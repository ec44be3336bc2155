"""The consensus machine of one authority: inputs in, effects out.

Each step first checks the input, then records what it says, then applies the rules until none
has anything left to do. Whatever order messages come in, the decisions are made in one place and
from all that is known. Nothing here waits, reads a clock, or draws a random number.
"""

from collections.abc import Iterable
from typing import assert_never

from protocol.blocks import Block, block_hash
from protocol.consensus.admission import is_awaited, is_wanted, validate_message
from protocol.consensus.alarms import fire
from protocol.consensus.certificates import (
    count_vote,
    record_certificate,
    record_vote,
)
from protocol.consensus.electorate import electorate
from protocol.consensus.finality import adopt, hand_over
from protocol.consensus.guard import make_guard
from protocol.consensus.interface import (
    Application,
    BlocksSynced,
    CancelTimer,
    Effect,
    EventsAdmitted,
    FinalizeBlocks,
    Halt,
    Input,
    Instant,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
    Persist,
    Persisted,
    Started,
    TimerFired,
)
from protocol.consensus.listening import answer, ask, note_late_vote, take_answer
from protocol.consensus.log import LogRecord, OwnVote, Replay, replay
from protocol.consensus.pacemaker import arm
from protocol.consensus.questions import ask_for_missing
from protocol.consensus.recovery import restart
from protocol.consensus.report import Waiting, waiting
from protocol.consensus.retransmission import (
    admitted,
    help_late_voter,
    help_leave,
    help_status,
    hurry,
    status,
)
from protocol.consensus.state import Attempt, Peer, State
from protocol.consensus.timing import Timing
from protocol.consensus.voting import finalize, notarize, nullify, propose
from protocol.genesis import Genesis
from protocol.identity import MemberId, NetworkId, SigningKey, Verifier
from protocol.messages import (
    BlockSent,
    BlockWanted,
    CertificateWanted,
    ConsensusMessage,
    Proposal,
    Status,
    VotesSeen,
    VotesWanted,
)
from protocol.state import EpochEntry
from protocol.votes import Certificate, Vote

RULES = (hand_over, finalize, notarize, nullify, propose, arm)
"""In this order; after a rule has changed something, the first one is tried again."""

LISTENING_RULES = (hand_over, arm)
"""Those that sign nothing (R13)."""

CHANGES_PER_STEP_MAX = 10_000
"""Every rule signs or arms something only once, so a step ends. More is a mistake of ours."""


class Consensus:
    """Simplex consensus of one authority (Chan and Pass 2023), with the rules of docs/protocol.md.

    One machine serves one `epoch`, in which we are authority number `me`. `tip` is the newest
    finalized block with its certificate, which says nothing while that is the block that the epoch
    stands on; `log` is all that the vote log holds. Only whoever knows for sure that the key signed
    nothing else in this epoch may say that it need not listen first (R13). When the last block of
    the epoch is final, the machine falls silent: the next epoch has another one.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        genesis: Genesis,
        network: NetworkId,
        epoch: EpochEntry,
        me: int,
        key: SigningKey,
        application: Application,
        verifier: Verifier,
        log: Iterable[LogRecord],
        tip: tuple[Block, Certificate | None],
        listens_first: bool = True,
    ) -> None:
        voters = electorate(epoch, network, me=me)
        assert key.public == epoch.authorities[me].voting_key, "the key belongs to `me`"
        timing = Timing(delay=genesis.delay_bound, faulty_max=voters.faulty_max)
        block, finalization = tip
        records = tuple(log)
        assert block.header.height >= epoch.base_height
        if block.header.height == epoch.base_height:
            finalization = None
        else:
            assert finalization is not None
            assert finalization.epoch == epoch.epoch
        self._state = State(
            network=network,
            electorate=voters,
            timing=timing,
            key=key,
            application=application,
            verifier=verifier,
            tip=block,
            tip_hash=block_hash(block.header),
            finalization=finalization,
            peers=tuple(Peer() for _ in epoch.authorities),
            attempt=Attempt(entered_at=0, retransmit_after=timing.retransmit),
            guard=make_guard(
                records,
                epoch=epoch.epoch,
                finalized_view=0 if finalization is None else finalization.view,
                answers_needed=voters.quorum - 1 if listens_first else 0,
            ),
            now=Instant(monotonic=0, wall=0),
        )
        self._replay = replay(records, epoch.epoch, self._state.finalized_view)

    @property
    def epoch(self) -> int:
        return self._state.epoch

    @property
    def is_listening(self) -> bool:
        """Say whether we may not sign anything yet, because our log may be old (R13)."""
        return self._state.is_listening

    def step(self, now: Instant, input: Input) -> list[Effect]:
        """Take in one input, and return what to do, strictly in that order.

        Raises a `ProtocolError` if a message is none that an honest authority sends; then nothing
        has changed.
        """
        state = self._state
        state.now = now
        if state.halted is not None or state.is_over:
            return []
        self._record(input)
        self._advance()
        if state.halted is not None:
            stray = [Persist(tuple(state.records))] if state.records else []
            return [*stray, Halt(state.halted)]
        if not state.is_over:
            ask_for_missing(state)
        # What is sent is on its way before anything is applied.
        effects, state.effects = state.effects, []
        if len(effects) > 1:
            effects.sort(key=lambda effect: isinstance(effect, FinalizeBlocks))
        if state.records:
            records = (*state.unlogged, *state.records)
            effects.insert(0, Persist(records))
            state.unlogged, state.records = [], []
        return effects

    def retire(self) -> list[CancelTimer]:
        """The epoch is over: be silent from now on."""
        self._state.is_over = True
        timers, self._state.timers = self._state.timers, {}
        return [CancelTimer(timer) for timer in timers]

    def waiting_for(self) -> Waiting:
        """Return where consensus stands and what it waits for."""
        return waiting(self._state, self._state.now.monotonic)

    def _record(self, input: Input) -> None:
        match input:
            case Started():
                restart(self._state, self._replay)
                self._replay = Replay()
            case MessageReceived(sender, message):
                validate_message(self._state, sender, message)
                self._hear(sender)
                self._record_message(sender, message)
                ask(self._state, sender)
            case TimerFired(timer):
                fire(self._state, timer)
            case Persisted(records):
                for record in records:
                    if isinstance(record, OwnVote) and record.vote.epoch == self._state.epoch:
                        count_vote(self._state, record.vote)
            case PeerConnected(member):
                if member in self._state.electorate.signers:
                    self._state.send(member, status(self._state))
                    ask(self._state, member)
                    hurry(self._state)
            case BlocksSynced(blocks, certificate):
                record_certificate(self._state, certificate)
                adopt(self._state, blocks[-1])
            case EventsAdmitted(is_again):
                admitted(self._state, is_again=is_again)
            case PeerDisconnected():
                pass
            case _:
                assert_never(input)

    def _hear(self, sender: MemberId) -> None:
        state = self._state
        peer = state.peers[state.electorate.signers[sender]]
        heard_at, peer.heard_at = peer.heard_at, state.now.monotonic
        if heard_at is None or state.now.monotonic - heard_at > state.timing.silence:
            hurry(state)

    def _record_message(self, sender: MemberId, message: ConsensusMessage) -> None:
        state = self._state
        match message:
            case Vote():
                help_late_voter(state, sender, message)
                note_late_vote(state, sender, message)
                record_vote(state, message)
            case Certificate():
                record_certificate(state, message)
            case Proposal():
                self._record_proposal(message)
            case Status():
                if message.certificate is not None:
                    record_certificate(state, message.certificate)
                help_status(state, sender, message)
            case BlockSent(block):
                if is_wanted(state, block_hash(block.header)):
                    state.application.keep(block)
            case BlockWanted(block_id):
                self._send_block(sender, block_id)
            case CertificateWanted(view=view):
                help_leave(state, sender, view)
            case VotesWanted():
                answer(state, sender, message)
            case VotesSeen():
                take_answer(state, sender, message)
            case _:
                assert_never(message)

    def _record_proposal(self, proposal: Proposal) -> None:
        state = self._state
        for certificate in proposal.justification:
            record_certificate(state, certificate)
        record_vote(state, proposal.vote)
        if is_wanted(state, proposal.vote.block):
            state.application.keep(proposal.block)
        if is_awaited(state, proposal.vote.view):
            state.round(proposal.vote.view).proposal = proposal.block
            state.application.keep(proposal.block)

    def _send_block(self, sender: MemberId, block_id: bytes) -> None:
        state = self._state
        signer = state.electorate.signers[sender]
        block = state.application.block(block_id)
        if block is not None and state.answers.may_give(
            signer, block_id, now=state.now.monotonic, interval=state.timing.delay
        ):
            state.send(sender, BlockSent(block))

    def _advance(self) -> None:
        for _ in range(CHANGES_PER_STEP_MAX):
            rules = LISTENING_RULES if self._state.is_listening else RULES
            if self._state.halted is not None or self._state.is_over:
                return
            if not any(rule(self._state) for rule in rules):
                return
        raise AssertionError("the rules never come to rest")
