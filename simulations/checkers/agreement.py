"""One chain: agreement, chaining, equal states, no event twice, no idle blocks (I3, I4, I15-18)."""

from protocol.blocks import Block, block_hash
from protocol.consensus import may_be_empty
from protocol.effects import StoreBlocks
from protocol.events import EventId, event_id
from protocol.votes import NO_BLOCK
from simulations.checkers.watch import Watch
from simulations.world.core_host import CoreHost


class Agreement:
    """Keeps the one chain that all must agree on: what was first final at each height."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.chain: list[Block] = [watch.world.hosts[0].disk.blocks[0]]
        self.events: dict[EventId, int] = {}
        watch.on_effect(StoreBlocks, self._stored)

    def _stored(self, host: CoreHost, effect: StoreBlocks) -> None:
        finalization = effect.finalization
        for block in self.watch.kept_before(host, effect, len(self.chain)):
            self._extend(host, block)
        for block in finalization.blocks:
            header = block.header
            if header.height == len(self.chain):
                self._extend(host, block)
            elif header.height > len(self.chain):
                self.watch.report(self, f"height {header.height} is final before others", host)
            elif self.chain[header.height] != block:
                self.watch.report(self, f"two blocks are final at height {header.height}", host)
        last = finalization.blocks[-1].header
        bases = [proof.manifest.base for proof in host.disk.recoveries.values()]
        is_same = finalization.digest.root == last.state_digest
        # On the base of a recovery, the next epoch is entered into the state.
        if not is_same and block_hash(last) not in bases:
            self.watch.report(self, f"the state at height {last.height} is another", host)
        if finalization.blocks[0].header.height != host.disk.height + 1:
            self.watch.report(self, "the chain of the node has a gap", host)

    def at_end(self) -> None:
        """What a recovery kept comes to nodes without a certificate: compare that, too."""
        for host in self.watch.honest:
            if host.disk.recoveries and host.disk.blocks != self.chain[: host.disk.height + 1]:
                self.watch.report(self, "a recovery left it with another chain", host)

    def _extend(self, host: CoreHost, block: Block) -> None:
        parent, header = self.chain[-1].header, block.header
        if header.parent != block_hash(parent) or header.timestamp <= parent.timestamp:
            self.watch.report(self, f"block {header.height} does not stand on its parent", host)
        is_pending = header.next_authorities != NO_BLOCK
        may = is_pending or may_be_empty(parent, epoch=header.epoch, view=header.view)
        if header.event_count == 0 and not may:
            self.watch.report(self, f"block {header.height} is empty for no reason", host)
        for signed in block.events:
            identifier = event_id(signed.event, self.watch.world.cast.id)
            if identifier in self.events:
                self.watch.report(self, f"an event is final twice, in {header.height}", host)
            self.events[identifier] = header.height
        self.chain.append(block)
