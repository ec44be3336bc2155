"""The authorities of an epoch: who they are, how many are enough, and who leads when."""

from dataclasses import dataclass, field
from hashlib import sha256

from protocol.codec import digest
from protocol.genesis import Authority, faulty_max, quorum
from protocol.identity import MemberId, NetworkId
from protocol.state import EpochEntry


@dataclass(frozen=True, slots=True)
class Electorate:
    """The authorities of one epoch, equal in weight, and `me` among them."""

    epoch: int
    authorities: tuple[Authority, ...]
    me: int
    order: tuple[int, ...]
    """The leaders of as many views as there are authorities; then it repeats."""
    quorum: int
    faulty_max: int
    others: tuple[int, ...]
    """All but me, from my successor around to my predecessor."""
    signers: dict[MemberId, int] = field(repr=False)

    @property
    def size(self) -> int:
        return len(self.authorities)

    def leader(self, view: int) -> int:
        return self.order[view % len(self.order)]

    def member(self, signer: int) -> MemberId:
        return self.authorities[signer].member


def electorate(entry: EpochEntry, network: NetworkId, *, me: int) -> Electorate:
    """Return the electorate of the epoch, as its authority number `me` sees it."""
    authorities = entry.authorities
    assert 0 <= me < len(authorities)
    return Electorate(
        epoch=entry.epoch,
        authorities=authorities,
        me=me,
        order=leader_order(len(authorities), epoch=entry.epoch, base=network),
        quorum=quorum(len(authorities)),
        faulty_max=faulty_max(len(authorities)),
        others=tuple((me + step) % len(authorities) for step in range(1, len(authorities))),
        signers={authority.member: index for index, authority in enumerate(authorities)},
    )


def leader_order(count: int, *, epoch: int, base: bytes) -> tuple[int, ...]:
    """Shuffle 0..count-1 as Fisher and Yates do, with SHA-256 instead of dice.

    Draw `i`, of 64 bits, is the hash of seed and `i`; the bias of the remainder is below 2**-57.
    `base` is the id of the network. Nothing that a leader may choose goes into it.
    """
    seed = digest("leaders", epoch.to_bytes(8, "big"), base)
    order = list(range(count))
    for last in range(count - 1, 0, -1):
        draw = int.from_bytes(sha256(seed + last.to_bytes(8, "big")).digest()[:8], "big")
        chosen = draw % (last + 1)
        order[last], order[chosen] = order[chosen], order[last]
    return tuple(order)
