"""A member that says again what others said long ago, in any order (B10; scenario 23).

It keeps what it hears, from before its own restarts and from earlier epochs too. Met by signatures
that name epoch and view, by views that never go back, and by ids that each node knows already: what
is old changes nothing, and does not make its sender's neighbours talk more than it does.
"""

from typing import Any

from protocol.blocks import FinalizedBlocks
from simulations.adversaries.traitor import Traitor
from simulations.world.frame import Frame
from simulations.world.world import World

KEPT_MAX = 3_000
REPLAY_EVERY = 250
AT_A_TIME = 4


class Replayer(Traitor):
    """Repeats to others what it has heard."""

    kind = "replayer"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._kept: list[Any] = []

    def enter(self, world: World) -> None:
        super().enter(world)
        self.every(REPLAY_EVERY, self._replay)

    def received(self, sender: int, message: Any) -> None:
        # A range that nobody asked for shows nothing: it is heard before it is looked at.
        if not isinstance(message, Frame | FinalizedBlocks):
            if len(self._kept) < KEPT_MAX:
                self._kept.append(message)
            else:
                self._kept[self.network.random.randrange(KEPT_MAX)] = message
        super().received(sender, message)

    def _replay(self) -> None:
        chance = self.network.random
        for name in list(self.linked):
            for _ in range(min(AT_A_TIME, len(self._kept))):
                self.did()
                self.say(name, chance.choice(self._kept))
