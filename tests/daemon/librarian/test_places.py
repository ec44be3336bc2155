"""Places run out, in all and for each; turns come in order."""

import pytest
import trio
import trio.testing

from daemon.librarian.places import NoPlace, Places, Turns

ANN, BOB = b"a" * 32, b"b" * 32


def test_places_run_out_for_one_member_and_for_all_together() -> None:
    places = Places(in_all=3, per_member=2)
    with places.taken(ANN), places.taken(ANN):
        with pytest.raises(NoPlace), places.taken(ANN):
            pass
        with places.taken(BOB), pytest.raises(NoPlace), places.taken(b"c" * 32):
            pass
    with places.taken(BOB), places.taken(ANN), places.taken(ANN):
        pass
    assert not places._taken


async def test_turns_come_one_after_the_other_in_order_for_each_key() -> None:
    turns, done = Turns(), []

    async def take(key: str, number: int) -> None:
        async with turns.taken(key):
            done.append((key, number, "in"))
            await trio.testing.wait_all_tasks_blocked()
            done.append((key, number, "out"))

    async with trio.open_nursery() as nursery:
        for number in range(3):
            nursery.start_soon(take, "one", number)
            await trio.testing.wait_all_tasks_blocked(0)
    assert done == [("one", number, way) for number in range(3) for way in ("in", "out")]
    assert not turns._locks


async def test_a_key_does_not_wait_for_another() -> None:
    turns = Turns()
    async with turns.taken("one"), turns.taken("other"):
        assert set(turns._locks) == {"one", "other"}
    assert not turns._locks


async def test_who_gives_up_waiting_leaves_the_row() -> None:
    turns = Turns()

    async def wait(scope: trio.CancelScope) -> None:
        with scope:
            async with turns.taken("one"):
                pytest.fail("the turn is taken")

    async with trio.open_nursery() as nursery, turns.taken("one"):
        scope = trio.CancelScope()
        nursery.start_soon(wait, scope)
        await trio.testing.wait_all_tasks_blocked()
        assert turns._locks["one"][1] == 2
        scope.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert turns._locks["one"][1] == 1
    assert not turns._locks
