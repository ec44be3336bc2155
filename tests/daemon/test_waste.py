"""Who may take a node's time, and for how long."""

import pytest
import trio.testing

from daemon.waste import (
    BLAME_PAUSE_SECONDS,
    BURST_SECONDS,
    DROPPED_SECONDS,
    MOVES_BURST,
    MOVES_PER_SECOND,
    SHARE,
    Waste,
    Wasteful,
    is_for_nothing,
)
from protocol.effects import (
    Effect,
    MessageReceived,
    PeerConnected,
    RememberPeer,
    SendMessage,
    SendRange,
)
from protocol.errors import ProtocolError
from protocol.identity import MemberId
from protocol.messages import PeerRecord, Prune, Topic

PEER, OTHER = bytes([1]) * 32, bytes([2]) * 32
ANSWER = SendMessage((PEER,), Prune(Topic.EVENTS))
PASSED_ON = SendMessage((OTHER,), Prune(Topic.EVENTS))
MOVED = RememberPeer(PeerRecord(PEER, 1, (), bytes(64)))


class Blamed(list[MemberId]):
    def note(self, member: MemberId, error: ProtocolError) -> None:
        assert isinstance(error, Wasteful)
        self.append(member)


@pytest.fixture
def blamed() -> Blamed:
    return Blamed()


@pytest.mark.parametrize(
    ("effects", "expected"),
    [
        ([], True),
        ([ANSWER, SendRange(PEER, 1, 2)], True),
        ([ANSWER, PASSED_ON], False),
        ([MOVED], False),
    ],
)
def test_what_only_answers_the_sender_is_for_nothing(effects: list[Effect], expected: bool) -> None:
    assert is_for_nothing(PEER, effects) == expected


class Clock:
    """The processor's time."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def judge(self, waste: Waste, member: MemberId, effects: list[Effect], seconds: float) -> None:
        since, self.now = self.now, self.now + seconds
        waste.judged(MessageReceived(member, Prune(Topic.EVENTS)), effects, since=since)


async def test_a_member_that_takes_too_much_for_nothing_is_blamed_and_no_other(
    blamed: Blamed, autojump_clock: trio.testing.MockClock
) -> None:
    cpu = Clock()
    waste = Waste(blamed.note, cpu)
    cpu.judge(waste, PEER, [ANSWER], BURST_SECONDS)
    cpu.judge(waste, OTHER, [ANSWER], BURST_SECONDS / 2)
    waste.judged(PeerConnected(PEER), [], since=-100)
    assert not blamed
    cpu.judge(waste, PEER, [], 0.01)
    assert blamed == [PEER]
    cpu.judge(waste, PEER, [], 0.01)
    assert blamed == [PEER], "one disconnection, one blame"
    await trio.sleep(BLAME_PAUSE_SECONDS)
    cpu.judge(waste, PEER, [], 0.1)
    assert blamed == [PEER, PEER]
    blamed.clear()
    await trio.sleep(2 / SHARE)
    cpu.judge(waste, PEER, [], BURST_SECONDS / 2)
    assert not blamed, "in time all is forgotten"


async def test_what_is_of_use_costs_nothing_and_makes_good(blamed: Blamed) -> None:
    cpu = Clock()
    waste = Waste(blamed.note, cpu)
    for _ in range(20):
        since, cpu.now = cpu.now, cpu.now + 0.1
        waste.received(PEER, since=since, is_taken=True)
        cpu.judge(waste, PEER, [PASSED_ON], 0.1)
    assert not blamed


async def test_frames_for_which_there_is_no_room_count_at_once(blamed: Blamed) -> None:
    waste = Waste(blamed.note, Clock())
    for _ in range(round(BURST_SECONDS / DROPPED_SECONDS)):
        waste.received(PEER, since=0, is_taken=False)
    assert PEER in blamed


async def test_a_member_that_moves_all_the_time_is_not_followed(
    blamed: Blamed, autojump_clock: trio.testing.MockClock
) -> None:
    waste = Waste(blamed.note)
    effects: list[Effect] = [PASSED_ON, MOVED]
    followed = [waste.temper(effects) for _ in range(3 * MOVES_BURST)]
    assert followed[:MOVES_BURST] == [effects] * MOVES_BURST
    assert followed[-1] == []
    assert waste.temper([PASSED_ON]) == [PASSED_ON]
    await trio.sleep(3 * MOVES_BURST / MOVES_PER_SECOND)
    assert waste.temper(effects) == effects
