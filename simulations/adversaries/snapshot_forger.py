"""A member that gives false parts of its state to those who copy one (B14).

    accumulators, head, certificate, sizes    a manifest in which one thing is not true
    epochs                                    a proof of who votes, with a false signature
    changed, missing, order, stranger, small  a part of a bucket with other entries
    other                                     a part of a bucket that nobody asked for
    gone, silent                              no answer
    lowest                                    a claim to have nothing but the newest block

Met by what a quorum signed: every bucket must sum up to the digest in a final header. A false part
is thrown away, its sender is blamed, and another member is asked.
"""

from typing import Any

from msgspec.structs import replace

from protocol.blocks import Block
from protocol.effects import SendMessage
from protocol.light import EpochProof
from protocol.messages import BucketSent, EpochsSent, ManifestSent, SnapshotGone, Status
from protocol.snapshot import BUCKET_SIZE_MAX
from protocol.snapshot_source import SendEpochs, SendSnapshot
from protocol.votes import Certificate
from simulations.adversaries.traitor import Traitor

HONEST = 0.4
"""How often it tells the truth: so lies come at each stage of a copy."""
STRANGER = (b"\xff" * 40, b"invented")


class SnapshotForger(Traitor):
    """Answers those who copy a state with false parts of it."""

    kind = "snapshot-forger"

    def carry_out(self, effect: Any) -> None:
        match effect:
            case SendSnapshot(peer) | SendEpochs(peer) if self.is_acting:
                self._answer(self.cast.names[peer], effect)
            case SendMessage(recipients, Status() as status) if self.is_acting:
                self.did("lowest")
                lure = replace(status, lowest_height=self.disk.height)
                super().carry_out(SendMessage(recipients, lure))
            case _:
                super().carry_out(effect)

    def _answer(self, name: int, effect: SendSnapshot | SendEpochs) -> None:
        chance = self.network.random
        answer = self.copies.answer(effect, self.disk)
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
            case EpochsSent(proofs=(EpochProof() as proof, *others)):
                false = _with_false_signature(proof.final.certificate)
                first = replace(proof, final=replace(proof.final, certificate=false))
                return {"epochs": replace(answer, proofs=(first, *others))}
            case BucketSent():
                gone = SnapshotGone(answer.block)
                return _false_parts(answer) | {"gone": gone, "silent": None}
        return {}


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
