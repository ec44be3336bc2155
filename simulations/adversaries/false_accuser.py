"""A member that reports equivocations that never were (B15).

    legal     a notarize and a nullify vote of one view: both may be signed
    same      one vote twice
    views     votes of two views
    forged    a second vote whose signature is made up
    stranger  votes of an authority that does not exist

The first votes are true ones, of honest authorities. Met by the rule of the event: evidence is two
good signatures of one signer that no honest authority gives both, or it is refused.
"""

from typing import Any

from msgspec.structs import replace

from protocol.codec import digest
from protocol.events import Equivocation
from protocol.messages import sign_bundle
from protocol.votes import NO_BLOCK, Vote, VoteKind
from simulations.adversaries.traitor import Traitor
from simulations.world.clock import EPOCH_START
from simulations.world.contents import votes_in
from simulations.world.deeds import signed_by
from simulations.world.world import World

ACCUSE_EVERY = 600
LIFETIME = 3_600_000
VOTES_KEPT_MAX = 200


class FalseAccuser(Traitor):
    """Spreads false evidence past its own node, which would refuse it."""

    kind = "false-accuser"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._votes: list[Vote] = []

    def enter(self, world: World) -> None:
        super().enter(world)
        self.every(ACCUSE_EVERY, self._accuse)

    def received(self, sender: int, message: Any) -> None:
        if len(self._votes) < VOTES_KEPT_MAX:
            self._votes += votes_in(message)
        super().received(sender, message)

    def _accuse(self) -> None:
        if not self._votes:
            return
        cast, party = self.cast, self.cast.parties[self.name]
        what, first, second = self._evidence()
        wall = EPOCH_START + self.network.now
        body = Equivocation(reporter=party.id, first=first, second=second)
        event = signed_by(cast, body, party.key, valid_until=wall + LIFETIME)
        self.did(what)
        self.tell_all(list(self.linked), sign_bundle(party.key, cast.id, wall, (event,)))

    def _evidence(self) -> tuple[str, Vote, Vote]:
        chance = self.network.random
        first = chance.choice(self._votes)
        others = [v for v in self._votes if v.signer == first.signer and v.view != first.view]
        choices = {
            "same": first,
            "forged": replace(first, kind=VoteKind.FINALIZE, block=digest("b", first.signature)),
            "stranger": replace(first, signer=self.cast.authority_count),
        }
        legal = [
            vote
            for vote in self._votes
            if (vote.signer, vote.view) == (first.signer, first.view)
            and {vote.kind, first.kind} == {VoteKind.NOTARIZE, VoteKind.NULLIFY}
        ]
        if others:
            choices["views"] = chance.choice(others)
        if legal:
            choices["legal"] = legal[0]
        what = chance.choice(list(choices))
        second = choices[what]
        if what == "forged" and first.block == NO_BLOCK:
            second = replace(second, view=first.view)
        return what, first, second
