"""Results of verifications and prunings as JSON, for a running node and for files alone."""

from daemon.rpc import Json
from daemon.storage.pruning import Progress, Pruned
from daemon.storage.verification_report import Report as Verification
from daemon.vault.check import RecordsReport


def view_report(report: Verification) -> dict[str, Json]:
    """Return a report as JSON."""
    return {
        "good": report.is_good,
        "height": report.head,
        "lowest_height": report.lowest,
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


def view_pruning(progress: Progress) -> dict[str, Json]:
    """Return how far a pruning is as JSON."""
    return {
        "blocks": progress.blocks,
        "blocks_total": progress.blocks_total,
        "compacted": progress.compacted,
        "compacted_total": progress.compacted_total,
    }


def view_pruned(pruned: Pruned) -> dict[str, Json]:
    """Return what a pruning did as JSON."""
    return {
        "lowest_height": pruned.lowest_height,
        "blocks": pruned.blocks,
        "size_before": pruned.size_before,
        "size_after": pruned.size_after,
        "came_back": pruned.size_before - pruned.size_after,
    }
