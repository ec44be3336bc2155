"""How machines of a run with random faults differ, besides what goes wrong with them.

Short runs never fill a vote log as far as the daemon lets it grow, nor does anybody fall as many
blocks behind as it takes until a state is copied. So there are machines that prune and copy early;
and where somebody gives false states, all would rather copy one than execute a few blocks.
"""

from random import Random

from protocol.sync import SNAPSHOT_LAG
from simulations.world.vote_log import LIMITS
from simulations.world.world import World

LAGS = (SNAPSHOT_LAG, SNAPSHOT_LAG, 2, 5)
LAGS_WITH_FORGER = (0, 1, 2)
"""From how many blocks behind on a node copies a state."""
FORGER = "snapshot-forger"


def draw_habits(world: World) -> None:
    """Give each machine its own, from the seed; before anything happens."""
    chance = Random(f"habits {world.seed}")
    kinds = [adversary.kind for adversary in world.scenario.adversaries]
    lags = LAGS_WITH_FORGER if FORGER in kinds else LAGS
    for host in world.hosts:
        host.log_growth.limit_least = chance.choice(LIMITS)
        host.snapshot_lag = chance.choice(lags)
