"""The digest depends on the state alone: not on the order of changes, nor on the way to it."""

import contextlib
from hashlib import shake_128

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.codec import digest
from protocol.digest import (
    ACCUMULATOR_SIZE,
    BUCKET_COUNT,
    DIGEST_SIZE,
    LANE_COUNT,
    StateDigest,
    bucket_of,
    compute_digest,
)
from protocol.errors import DecodeError
from protocol.merkle import is_in_tree, leaf_hash, merkle_path, merkle_root

KEYS = st.binary(max_size=3)
VALUES = st.binary(max_size=40)
STATES = st.dictionaries(KEYS, VALUES, max_size=12)
CHANGES = st.dictionaries(KEYS, st.none() | VALUES, max_size=12)


def lanes(accumulator: bytes) -> list[int]:
    return [int.from_bytes(accumulator[at : at + 2], "little") for at in range(0, 2 * 1024, 2)]


def dumb_buckets(state: dict[bytes, bytes]) -> list[list[int]]:
    """Add up every lane on its own, as the paper says it."""
    sums = [[0] * LANE_COUNT for _ in range(BUCKET_COUNT)]
    for key, value in state.items():
        entry = b"placet/state-entry/1\0" + len(key).to_bytes(2, "big") + key + value
        bucket = sums[bucket_of(key)]
        for index, lane in enumerate(lanes(shake_128(entry).digest(ACCUMULATOR_SIZE))):
            bucket[index] = (bucket[index] + lane) % 2**16
    return sums


def applied(state: dict[bytes, bytes], changes: dict[bytes, bytes | None]) -> dict[bytes, bytes]:
    after = {**state, **changes}
    return {key: value for key, value in after.items() if value is not None}


@given(STATES)
def test_it_is_what_adding_lane_by_lane_gives(state: dict[bytes, bytes]) -> None:
    computed = compute_digest(state.items())
    buckets = [lanes(computed.bucket(index)) for index in range(BUCKET_COUNT)]
    assert buckets == dumb_buckets(state)


@given(STATES, st.lists(CHANGES, max_size=5))
def test_updating_equals_computing_from_nothing(
    state: dict[bytes, bytes], history: list[dict[bytes, bytes | None]]
) -> None:
    current = compute_digest(state.items())
    for changes in history:
        current = current.updated(state, changes)
        state = applied(state, changes)
    assert current == compute_digest(state.items())


@given(STATES, st.randoms(use_true_random=False))
def test_the_order_does_not_matter(state: dict[bytes, bytes], random: object) -> None:
    shuffled = list(state.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert compute_digest(shuffled).root == compute_digest(state.items()).root


@given(STATES, CHANGES)
def test_what_is_put_back_leaves_no_trace(
    state: dict[bytes, bytes], changes: dict[bytes, bytes | None]
) -> None:
    before = compute_digest(state.items())
    back = {key: state.get(key) for key in changes}
    assert before.updated(state, changes).updated(applied(state, changes), back) == before


@given(STATES, KEYS, VALUES, st.data())
def test_a_changed_byte_changes_the_root(
    state: dict[bytes, bytes], key: bytes, value: bytes, data: st.DataObject
) -> None:
    entry = key + value
    if not entry:
        return
    index = data.draw(st.integers(0, len(entry) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    changed = entry[:index] + bytes([entry[index] ^ bit]) + entry[index + 1 :]
    rest = {other: each for other, each in state.items() if other not in (key, changed[: len(key)])}
    before = compute_digest([*rest.items(), (key, value)])
    after = compute_digest([*rest.items(), (changed[: len(key)], changed[len(key) :])])
    assert before.root != after.root


def test_a_byte_that_moves_from_key_to_value_changes_the_root() -> None:
    assert compute_digest([(b"ab", b"c")]).root != compute_digest([(b"a", b"bc")]).root


def test_one_entry_many_times_is_not_the_same_as_none() -> None:
    key = b"a"
    one = compute_digest([(key, b"x")]).accumulators[bucket_of(key)]
    assert one != 0
    assert StateDigest().root != compute_digest([(key, b"")]).root


def test_the_root_is_that_of_a_tree_over_the_buckets() -> None:
    computed = compute_digest([(bytes([number]), b"value") for number in range(100)])
    leaves = [leaf_hash(computed.bucket(index)) for index in range(BUCKET_COUNT)]
    tree = merkle_root(leaves)
    assert computed.root == digest("state", tree)
    assert is_in_tree(tree, leaves[5], 5, BUCKET_COUNT, merkle_path(leaves, 5))


@given(STATES)
def test_stored_and_loaded_it_is_the_same(state: dict[bytes, bytes]) -> None:
    computed = compute_digest(state.items())
    assert len(computed.encode()) == DIGEST_SIZE
    assert StateDigest.decode(computed.encode()) == computed


@pytest.mark.parametrize("size", [0, 1, DIGEST_SIZE - 1, DIGEST_SIZE + 1])
def test_a_digest_of_another_length_is_none(size: int) -> None:
    with pytest.raises(DecodeError):
        StateDigest.decode(bytes(size))


@given(st.binary(max_size=64))
def test_arbitrary_bytes_raise_nothing_but_decode_error(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        StateDigest.decode(data)


def test_the_digest_of_an_example_is_what_it_always_was() -> None:
    example = compute_digest([(b"key", b"value"), (b"other", b"")])
    assert StateDigest().root.hex() == (
        "5d1ecad43d46b97300112bf9a39aa1689dae943e2ff7247f28d2628a73d94c82"
    )
    assert example.root.hex() == (
        "e29e2f5e30e849ceef55a82bf884d2af30de79b88bbeec697ad1541f2a32e331"
    )
