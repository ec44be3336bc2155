"""Checks a chain whose older blocks are not here, as far as that can be done without them.

The blocks that are here cannot be executed, for want of the state before them. But they must be
linked, byte for byte what their headers say, indexed as they should be, and certified by the
authorities of their epochs, to whom a light client finds the way from the genesis. And the state
must be the one that the newest header names. So all that is here is what a quorum agreed on.

What pruning left of older blocks when it was killed does not count.
"""

from collections import Counter
from dataclasses import replace

from daemon.storage import layout
from daemon.storage.layout import Location, block_entries
from daemon.storage.proofs import epoch_proof
from daemon.storage.store import ChainStore
from daemon.storage.tables import TABLES, accepted_recoveries, recoveries
from daemon.storage.verification_report import (
    BLOCKS_PER_REPORT,
    Report,
    ReportProgress,
    Wrong,
)
from protocol.blocks import Block, BlockHash, block_hash, validate_block_form
from protocol.digest import StateDigest
from protocol.electorates import newest_epoch
from protocol.errors import InvalidBlock, InvalidCertificate, ProtocolError
from protocol.genesis import Genesis
from protocol.identity import Verifier
from protocol.light import FinalHeader, LightClient

ENTRIES_AT_A_TIME = 1_024


class PrunedVerification:
    """Follows the stored blocks from the oldest to the newest one."""

    def __init__(
        self, store: ChainStore, genesis: Genesis, report_progress: ReportProgress
    ) -> None:
        self.report = Report(head=store.height, lowest=store.lowest_height)
        self._store = store
        self._report_progress = report_progress
        self._light = LightClient(genesis, Verifier(), accepted_recoveries(store))
        self._counts: Counter[bytes] = Counter()

    def run(self) -> None:
        """Check everything, or raise `Wrong` or `CorruptStore`."""
        parent: BlockHash | None = None
        for height in range(self.report.lowest, self.report.head + 1):
            block = self._store.block(height)
            if block is None:
                raise Wrong(f"block {height} is missing")
            if parent is not None and block.header.parent != parent:
                raise Wrong(f"block {height} does not follow the one before")
            parent = block_hash(block.header)
            self._reach(block.header.epoch)
            self._check(block)
            if height % BLOCKS_PER_REPORT == 0:
                self._report_progress(self.report)
        if self._store.certificate(self.report.head) is None and not self._is_base():
            raise Wrong(f"no certificate makes block {self.report.head} final")
        self._check_state()
        self._check_counts()
        for table in TABLES:
            table.items(self._store)
        self._report_progress(self.report)

    def _reach(self, epoch: int) -> None:
        """Go on to the epoch of the next block."""
        while self._light.epoch < epoch:
            proof = epoch_proof(self._store, self._light.epoch)
            if proof is None:
                raise Wrong(f"nothing proves who votes after epoch {self._light.epoch}")
            try:
                self._light.advance(proof)
            except ProtocolError as error:
                raise Wrong(f"the proof of epoch {self._light.epoch} is not valid") from error

    def _check(self, block: Block) -> None:
        height = block.header.height
        certificate, tail = self._store.certificate(height), self._store.tail(height)
        try:
            validate_block_form(block)
            if certificate is not None:
                self._light.validate(
                    FinalHeader(block.header, tuple(each.header for each in tail), certificate)
                )
        except InvalidBlock as error:
            raise Wrong(f"block {height} is not valid: {error}") from error
        except InvalidCertificate as error:
            raise Wrong(f"the certificate of block {height} is not valid: {error}") from error
        for key, value in block_entries(block, self._store.network).items():
            self._counts[key[:1]] += 1
            if self._store.entry(key) != value:
                raise Wrong(f"an index is wrong about block {height}")
        self._counts[layout.CERTIFICATE] += certificate is not None
        self._counts[layout.TAIL] += len(tail) > 0
        self.report = replace(
            self.report,
            blocks=self.report.blocks + 1,
            events=self.report.events + len(block.events),
            certificates=self.report.certificates + (certificate is not None),
        )

    def _check_state(self) -> None:
        """Compare the state with the newest header, in bounded memory."""
        digest, some, count = StateDigest(), dict[bytes, bytes | None](), 0
        for key, value in self._store.state_items():
            some[key] = value
            count += 1
            if len(some) >= ENTRIES_AT_A_TIME:
                digest = digest.updated({}, some)
                some = {}
        digest = digest.updated({}, some)
        is_named = digest.root == self._store.head.header.state_digest
        if not is_named and not self._is_base():
            raise Wrong("the stored state is not the one that the newest block names")
        if self._store.digest != digest.encode():
            raise Wrong("the stored digest is not that of the state")
        self.report = replace(self.report, state_entries=count)

    def _is_base(self) -> bool:
        """Say whether a recovery ends on the head: then the state is one that no header names."""
        entry = recoveries(self._store).get(block_hash(self._store.head.header))
        return entry is not None and entry == newest_epoch(self._store)

    def _check_counts(self) -> None:
        """Check that nothing else is stored about the blocks that are here."""
        stored: Counter[bytes] = Counter()
        for key, value in self._store.entries():
            prefix = key[:1]
            if prefix in layout.HISTORY and _height(key, value) >= self.report.lowest:
                stored[prefix] += 1
        if stored != +self._counts:
            raise Wrong("the store holds entries that belong to no block")


def _height(key: bytes, value: bytes) -> int:
    """Return the height of the block that an entry is about."""
    match key[:1]:
        case layout.BLOCK | layout.CERTIFICATE | layout.TAIL:
            return int.from_bytes(key[1:], "big")
        case layout.HASH:
            return int.from_bytes(value, "big")
        case layout.EVENT:
            return Location.from_bytes(value).height
        case _:
            return Location.from_bytes(key[-12:]).height
