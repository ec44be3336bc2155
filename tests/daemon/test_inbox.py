"""What waits for the core, in which order, and what happens when there is no room."""

import pytest
import trio

from daemon.inbox import EVENTS_TOGETHER_MAX, SHARE, URGENT_IN_A_ROW_MAX, Inbox, Waiting
from protocol.effects import (
    BlocksPruned,
    EventsSubmitted,
    MessageReceived,
    PeerConnected,
    PeerDisconnected,
)
from protocol.messages import BlockWanted, Prune, Topic
from tests.protocol.examples import consent_given, make_key, make_network

PEER, ANOTHER = bytes(32), bytes([1]) * 32
EVENT = MessageReceived(PEER, Prune(Topic.EVENTS))
OTHER_EVENT = MessageReceived(PEER, Prune(Topic.PEERS))
FROM_ANOTHER = MessageReceived(ANOTHER, Prune(Topic.EVENTS))
VOTE = MessageReceived(PEER, BlockWanted(bytes(32)))
NETWORK = make_network()
OURS = tuple(
    consent_given(NETWORK, make_key(label), NETWORK.authorities[0]) for label in ("one", "two")
)


def taken(inbox: Inbox) -> list[Waiting]:
    return [inbox.take_nowait() for _ in range(len(inbox))]


def test_what_authorities_say_overtakes_all_else() -> None:
    inbox = Inbox()
    for input in (EVENT, VOTE, OTHER_EVENT):
        assert inbox.offer(input, 10)

    assert taken(inbox) == [VOTE, EVENT, OTHER_EVENT]


def test_a_full_queue_drops_what_neighbours_send_and_counts_it() -> None:
    inbox = Inbox(inputs_max=2 * SHARE)
    assert inbox.offer(EVENT, 10)
    assert inbox.offer(EVENT, 10)
    assert not inbox.offer(OTHER_EVENT, 10)
    assert inbox.offer(VOTE, 10)

    assert inbox.dropped == 1
    assert taken(inbox) == [VOTE, EVENT, EVENT]


def test_large_frames_fill_it_too() -> None:
    inbox = Inbox(bytes_max=100)
    assert inbox.offer(EVENT, 100)
    assert not inbox.offer(EVENT, 1)
    inbox.take_nowait()

    assert inbox.offer(EVENT, 100)


def test_nothing_can_be_taken_from_an_empty_inbox() -> None:
    with pytest.raises(trio.WouldBlock):
        Inbox().take_nowait()


async def test_our_own_parts_wait_for_room() -> None:
    inbox = Inbox(inputs_max=1)
    assert inbox.offer(OTHER_EVENT, 10)
    await inbox.put(PeerConnected(PEER))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(inbox.put, EVENT)
        await trio.testing.wait_all_tasks_blocked()
        assert len(inbox) == 2

        assert await inbox.take() == OTHER_EVENT
        assert await inbox.take() == PeerConnected(PEER)
        assert await inbox.take() == EVENT


async def test_the_core_waits_for_inputs() -> None:
    inbox = Inbox()
    got: list[Waiting] = []

    async def take() -> None:
        got.append(await inbox.take())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(take)
        await trio.testing.wait_all_tasks_blocked()
        inbox.offer(VOTE, 1)

    assert got == [VOTE]


async def test_events_of_ours_that_follow_one_another_are_handed_over_together() -> None:
    inbox = Inbox()
    await inbox.put(EventsSubmitted(OURS[:1]))
    await inbox.put(EventsSubmitted(OURS[1:]))
    await inbox.put(BlocksPruned(1))
    await inbox.put(EventsSubmitted(OURS[:1]))

    assert taken(inbox) == [
        EventsSubmitted(OURS),
        BlocksPruned(1),
        EventsSubmitted(OURS[:1]),
    ]


async def test_only_so_many_events_are_handed_over_together() -> None:
    inbox = Inbox()
    most = EventsSubmitted(OURS[:1] * EVENTS_TOGETHER_MAX)
    await inbox.put(most)
    await inbox.put(EventsSubmitted(OURS[1:]))

    assert taken(inbox) == [most, EventsSubmitted(OURS[1:])]


def test_nobody_fills_it_alone_and_all_have_their_turn() -> None:
    inbox = Inbox(inputs_max=100, bytes_max=1_000)
    assert [inbox.offer(EVENT, 1) for _ in range(30)].count(True) == 100 // SHARE
    assert inbox.offer(FROM_ANOTHER, 200)
    assert not inbox.offer(FROM_ANOTHER, 200)

    assert taken(inbox)[:3] == [EVENT, FROM_ANOTHER, EVENT]


async def test_links_come_up_and_go_down_between_what_was_said_on_them() -> None:
    inbox = Inbox()
    inputs: list[Waiting] = [
        PeerConnected(PEER),
        EVENT,
        PeerDisconnected(PEER),
        PeerConnected(PEER),
        EVENT,
    ]
    for input in inputs:
        await inbox.put(input)

    assert taken(inbox) == inputs


async def test_the_messages_of_who_is_cut_off_are_dropped() -> None:
    inbox = Inbox(bytes_max=100)
    for input in (EVENT, VOTE, FROM_ANOTHER):
        assert inbox.offer(input, 10)
    await inbox.put(PeerDisconnected(PEER))
    inbox.forget(PEER)

    assert taken(inbox) == [FROM_ANOTHER, PeerDisconnected(PEER)]
    assert inbox.offer(EVENT, 100), "there is room again"


def test_only_voters_are_urgent_and_not_for_ever() -> None:
    inbox = Inbox(is_voter=lambda member: member == ANOTHER)
    urgent = MessageReceived(ANOTHER, BlockWanted(bytes(32)))
    for _ in range(URGENT_IN_A_ROW_MAX + 1):
        inbox.offer(urgent, 1)
    inbox.offer(VOTE, 1)

    order = taken(inbox)
    assert order[URGENT_IN_A_ROW_MAX:] == [VOTE, urgent]
