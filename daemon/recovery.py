"""Going on when more than f authorities are lost for ever: what is done to the files of a node.

Nothing here happens by itself. A survivor freezes and reports; somebody plans; owners of recovery
keys sign; and each operator accepts the result for its node, which does not run meanwhile.
"""

from collections.abc import Sequence

from daemon.errors import DaemonError
from daemon.storage.store import ChainStore
from daemon.storage.tables import OFFERS, put_recovery, recoveries, recovery_of
from daemon.storage.vote_log import VoteLog
from protocol.blocks import Block, BlockHash, block_hash
from protocol.chain import Chain
from protocol.consensus import Frozen, LogRecord, report_of
from protocol.digest import StateDigest
from protocol.electorates import begin_epoch, end_height, epoch_at, epoch_entry, newest_epoch
from protocol.genesis import Genesis
from protocol.identity import SigningKey, Verifier
from protocol.mempool import Mempool
from protocol.messages import RecoverySent
from protocol.recovery import Recovery, plan_recovery, validate_recovery
from protocol.recovery_proof import next_epoch, recovery_hash, validate_proof
from protocol.state import EpochEntry
from protocol.survivors import SurvivorReport


class RecoveryRefused(DaemonError):
    """The recovery does not fit what this node knows to be final."""

    code = "recovery-refused"


class NothingToFreeze(DaemonError):
    """Only an authority with its vote log can report."""

    code = "nothing-to-freeze"
    next_step = "Run it on an authority that has its vote log. Members have nothing to report."


def ended_epoch(store: ChainStore) -> EpochEntry:
    """Return the epoch of the next block: the one that a recovery would end."""
    return epoch_at(store, store.height + 1)


def freeze(
    store: ChainStore, vote_log: VoteLog[LogRecord] | None, key: SigningKey
) -> SurvivorReport:
    """Never vote in this epoch again, durably; then report what is known.

    Raises `NothingToFreeze`, and what the vote log raises.
    """
    entry = ended_epoch(store)
    is_authority = any(authority.member == key.public for authority in entry.authorities)
    if vote_log is None or not is_authority:
        raise NothingToFreeze("this node is no authority, or has no vote log")
    records = vote_log.read()
    if Frozen(entry.epoch) not in records:
        vote_log.append([Frozen(entry.epoch)])
    certificate = store.certificate(store.height)
    is_of_epoch = certificate is not None and certificate.epoch == entry.epoch
    return report_of(
        records,
        network=store.network,
        epoch=entry.epoch,
        key=key,
        head=store.head,
        certificate=certificate if is_of_epoch else None,
    )


def plan_from(
    store: ChainStore, reports: Sequence[SurvivorReport], reason: str
) -> tuple[Recovery, EpochEntry]:
    """Return the plan in which those who reported go on, and the epoch that ends with it.

    Raises a `ProtocolError` that says which report is bad, or what is missing.
    """
    ended = ended_epoch(store)
    members = {report.member for report in reports}
    recovery = plan_recovery(
        reports,
        ended=ended,
        network=store.network,
        authorities=tuple(each for each in ended.authorities if each.member in members),
        reason=reason,
        verifier=Verifier(),
    )
    return recovery, ended


def accept(store: ChainStore, genesis: Genesis, recovery: Recovery, accepted: bytes) -> bool:
    """Take over a recovery whose hash the operator knows; say whether its epoch begins here now.

    If not, the node lacks blocks, and fetches them from others. Raises `RecoveryRefused`
    or a `ProtocolError`.
    """
    manifest = recovery.manifest
    if recovery_hash(manifest) != accepted:
        raise RecoveryRefused("the file has another hash than the one that you accept")
    ended = epoch_entry(store, manifest.epoch)
    if ended is None:
        raise RecoveryRefused(f"this node has not come to epoch {manifest.epoch} yet")
    kept = validate_recovery(recovery, ended=ended, network=store.network, verifier=Verifier())
    return _take_over(store, genesis, RecoverySent(recovery.proof, kept.blocks))


def accept_offered(store: ChainStore, genesis: Genesis, accepted: bytes) -> bool:
    """Take over a recovery that others offered to this node, as `accept` does."""
    offer = OFFERS.get(store, accepted)
    if offer is None:
        raise RecoveryRefused("no recovery with this hash was offered to this node")
    manifest = offer.proof.manifest
    ended = epoch_entry(store, manifest.epoch)
    if ended is not None:  # Else the light client has come that far, and checked it.
        validate_proof(
            offer.proof,
            epoch=ended.epoch,
            authorities=ended.authorities,
            network=store.network,
            verifier=Verifier(),
        )
    has_begun = _take_over(store, genesis, offer)
    OFFERS.delete(store, accepted)
    return has_begun


def go_on(store: ChainStore, genesis: Genesis, found: RecoverySent) -> None:
    """Begin the next epoch by a recovery that was accepted before its base was here."""
    known = recovery_of(store, found.proof.manifest.epoch)
    assert known is not None, "only an accepted recovery is followed"
    assert known.manifest == found.proof.manifest, "only an accepted recovery is followed"
    _begin(store, genesis, found.blocks, next_epoch(known.manifest))


def _take_over(store: ChainStore, genesis: Genesis, found: RecoverySent) -> bool:
    manifest = found.proof.manifest
    known = recovery_of(store, manifest.epoch)
    if known is not None and known.manifest != manifest:
        raise RecoveryRefused("another recovery of this epoch was accepted before")
    if epoch_entry(store, manifest.epoch + 1) == next_epoch(manifest):
        return True
    end = end_height(store, manifest.epoch)
    if end is not None and end < manifest.base_height:
        raise RecoveryRefused(f"epoch {manifest.epoch} has ended on block {end} already")
    _check_place(store, manifest.base, manifest.base_height)
    put_recovery(store, found.proof)
    _begin(store, genesis, found.blocks, next_epoch(manifest))
    return newest_epoch(store) == next_epoch(manifest)


def _check_place(store: ChainStore, base: BlockHash, height: int) -> None:
    """Raise unless what is final here ends at or below the base."""
    if store.height > height:
        raise RecoveryRefused(
            f"blocks up to {store.height} are final here, and the recovery ends at {height}"
        )
    if store.height == height and store.height_of(base) != height:
        raise RecoveryRefused(f"another block is final here at height {height}")


def _begin(store: ChainStore, genesis: Genesis, kept: Sequence[Block], entry: EpochEntry) -> None:
    """Add the kept blocks, if they follow our head; and begin the epoch if we are at its base."""
    if newest_epoch(store) == entry or store.height > entry.base_height:
        return
    head = block_hash(store.head.header)
    if store.height == entry.base_height:
        changes = begin_epoch(entry)
        digest = StateDigest.decode(store.digest).updated(store, changes)
        store.recover((), changes, digest.encode())
        return
    missing = [block for block in kept if block.header.height > store.height]
    if not missing or missing[0].header.parent != head:
        return
    chain = Chain(
        genesis=genesis,
        head=store.head,
        state=store,
        digest=StateDigest.decode(store.digest),
        mempool=Mempool(store.network),
        verifier=Verifier(),
        recoveries=recoveries(store),
    )
    chain.finalize(missing)
    finalization = chain.take_finalization()
    store.recover(missing, finalization.changes, finalization.digest.encode())
