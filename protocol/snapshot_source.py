"""Which states a node holds for others to copy, and whom it answers.

Sans-IO. A held state is that after one block, however the chain goes on; holding it costs room on
the disk, so it is only one or two, and none for ever. Whoever asks for a manifest gets a state that
is held already, if it is not too old: those who come together share it. A newcomer goes on from
there by asking for blocks.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from protocol.blocks import BlockHash
from protocol.identity import MemberId
from protocol.messages import (
    BucketWanted,
    EpochsWanted,
    ManifestWanted,
    SnapshotGone,
    SnapshotQuestion,
)

HELD_MAX = 2
"""How many states are held at once."""

FRESH = 600_000
"""How old a state may be that is offered to who asks for any, in milliseconds."""

IDLE_MAX = 120_000
HELD_DURATION_MAX = 4 * 3_600_000
"""How long a state is held that nobody asks about, and how long at most, in milliseconds."""


@dataclass(frozen=True, slots=True)
class HoldState:
    """Hold the state after `block`, which is the newest one, until it is released."""

    block: BlockHash


@dataclass(frozen=True, slots=True)
class ReleaseState:
    block: BlockHash


@dataclass(frozen=True, slots=True)
class SendSnapshot:
    """Answer `peer` from the state held after `block`, if `peer` has no other answer under way."""

    peer: MemberId
    block: BlockHash
    question: ManifestWanted | BucketWanted


@dataclass(frozen=True, slots=True)
class SendEpochs:
    """Answer `peer` with proofs of epochs from `first` on, as far as there are any."""

    peer: MemberId
    first: int


@dataclass(frozen=True, slots=True)
class SayGone:
    peer: MemberId
    message: SnapshotGone


SourceEffect = HoldState | ReleaseState | SendSnapshot | SendEpochs | SayGone


@dataclass(slots=True)
class _Held:
    since: int
    used_at: int


class SnapshotSource:
    """The side that is copied from. Times are monotonic milliseconds."""

    def __init__(self) -> None:
        self._held: dict[BlockHash, _Held] = {}

    def wanted(
        self, sender: MemberId, question: SnapshotQuestion, head: BlockHash | None, now: int
    ) -> Iterator[SourceEffect]:
        """Answer a peer; `head` is our newest block, `None` if that is the genesis."""
        yield from self.tidy(now)
        match question:
            case EpochsWanted(first):
                yield SendEpochs(sender, first)
            case BucketWanted(block):
                if held := self._held.get(block):
                    held.used_at = now
                    yield SendSnapshot(sender, block, question)
                else:
                    yield SayGone(sender, SnapshotGone(block))
            case ManifestWanted(block):
                chosen = yield from self._choose(block, head, now)
                if chosen is not None:
                    self._held[chosen].used_at = now
                    yield SendSnapshot(sender, chosen, question)

    def tidy(self, now: int) -> Iterator[SourceEffect]:
        """Release what nobody asks about, and what has been held for long."""
        for block, held in list(self._held.items()):
            is_old = now - held.since >= HELD_DURATION_MAX
            if is_old or now - held.used_at >= IDLE_MAX:
                del self._held[block]
                yield ReleaseState(block)

    def _choose(
        self, block: BlockHash, head: BlockHash | None, now: int
    ) -> Generator[SourceEffect, None, BlockHash | None]:
        """Return the block after which the state is offered, if there is one."""
        newest = max(self._held, key=lambda each: self._held[each].since, default=None)
        if block in self._held:
            return block
        if newest is not None and (newest == head or now - self._held[newest].since < FRESH):
            return newest
        if head is None or len(self._held) >= HELD_MAX:
            return newest
        self._held[head] = _Held(since=now, used_at=now)
        yield HoldState(head)
        return head
