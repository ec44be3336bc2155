"""A member that makes up what others should have signed (B8; B.15 scenarios 24 and 29).

Votes in the name of others, certificates with a signer twice, with q - 1 signatures, one too many,
out of order, of another epoch, of another block, without signatures; bundles, peer records and
events with wrong ones. Met by `validate_certificate` and `validate_vote`, before anything is
believed: such a message is put down to whoever sent it, and changes nothing.
"""

from typing import Any

from msgspec.structs import replace

from protocol.codec import encode
from protocol.messages import Payload, Status, Topic, sign_bundle, sign_peer_record
from protocol.votes import NO_BLOCK, Certificate, Vote, VoteKind, sign_vote
from simulations.adversaries.forgery import (
    doubled_signer,
    fewer_signers,
    flipped,
    one_too_many,
)
from simulations.adversaries.traitor import Traitor
from simulations.world.clock import EPOCH_START
from simulations.world.deeds import records_committed, token
from simulations.world.world import World

FORGE_EVERY = 300
LIFETIME = 3_600_000


class Forger(Traitor):
    """Sends a forgery to each of its neighbours now and then."""

    kind = "forger"

    def enter(self, world: World) -> None:
        super().enter(world)
        self.every(FORGE_EVERY, self._forge)

    def _forge(self) -> None:
        chance = self.network.random
        for name in list(self.linked):
            forgeries = self._forgeries()
            what = chance.choice(list(forgeries))
            self.did(what)
            self.say(name, forgeries[what])

    def _forgeries(self) -> dict[str, Any]:
        return self._false_events() | self._false_votes() | self._false_certificates()

    def _false_events(self) -> dict[str, Any]:
        cast, party = self.cast, self.cast.parties[self.name]
        wall = EPOCH_START + self.network.now
        good = records_committed(
            cast, party, root=token(f"root {wall}"), valid_until=wall + LIFETIME
        )
        bad = replace(good, signatures=(bytes(64),))
        unsigned = replace(sign_bundle(party.key, cast.id, wall, (good,)), signature=bytes(64))
        record = sign_peer_record(party.key, cast.id, wall, ("/ip4/192.0.2.1/tcp/4001",))
        return {
            "event": sign_bundle(party.key, cast.id, wall, (bad,)),
            "bundle": unsigned,
            "gossip": Payload(Topic.EVENTS, encode(unsigned)),
            "peer-record": Payload(
                Topic.PEERS, encode(replace(record, signature=flipped(record.signature)))
            ),
        }

    def _false_votes(self) -> dict[str, Any]:
        view = self.disk.blocks[-1].header.view + 1
        signer = self.network.random.randrange(self.cast.authority_count)
        vote = Vote(VoteKind.NULLIFY, self.epoch, view, NO_BLOCK, signer, bytes(64))
        return {
            "vote": vote,
            "vote-signer": replace(vote, signer=self.cast.authority_count),
            "vote-block": replace(vote, kind=VoteKind.FINALIZE, block=token(f"block {view}")),
        }

    def _quorum_alone(self, like: Certificate) -> Certificate:
        """Give up the view in everybody's name: one authority, as often as a quorum has members."""
        seat = self.seat or 0
        vote = sign_vote(
            self.cast.parties[self.name].voting_key,
            self.cast.id,
            kind=VoteKind.NULLIFY,
            epoch=like.epoch,
            view=like.view,
            block=NO_BLOCK,
            signer=seat,
        )
        count = len(like.signers)
        return Certificate(
            vote.kind,
            vote.epoch,
            vote.view,
            NO_BLOCK,
            (seat,) * count,
            (vote.signature,) * count,
        )

    def _false_certificates(self) -> dict[str, Certificate | Status]:
        good = self.disk.certificates.get(self.disk.height)
        if good is None:
            return {}
        head = self.disk.blocks[-1].header
        ahead = replace(good, view=good.view + 1)
        false: dict[str, Certificate] = {
            "cert-short": fewer_signers(ahead),
            "cert-double": doubled_signer(ahead),
            "cert-long": one_too_many(ahead),
            "cert-order": replace(ahead, signers=tuple(reversed(ahead.signers))),
            "cert-view": ahead,
            "cert-epoch": replace(good, epoch=good.epoch + 1),
            "cert-block": replace(ahead, block=token("another block")),
            "cert-kind": replace(ahead, kind=VoteKind.NULLIFY, block=NO_BLOCK),
            "cert-none": replace(ahead, signers=(), signatures=()),
            "cert-alone": self._quorum_alone(ahead),
        }
        in_status = {
            f"status-{name}": Status(self.epoch, head.view, head.height, each, 0)
            for name, each in false.items()
        }
        return false | in_status
