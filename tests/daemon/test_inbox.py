"""What waits for the core, in which order, and what happens when there is no room."""

import pytest
import trio

from daemon.inbox import EVENTS_TOGETHER_MAX, Inbox, Waiting
from protocol.effects import EventsSubmitted, MessageReceived, PeerConnected
from protocol.messages import BlockWanted, Prune, Topic
from tests.protocol.examples import consent_given, make_key, make_network

PEER = bytes(32)
EVENT = MessageReceived(PEER, Prune(Topic.EVENTS))
OTHER_EVENT = MessageReceived(PEER, Prune(Topic.PEERS))
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
    inbox = Inbox(inputs_max=2)
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
    await inbox.put(PeerConnected(PEER))
    await inbox.put(EventsSubmitted(OURS[:1]))

    assert taken(inbox) == [
        EventsSubmitted(OURS),
        PeerConnected(PEER),
        EventsSubmitted(OURS[:1]),
    ]


async def test_only_so_many_events_are_handed_over_together() -> None:
    inbox = Inbox()
    most = EventsSubmitted(OURS[:1] * EVENTS_TOGETHER_MAX)
    await inbox.put(most)
    await inbox.put(EventsSubmitted(OURS[1:]))

    assert taken(inbox) == [most, EventsSubmitted(OURS[1:])]
