"""Coming to a recovery: what a node asks, and what it makes of the answer.

Blocks of an epoch that nobody here has heard of prove nothing; but they may be those after a
recovery, and whoever sent them is asked for that. The answer is worth something only if a quorum
of recovery keys of our own epoch signed it. Then either the operator has accepted it, and the node
goes on from its base; or the node stops where it is and says so, and the operator decides.
"""

from collections.abc import Iterator, Mapping

from protocol.blocks import Block, block_hash, validate_block_form
from protocol.chain import Chain
from protocol.effects import AdoptRecovery, Effect, SendMessage
from protocol.electorates import end_height, epoch_entry, newest_epoch
from protocol.genesis import network_id
from protocol.identity import MemberId
from protocol.messages import RecoverySent, RecoveryWanted
from protocol.origin import Origin
from protocol.recovery_proof import (
    InvalidRecovery,
    RecoveryManifest,
    next_epoch,
    recovery_hash,
    validate_proof,
)
from protocol.snapshot import OfferRecovery

ASKED_MAX = 64
"""From how many peers at once an answer is expected; the oldest question is forgotten first."""


class Recovering:
    """The part of one node."""

    def __init__(self, origin: Origin, chain: Chain) -> None:
        self._accepted: Mapping[int, bytes] = origin.accepted
        self._network = network_id(origin.genesis)
        self._verifier = origin.verifier
        self._chain = chain
        self._asked: dict[MemberId, None] = {}
        self._offered: RecoveryManifest | None = None
        self._stopped_at = 0

    @property
    def offered(self) -> RecoveryManifest | None:
        """The recovery that we stopped at, as long as our chain is not beyond that."""
        return self._offered if self._chain.height == self._stopped_at else None

    def expect(self, peer: MemberId) -> None:
        """The peer is asked for what it may answer with a recovery."""
        self._asked.pop(peer, None)
        self._asked[peer] = None
        if len(self._asked) > ASKED_MAX:
            del self._asked[next(iter(self._asked))]

    def left(self, peer: MemberId) -> None:
        self._asked.pop(peer, None)

    def ask(self, peer: MemberId) -> Iterator[Effect]:
        """The peer sent blocks of an epoch that we know nothing of."""
        self.expect(peer)
        yield SendMessage((peer,), RecoveryWanted(self._chain.epoch.epoch))

    def stop(self, effect: OfferRecovery) -> Iterator[Effect]:
        """Go no further until the operator has decided."""
        manifest = effect.offer.proof.manifest
        is_news = manifest != self.offered
        self._offered, self._stopped_at = manifest, self._chain.height
        if is_news:
            yield effect

    def take(self, sender: MemberId, message: RecoverySent) -> Iterator[Effect]:
        """Judge an answer. Raises `InvalidRecovery` or `InvalidBlock`."""
        if sender not in self._asked:
            return
        del self._asked[sender]
        manifest = message.proof.manifest
        ended = epoch_entry(self._chain.state, manifest.epoch)
        has_begun = newest_epoch(self._chain.state) == next_epoch(manifest)
        if ended is None or has_begun or manifest == self.offered:
            return
        end = end_height(self._chain.state, manifest.epoch)
        if end is not None and end < manifest.base_height:
            return  # The epoch has ended otherwise, and its keys say nothing about later blocks.
        validate_proof(
            message.proof,
            epoch=ended.epoch,
            authorities=ended.authorities,
            network=self._network,
            verifier=self._verifier,
        )
        blocks = self._new_blocks(message)
        if blocks is None:
            return
        found = RecoverySent(message.proof, blocks)
        if self._accepted.get(manifest.epoch) == recovery_hash(manifest):
            yield AdoptRecovery(found)
        else:
            yield from self.stop(OfferRecovery(found))

    def _new_blocks(self, message: RecoverySent) -> tuple[Block, ...] | None:
        """Return the blocks from our head to the base; `None` if our head is beyond that."""
        manifest, height = message.proof.manifest, self._chain.height
        if height > manifest.base_height:
            return None
        above = tuple(each for each in message.blocks if each.header.height > height)
        parent = self._chain.head_hash
        for block in above:
            validate_block_form(block)
            if block.header.parent != parent:
                raise InvalidRecovery("the blocks do not stand on our head and on each other")
            parent = block_hash(block.header)
            height = block.header.height
        if (parent, height) != (manifest.base, manifest.base_height):
            raise InvalidRecovery("the blocks do not lead to the base")
        return above
