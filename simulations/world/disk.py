"""What a node has durably besides its vote log: the chain, the state after it, peer records.

`append` is one batch, all or nothing, as the daemon's store writes it. A core starts from the
`Origin` made of it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from protocol.blocks import Block, BlockHash, FinalizedBlocks, block_hash, genesis_block
from protocol.chain import Finalization
from protocol.consensus import LogRecord
from protocol.digest import StateDigest
from protocol.events import EventId
from protocol.genesis import Genesis
from protocol.identity import MemberId, SigningKey
from protocol.ledger import genesis_changes
from protocol.messages import PeerRecord
from protocol.origin import Origin
from protocol.recovery_proof import RecoveryProof, next_epoch, recovery_hash
from protocol.state import Changes
from protocol.votes import Certificate
from simulations.world.cast import Cast

RANGE_MAX = 16
"""Blocks per answer: few, so that a node that is far behind has to ask several times."""


class Disk:
    """One node's store."""

    def __init__(self, cast: Cast) -> None:
        self.cast = cast
        state, self.digest, genesis = _beginning(cast.genesis)
        self.state = dict(state)
        self.blocks: list[Block] = [genesis]
        self.certificates: dict[int, Certificate] = {}
        self.tails: dict[int, tuple[Block, ...]] = {}
        self.final: dict[EventId, int] = {}
        """The height of each event in the chain."""
        self.peer_records: dict[MemberId, PeerRecord] = {}
        self.recoveries: dict[int, RecoveryProof] = {}
        """Those that the operator has accepted, by the epochs that they end."""

    @property
    def height(self) -> int:
        return len(self.blocks) - 1

    def append(
        self,
        finalization: Finalization,
        certificate: Certificate,
        tail: tuple[Block, ...] = (),
    ) -> None:
        """Write all of it at once, like a batch of LevelDB."""
        for block in finalization.blocks:
            assert block.header.height == len(self.blocks), "the store grows by one height"
            self.blocks.append(block)
        for identifier, height in finalization.event_heights.items():
            assert identifier not in self.final, "no event is final twice"
            self.final[identifier] = height
        self.certificates[self.height] = certificate
        self.tails[self.height] = tail
        self.digest = finalization.digest
        self._write(finalization.changes)

    def recover(
        self,
        blocks: Sequence[Block],
        changes: Changes,
        digest: StateDigest,
        event_heights: Mapping[EventId, int],
    ) -> None:
        """Write what a recovery keeps without a certificate, and what begins on the last block."""
        self.blocks.extend(blocks)
        self.final.update(event_heights)
        self.digest = digest
        self._write(changes)

    def has(self, block: BlockHash) -> bool:
        """Say whether the block is among those that are final here."""
        return any(block_hash(each.header) == block for each in reversed(self.blocks))

    def copy(self) -> "Disk":
        """Return a backup."""
        other = Disk(self.cast)
        other.state, other.digest = dict(self.state), self.digest
        other.blocks, other.certificates = list(self.blocks), dict(self.certificates)
        other.tails = dict(self.tails)
        other.final, other.peer_records = dict(self.final), dict(self.peer_records)
        other.recoveries = dict(self.recoveries)
        return other

    def range(self, first: int, last: int) -> FinalizedBlocks | None:
        """Return blocks from `first` to the last certified one up to `last`, or a little more."""
        if first < 1 or first > self.height:
            return None
        epoch = self.blocks[first].header.epoch
        certified = [
            height
            for height in range(first, self.height + 1)
            if height in self.certificates and self.certificates[height].epoch == epoch
        ]
        if not certified:
            return None
        near = [height for height in certified if height <= min(last, first + RANGE_MAX - 1)]
        end = near[-1] if near else certified[0]
        blocks = tuple(self.blocks[first : end + 1])
        return FinalizedBlocks(blocks, self.certificates[end], self.tails[end])

    def origin(
        self, name: int, keys: Sequence[SigningKey], log: Sequence[LogRecord], sequence: int
    ) -> Origin:
        """Return what the node of party `name` starts from; without `keys` it does not vote."""
        party, head = self.cast.parties[name], self.blocks[-1]
        accepted = [proof.manifest for proof in self.recoveries.values()]
        return Origin(
            genesis=self.cast.genesis,
            key=party.key,
            voting_keys=tuple(keys),
            head=head,
            certificate=self.certificates.get(self.height),
            state=self.state,
            digest=self.digest,
            recoveries={each.base: next_epoch(each) for each in accepted},
            accepted={each.epoch: recovery_hash(each) for each in accepted},
            log=tuple(log),
            peer_records=tuple(self.peer_records.values()),
            sequence=sequence,
            verifier=self.cast.verifier,
        )

    def _write(self, changes: Changes) -> None:
        for key, value in changes.items():
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value


@lru_cache(maxsize=8)
def _beginning(genesis: Genesis) -> tuple[dict[bytes, bytes], StateDigest, Block]:
    """Return the entries, their digest and the first block: all nodes of a world share them."""
    changes = genesis_changes(genesis)
    digest = StateDigest().updated({}, changes)
    state = {key: value for key, value in changes.items() if value is not None}
    return state, digest, genesis_block(genesis, digest.root)
