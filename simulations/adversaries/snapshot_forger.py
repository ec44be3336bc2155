"""A member that gives false parts of its state to those who copy one (B14).

    accumulators, head, certificate, sizes    a manifest in which one thing is not true
    epochs                                    a proof of who votes, with a false signature
    electorate                                true proofs, the last one with other authorities
    chain                                     a chain of epochs that it made up, with itself on top
    changed, missing, order, stranger, small  a part of a bucket with other entries
    other                                     a part of a bucket that nobody asked for
    gone, silent                              no answer
    lowest                                    a claim to have nothing but the newest block
    highest                                   a claim to have more than anybody, to be asked first

Met by what a quorum signed: every bucket must sum up to the digest in a final header. A false part
is thrown away, its sender is blamed, and another member is asked.
"""

from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block, block_hash
from protocol.effects import SendMessage
from protocol.genesis import authorities_hash
from protocol.light import EpochProof, FinalHeader
from protocol.messages import BucketSent, EpochsSent, ManifestSent, SnapshotGone, Status
from protocol.snapshot import BUCKET_SIZE_MAX
from protocol.snapshot_source import SendEpochs, SendSnapshot
from protocol.votes import Certificate
from simulations.adversaries.traitor import Traitor
from simulations.world.answers import answer_from
from simulations.world.world import World

AHEAD = 1
"""How many blocks more than it has it claims to have: so few that many believe it."""
LINGER_MAX = 30_000
"""How long it goes on after the faults at the most, in milliseconds."""
HONEST = 0.4
"""How often it tells the truth: so lies come at each stage of a copy."""
STRANGER = (b"\xff" * 40, b"invented")


class SnapshotForger(Traitor):
    """Answers those who copy a state with false parts of it."""

    kind = "snapshot-forger"

    def enter(self, world: World) -> None:
        """It goes on when faults are over: only then do those who were away copy a state."""
        super().enter(world)
        self.acts_until += min(LINGER_MAX, world.scenario.settle // 4)

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendSnapshot(peer) | SendEpochs(peer) if self.is_acting:
                self._answer(self.cast.names[peer], effect)
            case SendMessage(recipients, Status() as status) if self.is_acting:
                super().carry_out(SendMessage(recipients, self._lure(status)))
            case _:
                super().carry_out(effect)

    def _lure(self, status: Status) -> Status:
        """Of a chain that begins high, no blocks can be asked for; but it is asked last."""
        if self.place % 2:
            self.did("highest")
            return replace(status, height=self.disk.height + AHEAD)
        self.did("lowest")
        return replace(status, lowest_height=self.disk.height)

    def _answer(self, name: int, effect: SendSnapshot | SendEpochs) -> None:
        chance = self.network.random
        disk = self.copies.disk_of(effect, self.disk)
        answer = None if disk is None else answer_from(disk, effect)
        if answer is None:
            return
        lies = self._lies(answer)
        if not lies or chance.random() < HONEST:
            self.say(name, answer)
            return
        what = chance.choice(list(lies))
        self.did(what)
        if lies[what] is not None:
            self.say(name, lies[what])

    def _lies(self, answer: Any) -> dict[str, Any]:
        """Return false answers by their names; `None` is silence."""
        match answer:
            case ManifestSent():
                return _false_manifests(answer) | {"silent": None}
            case EpochsSent():
                return _false_epochs(answer)
            case BucketSent():
                gone = SnapshotGone(answer.block)
                return _false_parts(answer) | {"gone": gone, "silent": None}
        return {}


def _false_epochs(answer: EpochsSent) -> dict[str, EpochsSent]:
    """Return chains of proofs that end with authorities whom no quorum named."""
    *before, last = answer.proofs
    if not isinstance(last, EpochProof):
        return {}
    header, others = last.final.header, last.authorities[:1]
    signature = _with_false_signature(last.final.certificate)
    named = replace(header, next_authorities=authorities_hash(header.epoch + 1, others))
    certificate = replace(last.final.certificate, block=block_hash(named))
    made_up = FinalHeader(named, (), certificate)
    false = {
        "epochs": replace(last, final=replace(last.final, certificate=signature)),
        "electorate": replace(last, authorities=others),
        "chain": EpochProof(made_up, others),
    }
    return {name: replace(answer, proofs=(*before, end)) for name, end in false.items()}


def _with_false_signature(certificate: Certificate) -> Certificate:
    first, *others = certificate.signatures
    return replace(certificate, signatures=(bytes([first[0] ^ 1]) + first[1:], *others))


def _false_manifests(manifest: ManifestSent) -> dict[str, ManifestSent]:
    header = manifest.head.header
    other = Block(replace(header, timestamp=header.timestamp + 1), manifest.head.events)
    sums = manifest.accumulators
    return {
        "accumulators": replace(manifest, accumulators=bytes([sums[0] ^ 1]) + sums[1:]),
        "head": replace(manifest, head=other),
        "certificate": replace(manifest, certificate=_with_false_signature(manifest.certificate)),
        "sizes": replace(manifest, sizes=(BUCKET_SIZE_MAX + 1, *manifest.sizes[1:])),
    }


def _false_parts(part: BucketSent) -> dict[str, BucketSent]:
    entries = part.entries
    lies = {
        "stranger": replace(part, entries=(*entries, STRANGER)),
        "small": replace(part, entries=entries[:1], is_last=False),
        "other": replace(part, bucket=part.bucket ^ 1),
    }
    if entries:
        key, value = entries[0]
        lies["changed"] = replace(part, entries=((key, value + b"\0"), *entries[1:]))
        lies["missing"] = replace(part, entries=entries[1:])
    if len(entries) > 1:
        lies["order"] = replace(part, entries=tuple(reversed(entries)))
    return lies
