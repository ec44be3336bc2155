"""What no honest authority sends is refused before it leaves a trace."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from protocol.blocks import Block
from protocol.consensus import MessageReceived, NotAVoter, WrongEpoch
from protocol.consensus.rounds import Round
from protocol.consensus.state import ROUNDS_AHEAD_MAX
from protocol.errors import InvalidBlock, InvalidCertificate, InvalidSignature, ProtocolError
from protocol.messages import BlockWanted, CertificateWanted, Proposal, Status
from protocol.votes import VoteKind
from tests.protocol.conversation import (
    WORLD,
    Conversation,
    block_on,
    certificate_of,
    leader_of,
    proposal_of,
    vote_of,
)

N, X, F = VoteKind.NOTARIZE, VoteKind.NULLIFY, VoteKind.FINALIZE
FIRST = block_on(WORLD.base, 1, 7)
LEADER = leader_of(1)
FOLLOWER, FOURTH, THIRD = (leader_of(view) for view in (2, 3, 4))
SIGNERS = tuple(sorted((LEADER, THIRD, FOURTH)))
NOTARIZATION = certificate_of(N, 1, FIRST, SIGNERS)
PROPOSAL = proposal_of(FIRST)


def changed(message: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(message, **changes)


def with_header(**changes: Any) -> Block:
    return Block(changed(FIRST.header, **changes), FIRST.events)


@dataclass(frozen=True)
class Lie:
    message: Any
    error: type[ProtocolError]


LIES = {
    "vote with another's signature": Lie(
        changed(vote_of(THIRD, N, 1, FIRST), signer=FOURTH), InvalidSignature
    ),
    "vote of nobody": Lie(changed(vote_of(THIRD, N, 1, FIRST), signer=4), InvalidSignature),
    "nullification of a block": Lie(changed(vote_of(THIRD, N, 1, FIRST), kind=X), InvalidSignature),
    "notarization of nothing": Lie(changed(vote_of(THIRD, X, 1), kind=N), InvalidSignature),
    "vote of another epoch": Lie(changed(vote_of(THIRD, X, 1), epoch=1), WrongEpoch),
    "certificate with a vote too few": Lie(
        changed(
            NOTARIZATION,
            signers=NOTARIZATION.signers[:2],
            signatures=NOTARIZATION.signatures[:2],
        ),
        InvalidCertificate,
    ),
    "certificate with a vote too many": Lie(
        changed(
            NOTARIZATION,
            signers=(0, 1, 2, 3),
            signatures=tuple(vote_of(signer, N, 1, FIRST).signature for signer in range(4)),
        ),
        InvalidCertificate,
    ),
    "certificate with one vote thrice": Lie(
        changed(
            NOTARIZATION,
            signers=(THIRD,) * 3,
            signatures=(vote_of(THIRD, N, 1, FIRST).signature,) * 3,
        ),
        InvalidCertificate,
    ),
    "certificate out of order": Lie(
        changed(
            NOTARIZATION,
            signers=NOTARIZATION.signers[::-1],
            signatures=NOTARIZATION.signatures[::-1],
        ),
        InvalidCertificate,
    ),
    "certificate of another view": Lie(changed(NOTARIZATION, view=2), InvalidCertificate),
    "certificate of another epoch": Lie(changed(NOTARIZATION, epoch=1), WrongEpoch),
    "status with a bad certificate": Lie(
        Status(0, 2, 1, changed(NOTARIZATION, kind=F), 0), InvalidCertificate
    ),
    "status of another epoch": Lie(Status(1, 2, 1, None, 0), WrongEpoch),
    "question about another epoch": Lie(CertificateWanted(1, 1), WrongEpoch),
    "proposal of one who does not lead": Lie(
        Proposal(
            block_on(WORLD.base, 1, 7, proposer=THIRD),
            vote_of(THIRD, N, 1, block_on(WORLD.base, 1, 7, proposer=THIRD)),
            (),
        ),
        InvalidBlock,
    ),
    "proposal with another's vote": Lie(
        changed(PROPOSAL, vote=vote_of(THIRD, N, 1, FIRST)), InvalidBlock
    ),
    "proposal with a vote for another block": Lie(
        changed(PROPOSAL, vote=vote_of(LEADER, N, 1, block_on(WORLD.base, 1, 8))), InvalidBlock
    ),
    "proposal with a vote of another kind": Lie(
        changed(PROPOSAL, vote=vote_of(LEADER, F, 1, FIRST)), InvalidBlock
    ),
    "proposal with a vote of another view": Lie(
        changed(PROPOSAL, vote=vote_of(LEADER, N, 5, FIRST)), InvalidBlock
    ),
    "proposal with a forged vote": Lie(
        changed(PROPOSAL, vote=changed(PROPOSAL.vote, signature=bytes(64))), InvalidSignature
    ),
    "proposal with a bad justification": Lie(
        changed(PROPOSAL, justification=(changed(NOTARIZATION, kind=X),)), InvalidCertificate
    ),
    "proposal of another network": Lie(proposal_of(with_header(network=bytes(32))), InvalidBlock),
    "proposal without its events": Lie(
        changed(PROPOSAL, block=changed(FIRST, events=())), InvalidBlock
    ),
    "proposal of another version": Lie(proposal_of(with_header(version=2)), InvalidBlock),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_refused_and_leaves_no_trace(name: str) -> None:
    talk, lie = Conversation(FOLLOWER), LIES[name]

    with pytest.raises(lie.error):
        talk.hears(lie.message, THIRD)
    state = talk.machine._state
    assert (state.view, state.rounds, state.effects, state.records) == (1, {1: Round()}, [], [])
    assert talk.application.bodies.keys() == {state.tip_hash}
    assert state.peers[THIRD].heard_at is None


def test_a_justification_that_leads_far_ahead_does_not_hide_a_forged_vote() -> None:
    talk = Conversation(FOLLOWER)
    view = next(v for v in range(ROUNDS_AHEAD_MAX + 5, 99) if leader_of(v) != FOLLOWER)
    nullification = certificate_of(X, view - 1, None, SIGNERS)
    proposal = proposal_of(block_on(WORLD.base, view, 7), nullification)
    forged = changed(proposal, vote=changed(proposal.vote, signature=bytes(64)))

    with pytest.raises(InvalidSignature):
        talk.hears(forged, THIRD)
    talk.hears(proposal, THIRD)
    assert talk.view == view


def test_only_authorities_are_heard() -> None:
    talk = Conversation(FOLLOWER)

    with pytest.raises(NotAVoter):
        talk.step(MessageReceived(bytes(32), BlockWanted(bytes(32))))


def test_a_view_just_in_reach_is_recorded_and_the_next_is_not() -> None:
    talk = Conversation(FOLLOWER)
    last = 1 + ROUNDS_AHEAD_MAX

    assert talk.hears(vote_of(THIRD, X, last), THIRD) == []
    assert talk.hears(vote_of(THIRD, X, last + 1), THIRD) == []
    assert list(talk.machine._state.rounds) == [1, last]


def test_a_certificate_from_far_ahead_takes_us_there() -> None:
    talk = Conversation(FOLLOWER)

    talk.hears(certificate_of(X, 1_000, None, SIGNERS), THIRD)
    assert talk.view == 1_001


def test_bad_signatures_on_views_long_past_are_not_even_looked_at() -> None:
    talk = Conversation(FOLLOWER, tip=(FIRST, certificate_of(F, 1, FIRST, SIGNERS)))

    assert talk.hears(changed(vote_of(THIRD, N, 1, FIRST), signature=bytes(64)), THIRD) == []


def test_a_proposal_from_far_ahead_is_not_kept() -> None:
    talk = Conversation(FOLLOWER)
    far = next(view for view in range(3, 7) if leader_of(view) != FOLLOWER)
    talk.hears(proposal_of(block_on(FIRST, far, 8)), leader_of(far))

    assert len(talk.application.bodies) == 1
