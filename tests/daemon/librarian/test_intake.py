"""Answers are worked on in their order, never changed meanwhile, and a bad one ends it all."""

import threading
from collections.abc import Callable

import pytest
import trio

from daemon.librarian.intake import FRAMES, Intake
from daemon.transport import StreamClosed
from protocol.errors import InvalidRecord

ANSWERS = 10


async def receive(intake: Intake, number: int, work: Callable[[bytes], None]) -> None:
    frame = await intake.frame()
    frame[:1] = bytes([number])
    intake.put(lambda: work(bytes(frame[:1])))


async def test_each_answer_is_as_it_came_when_its_turn_comes() -> None:
    seen: list[bytes] = []
    async with Intake() as intake:
        for number in range(ANSWERS):
            await receive(intake, number, seen.append)
        await intake.finish()
        assert seen == [bytes([number]) for number in range(ANSWERS)]


async def test_no_more_answers_wait_than_there_are_frames() -> None:
    may_go_on, seen = threading.Event(), list[bytes]()

    def work(frame: bytes) -> None:
        may_go_on.wait(5)
        seen.append(frame)

    async with Intake() as intake:
        for number in range(FRAMES - 1):
            await receive(intake, number, work)
        with trio.move_on_after(0.01) as scope:
            await intake.frame()
        assert scope.cancelled_caught
        may_go_on.set()
        await intake.finish()
        assert len(seen) == FRAMES - 1


def refuse_from(number: int, seen: list[bytes]) -> Callable[[bytes], None]:
    def work(frame: bytes) -> None:
        if frame[0] == number:
            raise InvalidRecord("a chunk does not open")
        seen.append(frame)

    return work


@pytest.mark.parametrize("last", [FRAMES - 2, ANSWERS])
async def test_a_bad_answer_is_heard_of_and_nothing_after_it_counts(last: int) -> None:
    seen: list[bytes] = []

    async def take_in_all() -> None:
        async with Intake() as intake:
            for number in range(last + 1):
                await receive(intake, number, refuse_from(0, seen))
            await intake.finish()

    with pytest.raises(InvalidRecord):
        await take_in_all()
    assert seen == []


async def break_off(bad: int) -> None:
    """Lose the stream when the one answer is worked on."""
    async with Intake() as intake:
        await receive(intake, 0, refuse_from(bad, []))
        while not intake._under_way[0].done():
            await trio.lowlevel.checkpoint()
        raise StreamClosed("the peer reset the stream")


async def test_a_bad_answer_says_more_than_the_end_of_the_stream() -> None:
    with pytest.raises(InvalidRecord):
        await break_off(bad=0)


async def test_the_end_of_the_stream_is_heard_of_if_all_was_good() -> None:
    with pytest.raises(StreamClosed):
        await break_off(bad=1)


async def test_who_is_cancelled_hears_nothing_else() -> None:
    with trio.CancelScope() as scope:
        async with Intake() as intake:
            await receive(intake, 0, refuse_from(0, []))
            scope.cancel()
            await intake.finish()
    assert scope.cancelled_caught
