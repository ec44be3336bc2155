"""The results of verifications as JSON, for a running node and for commands on the files alone."""

from daemon.rpc import Json
from daemon.storage.verification import Report as Verification
from daemon.vault.check import RecordsReport


def view_report(report: Verification) -> dict[str, Json]:
    """Return a report as JSON."""
    return {
        "good": report.is_good,
        "height": report.head,
        "blocks": report.blocks,
        "events": report.events,
        "certificates": report.certificates,
        "state_entries": report.state_entries,
        "findings": list(report.findings),
    }


def view_records_report(report: RecordsReport) -> dict[str, Json]:
    """Return a report on sealed records as JSON."""
    return {
        "good": report.is_good,
        "records": report.checked,
        "findings": [{"record": record.hex(), "what": what} for record, what in report.findings],
    }
