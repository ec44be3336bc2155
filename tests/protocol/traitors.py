"""Authorities that cheat: the same key in two processes, and one that signs and sends anything."""

from typing import Any

from protocol.blocks import Block, block_hash
from protocol.consensus import (
    Broadcast,
    CertificateLogged,
    Consensus,
    Halt,
    LogRecord,
    Send,
    StrayVote,
)
from protocol.messages import Proposal, Status, VotesSeen
from protocol.votes import NO_BLOCK, Certificate, Vote, VoteKind, sign_vote
from simulations.world.network import Network
from tests.protocol.toy import FORBIDDEN, ToyApplication, World, numbers_of
from tests.protocol.toy_host import Bystander, ToyHost


class Puppet(ToyHost):
    """Says only what the test makes it say, and remembers what it heard."""

    def __init__(self, network: Network, world: World, *, name: int, place: int) -> None:
        super().__init__(network, world, name=name, place=place)
        self.is_traitor = True
        self.heard: list[Any] = []
        self.heard_from: list[int] = []

    def start(self) -> None:
        """There is no machine to start."""

    def hear(self, sender: int, message: Any) -> None:
        self.heard.append(message)
        self.heard_from.append(sender)

    def say(self, message: Any, *names: int) -> None:
        """Send to all of `names`, by default to everybody else."""
        for name in names or range(self.world.size):
            if name != self.name:
                self._send(name, message)

    def vote(self, kind: VoteKind, view: int, block: Block | None = None) -> Vote:
        identifier = NO_BLOCK if block is None else block_hash(block.header)
        return _signed(self, kind, view, identifier)

    def propose(self, parent: Block, view: int, *numbers: int) -> Proposal:
        """Return a proposal with our vote; nothing justifies it yet."""
        block = ToyApplication(self.world, parent, set()).make(
            parent=parent,
            view=view,
            proposer=self.name,
            timestamp=max(self.now().wall, parent.header.timestamp + 1),
            numbers=numbers,
            epoch=self.entry.epoch,
        )
        return Proposal(block, self.vote(VoteKind.NOTARIZE, view, block), ())


class Traitor(ToyHost):
    """Runs the honest machine, but is not stopped by finding its own key in use elsewhere."""

    def __init__(self, network: Network, world: World, *, name: int, place: int) -> None:
        super().__init__(network, world, name=name, place=place)
        self.is_traitor = True

    def received(self, sender: int, message: Any) -> None:
        match message:
            case Vote(signer=signer) if signer == self._seat:
                return
            case VotesSeen(epoch, question):
                message = VotesSeen(epoch, question, ())
            case Certificate():
                self._swallow(message)
            case Status(certificate=Certificate() as certificate):
                self._swallow(certificate)
            case Proposal(justification=justification):
                for certificate in justification:
                    self._swallow(certificate)
        super().received(sender, message)

    def boot(self) -> Consensus | Bystander:
        self.log = [record for record in self.log if not self._tells_of_twin(record)]
        return super().boot()

    @property
    def _seat(self) -> int | None:
        names = self.authorities
        return names.index(self.name) if self.name in names else None

    def carry_out(self, effect: Any) -> None:
        if isinstance(effect, Halt):
            self.restart_after(1_000)
        else:
            super().carry_out(effect)

    def _tells_of_twin(self, record: LogRecord) -> bool:
        match record:
            case StrayVote():
                return True
            case CertificateLogged(certificate):
                return self._signed_as(certificate)
        return False

    def _signed_as(self, certificate: Certificate) -> bool:
        """Say whether a certificate holds a vote under our key."""
        if certificate.epoch >= len(self.epochs):
            return False
        names = self.world.roles.names(self.epochs[certificate.epoch])
        return self.name in [names[signer] for signer in certificate.signers]

    def _swallow(self, certificate: Certificate) -> None:
        """Pretend to have signed what a twin has signed."""
        if not isinstance(self.machine, Consensus) or certificate.epoch != self.machine.epoch:
            return
        state = self.machine._state
        is_ours = state.electorate.me in certificate.signers
        if is_ours and certificate.view > state.finalized_view:
            signed = state.round(certificate.view).signed
            signed.setdefault(certificate.kind, certificate.block)


