"""A chain with several epochs: real headers, certificates and proofs; the state is made up.

chain = EpochChain(store)
chain.extend(3)
chain.hand_off(others)       # three blocks, the last of which ends the epoch
"""

from collections.abc import Sequence
from typing import Any

from daemon.storage.store import ChainStore
from protocol.blocks import Block, Header, block_hash, compute_events_root, genesis_block
from protocol.codec import encode
from protocol.digest import StateDigest
from protocol.electorates import enter_epoch, first_epoch
from protocol.genesis import Authority, authorities_hash
from protocol.state import Changes, EpochEntry
from protocol.votes import NO_BLOCK, Certificate, VoteKind, assemble_certificate, sign_vote
from tests.protocol.examples import Network, Party, make_network

HANDOFF_LAG = 2
NETWORK = make_network()


def entry_of(epoch: int, base_height: int, parties: Sequence[Party]) -> EpochEntry:
    chosen = sorted(parties, key=lambda party: party.id)
    authorities = tuple(
        Authority(each.id, each.voting_key.public, each.recovery_key.public) for each in chosen
    )
    return EpochEntry(epoch, base_height, authorities)


class EpochChain:
    """Appends blocks with one state entry each, certified by the authorities of their epoch."""

    def __init__(self, store: ChainStore, network: Network = NETWORK) -> None:
        self.network = network
        self.store = store
        self.parties: tuple[Party, ...] = network.authorities
        self.entry = entry_of(0, 0, self.parties)
        self.pending: tuple[EpochEntry, tuple[Party, ...]] | None = None
        changes = first_epoch(network.genesis)
        self.digest = StateDigest().updated({}, changes)
        self.head = genesis_block(network.genesis, self.digest.root)
        store.begin(self.head, changes, self.digest.encode())

    def extend(self, count: int) -> None:
        for _ in range(count):
            self.add({})

    def hand_off(self, parties: Sequence[Party], tail: int = 0) -> None:
        """Let others vote from the third next block on; `tail` blocks stand behind the last."""
        chosen = tuple(sorted(parties, key=lambda party: party.id))
        base = self.head.header.height + 1 + HANDOFF_LAG
        entry = entry_of(self.entry.epoch + 1, base, chosen)
        self.pending = entry, chosen
        self.add(enter_epoch(entry))
        for _ in range(HANDOFF_LAG - 1):
            self.add({})
        self.add({}, tail=tail)
        self.entry, self.parties = entry, chosen
        self.pending = None

    def add(self, changes: Changes, tail: int = 0) -> None:
        height = self.head.header.height + 1
        changes = {**changes, b"made up %d" % height: encode(height)}
        self.digest = self.digest.updated(self.store, changes)
        self.head = self._block(self.head.header)
        descendants: list[Block] = []
        for _ in range(tail):
            above = descendants[-1] if descendants else self.head
            descendants.append(self._block(above.header, is_tail=True))
        certificate = self.certify((descendants or [self.head])[-1].header)
        self.store.append(
            [self.head], certificate, changes, self.digest.encode(), tuple(descendants)
        )

    def certify(self, header: Header) -> Certificate:
        said: dict[str, Any] = {
            "kind": VoteKind.FINALIZE,
            "epoch": header.epoch,
            "view": header.view,
            "block": block_hash(header),
        }
        votes = [
            sign_vote(party.voting_key, self.network.id, signer=signer, **said)
            for signer, party in enumerate(self.parties)
        ]
        return assemble_certificate(votes, len(votes))

    def _block(self, parent: Header, *, is_tail: bool = False) -> Block:
        is_first = parent.epoch != self.entry.epoch
        following = NO_BLOCK
        if self.pending is not None:
            entry = self.pending[0]
            following = authorities_hash(entry.epoch, entry.authorities)
        header = Header(
            version=1,
            network=self.network.id,
            epoch=self.entry.epoch,
            view=1 if is_first else parent.view + 1,
            height=parent.height + 1,
            parent=block_hash(parent),
            parent_view=0 if is_first else parent.view,
            timestamp=parent.timestamp + 1,
            proposer=0,
            is_tail=is_tail,
            event_count=0,
            events_root=compute_events_root(()),
            state_digest=self.digest.root,
            authorities=authorities_hash(self.entry.epoch, self.entry.authorities),
            next_authorities=following,
        )
        return Block(header, ())
