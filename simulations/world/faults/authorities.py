"""Changes of who votes: the candidate offers a key, and all authorities cast their ballots.

Operators look at their own node now and then, and cast the ballot when that shows the offer; they
give up after a while, or when the faults are over. Nobody waits for the others.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from protocol.electorates import fresh_offer, is_handoff_pending, newest_epoch
from protocol.events import BallotChoice
from simulations.scenario.model import Fault
from simulations.world.clock import EPOCH_START
from simulations.world.core_host import CoreHost
from simulations.world.deeds import authority_ballot, authority_ready
from simulations.world.world import World

End = Callable[[], None]

EVENT_LIFETIME = 3_600_000
LOOK_EVERY = 400
LOOKS_MAX = 100


@dataclass(slots=True)
class Election:
    """One change that the authorities want, and who cast a ballot in which epoch."""

    world: World
    candidate: CoreHost
    choice: BallotChoice
    is_over: bool = False
    cast: dict[tuple[int, int], None] = field(default_factory=dict)
    offered: bytes | None = None
    looks: int = 0

    def begin(self) -> None:
        if self.choice is not BallotChoice.REMOVE:
            self._offer()
        self._look()

    def _offer(self) -> None:
        """The candidate makes a new key, which its node holds from now on."""
        host, cast = self.candidate, self.world.cast
        if not host.is_up or not host.may_vote:
            self.is_over = True
            return
        count = self.world.coverage["voting-keys"]
        self.world.coverage["voting-keys"] += 1
        key = cast.new_key(f"voting key {count} of {host.label}")
        self.offered = key.public
        host.add_voting_key(key)
        party, head = cast.parties[host.name], host.disk.blocks[-1].header
        host.submit(authority_ready(cast, party, key, head, valid_until=_valid_until(self.world)))

    def _look(self) -> None:
        """Each authority's operator looks at its node; those who see a reason cast a ballot."""
        self.looks += 1
        if self.is_over or self.looks > LOOKS_MAX:
            return
        for host in self.world.hosts:
            if host.is_up and not host.is_paused:
                self._vote(host)
        self.world.network.after(LOOK_EVERY, self._look)

    def _vote(self, host: CoreHost) -> None:
        state, head = host.disk.state, host.disk.blocks[-1].header
        entry = newest_epoch(state)
        members = [authority.member for authority in entry.authorities]
        if is_handoff_pending(state, head.height + 1) or host.id not in members:
            return
        if (host.name, entry.epoch) in self.cast or self._is_done(host, members):
            return
        if self.choice is not BallotChoice.REMOVE:
            offer = fresh_offer(state, self.candidate.id, head.height + 1)
            if offer is None or offer.voting_key != self.offered:
                return
        self.cast[(host.name, entry.epoch)] = None
        parties = self.world.cast.parties
        host.submit(
            authority_ballot(
                self.world.cast,
                parties[host.name],
                parties[self.candidate.name],
                self.choice,
                valid_until=_valid_until(self.world),
            )
        )

    def _is_done(self, host: CoreHost, members: list[bytes]) -> bool:
        """Say whether the node shows the change already."""
        is_in = self.candidate.id in members
        match self.choice:
            case BallotChoice.ADD:
                return is_in
            case BallotChoice.REMOVE:
                return not is_in
        voters = newest_epoch(host.disk.state).authorities
        return any(voter.voting_key == self.offered for voter in voters)


def authority_change(world: World, fault: Fault) -> End:
    """Add, remove or rotate (`action`) the first of `nodes`."""
    election = Election(world, world.hosts_named(fault.nodes)[0], BallotChoice(fault.action))
    election.begin()

    def end() -> None:
        election.is_over = True

    return end


def _valid_until(world: World) -> int:
    return EPOCH_START + world.now + EVENT_LIFETIME
