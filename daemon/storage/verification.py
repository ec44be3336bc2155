"""Re-checks the whole chain of one node from genesis, trusting nothing that the node stored.

In this order, and up to the first thing that is wrong with the contents:

1. every byte of the files: checksums, and that nothing is left out (`leveldb_files`);
2. each block, by the same rules that decide what the network accepts: links, events root,
   signatures, and execution on a state of its own that begins with the genesis (`protocol.chain`);
3. certificates: good ones only, and one that covers the newest block;
4. what is stored about each block besides, the whole state, and its digest: equal to what was
   computed, with nothing missing and nothing more;
5. local tables: they can be read. Nobody else knows what they must say.

Of a chain whose older blocks were pruned, `pruned_verification` checks what is there.

A store that is in use is checked as it was at the beginning.
"""

from collections import Counter
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from daemon.storage.errors import CorruptStore
from daemon.storage.layout import (
    CERTIFICATE,
    DIGEST,
    DIGEST_PIECE_SIZE,
    META,
    STATE,
    TABLE,
    TAIL,
    block_entries,
)
from daemon.storage.leveldb_files import check_files
from daemon.storage.pruned_verification import PrunedVerification
from daemon.storage.store import ChainStore
from daemon.storage.tables import TABLES, recoveries
from daemon.storage.verification_report import (
    BLOCKS_PER_REPORT,
    Report,
    ReportProgress,
    Wrong,
)
from protocol.blocks import Block, Header, block_hash, genesis_block
from protocol.chain import Chain
from protocol.digest import DIGEST_SIZE, StateDigest
from protocol.electorates import end_height, epoch_entry
from protocol.errors import InvalidBlock, InvalidCertificate
from protocol.genesis import Genesis, network_id
from protocol.identity import Verifier
from protocol.ledger import genesis_changes
from protocol.mempool import Mempool
from protocol.state import Changes
from protocol.votes import VoteKind, validate_certificate


def verify_folder(folder: Path, genesis: Genesis, report_progress: ReportProgress) -> Report:
    """Check a store that no daemon uses, such as a copy or a backup.

    The files are checked as they lie there, before LevelDB opens them and tidies up. Raises
    `StoreLocked` if it is in use, and `StoreMismatch` if it belongs to another network.
    """
    findings = tuple(f"changed bytes in {damage}" for damage in check_files(folder))
    if findings:
        return Report(head=0, findings=findings)
    try:
        with ChainStore.open(folder, network_id(genesis)) as store:
            return verify_chain(store, genesis, report_progress)
    except CorruptStore as error:
        return Report(head=0, findings=(str(error),))


def verify_chain(store: ChainStore, genesis: Genesis, report_progress: ReportProgress) -> Report:
    """Check all that `store` holds; it may be in use. Takes long: call it in a worker thread."""
    findings = tuple(f"changed bytes in {damage}" for damage in store.damaged_files())
    with store.frozen() as frozen:
        if frozen.is_new:
            return Report(head=0, findings=(*findings, "the store does not have a genesis block"))
        kind = PrunedVerification if frozen.lowest_height else _Verification
        verification = kind(frozen, genesis, report_progress)
        if findings:
            return replace(verification.report, findings=findings)
        try:
            verification.run()
        except (Wrong, CorruptStore) as error:
            return replace(verification.report, findings=(str(error),))
        return verification.report


