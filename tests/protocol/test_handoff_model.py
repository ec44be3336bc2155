"""Who votes, against a model so dumb that it is plainly right.

Hypothesis invents histories of offers, ballots and proof of cheating, block by block, most of them
forbidden. Ledger and model must accept the same events, and name the same authorities.
"""

from dataclasses import dataclass, field
from itertools import product

from hypothesis import event, given
from hypothesis import strategies as st

from protocol.electorates import authorities_at, newest_epoch
from protocol.errors import InvalidEvent
from protocol.events import (
    AuthorityBallot,
    AuthorityReady,
    BallotChoice,
    Equivocation,
    Event,
    SignedEvent,
)
from protocol.genesis import faulty_max, quorum
from protocol.identity import Verifier
from protocol.state import changes_wanted, is_suspended
from protocol.votes import Vote, VoteKind
from tests.protocol.example_ledger import ExampleLedger
from tests.protocol.examples import VALID_UNTIL, make_network, token

ADD, REMOVE, ROTATE = BallotChoice.ADD, BallotChoice.REMOVE, BallotChoice.ROTATE
NETWORKS = {count: make_network(count, 12 - count) for count in (1, 3, 4, 5, 7)}
PARTIES = 12
BELIEVER = Verifier(lambda *_: True)


@dataclass(frozen=True)
class Offer:
    who: int


@dataclass(frozen=True)
class Ballot:
    voter: int
    choice: BallotChoice
    candidate: int


@dataclass(frozen=True)
class Campaign:
    """All who may vote cast the same ballot, but for one."""

    choice: BallotChoice
    candidate: int
    absent: int


@dataclass(frozen=True)
class Proof:
    epochs_ago: int
    signer: int


@dataclass(frozen=True)
class Block:
    """So many empty blocks."""

    count: int


Step = Offer | Ballot | Campaign | Proof | Block

places = st.integers(0, PARTIES - 1)
choices = st.sampled_from(BallotChoice)
steps: st.SearchStrategy[Step] = st.one_of(
    st.builds(Offer, places),
    st.builds(Offer, places),
    st.builds(Ballot, places, choices, places),
    st.builds(Campaign, choices, places, places),
    st.builds(Campaign, choices, places, places),
    st.builds(Campaign, st.just(ADD), places, st.just(PARTIES)),
    st.builds(Proof, st.integers(0, 2), st.integers(0, 7)),
    st.builds(Block, st.integers(1, 3)),
)


@dataclass
class Model:
    """Who votes is a set for each height; all else is sets and lists of what was said."""

    sets: list[list[int]]
    """The members of each epoch, sorted as in the chain."""
    bases: list[int] = field(default_factory=lambda: [0])
    height: int = 0
    offers: set[int] = field(default_factory=set)
    old_offers: set[int] = field(default_factory=set)
    """Made before the proof against who made them."""
    ballots: dict[tuple[int, int], tuple[BallotChoice, int]] = field(default_factory=dict)
    additions: set[int] = field(default_factory=set)
    removals: set[int] = field(default_factory=set)
    rotations: set[int] = field(default_factory=set)
    suspended: set[int] = field(default_factory=set)
    forgiven: dict[int, int] = field(default_factory=dict)

    @property
    def epoch(self) -> int:
        """The epoch of the next block."""
        return max(number for number, base in enumerate(self.bases) if base < self.height + 1)

    @property
    def voters(self) -> list[int]:
        return self.sets[self.epoch]

    @property
    def is_pending(self) -> bool:
        return self.epoch < len(self.sets) - 1

    def allows(self, step: Step) -> bool:
        match step:
            case Offer():
                return True
            case Ballot(voter, choice, candidate):
                return (
                    voter in self.voters
                    and voter not in self.suspended
                    and not self.is_pending
                    and self.changes_something(choice, candidate)
                    and self.ballots.get((voter, candidate)) != (choice, self.epoch)
                )
            case Proof(epochs_ago, signer):
                epoch = max(0, self.epoch - epochs_ago)
                if signer >= len(self.sets[epoch]):
                    return False
                culprit = self.sets[epoch][signer]
                return culprit not in self.suspended and epoch >= self.forgiven.get(culprit, 0)
        raise AssertionError(step)

    def changes_something(self, choice: BallotChoice, candidate: int) -> bool:
        votes = candidate in self.voters
        is_ready = candidate in self.offers - self.old_offers
        match choice, votes:
            case BallotChoice.ADD, False:
                return candidate not in self.additions and is_ready
            case BallotChoice.ADD, True:
                return candidate in self.removals - self.suspended
            case BallotChoice.REMOVE, False:
                return candidate in self.additions
            case BallotChoice.REMOVE, True:
                return candidate not in self.removals
        return votes and candidate not in self.removals | self.rotations and is_ready

    def apply(self, step: Step) -> None:
        match step:
            case Offer(who):
                self.offers.add(who)
                self.old_offers.discard(who)
            case Ballot(voter, choice, candidate):
                self.ballots[voter, candidate] = (choice, self.epoch)
                said = [
                    each
                    for each in self.voters
                    if each not in self.suspended
                    and self.ballots.get((each, candidate)) == (choice, self.epoch)
                ]
                if len(said) >= quorum(len(self.voters)):
                    self.decide(choice, candidate)
            case Proof(epochs_ago, signer):
                culprit = self.sets[max(0, self.epoch - epochs_ago)][signer]
                self.suspended.add(culprit)
                if culprit in self.offers:
                    self.old_offers.add(culprit)
                self.additions.discard(culprit)
                self.rotations.discard(culprit)
                if culprit in self.sets[-1]:
                    self.removals.add(culprit)

    def decide(self, choice: BallotChoice, candidate: int) -> None:
        votes = candidate in self.voters
        if choice == ROTATE:
            self.rotations.add(candidate)
        elif choice == ADD:
            self.removals.discard(candidate) if votes else self.additions.add(candidate)
        elif votes:
            self.removals.add(candidate)
            self.rotations.discard(candidate)
        else:
            self.additions.discard(candidate)

    def end_block(self) -> None:
        self.height += 1
        if self.bases[-1] > 0 and self.bases[-1] >= self.height:
            return
        voters = self.sets[-1]
        leaving = [each for each in sorted(self.removals) if each in self.suspended]
        leaving += [each for each in sorted(self.removals) if each not in self.suspended]
        coming = sorted(self.additions & self.offers)
        turning = sorted(self.rotations & self.offers)
        best = max(
            numbers
            for numbers in product(
                range(len(leaving) + 1), range(len(coming) + 1), range(len(turning) + 1)
            )
            if self.fits(len(voters), *numbers)
        )
        if not any(best):
            return
        out, new, turned = leaving[: best[0]], coming[: best[1]], turning[: best[2]]
        following = sorted({*voters, *new} - {*out})
        self.sets.append(following)
        self.bases.append(self.height + 2)
        self.removals -= {*out}
        self.additions -= {*new}
        self.rotations -= {*turned}
        self.offers -= {*following}
        self.old_offers -= {*following}
        for member in new:
            if member in self.suspended:
                self.suspended.remove(member)
                self.forgiven[member] = len(self.sets) - 1

    @staticmethod
    def fits(count: int, out: int, new: int, turned: int) -> bool:
        after = count - out + new
        return (
            out <= max(1, faulty_max(count))
            and after >= min(4, count)
            and new + turned <= max(1, faulty_max(after))
        )


