"""Looks up what a decision about a request rests on, and seals what was decided.

Everything here blocks, and reads the vault. A record that is damaged is as good as none to the
requester; the operator reads about it in the log.
"""

import structlog

from daemon.librarian.node import LibrarianNode
from daemon.librarian.releases import Releases
from daemon.storage.tables import records_of
from daemon.vault.errors import RecordDamaged, RecordUnknown
from protocol.envelope import Release, seal_envelope
from protocol.identity import SubjectId, short
from protocol.record import Manifest, RecordId
from protocol.release_effects import LoadCase, Remembered, SealRelease

RECORDS_PER_SUBJECT_MAX = 16_384
"""How many records of one subject are looked at for one request."""

log = structlog.get_logger("records")


class RecordCases:
    """The vault as the custodian's exchange sees it."""

    def __init__(self, node: LibrarianNode, releases: Releases) -> None:
        self._node = node
        self._releases = releases

    def records(self, effect: LoadCase) -> tuple[Manifest, ...]:
        """Return those of the records asked for that we keep as the subject's custodian."""
        kept = [
            entry.record
            for entry in records_of(self._node.store, effect.subject)
            if entry.custodian == self._node.me
        ]
        wanted = set(effect.records)
        chosen = [record for record in kept if not wanted or record in wanted]
        found = (self._manifest(record, effect.subject) for record in chosen)
        manifests = [manifest for manifest in found if manifest is not None]
        return tuple(manifests[:RECORDS_PER_SUBJECT_MAX])

    def remembered(self, effect: LoadCase) -> Remembered | None:
        """Return the release that was sealed for this very request."""
        return self._releases.get(effect.request, effect.until)

    def seal(self, effect: SealRelease) -> Release:
        """Seal the keys to the requester. Raises `DaemonError` if a record went missing."""
        return Release(
            tuple(
                seal_envelope(
                    self._node.vault.opening(record.id),
                    kem_public=effect.requester.kem_key,
                    handover=effect.handover,
                    not_after=effect.not_after,
                )
                for record in effect.records
            )
        )

    def _manifest(self, record: RecordId, subject: SubjectId) -> Manifest | None:
        try:
            manifest = self._node.vault.manifest(record)
        except RecordUnknown:
            return None  # It was erased.
        except RecordDamaged as error:
            log.error("record-damaged", record=short(record), next_step=error.next_step)
            return None
        is_whose = manifest.description.subject == subject
        return manifest if is_whose and manifest.description.custodian == self._node.me else None
