"""Checks every byte of the sealed records that a node keeps, on a running node or on a copy."""

from dataclasses import dataclass

from daemon.vault.errors import RecordDamaged
from daemon.vault.vault import Vault
from protocol.record import RecordId


@dataclass(frozen=True, slots=True)
class RecordsReport:
    """How many records were checked, and what is wrong with which."""

    checked: int
    findings: tuple[tuple[RecordId, str], ...]

    @property
    def is_good(self) -> bool:
        return not self.findings


def check_records(vault: Vault) -> RecordsReport:
    """Check all records. Blocks."""
    findings = []
    records = vault.record_ids()
    for record in records:
        try:
            vault.verify(record)
        except RecordDamaged as error:
            findings.append((record, str(error)))
    return RecordsReport(len(records), tuple(findings))
