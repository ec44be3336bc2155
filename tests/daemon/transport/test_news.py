"""News that a busy reader finds: how things stand, not every step."""

import trio
import trio.testing

from daemon.transport.news import NEWS_MAX, News


async def test_newer_news_about_a_member_replaces_older() -> None:
    news = News[str]()
    members = [number.to_bytes(32, "big") for number in range(2 * NEWS_MAX)]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(news.run)
        for member in members:
            news.announce(member, "came")
        await trio.testing.wait_all_tasks_blocked()
        for member in members[NEWS_MAX + 1 :]:
            news.announce(member, "went")
        read = [await news.receive.receive() for _ in members]
        assert read.count("came") == NEWS_MAX + 1
        assert read.count("went") == NEWS_MAX - 1
        await trio.testing.wait_all_tasks_blocked()
        assert news.receive.statistics().current_buffer_used == 0
        nursery.cancel_scope.cancel()