class Disrupter(Traitor):
    """Says different things to different authorities, and half of what it should say."""

    def carry_out(self, effect: Any) -> None:
        match effect:
            case Broadcast(Proposal() as proposal):
                self._disrupt_proposal(proposal)
            case Broadcast(Vote() as vote):
                self._disrupt_vote(vote)
            case Broadcast() | Send() if self.network.random.random() < 0.5:
                return
            case _:
                super().carry_out(effect)

    def _disrupt_proposal(self, proposal: Proposal) -> None:
        chance = self.network.random
        choices = [proposal]
        roll = chance.random()
        if roll < 0.5:
            choices.append(self._other_events(proposal))
        elif roll < 0.65:
            choices = [self._on_old_block(proposal)]
        elif roll < 0.75:
            choices = [self._with_events(proposal, (*numbers_of(proposal.block), FORBIDDEN))]
        elif roll < 0.85:
            return
        for name in range(self.world.size):
            if name != self.name and chance.random() < 0.9:
                self._send(name, chance.choice(choices))

    def _other_events(self, proposal: Proposal) -> Proposal:
        numbers = list(numbers_of(proposal.block))
        self.network.random.shuffle(numbers)
        return self._with_events(proposal, tuple(numbers[: len(numbers) // 2]))

    def _on_old_block(self, proposal: Proposal) -> Proposal:
        parent = self.network.random.choice(self.chain[-4:])
        return self._sign(proposal, parent, numbers_of(proposal.block))

    def _with_events(self, proposal: Proposal, numbers: tuple[int, ...]) -> Proposal:
        parent = self.application.block(proposal.block.header.parent)
        if parent is None:
            return proposal
        return self._sign(proposal, parent, numbers)

    def _sign(self, proposal: Proposal, parent: Block, numbers: tuple[int, ...]) -> Proposal:
        block = self.application.make(
            parent=parent,
            view=proposal.block.header.view,
            proposer=proposal.vote.signer,
            epoch=proposal.vote.epoch,
            timestamp=max(proposal.block.header.timestamp, parent.header.timestamp + 1),
            numbers=numbers,
        )
        view, identifier = proposal.vote.view, block_hash(block.header)
        vote = _signed(self, VoteKind.NOTARIZE, view, identifier, epoch=proposal.vote.epoch)
        return Proposal(block, vote, proposal.justification)

    def _disrupt_vote(self, vote: Vote) -> None:
        chance = self.network.random
        for name in range(self.world.size):
            if name == self.name:
                continue
            for kind in VoteKind:
                if chance.random() < 0.45:
                    block = self._some_block(kind, vote)
                    self._send(name, _signed(self, kind, vote.view, block, epoch=vote.epoch))

    def _some_block(self, kind: VoteKind, vote: Vote) -> bytes:
        if kind is VoteKind.NULLIFY:
            return NO_BLOCK
        machine = self.machine
        is_here = isinstance(machine, Consensus) and machine.epoch == vote.epoch
        known = machine._state.rounds.get(vote.view) if is_here else None
        blocks = [] if known is None else [v.block for v in known.votes[kind].values()]
        if vote.kind is not VoteKind.NULLIFY:
            blocks.append(vote.block)
        return self.network.random.choice(blocks) if blocks else bytes([1]) * 32


def _signed(host: ToyHost, kind: VoteKind, view: int, block: bytes, *, epoch: int = 0) -> Vote:
    entry = host.application.epochs[epoch]
    seat = host.world.roles.names(entry).index(host.name)
    return sign_vote(
        host.world.key_of.find(host.name, entry, entry.authorities[seat].voting_key),
        host.world.network,
        kind=kind,
        epoch=epoch,
        view=view,
        block=block,
        signer=seat,
    )
