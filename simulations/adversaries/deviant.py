"""Nodes whose ledger is another one, though they mean no harm (S1; scenario 28).

A library that computes otherwise, or a bit that flipped on the disk: from the start, one entry of
the state is different, the same one on all of them. Met by the state digest in each block, which is
executed before it is notarized: f of them halt and the rest goes on; with f + 1 the chain halts
instead of forking; and where a quorum deviates, it is the honest node that halts.
"""

from typing import Any

from protocol.codec import encode
from protocol.consensus import HaltReason
from protocol.state import CustodianEntry, custodian_key
from simulations.adversaries.traitor import Traitor
from simulations.world.core_host import CoreHost


class Deviant(Traitor):
    """Follows all rules, with a ledger that has gone wrong: no traitor, but no help."""

    kind = "deviant"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        flipped = {custodian_key(self.cast.parties[0].id): encode(CustodianEntry(erasure_count=1))}
        self.disk.digest = self.disk.digest.updated(self.disk.state, flipped)
        self.disk.state.update(flipped)

    def start(self) -> None:
        super().start()
        if self.is_up and self.life == 1:
            self.did()

    def halt(self, reason: HaltReason) -> None:
        """Stop, as an honest node does: it is no traitor."""
        self.did("halted")
        CoreHost.halt(self, reason)
