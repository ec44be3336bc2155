"""The chain, executed from the genesis again, by a verifier that has seen nothing (I15).

The chain is the longest that an honest node has: a traitor's disk may hold whatever it likes.
"""

from protocol.context import Context
from protocol.digest import StateDigest, compute_digest
from protocol.electorates import begin_epoch
from protocol.errors import ProtocolError
from protocol.identity import Verifier, is_valid_signature
from protocol.ledger import execute, genesis_changes
from protocol.recovery_proof import next_epoch
from protocol.state import Changes
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost
from simulations.world.crypto import FastKey, is_valid_fast

DISKS_COMPARED_MAX = 20
"""Of larger worlds only so many nodes' states are compared entry by entry."""


class Reexecution:
    """Executes at the end, and compares with what the disks hold."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def at_end(self) -> None:
        witness = max(self.watch.honest, key=lambda host: host.disk.height)
        state = self._execute(witness)
        for host in self.watch.settled[:DISKS_COMPARED_MAX]:
            if host.disk.height != witness.disk.height:
                continue
            if host.disk.state != state:
                self.watch.report(self, "the state is not that of the chain", host)
        if compute_digest(state.items()) != witness.disk.digest:
            self.watch.report(self, "the digest is not that of the state", witness)

    def _execute(self, witness: CoreHost) -> dict[bytes, bytes]:
        cast = self.watch.world.cast
        verifier = Verifier(is_valid_fast if cast.make_key is FastKey else is_valid_signature)
        state: dict[bytes, bytes] = {}
        changes = genesis_changes(cast.genesis)
        digest = StateDigest().updated(state, changes)
        _write(state, changes)
        digest = _recovered(witness, 0, state, digest)
        for block in witness.disk.blocks[1:]:
            header = block.header
            context = Context(cast.id, cast.genesis, header.height, header.timestamp)
            try:
                execution = execute(state, digest, block.events, context, verifier)
            except ProtocolError as error:
                text = f"block {header.height} is not valid: {error!r}"
                self.watch.report(self, text, witness)
                break
            digest = execution.digest
            _write(state, execution.changes)
            if digest.root != header.state_digest:
                self.watch.report(self, f"block {header.height} leads to another state", witness)
            digest = _recovered(witness, header.height, state, digest)
        return state


def _recovered(
    witness: CoreHost, height: int, state: dict[bytes, bytes], digest: StateDigest
) -> StateDigest:
    """Let the epoch begin that operators put on this block, if they did; return the digest."""
    for proof in witness.disk.recoveries.values():
        if proof.manifest.base_height == height:
            changes = begin_epoch(next_epoch(proof.manifest))
            digest = digest.updated(state, changes)
            _write(state, changes)
    return digest


def _write(state: dict[bytes, bytes], changes: Changes) -> None:
    for key, value in changes.items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value
