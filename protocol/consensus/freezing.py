"""What a vote log says for the recovery of a network: the report of an authority that has frozen.

First `Frozen` must be durable in the log; only then is the report signed, from all that it holds.
"""

from collections.abc import Iterable

from protocol.blocks import Block, block_hash
from protocol.consensus.log import LogRecord, replay
from protocol.identity import NetworkId, SigningKey
from protocol.survivors import SurvivorReport, sign_report
from protocol.votes import Certificate


def report_of(
    records: Iterable[LogRecord],
    *,
    network: NetworkId,
    epoch: int,
    key: SigningKey,
    head: Block,
    certificate: Certificate | None,
) -> SurvivorReport:
    """Return the signed report of the member with `key`; its log and chain are of `epoch`."""
    is_of_epoch = certificate is not None and certificate.epoch == epoch
    past = replay(records, epoch, certificate.view if certificate and is_of_epoch else 0)
    votes = {(vote.signer, vote.kind, vote.view): vote for vote in past.leader_votes}
    votes |= {(vote.signer, vote.kind, vote.view): vote for vote in past.own_votes}
    certificates = {(each.kind, each.view): each for each in past.certificates}
    blocks = {block_hash(block.header): block for block in past.blocks}
    report = SurvivorReport(
        network=network,
        epoch=epoch,
        member=key.public,
        head=head.header,
        certificate=certificate,
        votes=tuple(votes.values()),
        certificates=tuple(certificates.values()),
        blocks=tuple(blocks.values()),
        signature=bytes(64),
    )
    return sign_report(key, report)
