"""A node that does everything right, and as late as it dares (B12).

Answers come just before the patience of those who asked ends; votes and proposals come when the
others have given the view up. (Bytes that trickle in are the transport's affair: it gives a frame a
time limit. Here a whole message is what is late.) Met by timers that do not wait for one peer, and
by sync, which asks another one next.
"""

from typing import Any

from protocol.blocks import FinalizedBlocks
from protocol.messages import Proposal
from protocol.sync import ANSWER_TIMEOUT
from protocol.votes import Vote
from simulations.adversaries.traitor import Traitor

JUST_IN_TIME = ANSWER_TIMEOUT - 300
"""How late answers are, in milliseconds."""
LATE_MAX = 12_000


class SlowDrip(Traitor):
    """Keeps every message back for a while."""

    kind = "slow-drip"

    def say(self, name: int, message: Any) -> None:
        if not self.is_acting:
            super().say(name, message)
            return
        self.did()
        self.network.after(self._delay(message), self._say_late, self.life, name, message)

    def _delay(self, message: Any) -> int:
        if isinstance(message, FinalizedBlocks):
            return JUST_IN_TIME
        if isinstance(message, Vote | Proposal):
            return self.network.random.randint(1_000, LATE_MAX)
        return self.network.random.randint(0, 4_000)

    def _say_late(self, life: int, name: int, message: Any) -> None:
        if self.life == life:
            super().say(name, message)
