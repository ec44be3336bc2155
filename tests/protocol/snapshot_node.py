"""Cores that copy states from each other, with what a disk does for them.

A node of these carries out what the core wants about snapshots as the daemon does: it holds states
for others, stages what it copies, and begins with another core once that is adopted.
"""

from protocol.digest import StateDigest
from protocol.effects import Effect, Input, SendMessage, StagingEffect
from protocol.identity import MemberId
from protocol.messages import PeerMessage
from protocol.renewal import renew
from protocol.snapshot import AdoptSnapshot
from protocol.snapshot_source import HoldState, ReleaseState, SendSnapshot
from tests.protocol.copying import Source, Staging
from tests.protocol.example_node import ExampleNode, of
from tests.protocol.examples import Network, Party


class SnapshotNode(ExampleNode):
    """A node that follows; `ledger` is the chain that its peers have, as a source of states."""

    def __init__(self, network: Network, party: Party, *peers: Party) -> None:
        self.staging = Staging()
        self.held: dict[bytes, Source] = {}
        self.source: Source | None = None
        super().__init__(network, party, *peers)

    def step(self, input: Input) -> list[Effect]:
        effects = super().step(input)
        done: list[Effect] = []
        for effect in effects:
            match effect:
                case AdoptSnapshot():
                    self.staging.carry_out(effect)
                    done += self._begin_anew(effect)
                case _ if isinstance(effect, StagingEffect):
                    self.staging.carry_out(effect)
                case HoldState(block):
                    assert self.source is not None
                    assert self.source.block == block
                    self.held[block] = self.source
                case ReleaseState(block):
                    del self.held[block]
        return effects + done

    def answers(self, effects: list[Effect]) -> list[tuple[MemberId, PeerMessage]]:
        """Return what is sent to whom, and what the disk answers for the core."""
        found: list[tuple[MemberId, PeerMessage]] = []
        for effect in effects:
            if isinstance(effect, SendSnapshot) and effect.block in self.held:
                answer = self.held[effect.block].answer(effect.question)
                assert answer is not None
                found.append((effect.peer, answer))
        for effect in of(SendMessage, effects):
            found += [(recipient, effect.message) for recipient in effect.recipients]
        return found

    def _begin_anew(self, effect: AdoptSnapshot) -> list[Effect]:
        self.stored.clear()
        self.stored.update(self.staging.state)
        manifest = effect.manifest
        origin = self.origin(
            manifest.head,
            manifest.certificate,
            StateDigest.decode(manifest.accumulators),
            lowest=manifest.head.header.height,
        )
        self.core, inputs = renew(self.core, origin)
        return [effect for each in inputs for effect in self.step(each)]


def exchange(
    nodes: dict[MemberId, SnapshotNode], sender: SnapshotNode, effects: list[Effect], steps: int
) -> list[tuple[MemberId, PeerMessage]]:
    """Deliver what is sent, and what is answered, until nobody says anything more.

    Return who said what.
    """
    queue = [(sender, *each) for each in sender.answers(effects)]
    said: list[tuple[MemberId, PeerMessage]] = []
    for _ in range(steps):
        if not queue:
            return said
        speaker, to, message = queue.pop(0)
        said.append((speaker.party.id, message))
        if (node := nodes.get(to)) is not None:
            queue += [(node, *each) for each in node.answers(node.hear(speaker.party, message))]
    raise AssertionError("they talk without end")
