"""Merkle trees as in Certificate Transparency (RFC 6962, section 2.1), with SHA-256.

A leaf hashes as SHA-256(0x00 | data), a node as SHA-256(0x01 | left | right), so a node never
passes for a leaf. The left subtree of a tree of `n > 1` leaves has the largest power of two
below `n`: there is no padding, and trees of different sizes have different roots. A tree without
leaves hashes as SHA-256 of nothing.

Used for events in a block, records in a commitment, and ciphertext chunks in a container.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

LEAF_COUNT_MAX = 2**40
"""More leaves than any tree of ours has; bounds the length of a path."""

PATH_LENGTH_MAX = LEAF_COUNT_MAX.bit_length() - 1
"""Hashes in the longest path."""

EMPTY_ROOT = sha256(b"").digest()

_LEAF = b"\x00"
_NODE = b"\x01"


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one leaf."""
    hasher = sha256(_LEAF)
    hasher.update(data)  # Leaves may be large: they are not copied.
    return hasher.digest()


def merkle_root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes, in their order."""
    builder = TreeBuilder()
    for leaf in leaves:
        builder.add(leaf)
    return builder.root()


def merkle_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the siblings from the leaf `index` up to the root (RFC 6962, section 2.1.1)."""
    assert 0 <= index < len(leaves)
    if len(leaves) == 1:
        return ()
    split = _left_size(len(leaves))
    if index < split:
        return (*merkle_path(leaves[:split], index), merkle_root(leaves[split:]))
    return (*merkle_path(leaves[split:], index - split), merkle_root(leaves[:split]))


def is_in_tree(root: bytes, leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bool:
    """Say whether leaf hash `leaf` is number `index` of the `count` leaves under `root`.

    Everything may come from a peer. The algorithm is that of RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < count <= LEAF_COUNT_MAX or len(path) > PATH_LENGTH_MAX:
        return False
    position, last = index, count - 1
    current = leaf
    for sibling in path:
        if last == 0 or len(sibling) != len(EMPTY_ROOT):
            return False
        if position % 2 or position == last:
            current = _node_hash(sibling, current)
            while position and position % 2 == 0:
                position, last = position // 2, last // 2
        else:
            current = _node_hash(current, sibling)
        position, last = position // 2, last // 2
    return last == 0 and current == root


class TreeBuilder:
    """Computes a root from a stream of leaves, in memory that grows with their logarithm.

    It keeps the roots of the perfect subtrees that the leaves so far fall into, one for each bit
    that is set in their count, the largest first.
    """

    __slots__ = ("_count", "_peaks")

    def __init__(self) -> None:
        self._count = 0
        self._peaks: list[bytes] = []

    @property
    def count(self) -> int:
        """How many leaves were added."""
        return self._count

    def add(self, leaf: bytes) -> None:
        """Append a leaf hash."""
        assert len(leaf) == len(EMPTY_ROOT)
        merges = self._count
        while merges % 2:
            leaf = _node_hash(self._peaks.pop(), leaf)
            merges //= 2
        self._peaks.append(leaf)
        self._count += 1

    def root(self) -> bytes:
        """Return the root over the leaves so far; more may follow."""
        if not self._peaks:
            return EMPTY_ROOT
        *rest, root = self._peaks
        for peak in reversed(rest):
            root = _node_hash(peak, root)
        return root


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(_NODE + left + right).digest()


def _left_size(count: int) -> int:
    """Return the largest power of two that is smaller than `count`, for two leaves and more."""
    return 1 << ((count - 1).bit_length() - 1)
