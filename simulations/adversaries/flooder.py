"""A member that sends as much as it can, at the rate `load.junk` of the scenario (S3; scenario 24).

    bundle     events with bad signatures
    unknown    announcements of, and questions for, gossip that does not exist
    large      a payload of two megabytes less a little
    events     good events, one bundle after the other, until its share of every mempool is full
    questions  ranges, blocks and certificates, over and over

Met by limits: a share of the mempool for each submitter, bounded tables for what is announced, one
answer per peer and time; and by the bundle's signature: junk has a name.
"""

from typing import Any

from msgspec.structs import replace

from protocol.codec import encode
from protocol.messages import (
    BlockWanted,
    CertificateWanted,
    Graft,
    Have,
    Payload,
    Topic,
    sign_bundle,
)
from simulations.adversaries.traitor import Traitor
from simulations.world.clock import EPOCH_START
from simulations.world.deeds import records_committed, token
from simulations.world.world import World

TICK = 100
RATE_WITHOUT_LOAD = 20.0
"""Messages per second if the scenario says nothing."""
IDS = 50
LARGE = 200_000
LARGE_SHARE = 0.01
LIFETIME = 3_600_000


class Flooder(Traitor):
    """Sends junk to its neighbours in turn."""

    kind = "flooder"

    def enter(self, world: World) -> None:
        super().enter(world)
        self._rate = world.scenario.load.junk or RATE_WITHOUT_LOAD
        self._owed = 0.0
        self._count = 0
        self.every(TICK, self._flood)

    def _flood(self) -> None:
        self._owed += self._rate * TICK / 1_000
        neighbours = list(self.linked)
        while self._owed >= 1 and neighbours:
            self._owed -= 1
            self._count += 1
            self.did()
            self.say(neighbours[self._count % len(neighbours)], self._junk())

    def _junk(self) -> Any:
        chance = self.network.random
        if chance.random() < LARGE_SHARE:
            return Payload(Topic.EVENTS, bytes(LARGE))
        view = self.disk.blocks[-1].header.view + self._count
        choices = (
            lambda: self._bundle(is_good=False),
            lambda: self._bundle(is_good=True),
            lambda: Have(Topic.BLOCKS, self._ids()),
            lambda: Graft(Topic.EVENTS, self._ids()),
            lambda: BlockWanted(token(f"block {self._count}")),
            lambda: CertificateWanted(self.epoch, view),
        )
        return choices[self._count % len(choices)]()

    def _bundle(self, *, is_good: bool) -> Any:
        cast, party = self.cast, self.cast.parties[self.name]
        wall = EPOCH_START + self.network.now
        event = records_committed(
            cast,
            party,
            root=token(f"junk {self.name} {self._count}"),
            valid_until=wall + LIFETIME,
        )
        if not is_good:
            event = replace(event, signatures=(bytes(64),))
        bundle = sign_bundle(party.key, cast.id, wall * 100 + self._count % 100, (event,))
        return Payload(Topic.EVENTS, encode(bundle)) if is_good else bundle

    def _ids(self) -> tuple[bytes, ...]:
        return tuple(token(f"{self._count} {number}", 16) for number in range(IDS))
