"""Frames on their way from neighbours to the node: each neighbour has a line, and all take turns.

Who sends more than the node takes waits in its own line, and then its stream fills up. A frame of
anybody else passes it by.
"""

import trio

from daemon.turns import FairQueue
from protocol.identity import MemberId

FRAMES_PER_NEIGHBOUR_MAX = 16
FRAMES_MAX = 64
"""How many frames wait here in all."""


class Incoming:
    """One task receives."""

    def __init__(self) -> None:
        self._frames = FairQueue[tuple[MemberId, bytes]]()
        self._arrived = trio.lowlevel.ParkingLot()
        self._has_room = trio.lowlevel.ParkingLot()

    async def put(self, sender: MemberId, frame: bytes) -> None:
        """Queue a frame of a neighbour; wait while there is no room for it."""
        while self._is_full_for(sender):
            await self._has_room.park()
        self._frames.append(sender, (sender, frame))
        self._arrived.unpark()

    async def receive(self) -> tuple[MemberId, bytes]:
        """Wait for a frame, and return the next and its sender."""
        await trio.lowlevel.checkpoint()
        while not len(self._frames):
            await self._arrived.park()
        taken = self._frames.popleft()
        self._has_room.unpark_all()
        return taken

    async def receive_all(self) -> list[tuple[MemberId, bytes]]:
        """Wait for a frame, and return all that are here: a turn of a task costs as much as one."""
        taken = [await self.receive()]
        while len(self._frames):
            taken.append(self._frames.popleft())
        return taken

    def _is_full_for(self, sender: MemberId) -> bool:
        mine = self._frames.length_of(sender)
        if mine == 0:
            return False
        return mine >= FRAMES_PER_NEIGHBOUR_MAX or len(self._frames) >= FRAMES_MAX
