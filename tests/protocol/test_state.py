"""Views on the state, and what happens when an entry is not what we wrote."""

import pytest

from protocol.codec import encode
from protocol.state import (
    Changes,
    CorruptState,
    Overlay,
    ReadCache,
    TotalsEntry,
    emergencies,
    emergency_key,
    is_member,
    member_key,
    members,
    read,
    request_key,
    review_key,
    roll_key,
    seen_key,
    subject_key,
)
from tests.protocol.examples import make_network, token


def test_an_overlay_hides_and_deletes_without_touching_what_is_below() -> None:
    below = {b"a": b"1", b"b": b"2"}
    overlay = Overlay(below)
    overlay.apply({b"a": None, b"c": b"3"})
    overlay.apply({b"c": b"4"})

    assert [overlay.get(key) for key in (b"a", b"b", b"c", b"d")] == [None, b"2", b"4", None]
    assert overlay.changes == {b"a": None, b"c": b"4"}
    assert below == {b"a": b"1", b"b": b"2"}


def test_overlays_stack() -> None:
    lower = Overlay({b"a": b"1"})
    lower.apply({b"a": None})
    upper = Overlay(lower)
    assert upper.get(b"a") is None
    upper.apply({b"a": b"2"})
    assert (upper.get(b"a"), lower.get(b"a")) == (b"2", None)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_flat_stack_shows_what_it_showed(count: int) -> None:
    store = {b"a": b"0", b"b": b"0", b"c": b"0"}
    layers: list[Changes] = [
        {b"a": b"1", b"b": b"1"},
        {b"a": None, b"d": b"2"},
        {b"d": b"3"},
        {b"b": b"4"},
    ]
    stack = [Overlay(store)]
    for changes in layers:
        stack[-1].apply(changes)
        stack.append(Overlay(stack[-1]))
    top = stack[-1]
    shown = {b"a": None, b"b": b"4", b"c": b"0", b"d": b"3"}
    assert {key: top.get(key) for key in shown} == shown

    top.flatten(count)

    assert {key: top.get(key) for key in shown} == shown
    assert isinstance(top.parent, Overlay)
    assert top.parent.parent is ([store, *stack][4 - count])
    assert top.changes == {}, "what it changed itself stays apart"
    assert [overlay.changes for overlay in stack[:4]] == layers, "those below stay as they are"


def test_a_read_cache_reads_once() -> None:
    below = {b"a": b"1"}
    cache = ReadCache(below)
    assert (cache.get(b"a"), cache.get(b"b")) == (b"1", None)
    below.update({b"a": b"2", b"b": b"3"})

    assert (cache.get(b"a"), cache.get(b"b")) == (b"1", None)
    assert cache.reads == {b"a": b"1", b"b": None}


@pytest.mark.parametrize("value", [b"", b"\xc0", b"\x92\x01", b"\x93\xff\x00\xc0", b"\x91\xa1\xff"])
def test_an_entry_that_we_did_not_write_is_no_fault_of_a_peer(value: bytes) -> None:
    member = make_network().members[0].id
    with pytest.raises(CorruptState):
        is_member({member_key(member): value}, member)


def test_a_list_with_a_hole_is_corrupt() -> None:
    totals = {b"t": encode(TotalsEntry(members=1, emergencies=1))}
    member = make_network().members[0].id
    with pytest.raises(CorruptState):
        list(members(totals))
    with pytest.raises(CorruptState):
        list(members({**totals, roll_key(0): member}))
    with pytest.raises(CorruptState):
        list(emergencies(totals))
    with pytest.raises(CorruptState):
        list(emergencies({**totals, emergency_key(0): token("event")}))


def test_what_is_not_there_is_none() -> None:
    assert read({}, b"t", TotalsEntry) is None
    assert list(members({})) == []
    assert list(emergencies({})) == []


def test_keys_of_different_kinds_differ() -> None:
    one, other = token("one"), token("other")
    keys = [
        member_key(one),
        subject_key(one),
        seen_key(one),
        review_key(one),
        request_key(one, other),
        request_key(other, one),
        roll_key(1),
        emergency_key(1),
    ]
    assert len(set(keys)) == len(keys)
