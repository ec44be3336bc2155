"""What checkers share: the world they watch, whom they may trust, and where they report."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from protocol.blocks import Block
from protocol.effects import StoreBlocks
from protocol.electorates import epoch_entry
from protocol.genesis import Authority
from simulations.outcome import Violation
from simulations.world.core_host import CoreHost
from simulations.world.world import World

VIOLATIONS_MAX = 50
"""After so many violations nothing new is to be learned."""


@dataclass(slots=True)
class Watch:
    """The border between a world and its checkers."""

    world: World
    violations: list[Violation] = field(default_factory=list)

    @property
    def honest(self) -> list[CoreHost]:
        return [host for host in self.world.hosts if not host.is_traitor]

    @property
    def settled(self) -> list[CoreHost]:
        """Honest hosts that are there and members in the end, so that all must reach them."""
        unwelcome = self.world.swarm.unwelcome
        present = [host for host in self.honest if not host.is_lost]
        return [host for host in present if host.name not in unwelcome]

    def kept_before(self, host: CoreHost, effect: StoreBlocks, height: int) -> list[Block]:
        """Return blocks from `height` on that a recovery kept there, below those of the effect."""
        first = effect.finalization.blocks[0].header.height
        return host.disk.blocks[height:first] if host.disk.recoveries else []

    def is_liar(self, name: int) -> bool:
        """Say whether the scenario made the party of this name hostile, or made it forget."""
        stale = self.world.stale
        return any(h.is_traitor or h.place in stale for h in self.world.hosts if h.name == name)

    def authorities(self, epoch: int) -> tuple[Authority, ...]:
        """Return who votes in an epoch that an honest node knows of."""
        known = self.known_authorities(epoch)
        assert known, "honest nodes act in epochs that they know"
        return known

    def known_authorities(self, epoch: int) -> tuple[Authority, ...]:
        """Return who votes in an epoch, nobody if there is no such epoch yet."""
        if epoch == 0:
            return self.world.cast.genesis.authorities
        entries = (epoch_entry(host.disk.state, epoch) for host in self.honest)
        return next((entry.authorities for entry in entries if entry is not None), ())

    def name_of(self, epoch: int, signer: int) -> int:
        """Return the name of the party that signs with this index in an epoch."""
        return self.world.cast.names[self.authorities(epoch)[signer].member]

    def on_effect(self, kind: type, look: Callable[[CoreHost, Any], None]) -> None:
        """Call `look` with each effect of that type of each honest host, before it is done.

        With a type of message, call it with each that they send, once for all receivers.
        """
        for host in self.honest:
            host.watchers_of.setdefault(kind, []).append(look)

    def report(self, checker: Any, text: str, host: CoreHost | None = None) -> None:
        if len(self.violations) >= VIOLATIONS_MAX:
            return
        name = type(checker).__name__ if not isinstance(checker, str) else checker
        label = None if host is None else host.label
        self.violations.append(Violation(name, self.world.now, label, text))
        if host is not None:
            self.world.tell("violation", host, text=f"{name}: {text}")
