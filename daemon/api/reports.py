"""The result of a verification as JSON, for a running node and for `placet chain verify` alone."""

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
