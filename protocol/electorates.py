"""Who votes on which block: the epochs of the chain, as its state knows them.

Each epoch has a set of authorities for the blocks above its base height. An epoch is entered into
the state some blocks before it begins, so that everybody knows in time who comes next: it is
*pending* while a block at or below its base height is made.

Members offer the keys that they would vote with; an offer is fresh for a while, and used once.
"""

from protocol.codec import encode
from protocol.genesis import Authority, Genesis
from protocol.identity import MemberId
from protocol.state import (
    CHANGES_KEY,
    EPOCH_KEY,
    Changes,
    ChangesWanted,
    CorruptState,
    EpochEntry,
    ReadyEntry,
    StateView,
    epoch_key,
    read,
    ready_entry,
)

READY_AGE_MAX = 1_000
"""For how many blocks an offer is fresh."""


def first_epoch(genesis: Genesis) -> Changes:
    """Return the epoch in which the authorities of the genesis vote, as changes to nothing."""
    return enter_epoch(EpochEntry(epoch=0, base_height=0, authorities=genesis.authorities))


def enter_epoch(entry: EpochEntry) -> Changes:
    """Return what makes `entry` the newest epoch."""
    return {epoch_key(entry.epoch): encode(entry), EPOCH_KEY: encode(entry.epoch)}


def begin_epoch(entry: EpochEntry) -> Changes:
    """Return what begins `entry` at once, by a recovery: what was decided before is void."""
    return enter_epoch(entry) | want(ChangesWanted())


def newest_epoch(state: StateView) -> EpochEntry:
    """Return the newest epoch that is known, which may be pending."""
    number = read(state, EPOCH_KEY, int)
    if number is None:
        raise CorruptState("there is no epoch in the state")
    return _known(state, number)


def epoch_entry(state: StateView, epoch: int) -> EpochEntry | None:
    return read(state, epoch_key(epoch), EpochEntry)


def epoch_at(state: StateView, height: int) -> EpochEntry:
    """Return the epoch of the block at `height`; that of the genesis block is the first."""
    entry = newest_epoch(state)
    while entry.epoch > 0 and entry.base_height >= height:
        entry = _known(state, entry.epoch - 1)
    return entry


def end_height(state: StateView, epoch: int) -> int | None:
    """Return the height of the last block of the epoch, or `None` while that is open."""
    following = epoch_entry(state, epoch + 1)
    return None if following is None else following.base_height


def authorities_at(state: StateView, height: int) -> tuple[Authority, ...]:
    """Return who votes on the block at `height`."""
    return epoch_at(state, height).authorities


def is_handoff_pending(state: StateView, height: int) -> bool:
    """Say whether, seen from the block at `height`, the next authorities are known already."""
    newest = newest_epoch(state)
    return newest.epoch > 0 and newest.base_height >= height


def fresh_offer(state: StateView, member: MemberId, height: int) -> ReadyEntry | None:
    """Return what the member offers, if it had the chain shortly before `height`."""
    offer = ready_entry(state, member)
    if offer is None or offer.height + READY_AGE_MAX < height:
        return None
    return offer


def want(wanted: ChangesWanted) -> Changes:
    """Return what makes `wanted` all that waits."""
    return {CHANGES_KEY: None if wanted == ChangesWanted() else encode(wanted)}


def _known(state: StateView, epoch: int) -> EpochEntry:
    entry = epoch_entry(state, epoch)
    if entry is None:
        raise CorruptState(f"epoch {epoch} is not in the state")
    return entry
