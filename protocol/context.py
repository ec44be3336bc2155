"""What a rule knows besides the state: the network, and the block that the event would stand in."""

from dataclasses import dataclass

from protocol.codec import MILLISECONDS_PER_DAY
from protocol.genesis import Genesis
from protocol.identity import NetworkId


@dataclass(frozen=True, slots=True)
class Context:
    """Where an event is judged. Time is the timestamp of the block, never the local clock."""

    network: NetworkId
    genesis: Genesis
    height: int
    timestamp: int

    @property
    def day(self) -> int:
        """The UTC day of the block, in days since the Unix epoch."""
        return self.timestamp // MILLISECONDS_PER_DAY
