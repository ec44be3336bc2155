"""From one epoch to the next: nobody votes too early or too late, and each handoff ends (I11, E4).

No vote in the next epoch before the end of this one is durable, none in this one after that. To
repeat an old vote is no harm: who got an older chain back catches up with the log that it has.
Every change that was decided comes about, everywhere.
"""

from protocol.effects import EpochStarted
from protocol.electorates import is_handoff_pending, newest_epoch
from protocol.identity import Signature
from protocol.messages import Proposal
from protocol.votes import Vote
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost


class Epochs:
    """Follows which epoch each node is in."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._voted: dict[int, int] = {}
        """The newest epoch in which each host has voted."""
        self._said: dict[int, dict[Signature, None]] = {}
        """The votes that each host has sent."""
        watch.on_effect(Vote, self._sent)
        watch.on_effect(Proposal, self._proposed)
        watch.on_effect(EpochStarted, self._started)

    def _proposed(self, host: CoreHost, proposal: Proposal) -> None:
        self._sent(host, proposal.vote)

    def _sent(self, host: CoreHost, vote: Vote) -> None:
        if self.watch.name_of(vote.epoch, vote.signer) == host.name:
            self._saw_vote(host, vote)

    def _saw_vote(self, host: CoreHost, vote: Vote) -> None:
        entry = newest_epoch(host.disk.state)
        if vote.epoch > entry.epoch or host.disk.height < self._base(host, vote.epoch):
            self.watch.report(self, f"votes in epoch {vote.epoch}, which did not begin", host)
        said = self._said.setdefault(host.place, {})
        if vote.epoch < self._voted.get(host.place, 0) and vote.signature not in said:
            self.watch.report(self, f"votes in epoch {vote.epoch}, which is over", host)
        said[vote.signature] = None
        self._voted[host.place] = max(vote.epoch, self._voted.get(host.place, 0))

    def _base(self, host: CoreHost, epoch: int) -> int:
        entry = newest_epoch(host.disk.state)
        return entry.base_height if entry.epoch == epoch else 0

    def _started(self, host: CoreHost, effect: EpochStarted) -> None:
        if host.disk.height < effect.entry.base_height:
            self.watch.report(self, f"begins epoch {effect.entry.epoch} too early", host)
        self.watch.world.coverage[f"epoch:{effect.entry.epoch}"] += 1

    def at_end(self) -> None:
        if not self.watch.world.scenario.check.liveness:
            return
        witness = self.watch.world.witness
        newest = newest_epoch(witness.disk.state)
        if is_handoff_pending(witness.disk.state, witness.disk.height + 1):
            self.watch.report(self, f"epoch {newest.epoch} never begins", witness)
            return
        voters = {authority.member: authority.voting_key for authority in newest.authorities}
        for host in self.watch.settled:
            if host.is_up and host.core.epoch.epoch != newest.epoch:
                text = f"is in epoch {host.core.epoch.epoch}, not {newest.epoch}"
                self.watch.report(self, text, host)
            elif host.is_up and host.id in voters and not self._votes(host, voters[host.id]):
                self.watch.report(self, "does not vote, although it could", host)

    def _votes(self, host: CoreHost, key: bytes) -> bool:
        """Say whether the node takes part, or has good reasons not to."""
        if host.place in self.watch.world.excused or not host.may_vote:
            return True
        holds = any(each.public == key for each in host.voting_keys)
        return not holds or host.core.consensus is not None
