"""Members that cheat: one that sends junk and lies, and an authority that proposes twice."""

from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block, FinalizedBlocks, block_hash
from protocol.codec import encode
from protocol.consensus import HaltReason
from protocol.effects import MessageReceived, SendMessage, StoreBlocks
from protocol.events import SignedEvent
from protocol.ledger import execute
from protocol.messages import (
    Bundle,
    Graft,
    Have,
    Payload,
    Proposal,
    RangeWanted,
    Status,
    Topic,
    sign_bundle,
)
from protocol.votes import Certificate, Vote, VoteKind, sign_vote
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import records_committed, token

JUNK_EVERY = 150


class Junkmonger(CoreHost):
    """Runs an honest core, and says all that an honest member never says besides."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_traitor = True

    def start(self) -> None:
        super().start()
        self._spread_junk()

    def carry_out(self, effect: Any) -> None:
        """Pass each block on with another body, before those who are behind hear the true one."""
        super().carry_out(effect)
        if isinstance(effect, StoreBlocks):
            head, certificate = self.disk.blocks[-1], self.disk.certificates[self.disk.height]
            exchanged = Block(head.header, (*head.events, *head.events))
            for name in list(self.linked):
                self.say(name, FinalizedBlocks((exchanged,), certificate))

    def _spread_junk(self) -> None:
        for name in list(self.linked):
            self.say(name, self.network.random.choice(self._junk()))
        if self.is_up:
            self.network.after(JUNK_EVERY, self._spread_junk)

    def _junk(self) -> list[Any]:
        """Return what to choose from: bad signatures, lies about heights, bodies exchanged."""
        cast, party = self.cast, self.cast.parties[self.name]
        good = records_committed(cast, party, root=token("root"), valid_until=EPOCH_START + 10**9)
        bad = SignedEvent(good.event, (bytes(64),))
        sequence = EPOCH_START + self.network.now
        bundle = sign_bundle(party.key, cast.id, sequence, (bad,))
        unsigned = Bundle(party.id, sequence, (good,), bytes(64))
        status = Status(0, 0, 2**50, None, 0)
        junk = [
            bundle,
            unsigned,
            Payload(Topic.EVENTS, encode(unsigned)),
            Payload(Topic.BLOCKS, b"\xc1 nothing"),
            status,
            RangeWanted(2**63 - 1, 0),
            RangeWanted(0, 2**63 - 1),
            Have(Topic.BLOCKS, tuple(token(f"{sequence} {n}", 16) for n in range(20))),
            Graft(Topic.EVENTS, tuple(token(f"{sequence} {n}", 16) for n in range(20))),
            Vote(VoteKind.NULLIFY, 0, 1, bytes(32), 0, bytes(64)),
        ]
        return junk + self._false_blocks(good)

    def _false_blocks(self, event: SignedEvent) -> list[Any]:
        if self.disk.height < 1:
            return []
        head, certificate = self.disk.blocks[-1], self.disk.certificates[self.disk.height]
        header = replace(head.header, height=head.header.height + 1, parent=block_hash(head.header))
        child = Block(header, ())
        forged = replace(certificate, block=block_hash(header), view=certificate.view + 1)
        exchanged = Block(head.header, (*head.events, event))
        return [
            FinalizedBlocks((child,), forged),
            FinalizedBlocks((child,), certificate),
            FinalizedBlocks((head, head), certificate),
            FinalizedBlocks((exchanged,), certificate),
            Payload(Topic.BLOCKS, encode(FinalizedBlocks((exchanged,), certificate))),
        ]


class Equivocator(CoreHost):
    """An authority that signs two proposals for one view, and shows each to half the others."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.is_traitor = True
        self.forked_views: list[int] = []

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendMessage(recipients, Proposal(block=block) as proposal) if (
                block.header.proposer == self.name and block.events
            ):
                self.forked_views.append(block.header.view)
                other = self._other(proposal)
                for place, recipient in enumerate(recipients):
                    message = proposal if place % 2 else other
                    self.say(self.cast.names[recipient], message)
            case _:
                super().carry_out(effect)

    def received(self, sender: int, message: Any) -> None:
        """Never look at what might tell the honest machine inside of its own second vote."""
        match message:
            case Vote(signer=self.name):
                return
            case Certificate(signers=signers) if self.name in signers:
                return
            case Status(certificate=Certificate(signers=signers)) if self.name in signers:
                self.step(MessageReceived(self.cast.parties[sender].id, replace_status(message)))
            case _:
                super().received(sender, message)

    def halt(self, reason: HaltReason) -> None:  # noqa: ARG002
        self.restart_after(1_000)

    def _other(self, proposal: Proposal) -> Proposal:
        """Return another valid block for the same place, signed as well, while that can be made."""
        block = proposal.block
        above = self.core.chain._executed.get(block.header.parent)
        if above is None:
            return proposal
        context = self.core.chain.context(
            height=block.header.height, timestamp=block.header.timestamp + 1
        )
        execution = execute(above.state, above.digest, block.events, context, self.cast.verifier)
        header = replace(
            block.header, timestamp=context.timestamp, state_digest=execution.digest.root
        )
        vote = sign_vote(
            self.cast.parties[self.name].voting_key,
            self.cast.id,
            kind=VoteKind.NOTARIZE,
            epoch=0,
            view=header.view,
            block=block_hash(header),
            signer=self.name,
        )
        return Proposal(Block(header, block.events), vote, proposal.justification)


def replace_status(status: Status) -> Status:
    """Return the status without its proof."""
    return replace(status, certificate=None)