class Story:
    """A ledger and the model, told the same. Parties are called by their place in id order."""

    def __init__(self, count: int) -> None:
        self.network = NETWORKS[count]
        self.ledger = ExampleLedger(self.network, BELIEVER)
        self.parties = sorted(self.network.parties, key=lambda party: party.id)
        self.ids = [party.id for party in self.parties]
        voters = [self.ids.index(party.id) for party in self.network.authorities]
        self.model = Model([voters])
        self.number = 0

    def tell(self, step: Step) -> None:
        match step:
            case Block(count):
                for _ in range(count):
                    self.end_block()
            case Campaign(choice, candidate, absent):
                for voter in [each for each in self.model.voters if each != absent]:
                    self.tell(Ballot(voter, choice, candidate))
            case _:
                self.say(step)

    def say(self, step: Step) -> None:
        """Let a block be made with the event, if the model allows it."""
        allowed = self.model.allows(step)
        event(f"{type(step).__name__} is {'allowed' if allowed else 'refused'}")
        try:
            self.ledger.apply(self.event_of(step))
        except InvalidEvent:
            assert not allowed
            return
        assert allowed
        self.model.apply(step)
        self.model.end_block()
        self.compare()

    def end_block(self) -> None:
        self.ledger.apply()
        self.model.end_block()
        self.compare()

    def event_of(self, step: Step) -> SignedEvent:
        self.number += 1
        match step:
            case Offer(who):
                body: AuthorityReady | AuthorityBallot | Equivocation = AuthorityReady(
                    member=self.ids[who],
                    voting_key=token(f"voting {self.number}"),
                    recovery_key=self.parties[who].recovery_key.public,
                    height=self.ledger.height,
                    block=token("block"),
                    proof=bytes(64),
                )
            case Ballot(voter, choice, candidate):
                body = AuthorityBallot(self.ids[voter], choice, self.ids[candidate])
            case Proof(epochs_ago, signer):
                epoch = max(0, self.model.epoch - epochs_ago)
                first, second = (
                    Vote(VoteKind.NOTARIZE, epoch, self.number, token(label), signer, bytes(64))
                    for label in ("one", "other")
                )
                body = Equivocation(self.ids[0], first, second)
        return SignedEvent(Event(VALID_UNTIL + self.number, body), (bytes(64),))

    def compare(self) -> None:
        state, model = self.ledger.state, self.model
        for height in range(self.ledger.height + 4):
            number = max(i for i, base in enumerate(model.bases) if base < max(height, 1))
            voters = [self.ids.index(each.member) for each in authorities_at(state, height)]
            assert voters == model.sets[number]
        assert newest_epoch(state).epoch == len(model.sets) - 1
        wanted = changes_wanted(state)
        for listed, expected in (
            (wanted.additions, model.additions),
            (wanted.removals, model.removals),
            (wanted.rotations, model.rotations),
        ):
            assert [self.ids.index(each) for each in listed] == sorted(expected)
        suspended = {place for place, each in enumerate(self.ids) if is_suspended(state, each)}
        assert suspended == model.suspended
        count = len(newest_epoch(state).authorities)
        assert count >= min(4, len(model.sets[0]))
        event(f"epochs: {min(len(model.sets), 5)}")


@given(st.sampled_from(sorted(NETWORKS)), st.lists(steps, min_size=10, max_size=40))
def test_ledger_and_model_name_the_same_authorities(count: int, history: list[Step]) -> None:
    story = Story(count)
    for step in history:
        story.tell(step)
    story.ledger.assert_digest()
