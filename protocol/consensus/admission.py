"""Checks what others say before the machine believes it.

Every check is done, and every error raised, before anything is recorded: a refused message leaves
no trace. Signatures are checked last, and only of what is new.
"""

from collections.abc import Iterable
from typing import assert_never

from protocol.blocks import Block, BlockHash, block_hash, validate_block_form
from protocol.consensus.state import ROUNDS_AHEAD_MAX, State
from protocol.errors import InvalidBlock, InvalidSignature, ProtocolError
from protocol.identity import MemberId
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
from protocol.votes import (
    Certificate,
    Vote,
    VoteKind,
    validate_certificate,
    validate_vote,
)

PROPOSALS_AHEAD = 1
"""The proposal of the next view may overtake the last vote of this one."""


class NotAVoter(ProtocolError):
    """Only authorities take part in consensus."""

    code = "not-a-voter"


class WrongEpoch(ProtocolError):
    """The message is about another epoch: whoever drives the machine should have seen that."""

    code = "wrong-epoch"


def validate_message(state: State, sender: MemberId, message: ConsensusMessage) -> None:
    """Raise a `ProtocolError` if no honest authority would send this."""
    if sender not in state.electorate.signers:
        raise NotAVoter("only authorities take part in consensus")
    match message:
        case Vote():
            _validate_epoch(state, message.epoch)
            _validate_useful_vote(state, message)
        case Certificate():
            _validate_certificates(state, [message])
        case Proposal(block, vote, justification):
            _validate_proposal(state, block, vote, justification)
        case Status(epoch, certificate=certificate):
            _validate_epoch(state, epoch)
            if certificate is not None:
                _validate_certificates(state, [certificate])
        case BlockSent(block):
            if is_wanted(state, block_hash(block.header)):
                validate_block_form(block)
        case CertificateWanted(epoch) | VotesWanted(epoch):
            _validate_epoch(state, epoch)
        case VotesSeen(epoch, votes=votes):
            _validate_epoch(state, epoch)
            _validate_votes_seen(state, votes)
        case BlockWanted():
            pass
        case _:
            assert_never(message)


def is_of_use(state: State, view: int) -> bool:
    """Say whether votes of `view` can still matter."""
    return state.finalized_view < view <= state.view + ROUNDS_AHEAD_MAX


def is_awaited(state: State, view: int) -> bool:
    """Say whether a proposal of `view` would be looked at: of this view or the next, the first."""
    if not state.view <= view <= state.view + PROPOSALS_AHEAD:
        return False
    known = state.rounds.get(view)
    return known is None or known.proposal is None


def is_wanted(state: State, block: BlockHash) -> bool:
    """Say whether we have asked for this body."""
    return BlockWanted(block) in state.fetches.open


def is_news(state: State, certificate: Certificate) -> bool:
    """Say whether the certificate says something that we have no certificate for."""
    if certificate.view <= state.finalized_view:
        return _contradicts_finalization(state, certificate)
    known = state.rounds.get(certificate.view)
    if known is None:
        return True
    same = known.certificates.get(certificate.kind)
    return same is None or same.block != certificate.block


def _contradicts_finalization(state: State, certificate: Certificate) -> bool:
    """Say whether both certificates cannot be, unless too many authorities lie."""
    if certificate.view != state.finalized_view or state.finalization is None:
        return False
    return certificate.kind == VoteKind.NULLIFY or certificate.block != state.finalization.block


def epoch_of_message(message: ConsensusMessage) -> int | None:
    """Return the epoch that the message is about, if it says so."""
    match message:
        case Vote() | Certificate() | Status() | CertificateWanted():
            return message.epoch
        case VotesWanted() | VotesSeen():
            return message.epoch
        case Proposal(vote=vote):
            return vote.epoch
        case BlockWanted() | BlockSent():
            return None
    assert_never(message)


def _validate_epoch(state: State, epoch: int) -> None:
    if epoch != state.epoch:
        raise WrongEpoch(f"epoch {epoch} is not {state.epoch}")


def _validate_useful_vote(state: State, vote: Vote) -> None:
    if is_of_use(state, vote.view):
        _validate_vote(state, vote)


def _validate_vote(state: State, vote: Vote) -> None:
    known = state.rounds.get(vote.view)
    if known is not None and vote == known.votes[vote.kind].get(vote.signer):
        return
    validate_vote(vote, state.network, state.electorate.authorities, state.verifier)


def _validate_votes_seen(state: State, votes: Iterable[Vote]) -> None:
    """Only a vote that our log lacks has to be proved, and only while we listen."""
    if state.guard.has_answers:
        return
    for vote in votes:
        _validate_epoch(state, vote.epoch)
        if vote.signer != state.electorate.me:
            raise InvalidSignature("these are not the votes that were asked for")
        if state.guard.lacks(vote):
            _validate_vote(state, vote)


def _validate_certificates(state: State, certificates: Iterable[Certificate]) -> None:
    for certificate in certificates:
        _validate_epoch(state, certificate.epoch)
        if is_news(state, certificate):
            validate_certificate(
                certificate, state.network, state.electorate.authorities, state.verifier
            )


def _validate_proposal(
    state: State, block: Block, vote: Vote, justification: tuple[Certificate, ...]
) -> None:
    header = block.header
    _validate_epoch(state, vote.epoch)
    if header.network != state.network:
        raise InvalidBlock("the block belongs to another network")
    if (header.epoch, header.view) != (vote.epoch, vote.view) or header.view == 0:
        raise InvalidBlock("block and vote are of different views")
    if header.proposer != vote.signer or vote.signer != state.electorate.leader(header.view):
        raise InvalidBlock(f"authority {vote.signer} does not lead view {header.view}")
    if vote.kind != VoteKind.NOTARIZE or vote.block != block_hash(header):
        raise InvalidBlock("the leader's vote is not for its block")
    _validate_certificates(state, justification)
    # The justification may take us far ahead, and then what seemed of no use is of use.
    if header.view > state.finalized_view:
        _validate_vote(state, vote)
    if _may_be_kept(state, vote):
        validate_block_form(block)


def _may_be_kept(state: State, vote: Vote) -> bool:
    """Say whether the body that came with the leader's vote may be used."""
    if is_wanted(state, vote.block):
        return True
    known = state.rounds.get(vote.view)
    return vote.view >= state.view and (known is None or known.proposal is None)
