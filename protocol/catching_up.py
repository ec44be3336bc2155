"""What a node asks others for that is behind, and what it answers to those who are.

The core hands over what it hears about heights, and passes on what is to be sent. Which peer is
asked is up to `protocol.sync`. Who asks for blocks that are not here any more hears at once from
which height on there are some, and turns to another.
"""

from collections.abc import Iterator

from protocol.effects import Effect, ScheduleTimer, SendMessage, SendRange
from protocol.identity import MemberId
from protocol.messages import BLOCKS_PER_RANGE_MAX, RangeWanted, Status
from protocol.sync import ANSWER_TIMEOUT, AskForRange, Sync, SyncTimer


class CatchingUp:
    """The questions of one node, and its answers. `lowest_height` is its oldest block."""

    def __init__(self, sync: Sync, lowest_height: int) -> None:
        self.sync = sync
        self.lowest_height = lowest_height

    def heard(self, sender: MemberId, status: Status, now: int) -> Iterator[Effect]:
        """A peer says where it stands."""
        yield from self.ask(self.sync.heard(sender, status.height, status.lowest_height), now)

    def wanted(self, sender: MemberId, message: RangeWanted, ours: Status) -> Iterator[Effect]:
        """A peer wants blocks."""
        first, last = message.first, message.last
        if first < self.lowest_height:
            yield SendMessage((sender,), ours)
        else:
            yield SendRange(sender, first, min(last, first + BLOCKS_PER_RANGE_MAX - 1))

    def ask(self, question: AskForRange | None, now: int) -> Iterator[Effect]:
        """Put a question of `protocol.sync`."""
        if question is not None:
            yield SendMessage((question.peer,), question.message)
            yield ScheduleTimer(SyncTimer(question.request), now + ANSWER_TIMEOUT)
