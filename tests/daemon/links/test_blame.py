"""Blame: one bad message is logged, many within a minute are a ban."""

import trio
from trio.testing import MockClock

from daemon.links.blame import BAN_SECONDS, BLAMES_MAX, WINDOW_SECONDS, Blames
from protocol.errors import DecodeError
from tests.protocol.examples import token

PEER, OTHER = token("peer"), token("other")
ERROR = DecodeError("not decodable")


async def test_the_last_of_many_blames_bans_the_peer_and_nobody_else() -> None:
    blames = Blames()
    assert not any(blames.note(PEER, ERROR) for _ in range(BLAMES_MAX))
    assert not blames.is_banned(PEER)
    assert blames.note(PEER, ERROR)
    assert blames.is_banned(PEER)
    assert not blames.is_banned(OTHER)


async def test_a_ban_ends(autojump_clock: MockClock) -> None:
    blames = Blames()
    for _ in range(BLAMES_MAX + 1):
        blames.note(PEER, ERROR)
    await trio.sleep(BAN_SECONDS)
    assert not blames.is_banned(PEER)


async def test_blames_that_are_far_apart_do_not_add_up(autojump_clock: MockClock) -> None:
    blames = Blames()
    for _ in range(2 * BLAMES_MAX):
        assert not blames.note(PEER, ERROR)
        await trio.sleep(2 * WINDOW_SECONDS / BLAMES_MAX)
