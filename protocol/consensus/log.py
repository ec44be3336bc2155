"""The vote log: what an authority must not forget, and what it is read back into.

Before a vote leaves the process, or counts at home, the log durably holds (docs/protocol.md, W1-W7)

    W1, W2  the vote itself;
    W3, W4  all certificates that this node acted on, so that after a power cut somebody can show
            how every view was left, and what was notarized before it was finalized;
    W5      for a notarize vote the whole block with its leader's vote.

Records of one `Persist` stand in that order: certificates, block, vote. So a log that is cut off
anywhere at its end still holds what its votes rest on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from protocol.blocks import Block, block_hash
from protocol.codec import Counter, Message
from protocol.votes import Certificate, Vote, VoteKind


class OwnVote(Message, frozen=True, tag="own-vote"):
    vote: Vote


class ProposalLogged(Message, frozen=True, tag="proposal-logged"):
    """A block that we vote for, with its leader's vote unless that is ours or never came."""

    block: Block
    vote: Vote | None


class CertificateLogged(Message, frozen=True, tag="certificate-logged"):
    certificate: Certificate


class StrayVote(Message, frozen=True, tag="stray-vote"):
    """A good vote of ours that this log did not hold: nobody may vote on from it (R11, R13)."""

    vote: Vote


class Frozen(Message, frozen=True, tag="frozen"):
    """Nothing is signed any more in this epoch: we have reported what we know (recovery)."""

    epoch: Counter


LogRecord = OwnVote | ProposalLogged | CertificateLogged | StrayVote | Frozen


def view_of(record: LogRecord) -> int:
    """Return the view that the record is about."""
    match record:
        case OwnVote(vote) | StrayVote(vote):
            return vote.view
        case ProposalLogged(block):
            return block.header.view
        case CertificateLogged(certificate):
            return certificate.view
        case Frozen():
            return 0


def epoch_of(record: LogRecord) -> int:
    """Return the epoch that the record is about."""
    match record:
        case OwnVote(vote) | StrayVote(vote):
            return vote.epoch
        case ProposalLogged(block):
            return block.header.epoch
        case CertificateLogged(certificate):
            return certificate.epoch
        case Frozen(epoch):
            return epoch


def is_settled(record: LogRecord, epoch: int, finalized_view: int) -> bool:
    """Say whether the log may forget the record (W7).

    It may once the block that was finalized in this view of this epoch is durable in the chain
    store, with its certificate. All that earlier epochs left is settled then, too. What forbids to
    vote is never forgotten.
    """
    if isinstance(record, StrayVote | Frozen):
        return False
    return (epoch_of(record), view_of(record)) <= (epoch, finalized_view)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a log still says of an epoch above a finalized view, by kind, in the log's order."""

    blocks: list[Block] = field(default_factory=list)
    leader_votes: list[Vote] = field(default_factory=list)
    own_votes: list[Vote] = field(default_factory=list)
    certificates: list[Certificate] = field(default_factory=list)

    def proposals(self) -> Iterator[Block]:
        """Yield the blocks that their leaders signed, as far as the log shows.

        If only the block of our own proposal was written before a crash, nobody knows of it: we
        are free to propose another.
        """
        votes = (*self.leader_votes, *self.own_votes)
        signed = {vote.block for vote in votes if vote.kind is VoteKind.NOTARIZE}
        for block in self.blocks:
            if block_hash(block.header) in signed:
                yield block


def replay(records: Iterable[LogRecord], epoch: int, finalized_view: int) -> Replay:
    """Sort the records of an epoch that are not settled."""
    result = Replay()
    for record in records:
        if epoch_of(record) != epoch or is_settled(record, epoch, finalized_view):
            continue
        match record:
            case OwnVote(vote):
                result.own_votes.append(vote)
            case CertificateLogged(certificate):
                result.certificates.append(certificate)
            case ProposalLogged(block, vote):
                result.blocks.append(block)
                if vote is not None:
                    result.leader_votes.append(vote)
            case StrayVote() | Frozen():
                pass  # The guard knows them.
    return result
