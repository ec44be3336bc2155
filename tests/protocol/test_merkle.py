"""Trees against the recursive definition of RFC 6962, and against its published roots."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.merkle import (
    LEAF_COUNT_MAX,
    PATH_LENGTH_MAX,
    TreeBuilder,
    is_in_tree,
    leaf_hash,
    merkle_path,
    merkle_root,
)

# The inputs and roots that Certificate Transparency's own tests use for trees of 0 to 8 leaves.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

counts = st.integers(1, 70)


def leaves_of(count: int) -> list[bytes]:
    return [leaf_hash(index.to_bytes(2, "big")) for index in range(count)]


def dumb_root(leaves: list[bytes]) -> bytes:
    """The definition in section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + dumb_root(leaves[:split]) + dumb_root(leaves[split:])).digest()


@pytest.mark.parametrize("count", range(9))
def test_the_published_roots_come_out(count: int) -> None:
    assert merkle_root([leaf_hash(data) for data in INPUTS[:count]]).hex() == ROOTS[count]


@given(st.integers(0, 200))
def test_the_root_is_that_of_the_definition(count: int) -> None:
    assert merkle_root(leaves_of(count)) == dumb_root(leaves_of(count))


def test_a_builder_has_the_root_of_every_prefix_and_few_hashes() -> None:
    builder = TreeBuilder()
    leaves = leaves_of(130)
    for index, leaf in enumerate(leaves):
        assert builder.root() == dumb_root(leaves[:index])
        builder.add(leaf)
        assert builder.count == index + 1
        assert len(builder._peaks) <= builder.count.bit_length()


@given(counts, st.data())
def test_every_leaf_has_a_path_that_proves_it(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    leaves = leaves_of(count)
    path = merkle_path(leaves, index)
    assert is_in_tree(merkle_root(leaves), leaves[index], index, count, path)


@given(counts, counts, st.data())
def test_a_path_proves_nothing_else(count: int, other_count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    leaves = leaves_of(count)
    root, path = merkle_root(leaves), merkle_path(leaves, index)
    for other in range(count):
        if other != index:
            assert not is_in_tree(root, leaves[index], other, count, path)
            assert not is_in_tree(root, leaves[other], index, count, path)
    if not is_in_tree(root, leaves[index], index, other_count, path):
        return
    # A path fixes the number of leaves only as far as the shape of the path shows it.
    assert len(merkle_path(leaves_of(other_count), index)) == len(path)


@given(counts, st.data())
def test_a_changed_path_proves_nothing(count: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, count - 1))
    leaves = leaves_of(count)
    root, path = merkle_root(leaves), merkle_path(leaves, index)
    assert not is_in_tree(root, leaves[index], index, count, (*path, leaves[0]))
    for position in range(len(path)):
        changed = list(path)
        changed[position] = leaf_hash(b"something else")
        assert not is_in_tree(root, leaves[index], index, count, changed)
        assert not is_in_tree(root, leaves[index], index, count, path[:position])


@given(
    st.integers(-2, LEAF_COUNT_MAX + 2),
    st.integers(-2, LEAF_COUNT_MAX + 2),
    st.lists(st.binary(max_size=33), max_size=PATH_LENGTH_MAX + 2),
)
def test_arbitrary_paths_are_answered_and_prove_nothing(
    index: int, count: int, path: list[bytes]
) -> None:
    assert not is_in_tree(b"root" * 8, b"leaf" * 8, index, count, path)


def test_a_path_may_be_as_long_as_the_limit_and_no_longer() -> None:
    path = [leaf_hash(bytes([level])) for level in range(PATH_LENGTH_MAX)]
    root = leaf = leaf_hash(b"first")
    for sibling in path:
        root = sha256(b"\x01" + root + sibling).digest()
    assert is_in_tree(root, leaf, 0, LEAF_COUNT_MAX, path)
    root = sha256(b"\x01" + root + path[0]).digest()
    assert not is_in_tree(root, leaf, 0, 2 * LEAF_COUNT_MAX, [*path, path[0]])


def test_a_node_is_not_a_leaf() -> None:
    left, right = leaves_of(2)
    assert leaf_hash(left + right) != merkle_root([left, right])


def test_a_path_that_goes_on_above_its_tree_proves_nothing() -> None:
    left, right = leaves_of(2)
    assert is_in_tree(merkle_root([left, right]), right, 1, 2, [left])
    assert not is_in_tree(merkle_root([left, right]), right, 0, 1, [left])
