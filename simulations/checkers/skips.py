"""A final block skips only views that a quorum gave up (I8).

Who gave up which view is read from all that is said in the world, by hostile nodes too, and from
the log of who is the only authority and tells nobody. What is not truly signed does not count; that
is found out when a block has skipped the view, because a hostile node may be in an epoch before
any honest one.
"""

from typing import Any

from protocol.blocks import Header
from protocol.codec import encode
from protocol.consensus import OwnVote
from protocol.effects import StoreBlocks
from protocol.votes import Vote, VoteKind
from simulations.checkers.watch import Watch
from simulations.world.contents import votes_in
from simulations.world.core_host import CoreHost


class Skips:
    """Collects nullify votes, and compares them with each block that becomes final."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._votes: dict[tuple[int, int], dict[Vote, None]] = {}
        self._judged: dict[int, None] = {}
        watch.world.network.readers.append(self._said)
        watch.on_effect(StoreBlocks, self._stored)

    def _said(self, _: Any, message: Any) -> None:
        for vote in votes_in(message, VoteKind.NULLIFY):
            self._note(vote)

    def _read_log(self, host: CoreHost) -> None:
        for record in host.log:
            if isinstance(record, OwnVote) and record.vote.kind == VoteKind.NULLIFY:
                self._note(record.vote)

    def _note(self, vote: Vote) -> None:
        self._votes.setdefault((vote.epoch, vote.view), {})[vote] = None

    def _is_signed(self, vote: Vote) -> bool:
        cast = self.watch.world.cast
        authorities = self.watch.authorities(vote.epoch)
        said = (int(vote.kind), vote.epoch, vote.view, vote.block)
        statement = b"placet/vote/1\0" + cast.id + encode(said)
        return vote.signer < len(authorities) and cast.verifier.is_valid(
            authorities[vote.signer].voting_key, statement, vote.signature
        )

    def _stored(self, host: CoreHost, effect: StoreBlocks) -> None:
        for block in effect.finalization.blocks:
            if block.header.height not in self._judged:
                self._judged[block.header.height] = None
                self._judge(host, block.header)

    def _judge(self, host: CoreHost, header: Header) -> None:
        count = len(self.watch.authorities(header.epoch))
        if count == 1 and header.view > header.parent_view + 1:
            self._read_log(host)
        for view in range(header.parent_view + 1, header.view):
            votes = self._votes.get((header.epoch, view), {})
            gave_up = len({vote.signer for vote in votes if self._is_signed(vote)})
            if gave_up < count - (count - 1) // 3:
                text = f"block {header.height} skips view {view}, which {gave_up} gave up"
                self.watch.report(self, text, host)
