"""Who can be named: whose contradicting signatures honest nodes were given, reported or not.

This looks at all that reaches an honest node, as an auditor would who collects the logs of the
nodes after a disaster. Any two certificates that contradict each other name at least f + 1; and
nobody honest is ever named (I17).
"""

from typing import Any

from protocol.errors import InvalidSignature
from protocol.votes import Vote, VoteKind, is_equivocation, validate_vote
from simulations.checkers.watch import Watch
from simulations.world.contents import votes_in
from simulations.world.core_host import CoreHost

KEPT_MAX = 500_000
"""How many different statements are kept."""


class Culprits:
    """Keeps the good votes that honest nodes have seen."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.named: dict[int, str] = {}
        """Names of those who are proven to have cheated, and how."""
        self._seen: dict[tuple[int, int, int], dict[tuple[VoteKind, bytes], Vote]] = {}
        self._looked_at: dict[Any, None] = {}
        if len(watch.honest) < len(watch.world.hosts):
            watch.world.network.on_fate.append(self._fate)

    def _fate(self, fate: str, _: Any, receiver: CoreHost, message: Any) -> None:
        if fate != "deliver" or receiver.is_traitor:
            return
        for vote in votes_in(message):
            self._look(vote)

    def _look(self, vote: Vote) -> None:
        if vote in self._looked_at or len(self._looked_at) >= KEPT_MAX:
            return
        if not self.watch.known_authorities(vote.epoch):
            return  # Of an epoch that no honest node has begun: it comes again.
        self._looked_at[vote] = None
        if not self._is_good(vote):
            return
        seen = self._seen.setdefault((vote.epoch, vote.view, vote.signer), {})
        for other in seen.values():
            if is_equivocation(other, vote):
                self._name(vote, f"{other.kind.name} and {vote.kind.name} of view {vote.view}")
        seen[vote.kind, vote.block] = vote

    def _is_good(self, vote: Vote) -> bool:
        cast = self.watch.world.cast
        try:
            authorities = self.watch.known_authorities(vote.epoch)
            validate_vote(vote, cast.id, authorities, cast.verifier)
        except InvalidSignature:
            return False
        return True

    def _name(self, vote: Vote, how: str) -> None:
        name = self.watch.name_of(vote.epoch, vote.signer)
        self.named.setdefault(name, how)
        if not self.watch.is_liar(name):
            label = self.watch.world.cast.parties[name].label
            self.watch.report(self, f"{label}, who is honest, signed {how}")
