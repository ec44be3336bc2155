"""Who came and who went, as a bounded queue in which newer news replaces older.

News about one member replaces older news about it that nobody has read: a reader that was busy
learns how things stand, not every step. So it may read "came" twice in a row: in between the
member went, and came back.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import trio

from protocol.identity import MemberId

NEWS_MAX = 64
"""How many a slow reader finds at once; the rest waits, one for each member."""


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """There is a connection with this member (perhaps a new one in place of an old one)."""

    member: MemberId


@dataclass(frozen=True, slots=True)
class PeerDisconnected:
    """The last connection with this member has ended."""

    member: MemberId


Change = PeerConnected | PeerDisconnected

T = TypeVar("T")


class News(Generic[T]):
    """The news that are not read yet: at most one for each member, and `NEWS_MAX`."""

    def __init__(self) -> None:
        self._send, self.receive = trio.open_memory_channel[T](NEWS_MAX)
        self._latest: dict[MemberId, T] = {}
        self._arrived = trio.lowlevel.ParkingLot()

    def announce(self, member: MemberId, news: T) -> None:
        self._latest.pop(member, None)
        self._latest[member] = news
        self._arrived.unpark_all()

    async def run(self) -> None:
        """Pass news on, as fast as they are read."""
        while True:
            while not self._latest:
                await self._arrived.park()
            await self._send.send(self._latest.pop(next(iter(self._latest))))
