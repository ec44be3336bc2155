"""The results of verifications as JSON, for a running node and for commands on the files alone."""

from daemon.records_check import RecordsReport
from daemon.rpc import Json
from daemon.verification import Report as Verification


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