class _Verification:
    """Follows the stored chain on a state of its own."""

    def __init__(
        self, store: ChainStore, genesis: Genesis, report_progress: ReportProgress
    ) -> None:
        self.report = Report(head=store.height)
        self._store = store
        self._genesis = genesis
        self._network = network_id(genesis)
        self._report_progress = report_progress
        self._verifier = Verifier()
        self._recoveries = recoveries(store)
        self._state: dict[bytes, bytes] = {}
        self._digest = StateDigest()
        self._counts = Counter[bytes]()

    def run(self) -> None:
        """Check everything, or raise `Wrong` or `CorruptStore`."""
        chain = self._begin()
        for height in range(1, self.report.head + 1):
            self._follow(chain, height)
            is_certified = self._check_certificate(chain.head)
            is_kept = chain.head_hash in self._recoveries
            if height == self.report.head and not (is_certified or is_kept):
                raise Wrong(f"no certificate makes block {height} final")
            if height % BLOCKS_PER_REPORT == 0:
                self._report_progress(self.report)
        self._compare_state()
        self._compare_counts()
        for table in TABLES:
            table.items(self._store)
        self._report_progress(self.report)

    def _begin(self) -> Chain:
        changes = genesis_changes(self._genesis)
        self._digest = StateDigest().updated({}, changes)
        self._apply(changes)
        block = genesis_block(self._genesis, self._digest.root)
        if self._stored_block(0) != block:
            raise Wrong("block 0 is not that of the genesis")
        self._compare_entries(block)
        return Chain(
            genesis=self._genesis,
            head=block,
            state=self._state,
            digest=self._digest,
            mempool=Mempool(self._network),
            verifier=self._verifier,
            recoveries=self._recoveries,
        )

    def _stored_block(self, height: int) -> Block:
        block = self._store.block(height)
        if block is None:
            raise Wrong(f"block {height} is missing")
        return block

    def _follow(self, chain: Chain, height: int) -> None:
        """Judge the next block as the network does, and take over what it changes."""
        block = self._stored_block(height)
        if block.header.parent != chain.head_hash:
            raise Wrong(f"block {height} does not follow the one before")
        try:
            chain.finalize([block])
        except InvalidBlock as error:
            raise Wrong(f"block {height} is not valid: {error}") from error
        finalization = chain.take_finalization()
        self._apply(finalization.changes)
        self._digest = finalization.digest
        chain.stored(height)
        self._compare_entries(block)
        self.report = replace(
            self.report, blocks=height, events=self.report.events + len(block.events)
        )

    def _check_certificate(self, block: Block) -> bool:
        """Return whether the block has a certificate of its own, which then is a good one."""
        height = block.header.height
        certificate = self._store.certificate(height)
        if certificate is None:
            return False
        last = self._end_of_tail(block)
        if certificate.kind != VoteKind.FINALIZE or certificate.block != block_hash(last):
            raise Wrong(f"the certificate of block {height} is about something else")
        epoch = epoch_entry(self._state, block.header.epoch)
        if epoch is None or certificate.epoch != epoch.epoch:
            raise Wrong(f"the certificate of block {height} is of another epoch")
        try:
            validate_certificate(certificate, self._network, epoch.authorities, self._verifier)
        except InvalidCertificate as error:
            raise Wrong(f"the certificate of block {height} is not valid: {error}") from error
        self._counts[CERTIFICATE] += 1
        self.report = replace(self.report, certificates=self.report.certificates + 1)
        return True

    def _end_of_tail(self, block: Block) -> Header:
        """Return the header that the certificate of the block must name."""
        last, height = block.header, block.header.height
        tail = self._store.tail(height)
        if tail and end_height(self._state, last.epoch) != height:
            raise Wrong(f"block {height} has a tail, but does not end its epoch")
        for each in tail:
            if not each.header.is_tail or each.header.parent != block_hash(last):
                raise Wrong(f"the tail of block {height} does not stand on it")
            last = each.header
        self._counts[TAIL] += len(tail) > 0
        return last

    def _apply(self, changes: Changes) -> None:
        for key, value in changes.items():
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value

    def _compare_entries(self, block: Block) -> None:
        """Check what is stored about a block in other places, such as the indexes."""
        for key, value in block_entries(block, self._network).items():
            self._counts[key[:1]] += 1
            if self._store.entry(key) != value:
                raise Wrong(f"an index is wrong about block {block.header.height}")

    def _compare_state(self) -> None:
        expected = sorted(self._state.items())
        for ours, stored in zip_longest(expected, self._store.state_items()):
            if ours != stored:
                raise Wrong("the stored state is not the one that the blocks lead to")
        if self._store.digest != self._digest.encode():
            raise Wrong("the stored digest is not that of the state")
        self._counts[STATE] += len(expected)
        self._counts[DIGEST] += len(range(0, DIGEST_SIZE, DIGEST_PIECE_SIZE))
        self.report = replace(self.report, state_entries=len(expected))

    def _compare_counts(self) -> None:
        """Check that nothing is stored but what was compared, and local tables."""
        stored = Counter(key[:1] for key, _ in self._store.entries())
        for prefix in (TABLE, META, self._store.spare_state):
            del stored[prefix]
        if stored != +self._counts:
            raise Wrong("the store holds entries that belong to no block")
