"""What blocks do, executed once for all nodes of a large world.

An execution is a function of the state before, the events and the time of the block. The digest
stands for the state, as it does in the header of each block. In small worlds, such as those of a
campaign, each node executes everything itself. In large ones, each block is executed by the first
node that comes to it and, at the end of the run, by the checker `reexecution`, which also compares
the states of some nodes with its own; what the others store is what the first one found.
"""

from collections.abc import Sequence

from protocol.context import Context
from protocol.digest import StateDigest
from protocol.events import SignedEvent
from protocol.identity import Verifier
from protocol.ledger import Execution, execute
from protocol.state import StateView

PARTIES_ALONE_MAX = 50
"""In worlds of up to so many parties, nothing is shared."""

EXECUTIONS_MAX = 256
"""How many are remembered; the oldest goes first."""

Key = tuple[bytes, int, int, tuple[SignedEvent, ...]]


class Executions:
    """Those of one world: its nodes share genesis and verifier."""

    def __init__(self) -> None:
        self._known: dict[Key, Execution] = {}

    def __call__(
        self,
        state: StateView,
        digest: StateDigest,
        events: Sequence[SignedEvent],
        context: Context,
        verifier: Verifier,
    ) -> Execution:
        """Execute, or remember. What raises an error raises it each time anew."""
        key = (digest.root, context.height, context.timestamp, tuple(events))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = execute(state, digest, events, context, verifier)
            if len(self._known) > EXECUTIONS_MAX:
                del self._known[next(iter(self._known))]
        return known
