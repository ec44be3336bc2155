"""What is in a vote log, found without reading it again each time that somebody asks."""

from protocol.blocks import block_hash
from protocol.consensus import CertificateLogged, LogRecord, OwnVote, ProposalLogged
from protocol.votes import Vote, VoteKind


class LogIndex:
    """What the log of a host shows; the log only grows, unless it was exchanged."""

    def __init__(self, log: list[LogRecord]) -> None:
        self.log = log
        self.votes: set[Vote] = set()
        self.blocks: set[bytes] = set()
        self.notarized: set[bytes] = set()
        self.left: set[tuple[int, int]] = set()
        """Epochs and views that a certificate has ended."""
        self._read = 0

    def update(self) -> None:
        """Read what has come since the last time."""
        for record in self.log[self._read :]:
            match record:
                case OwnVote(vote):
                    self.votes.add(vote)
                case ProposalLogged(block):
                    self.blocks.add(block_hash(block.header))
                case CertificateLogged(certificate):
                    self.left.add((certificate.epoch, certificate.view))
                    if certificate.kind is VoteKind.NOTARIZE:
                        self.notarized.add(certificate.block)
        self._read = len(self.log)
