"""The records that one clinic keeps: made up, sealed in one chunk each, as the protocol seals them.

Like everything here that a clinic keeps on its disk, it outlives the process.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from protocol.container import Sealer
from protocol.envelope import Opening
from protocol.events import Commitment
from protocol.identity import MemberId, SubjectId
from protocol.merkle import leaf_hash, merkle_root
from protocol.record import Description, Manifest, RecordId, manifest_commitment
from protocol.release import ChunksSent, ChunksWanted

CATEGORIES = ("imaging", "laboratory", "letter", "medication")


@dataclass(frozen=True, slots=True)
class Kept:
    """One record: what opens it, and its only sealed chunk."""

    opening: Opening
    chunk: bytes


class Shelf:
    """The records of one custodian."""

    def __init__(self, custodian: MemberId) -> None:
        self._custodian = custodian
        self._records: dict[RecordId, Kept] = {}
        self._by_subject: dict[SubjectId, list[RecordId]] = {}

    def write(self, subject: SubjectId, *, at: int) -> Manifest:
        """Make up a record of the subject, and keep it."""
        number = len(self._records)
        seed = sha256(self._custodian + subject + number.to_bytes(8, "big")).digest()
        text = f"Made-up report {number}. Nobody was ill.".encode()
        sealer = Sealer(sha256(b"dek" + seed).digest(), seed[:16])
        chunk = sealer.seal(text, last=True)
        manifest = Manifest(
            id=sha256(b"id" + seed).digest()[:16],
            description=Description(
                subject=subject,
                custodian=self._custodian,
                mime_type="text/plain",
                categories=(CATEGORIES[seed[0] % len(CATEGORIES)],),
                sensitivity=(),
                author="nobody",
                authored_at=at,
                title=None,
            ),
            content=sealer.content(),
            salt=sha256(b"salt" + seed).digest(),
        )
        self._records[manifest.id] = Kept(Opening(sha256(b"dek" + seed).digest(), manifest), chunk)
        self._by_subject.setdefault(subject, []).append(manifest.id)
        return manifest

    def manifests(
        self, subject: SubjectId, wanted: Iterable[RecordId] = ()
    ) -> tuple[Manifest, ...]:
        """Return the subject's records, or those of them that are `wanted`."""
        asked_for = list(wanted)
        return tuple(
            self._records[record].opening.manifest
            for record in self._by_subject.get(subject, ())
            if not asked_for or record in asked_for
        )

    def opening(self, record: RecordId) -> Opening:
        return self._records[record].opening

    def chunks(self, wanted: ChunksWanted) -> ChunksSent:
        return ChunksSent(wanted.first, (self._records[wanted.record].chunk,))


def commitments_root(manifests: Iterable[Manifest]) -> Commitment:
    """Return the root over the commitments of a batch of records."""
    return merkle_root([leaf_hash(manifest_commitment(each)) for each in manifests])
