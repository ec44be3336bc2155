"""What authorities sign: never a contradiction, and nothing before it is durable (I1, I5, I6).

Looked at are all votes in whatever leaves an honest node: alone, in proposals, in certificates.
"""

from protocol.consensus import OwnVote
from protocol.messages import Proposal
from protocol.votes import Vote, VoteKind
from simulations.checkers.log_index import LogIndex
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost


class Votes:
    """Remembers what each honest authority has signed, over all its lives."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._signed: dict[tuple[bytes, int, int], dict[VoteKind, bytes]] = {}
        self._logs: dict[int, LogIndex] = {}
        watch.on_effect(Vote, self._voted)
        watch.on_effect(Proposal, self._proposed)
        for host in watch.honest:
            host.while_syncing.append(self._does_not_count_early)

    def _proposed(self, host: CoreHost, proposal: Proposal) -> None:
        self._voted(host, proposal.vote)

    def _voted(self, host: CoreHost, vote: Vote) -> None:
        if self.watch.name_of(vote.epoch, vote.signer) == host.name:
            self._is_durable(host, vote)
            self._is_consistent(host, vote)

    def _does_not_count_early(self, host: CoreHost) -> None:
        """W2: while a vote is being written, its own node does not count it."""
        if not host.syncing or not host.is_up or host.core.consensus is None:
            return
        state = host.core.consensus._state
        for record in host.syncing:
            if not isinstance(record, OwnVote) or record.vote.epoch != state.epoch:
                continue
            known = state.rounds.get(record.vote.view)
            if known is not None and known.holds(record.vote):
                view = record.vote.view
                self.watch.report(self, f"counts its vote in {view} before it is durable", host)

    def _is_consistent(self, host: CoreHost, vote: Vote) -> None:
        if host.place in self.watch.world.stale:
            self.watch.world.coverage["votes:from-a-stale-log"] += 1
            return
        key = self.watch.authorities(vote.epoch)[vote.signer].voting_key
        signed = self._signed.setdefault((key, vote.epoch, vote.view), {})
        if signed.setdefault(vote.kind, vote.block) != vote.block:
            self.watch.report(self, f"two {vote.kind.name} votes in view {vote.view}", host)
        if VoteKind.FINALIZE not in signed:
            return
        if VoteKind.NULLIFY in signed:
            self.watch.report(self, f"finalized and nullified view {vote.view}", host)
        if signed.get(VoteKind.NOTARIZE, signed[VoteKind.FINALIZE]) != signed[VoteKind.FINALIZE]:
            self.watch.report(self, f"notarized another block of view {vote.view}", host)

    def _is_durable(self, host: CoreHost, vote: Vote) -> None:
        settled = host.disk.certificates.get(host.disk.height)
        if settled is not None and (vote.epoch, vote.view) <= (settled.epoch, settled.view):
            return
        log = self._log_of(host)
        if vote not in log.votes:
            self.watch.report(self, f"a {vote.kind.name} vote of {vote.view} is not durable", host)
        if vote.kind is not VoteKind.NULLIFY and vote.block not in log.blocks:
            self.watch.report(self, f"the block of view {vote.view} is not durable", host)
        if vote.kind is VoteKind.FINALIZE and vote.block not in log.notarized:
            self.watch.report(self, f"finalized {vote.view}, the proof is not durable", host)

    def _log_of(self, host: CoreHost) -> LogIndex:
        index = self._logs.get(host.place)
        if index is None or index.log is not host.log:
            index = self._logs[host.place] = LogIndex(host.log)
        index.update()
        return index
